"""scripts/run-e2e.sh: no failure gets lost between the streams, the second tries and the exit code."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from service import ROOT
from watch import BINARY

# What fails the first time that it is called with these words.
ONCE = """
import pathlib, pytest

def fails_once(words):
    try:
        (pathlib.Path(__file__).parent / ("seen-" + words.encode().hex())).touch(exist_ok=False)
    except FileExistsError:
        return
    raise AssertionError(words)
"""
NAMES = ["::1 netns", "[2001:db8::1]:80", "two words", "\u00fc\u20ac", "a\nb", "it's \"so\"", "-k", "a[b", "a::b"]
ODD = ONCE + f"""
@pytest.mark.parametrize("name", {NAMES!r})
def test_odd(name):
    fails_once(name)
"""
PARTS = ONCE + """
@pytest.fixture
def teardown():
    yield
    fails_once("teardown")

@pytest.fixture(scope="module")
def setup():
    fails_once("setup")

def test_both(teardown):
    fails_once("call")

def test_first(setup):
    pass

def test_second(setup):
    pass
"""
VANISHES = ONCE + """
if not list(pathlib.Path(__file__).parent.glob("seen-*")):
    def test_gone():
        fails_once("gone")
"""
PASSES = "def test_passes(): pass\n"
FAILS = "def test_fails(): assert False\n"
SKIPS = "def test_skips(): pytest.skip('no reason')\n"
DIES = "def test_dies(): __import__('os')._exit(1)\n"
NO_IMPORT = "import nothing_of_that_name\n"
FILES = {"beside": "test_workloads.py", "rest": "test_rest.py", "alone": "test_serve.py"}


def run(directory, *arguments: str, most: int = 15, env: dict[str, str] = {}, **files: str) -> tuple[int, list[str]]:
    """Of the three streams: a file each. The exit code, and what was said of second tries."""
    for stream, name in FILES.items():
        (directory / name).write_text(files.get(stream, PASSES))
    env = os.environ | {"PYTHON": sys.executable, "E2E_AGAIN": str(most)} | env
    command = ["sh", str(ROOT / "scripts" / "run-e2e.sh"), ".", *arguments]
    ended = subprocess.run(command, cwd=directory, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(ended.stdout)  # pytest shows it of what fails
    said = [line for line in ended.stdout.splitlines() if line.startswith("run-e2e:")]
    return ended.returncode, [line.removeprefix("run-e2e:").strip() for line in said]


@pytest.mark.parametrize("arguments", [(), ("-v",)], ids=["streams", "options"])
def test_what_fails_once_is_named(tmp_path, arguments):
    code, said = run(tmp_path, *arguments, beside=ODD, rest=PARTS)

    tests = len(NAMES) + 3
    assert said[0] == f"{tests} tests failed; each is run once more, alone:"
    assert len({line for line in said if line.startswith("again ")}) == tests
    assert said[-1] == f"{tests} of {tests} passed alone"
    assert code == 0


def test_nothing_is_said_of_nothing(tmp_path):
    assert run(tmp_path) == (0, [])


@pytest.mark.parametrize("stream", FILES)
def test_what_fails_twice_is_named_and_fails(tmp_path, stream):
    code, said = run(tmp_path, **{"beside": ODD, "rest": PARTS, stream: FAILS})

    assert code == 1
    assert said[-1] == f"not {FILES[stream]}::test_fails"


def test_what_is_not_there_any_more_has_not_passed(tmp_path):
    code, said = run(tmp_path, rest=VANISHES)

    assert code != 0
    assert said[-2:] == ["0 of 1 passed alone", "not test_rest.py::test_gone"]


def check_final(outcome: tuple[int, list[str]], ends: int) -> None:
    assert outcome == (ends, [f"a run of pytest ended with {ends}, see above: nothing is run again"])


@pytest.mark.parametrize("stream", FILES)
@pytest.mark.parametrize("broken, ends", [(DIES, 1), (NO_IMPORT, 2)], ids=["dies", "no_import"])
def test_what_no_second_try_mends_is_final(tmp_path, stream, broken, ends):
    """Also if others failed, of the same run too."""
    check_final(run(tmp_path, **{**dict.fromkeys(FILES, PARTS), stream: PARTS + broken}), ends)


def test_a_skip_is_final(tmp_path):
    ours = {"PYTHONPATH": str(ROOT / "tests" / "e2e"), "PYTEST_ADDOPTS": "-p conftest", "LOOPHOUND": BINARY}
    check_final(run(tmp_path, env=ours, rest=PARTS + SKIPS), 77)


def test_too_many_are_named(tmp_path):
    code, said = run(tmp_path, most=2, rest=PARTS)

    assert code == 1
    assert said == ["3 tests failed, more than 2:", *(f"failed test_rest.py::test_{name}" for name in ("both", "first", "second"))]

"""Builds of CPython that are not simply an executable of a known version."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from interpreters import Interpreter, find_interpreters
from match import check_breaches, check_summary
from process import Child
from watch import Loophound, watch_workload
from workload import Workload, script

HERE = Path(__file__).parent
LIBRARY = "libpython3.15.so.1.0"


def compile_c(source: str, output: Path, *options: str) -> Path:
    command = ["cc", "-Wall", "-Werror", "-o", output, HERE / source, *options]
    subprocess.run(command, check=True, timeout=60)
    return output


@pytest.fixture
def newest() -> Interpreter:
    """3.15 of the root directory that has its shared library too."""
    found = [each for each in find_interpreters() if each.version[1] == 15 and each.root]
    assert found, "CPython 3.15 is not there: scripts/chroots.sh"
    return found[0]


def embedded(newest: Interpreter, program: Path) -> Interpreter:
    return Interpreter(str(program), newest.version, newest.usdt, newest.root)


def test_a_shared_library(newest, tmp_path):
    """3.15 has its thread state in a thread-local variable: elsewhere in a library than in an executable."""
    library = f"{newest.root}/usr/lib/x86_64-linux-gnu/{LIBRARY}"
    program = compile_c("embed.c", tmp_path / "python3.15", library, "-Wl,--allow-shlib-undefined")
    for workload in ("time_sleep", "task_names", "loop_in_thread"):
        outcome = watch_workload(workload, embedded(newest, program))

        check_breaches(outcome)
        check_summary(outcome)
        assert "/python3.15" in outcome.output and '"static":false' in outcome.output, outcome.output


def test_a_library_that_is_opened_late(newest, tmp_path):
    """Its thread-local variables are elsewhere in each thread: said, not misread."""
    program = compile_c("embed.c", tmp_path / "python3.15", f'-DLATE="{LIBRARY}"')
    with Workload("time_sleep", embedded(newest, program)) as workload:
        workload.wait_ready()
        with Loophound("watch", "-p", str(workload.pid)) as watch:
            assert watch.wait() == 1, watch.dump()
        assert "libpython was loaded late" in watch.err.text(), watch.dump()
        workload.go()
        workload.wait_done()
        workload.end()


def test_a_version_from_the_future(python, tmp_path):
    """Nothing of it is guessed; what needs no layout is said, and others are watched beside it."""
    program = compile_c("forged_python.c", tmp_path / "python3.16", "-rdynamic", "-DVERSION=0x031000f0")
    reason = "CPython 3.16 is newer than this loophound knows (3.15 is the last)"
    with Child([str(program)]) as future, Workload("time_sleep", python) as known:
        future.expect("its ready line", lambda line: line == "ready")
        known.wait_ready()

        with Loophound("ps", "-p", str(future.pid), "--format", "jsonl") as ps:
            assert ps.wait() == 0, ps.dump()
        (shown,) = ps.records()
        assert (shown["python"], shown["supported"], shown["exe"]) == ("3.16.0", False, str(program))
        assert shown["reason"].startswith(reason)
        with Loophound("ps", "-p", str(future.pid)) as ps:
            assert ps.wait() == 0 and f"({shown['reason']})" in ps.out.text(), ps.dump()

        with Loophound("doctor", "-p", str(future.pid)) as doctor:
            assert doctor.wait() == 4, doctor.dump()
        assert f"not supported: {shown['reason']}" in doctor.out.text(), doctor.dump()
        assert "3.16.0, static" in doctor.out.text(), doctor.dump()

        with Loophound("watch", "-p", str(future.pid)) as watch:
            assert watch.wait() == 1 and shown["reason"] in watch.err.text(), watch.dump()

        with Loophound("watch", "--name", "python3*", "--format", "jsonl") as watch:
            for pid, status in (future.pid, "unsupported"), (known.pid, "ok"):
                watch.expect(
                    f"that {pid} is {status}",
                    lambda line: f'"pid":{pid},' in line and f'"status":"{status}"' in line,
                )
            known.go()
            watch.expect("its breach", lambda line: f'"pid":{known.pid},' in line and '"breach"' in line)
        future.process.stdin.close()
        assert future.wait() == 0, future.dump()
        known.wait_done()
        known.end()


def has_uvloop(interpreter: Interpreter) -> bool:
    return subprocess.run(interpreter.command("-c", "import uvloop"), capture_output=True).returncode == 0


def test_uvloop_of_the_newest():
    """Every other interpreter that has it; test_loops.py has the distribution's own."""
    found = [each for each in find_interpreters() if each.root and has_uvloop(each)]
    assert found, "no uvloop in the root directories: scripts/chroots.sh"
    for interpreter in found:
        for workload in ("time_sleep", "task_names", "overload_callbacks"):
            outcome = watch_workload(workload, interpreter, through=(script("under"), "uvloop"))

            check_breaches(outcome)
            check_summary(outcome)
            assert {loop["kind"] for loop in outcome.summary()["loops"]} == {"uvloop"}, outcome.output

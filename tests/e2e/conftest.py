"""What the end-to-end tests need: root, the binary, and every CPython this machine has."""

from __future__ import annotations

import functools
import os
import shutil
import signal
import tempfile
import zlib
from pathlib import Path

import pytest

from interpreters import Interpreter, find_free_threaded, find_interpreters, is_double, system_interpreter
from service import Service
from watch import BINARY

NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
# What is enough on a kernel that asks for no more.
FOUR = ("bpf", "perfmon", "sys_ptrace", "dac_read_search")
SKIPPED = 77  # exit code; also if others failed
NEEDS_ROOT = "loading BPF programs needs root: run `sudo make check`"


def with_capabilities(*names: str) -> tuple[str, ...]:
    """The begin of a command that runs as nobody, with these as ambient ones."""
    given = ",".join(f"+{name}" for name in names)
    return (*NOBODY, "--inh-caps", given, "--ambient-caps", given)


def pytest_sessionstart(session: pytest.Session) -> None:
    for number in (signal.SIGINT, signal.SIGHUP):  # a shell's background job and nohup ignore them, and what is ignored is inherited
        signal.signal(number, signal.default_int_handler)
    if not os.access(BINARY, os.X_OK):
        pytest.exit(f"{BINARY} is not there: run `make`, or name another in $LOOPHOUND", returncode=2)
    if not find_interpreters():
        pytest.exit("no CPython 3.9 to 3.15 found: name some in $LOOPHOUND_PYTHONS", returncode=2)


def pytest_report_header() -> list[str]:
    found = ", ".join(f"{each} ({each.root}{each.path})" for each in find_interpreters())
    free = ", ".join(f"{each} ({each.path})" for each in find_free_threaded())
    free = free or "none, so its tests are left out: `make free-threaded` builds one"
    sample = ["a sample: each test on four interpreters of all; `make check-e2e` runs it on each"] if SAMPLE else []
    return [f"loophound: {BINARY}", f"interpreters: {found}", f"free-threaded: {free}", *sample]


collect_ignore = [] if find_free_threaded() else ["test_free_threaded.py"]


def needs_probes(workload: str) -> bool:
    return workload.startswith(("gc_", "import_", "healthy_gc", "healthy_imports", "latent_audit"))


def is_said_twice(item: pytest.Item) -> bool:
    """Of a minor version that another runs in full, this one adds what a build with probes, or without, changes."""
    params = getattr(item, "callspec", None) and item.callspec.params
    if not params or "interpreter" not in params or not is_double(params["interpreter"]):
        return False
    return not needs_probes(params.get("workload", "")) and "audit" not in item.name and "collector" not in item.name


SAMPLE = os.environ.get("E2E_SAMPLE") == "1"
SAMPLED_MORE = 2


@functools.cache
def rarely_sampled() -> list[Interpreter]:
    found = sorted(find_interpreters(), key=lambda each: each.version)
    always = {system_interpreter(), found[-1]}
    return [each for each in found if each not in always and not is_double(each)]


def is_sampled(item: pytest.Item) -> bool:
    """Whether the sample has it: each test runs on this machine's own interpreter, the newest, and two more by its name."""
    params = getattr(item, "callspec", None) and item.callspec.params
    if not params or "interpreter" not in params:
        return True
    others = rarely_sampled()
    if params["interpreter"] not in others:
        return True
    name = item.nodeid.replace(str(params["interpreter"]), "")
    place = (others.index(params["interpreter"]) + zlib.crc32(name.encode())) % len(others)
    return place < SAMPLED_MORE


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = {item for item in items if is_said_twice(item) or (SAMPLE and not is_sampled(item))}
    if left_out:
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]
    if os.geteuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason=NEEDS_ROOT))


def pytest_terminal_summary(terminalreporter) -> None:
    seconds: dict[str, float] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                seconds[report.fspath] = seconds.get(report.fspath, 0) + report.duration
    longest = sorted(seconds.items(), key=lambda each: -each[1])[:8]
    terminalreporter.write_line("seconds: " + ", ".join(f"{Path(path).stem} {spent:.0f}" for path, spent in longest))
    if os.geteuid() == 0 and terminalreporter.stats.get("skipped"):
        terminalreporter.write_line("skipped as root: that counts as failed", red=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """As root there is no excuse: a skipped test would hide that something is no longer tested. No second try mends it."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.geteuid() == 0 and reporter and reporter.stats.get("skipped"):
        session.exitstatus = SKIPPED


@pytest.hookimpl(trylast=True)  # the interpreter comes last in a test's id
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "interpreter" in metafunc.fixturenames:
        metafunc.parametrize("interpreter", find_interpreters(), ids=str)


@pytest.fixture(scope="session")
def python():
    """The interpreter of tests for which one is enough."""
    return system_interpreter()


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """One for all tests of a file that do not mind each other."""
    path = tmp_path_factory.mktemp("serve") / "c.yaml"
    path.write_text("web: {max_requests_per_second: 1000}\n")  # tests are quicker than the default allows
    with Service("-c", str(path), "--breaches.to", "none") as service:
        yield service.wait_serving()


@pytest.fixture
def open_dir():
    """A directory that an unprivileged user may enter; pytest's own are private."""
    path = Path(tempfile.mkdtemp(prefix="loophound-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def public_binary(open_dir) -> str:
    """loophound where an unprivileged user can start it, wherever the checkout is."""
    return shutil.copy(BINARY, open_dir / "loophound")

"""However it is started, it says what is wrong or does what was asked: it does not crash, and does not hang."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

import pytest

from watch import BINARY
from workload import Workload

OK, FAILED, USAGE = 0, 1, 2

OPTIONS = """-p --pid --name --cgroup -d --duration --format -o --output --record --limit --rule --no-rule --allow
--library --fail-on --boundary -v -V --frobnicate - --""".split()
VALUES = [None, "", "=", "a:", "%s%n%n", "\udcff\udcfe", "x" * 100_000, "any", "=5", "1e400", "raw|auto"]
SEARCHES = ["--name", "--cgroup"]
# All that parse and then do nothing, for want of a target, a program or a file.
COMMANDS = [[], [""], ["rules"], ["report"], ["watch"], ["record"], ["run"], ["__reader"], ["__reader", "x"], ["__reader", "0"]]

ENVIRONMENTS = {
    "no environment": {},
    "odd environment": {
        "TERM": "", "HOME": "", "PATH": "", "COLUMNS": "-1", "NO_COLOR": "", "LC_ALL": "xx", "POSIXLY_CORRECT": "",
        "ARGP_HELP_FMT": "rmargin=1,short-opt-col=-5,header-col=99999999,zz,\udcff",
    },
}  # fmt: skip


def start(arguments: list[str], environment: dict[str, str], closed: tuple[int, ...] = (), out=os.devnull) -> int:
    """The exit code, negative if a signal ended it; standard output goes to `out`, some streams are closed."""
    pid = os.fork()
    if pid == 0:
        try:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 1)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            os.closerange(3, 1000)
            for fd in closed:
                os.close(fd)
            signal.alarm(20)  # it survives execve(): SIGALRM ends what hangs
            os.execve(BINARY, [BINARY, *arguments], environment)
        finally:
            os._exit(126)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.parametrize("environment", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command) or "none")
def test_arguments(command, environment):
    joined = bool(environment)  # "--option=value" there, "--option value" here
    for option in OPTIONS:
        is_search = option in SEARCHES and command in (["watch"], ["record"])
        for value in VALUES if command != ["run"] and not is_search else VALUES[:3]:  # others name a program
            if value is None:
                arguments = [*command, option]
            elif joined:
                arguments = [*command, f"{option}={value}" if option.startswith("--") else option + value]
            else:
                arguments = [*command, option, value]
            if is_search and value is not None:
                arguments += ["-d", "0.01"]  # it finds nothing and would wait
            code = start(arguments, environment)
            assert code in (OK, FAILED, USAGE), (code, [argument[:40] for argument in arguments])


@pytest.mark.parametrize("environment", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_help(environment):
    for command in ("ps", "watch", "record", "report", "run", "doctor", "rules"):
        for option in ("--help", "-?", "--usage"):
            assert start([command, option], environment) == OK, (command, option)
    for command in ("--help", "-h", "help", "--version", "rules", "ps"):
        assert start([command], environment) == OK, command


def test_no_argument_at_all():
    """Not even a name. Kernels from 5.18 on put an empty one there."""
    libc = ctypes.CDLL(None)
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        none = (ctypes.c_char_p * 1)(None)
        libc.execve(BINARY.encode(), none, none)
        os._exit(126)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == USAGE


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)], ids=str)
def test_closed_streams(closed, python, tmp_path):
    """What is opened next must not become standard output, nor messages a part of the recording."""
    recording, out = str(tmp_path / "recording"), str(tmp_path / "out")
    lost = FAILED if 1 in closed else OK  # what cannot be said
    for arguments in (["rules"], ["ps"], ["--version"], ["watch", "--help"]):
        assert start(arguments, {}, closed, out) == lost, arguments
    with Workload("healthy_idle", python) as program:
        program.wait_ready()
        watch = ["-p", str(program.pid), "-d", "0.3"]
        assert start(["watch", *watch], {}, closed, out) == lost
        assert start(["record", *watch, "-o", recording], {}, closed, out) == OK
        assert start(["report", recording], {}, closed, out) == lost
        assert start(["report", recording], {}) == OK, "it is whole"
    assert start(["run", "-d", "5", "--", sys.executable, "-c", "pass"], {}, closed, out) == lost


def test_a_full_disk_is_said():
    for arguments in (["rules"], ["ps"], ["--help"], ["--version"], ["watch", "--help"]):
        assert start(arguments, {}, out="/dev/full") == FAILED, arguments

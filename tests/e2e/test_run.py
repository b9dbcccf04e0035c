"""`loophound run` starts a program under observation and ends as it ends."""

from __future__ import annotations

import signal

import pytest

from match import check_breaches, check_summary
from started import BREACH, run_workload
from watch import INTERRUPTED, Loophound, parse
from workload import environment

HEALTHY = "import asyncio, sys; asyncio.run(asyncio.sleep(0.1)); sys.exit({code})"
ENDLESS = "import asyncio; print('ready', flush=True); asyncio.run(asyncio.sleep(1000))"
STALL = "import asyncio, time, sys\nasync def main(): time.sleep(0.1)\nasyncio.run(main())\nsys.exit(7)"


def run(*command: str, options: tuple[str, ...] = ()) -> Loophound:
    with Loophound("run", *options, "--", *command, env=environment()) as child:
        child.wait()
    return child


def test_the_first_act_of_a_program_is_seen(interpreter, tmp_path):
    outcome = run_workload("short_lived", interpreter, tmp_path / "out.jsonl")
    check_breaches(outcome)
    check_summary(outcome)


@pytest.mark.parametrize("code", [0, 1, 7, 255])
def test_without_a_breach_the_exit_code_is_the_programs(python, code):
    command = run(python.path, "-c", HEALTHY.format(code=code), options=("--fail-on", "any"))
    assert command.process.returncode == code, command.dump()


def test_without_fail_on_a_breach_changes_no_exit_code(python):
    assert run(python.path, "-c", STALL).process.returncode == 7


def test_fail_on_another_rule_changes_no_exit_code(python):
    for rules, code in (("cpu-bound", 7), ("blocking-call,cpu-bound", BREACH)):
        command = run(python.path, "-c", STALL, options=("--fail-on", rules))
        assert command.process.returncode == code, command.dump()


def test_a_program_killed_by_a_signal(python):
    code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert run(python.path, "-c", code).process.returncode == 128 + signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_program_too(python, number):
    with Loophound("run", "--", python.path, "-u", "-c", ENDLESS, env=environment()) as command:
        command.expect("the program's ready line", lambda line: line == "ready")
        command.send(number)
        assert command.wait() in (INTERRUPTED, 128 + number), command.dump()
        # The program held the other end of this pipe: that it ended tells that nobody is left.
        assert command.out.ended, f"the program outlived loophound{command.dump()}"


@pytest.mark.parametrize("when", ["before it starts", "while it runs"])
def test_who_is_killed_leaves_nobody_behind(python, when):
    with Loophound("run", "--", python.path, "-u", "-c", ENDLESS, env=environment()) as command:
        if when == "while it runs":
            command.expect("the program's ready line", lambda line: line == "ready")
        else:
            command.expect("the session line", lambda line: line.startswith("limits:"))
        command.send(signal.SIGKILL)
        assert command.wait() == -signal.SIGKILL, command.dump()
        assert command.out.ended, f"the program outlived loophound{command.dump()}"


def test_a_program_that_is_not_there():
    command = run("/nowhere/python")
    assert command.process.returncode in (1, 127), command.dump()
    assert "/nowhere/python" in command.err.text() and "No such file" in command.err.text(), command.dump()


def test_standard_input_belongs_to_the_program(python):
    code = "import sys; print(sys.stdin.readline().strip()[::-1])"
    with Loophound("run", "--", python.path, "-c", code, env=environment()) as command:
        command.process.stdin.write(b"desserts\n")
        command.process.stdin.close()
        assert command.wait() == 0, command.dump()
    assert "stressed" in command.out.lines, command.dump()


def test_a_worker_forked_at_once_is_seen(python, tmp_path):
    """Children of a target are targets: no worker of a server is missed."""
    output = tmp_path / "out.jsonl"
    code = (
        "import asyncio, os, time\n"
        "async def main(): time.sleep(0.1)\n"
        "children = [os.fork() for _ in range(2)]\n"
        "asyncio.run(main())\n"
        "[os.wait() for child in children if all(children)]\n"
    )
    command = run(python.path, "-c", code, options=("--format", "jsonl", "-o", str(output)))
    assert command.process.returncode == 0, command.dump()
    records = [parse(line) for line in output.read_text().splitlines()]
    breaches = [record for record in records if record["type"] == "breach"]
    pids = {breach["pid"] for breach in breaches if breach["count"] and not breach["ongoing"]}
    assert len(pids) == 4, f"breaches of {pids}{command.dump()}{output.read_text()}"

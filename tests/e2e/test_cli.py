"""Bad input: each has its message, which names the thing, and its exit code."""

from __future__ import annotations

import os
import subprocess

import pytest

from process import Child
from watch import BINARY, Loophound, Watch
from workload import Workload

OK, FAILED, USAGE = 0, 1, 2


def fails(code: int, *arguments: str, naming: str) -> Loophound:
    """The command fails with that code and one short message about that thing."""
    with Loophound(*arguments) as command:
        assert command.wait() == code, command.dump()
    message = command.err.text()
    assert naming.lower() in message.lower(), command.dump()
    assert len(command.err.lines) <= 3, f"one sentence and a remedy, not a page{command.dump()}"
    if code == USAGE:
        assert command.out.text() == "", f"results go to standard output, this is none{command.dump()}"
    return command


@pytest.mark.parametrize(
    "arguments, naming",
    [
        (["frobnicate"], "frobnicate"),
        (["watch", "--frobnicate"], "frobnicate"),
        (["watch", "-p", "abc"], "abc"),
        (["watch", "-p", "-7"], "-7"),
        (["watch", "-p", "0"], "0"),
        (["watch", "-p", "12x"], "12x"),
        (["watch", "-p", "99999999999999999999"], "99999999999999999999"),
        (["watch", "-p"], "the argument PID is missing"),
        (["watch", "--limit"], "the argument RULE[@DESTINATION]=LIMIT is missing"),
        (["watch", "--formt", "jsonl", "-p", "1"], "watch --formt: no such option"),
        (["watch", "--all", "x", "--nope=3", "y"], "watch --nope: no such option"),
        (["watch", "-vz", "-p", "1"], "watch -z: no such option"),
        (["watch", "--all=3", "-p", "1"], "watch --all: takes no argument, but has 3"),
        (["watch", "--l", "3", "-p", "1"], "watch --l: which one of --limit, --library, --latent?"),
        # What would change nothing is not taken in silence.
        (["ps", "--record", "x"], "ps --record: no such option"),
        (["ps", "-o", "x"], "ps -o: no such option"),
        (["watch", "-p", "1", "--live"], "watch --live: no such option"),
        (["record", "-p", "1", "-o", "x", "--format", "jsonl"], "record --format: no such option"),
        (["report", "-p", "1", "x"], "report -p: no such option"),
        (["run", "--name", "x", "--", "true"], "run --name: no such option"),
        (["doctor", "--name", "x"], "doctor --name: no such option"),
        (["rules", "--rule", "gil-wait"], "rules --rule: no such option"),
        (["run", "--nope", "--", "true", "-z"], "run --nope: no such option"),
        (["serve", "--nope", "x"], "serve --nope: no such option"),
        (["serve", "--config"], "serve --config: the argument FILE is missing"),
        (["serve", "--log.level=loud"], "serve: --log.level loud: expected"),
        (["watch"], "-p"),
        (["watch", "1"], "-p"),
        (["watch", "-p", "1", "-d", "soon"], "soon"),
        (["watch", "-p", "1", "--format", "xml"], "xml"),
        (["watch", "-p", "1", "--limit", "blocking-call"], "blocking-call"),
        (["watch", "-p", "1", "--limit", "blocking-call=fast"], "fast"),
        (["watch", "-p", "1", "--limit", "blocking-call=-5"], "-5"),
        (["watch", "-p", "1", "--limit", "blocking-call=5parsec"], "5parsec"),
        (["watch", "-p", "1", "-d", "0ms"], "0ms"),
        (["watch", "-p", "1", "--limit", "blocking-call=nan"], "nan"),
        (["watch", "-p", "1", "--limit", "no-such-rule=5"], "no-such-rule"),
        (["watch", "-p", "1", "--rule", "no-such-rule"], "no-such-rule"),
        (["watch", "-p", "1", "--fail-on", "no-such-rule"], "no-such-rule"),
        (["watch", "-p", "1", "--allow", "nocolon"], "nocolon"),
        (["rules", "no-such-rule"], "no-such-rule"),
        (["report"], "report"),
        (["record", "-p", "1"], "-o"),
        (["run"], "run"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "names",
)
def test_usage_errors(arguments, naming):
    fails(USAGE, *arguments, naming=naming)


def test_no_command_is_a_usage_error_that_shows_the_commands():
    with Loophound() as command:
        assert command.wait() == USAGE, command.dump()
    for name in ("ps", "watch", "record", "report", "run", "doctor", "rules"):
        assert name in command.out.text() + command.err.text(), command.dump()


def test_help_and_version_go_to_standard_output():
    for option, word in (("--help", "watch"), ("--version", "loophound")):
        with Loophound(option) as command:
            assert command.wait() == OK, command.dump()
        assert word in command.out.text() and not command.err.text(), command.dump()


def test_rules_lists_every_rule_and_explains_one():
    with Loophound("rules") as command:
        assert command.wait() == OK, command.dump()
    for rule in ("blocking-call", "cpu-bound", "host-starved"):
        assert rule in command.out.text(), command.dump()
    with Loophound("rules", "blocking-call") as command:
        assert command.wait() == OK, command.dump()
    assert "10 ms" in command.out.text() and "ASYNC251" in command.out.text(), command.dump()


def test_ps_and_doctor_know_a_running_loop(python):
    with Workload("healthy_idle", python) as program:
        program.wait_ready()
        with Loophound("ps") as command:
            assert command.wait() == OK, command.dump()
        mine = [line for line in command.out.lines if str(program.pid) in line.split()]
        assert mine and ".".join(map(str, python.version)) in mine[0], command.dump()
        with Loophound("doctor", "-p", str(program.pid)) as command:
            assert command.wait() == OK, command.dump()
        assert str(program.pid) in command.out.text(), command.dump()


def test_a_pid_that_does_not_exist():
    gone = subprocess.Popen(["true"])
    gone.wait()
    fails(FAILED, "watch", "-p", str(gone.pid), naming=str(gone.pid))


def test_a_process_that_is_not_python():
    with Child(["sleep", "1000"]) as other:
        command = fails(FAILED, "watch", "-p", str(other.pid), naming=str(other.pid))
        assert "python" in command.err.text().lower(), command.dump()


def test_a_kernel_thread():
    command = fails(FAILED, "watch", "-p", "2", naming="kernel")
    assert "2" in command.err.text(), command.dump()
    assert command.out.text().count("cannot watch") == 1, f"not of each other that it began{command.dump()}"


def test_a_target_that_exits_meanwhile(python):
    with Workload("healthy_idle", python) as program:
        program.wait_ready()
        with Watch(program.pid) as watch:
            watch.wait_attached()
            program.process.kill()
            assert watch.wait() == OK, f"it saw its target to the end{watch.dump()}"
            assert watch.records()[-1]["type"] == "summary", watch.dump()


def test_a_target_that_becomes_another_program(python):
    """exec keeps the pid: what runs there afterwards must not be read as the Python it was."""
    become = (
        "import asyncio, os\n"
        "async def main():\n"
        "    loop = asyncio.get_running_loop()\n"
        "    print('ready', flush=True)\n"
        "    go = loop.create_future()\n"
        "    loop.add_reader(0, lambda: go.done() or go.set_result(None))\n"
        "    await go\n"
        "    os.execvp('sh', ['sh', '-c', 'echo other; read line; sleep 0.2'])\n"
        "asyncio.run(main())\n"
    )
    with Child([python.path, "-c", become]) as program:
        program.expect("its ready line", lambda line: line == "ready")
        with Watch(program.pid) as watch:
            watch.wait_attached()
            program.process.stdin.write(b"go\n")
            program.process.stdin.flush()
            program.expect("the other program", lambda line: line == "other")
            program.process.stdin.close()
            program.wait()
            assert watch.wait() == OK, f"its target is no more{watch.dump()}"
            assert not [record for record in watch.records() if record["type"] == "breach"], watch.dump()


@pytest.mark.parametrize("path, reason", [("/nowhere/at/all", "No such file"), ("/", "directory")])
def test_an_output_that_cannot_be_written(python, path, reason):
    with Workload("healthy_idle", python) as program:
        program.wait_ready()
        command = fails(FAILED, "watch", "-p", str(program.pid), "-o", path, naming=path)
        assert reason.lower() in command.err.text().lower(), command.dump()


@pytest.mark.parametrize("option", ["-o", "--record"])
def test_a_disk_that_fills(python, option):
    with Workload("time_sleep", python) as program:
        program.wait_ready()
        arguments = ("watch", "-p", str(program.pid), "-d", "5", "--format", "jsonl", option, "/dev/full")
        with Loophound(*arguments) as command:
            assert command.wait() == FAILED, command.dump()
        assert "/dev/full" in command.err.text() and "No space left" in command.err.text(), command.dump()


def test_standard_output_on_a_full_disk(python):
    with Workload("healthy_idle", python) as program, open("/dev/full", "w") as full:
        program.wait_ready()
        done = subprocess.run(
            [BINARY, "watch", "-p", str(program.pid), "-d", "5", "--format", "jsonl"],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
        )
        assert done.returncode == FAILED and b"No space left" in done.stderr, done


def test_a_reader_that_goes_away(python):
    """`loophound watch | head -1`: no error, no end without end."""
    with Workload("time_sleep", python) as program:
        program.wait_ready()
        read_end, write_end = os.pipe()
        command = subprocess.Popen(
            [BINARY, "watch", "-p", str(program.pid), "--format", "jsonl"],
            stdout=write_end,
            stderr=subprocess.PIPE,
        )
        try:
            os.close(write_end)
            with open(read_end, "rb") as reader:
                assert reader.readline(), "no session line"
            program.go()
            _, errors = command.communicate(timeout=60)
        finally:
            command.kill()
            command.wait()
        assert command.returncode in (OK, FAILED), (command.returncode, errors)
        assert len(errors.splitlines()) <= 1, errors


def test_a_raised_limit_silences_and_an_allowed_site_too(python):
    for silence in (
        ["--limit", "blocking-call=10000"],
        ["--limit", "blocking-call=10s"],
        ["--no-rule", "blocking-call"],
        ["--allow", "time_sleep.py:handler"],
    ):
        with Workload("time_sleep", python) as program:
            program.wait_ready()
            with Watch(program.pid, *silence) as watch:
                watch.wait_attached()
                program.go()
                program.wait_done()
                watch.interrupt()
            assert not [record for record in watch.records() if record["type"] == "breach"], watch.dump()

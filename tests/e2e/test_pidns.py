"""loophound in a PID namespace of its own, as in a container beside the program: numbers of that namespace, and only its processes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import textwrap
from pathlib import Path

import pytest

from container import APP, STALL_LINE, STALL_NS, App
from process import Child, poll
from test_containers import processes
from watch import INTERRUPTED, Loophound, Watch
from workload import environment, script

HOST = 4

# A line begins a stall of a loop: in itself, in a fork, in a program that it starts.  Each says its own number.
STALLS = textwrap.dedent("""\
    import asyncio
    import os
    import subprocess
    import sys
    import time


    async def main():
        await asyncio.sleep(0.01)
        time.sleep(0.12)
        await asyncio.sleep(0.01)


    def stall():
        asyncio.run(main())
        print("stalled", os.getpid(), flush=True)


    if sys.argv[1:]:
        stall()
        sys.exit()
    print("ready", flush=True)
    for line in sys.stdin:
        if line == "itself\\n":
            stall()
        elif line == "fork\\n":
            if not os.fork():
                stall()
                os._exit(0)
            os.wait()
        else:
            subprocess.run([sys.executable, __file__, "child"], check=True)
        print("done", flush=True)
    """)


# Before the program of container.py.
HOLDS = """\
import socket
server = socket.create_server(("127.0.0.1", 0))
held = [socket.create_connection(server.getsockname()) for _ in range(5)]
accepted = [server.accept() for _ in held]
"""


class Namespace(Child):
    """A PID namespace with its /proc, for as long as the `with` lasts; `enter` comes before a command that is to be in it."""

    def __init__(self) -> None:
        super().__init__(["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", "echo ready; read end"])

    def __enter__(self):
        self.expect("its ready line", lambda line: line == "ready")
        (init,) = children(self.pid)
        self.enter = ("nsenter", "--target", str(init), "--pid", "--mount")
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.stdin.close()  # which ends its init, and so all that is in it
        self.process.wait()


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def numbers(pid: int) -> list[int]:
    """Of a process: in the host's PID namespace, and in each below it."""
    status = Path(f"/proc/{pid}/status").read_text()
    return [int(number) for number in status.split("NSpid:")[1].split("\n")[0].split()]


class Inside:
    """A watch that nsenter has started: it and not nsenter gets signals."""

    def send(self, number: signal.Signals) -> None:
        (child,) = children(self.pid)
        os.kill(child, number)


class InsideWatch(Inside, Watch):
    pass


class InsideLoophound(Inside, Loophound):
    pass


@pytest.fixture
def namespace():
    with Namespace() as namespace:
        yield namespace


@pytest.fixture
def app(tmp_path) -> str:
    (tmp_path / "app.py").write_text(APP)
    return str(tmp_path / "app.py")


@pytest.fixture
def stalls(tmp_path) -> str:
    (tmp_path / "stalls.py").write_text(STALLS)
    return str(tmp_path / "stalls.py")


def check_stall(watch: Watch, program: App, number: int, own_number: int) -> None:
    (target,) = [line for line in watch.records() if line["type"] == "target" and line["status"] == "ok"]
    (breach,) = watch.breaches()
    for line in (target, breach):
        assert (line["pid"], line["ns_pid"]) == (number, own_number), watch.dump()
    assert (breach["rule"], breach["cause"], breach["site"]["line"]) == ("blocking-call", "sleep", STALL_LINE), watch.dump()
    assert breach["tid"] == number and abs(breach["duration_ns"] - STALL_NS) < 20_000_000, watch.dump()
    assert not breach["incomplete"], watch.dump()


def test_a_process_beside_it(namespace, interpreter, app):
    with App(*namespace.enter, *interpreter.command(app)) as program:
        program.wait_ready()
        (_, number) = numbers(program.pid)
        assert number != program.pid
        with InsideWatch(number, prefix=namespace.enter) as watch:
            watch.wait_attached()
            program.stall()
            watch.interrupt()
        check_stall(watch, program, number, number)


def test_a_process_in_a_namespace_below(namespace, python, app):
    with App(*namespace.enter, "unshare", "--pid", "--fork", "--mount-proc", *python.command(app)) as program:
        program.wait_ready()
        (_, number, own_number) = numbers(program.pid)
        with InsideWatch(number, prefix=namespace.enter) as watch:
            watch.wait_attached()
            program.stall()
            watch.interrupt()
        check_stall(watch, program, number, own_number)
        assert own_number == 1


def ask(program: Child, what: str) -> None:
    nr = program.out.lines.count("done")
    program.process.stdin.write(f"{what}\n".encode())
    program.process.stdin.flush()
    poll("its done line", lambda: program.out.lines.count("done") > nr)


def is_stall_of(pid: int, line: dict) -> bool:
    return line["type"] == "breach" and line["pid"] == pid and not line["ongoing"]


def test_only_what_is_in_it(namespace, python, stalls):
    """Of two that do the same, one of them outside: who runs, who is forked, who is started, there and here."""
    with contextlib.ExitStack() as stack:
        inside = stack.enter_context(Child([*namespace.enter, *python.command(stalls)], env=environment()))
        outside = stack.enter_context(Child(python.command(stalls), env=environment()))
        watch = stack.enter_context(InsideLoophound("watch", "--all", "--format", "jsonl", prefix=namespace.enter))
        for program in (inside, outside):
            program.expect("its ready line", lambda line: line == "ready")
        watch.expect("its target", lambda line: json.loads(line)["type"] == "target")
        for what in ("itself", "fork", "exec"):
            ask(outside, what)
            ask(inside, what)
        late = stack.enter_context(Child([*namespace.enter, *python.command(stalls, "late")], env=environment()))
        stack.enter_context(Child(python.command(stalls, "late"), env=environment())).wait()
        late.wait()
        stalled = [int(line.split()[1]) for line in (*inside.out.lines, *late.out.lines) if line.startswith("stalled")]
        for pid in stalled:
            watch.expect(f"the stall of {pid}", lambda line: is_stall_of(pid, json.loads(line)))
        watch.send(signal.SIGINT)
        assert watch.wait() == INTERRUPTED, watch.dump()
    assert len(set(stalled)) == 4
    breaches = [line for line in watch.records() if line["type"] == "breach" and not line["ongoing"]]
    assert sorted(line["pid"] for line in breaches) == sorted(stalled), watch.dump()
    assert {(line["pid"], line["ns_pid"]) for line in breaches} == {(pid, pid) for pid in stalled}, watch.dump()
    assert {line["pid"] for line in watch.records() if "pid" in line} == set(stalled), watch.dump()


def test_ps_lists_what_is_in_it(namespace, python):
    """And sees its loop, which blocks now and then; one outside does the same."""
    busy = python.command(script("blocks_at_once"))
    with Child([*namespace.enter, *busy], env=environment()) as program, Child(busy, env=environment()) as outside:
        outside.expect("its number", str.isdigit)
        number = int(program.expect("its number", str.isdigit))
        for how in ("--live=0.5", "--sort=pid"):
            rows = processes(how, prefix=namespace.enter)
            assert list(rows) == [number] and rows[number]["supported"]
            (loop,) = rows[number]["loop_threads"]
            assert loop["tid"] == loop["ns_tid"] == number
            assert (loop["iterations_per_second"] is not None) == how.startswith("--live")


def test_doctor_is_content(namespace, python, app):
    with App(*namespace.enter, *python.command(app)) as program:
        program.wait_ready()
        with Loophound("doctor", "-p", str(numbers(program.pid)[1]), prefix=namespace.enter) as doctor:
            assert doctor.wait() == 0, doctor.dump()
    assert "only processes in it" in doctor.out.text(), doctor.dump()


def test_run_in_one_of_its_own(python, stalls):
    """It is that namespace's first process itself."""
    with Loophound("run", "--format", "jsonl", "-o", "/dev/stderr", "--", *python.command(stalls, "child"),
                   prefix=("unshare", "--pid", "--fork", "--mount-proc")) as run:  # fmt: skip
        assert run.wait() == 0, run.dump()
    records = [json.loads(line) for line in run.err.lines if line.startswith("{")]
    (breach,) = [line for line in records if line["type"] == "breach" and not line["ongoing"]]
    assert run.out.lines == [f"stalled {breach['pid']}"] and breach["cause"] == "sleep", run.dump()
    assert breach["site"]["function"] == "main", run.dump()


def test_probes_of_a_target(namespace, python):
    """They are attached by the number of the process."""
    assert python.usdt
    with Child([*namespace.enter, *python.command(script("gc_automatic"))], env=environment()) as program:
        program.expect("its ready line", lambda line: '"ready"' in line)
        (child,) = children(program.pid)
        with InsideWatch(numbers(child)[1], prefix=namespace.enter) as watch:
            watch.wait_attached()
            program.process.stdin.write(b"go\n")
            program.process.stdin.flush()
            program.expect("its done line", lambda line: '"done"' in line)
            watch.interrupt()
    pauses = [line for line in watch.breaches() if line["rule"] == "gc-pause"]
    assert pauses and not any(line["estimated"] for line in pauses), watch.dump()


def test_connections_that_were_open_before(namespace, python, tmp_path):
    """The looks through its descriptors go by number, too."""
    (tmp_path / "holds.py").write_text(HOLDS + APP)
    with App(*namespace.enter, *python.command(str(tmp_path / "holds.py"))) as program:
        program.wait_ready()
        with InsideWatch(numbers(program.pid)[1], prefix=namespace.enter) as watch:
            watch.wait_attached()
            program.stall()
            watch.interrupt()
    opened = {line["direction"]: line["open_before"] for line in watch.records()[-1]["connections"]}
    assert opened["out"] == opened["in"] == 5, watch.dump()


def test_a_proc_of_another_namespace_is_said(python):
    with Loophound("run", "--", *python.command("-c", "pass"), prefix=("unshare", "--pid", "--fork")) as run:
        assert run.wait() == HOST, run.dump()
        assert "/proc" in run.err.text() and "--mount-proc" in run.err.text(), run.dump()

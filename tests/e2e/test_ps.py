"""`ps`: one look at every Python of the host; how busy its loops are; what it may not see."""

from __future__ import annotations

import os
import shutil
import textwrap
from pathlib import Path

import pytest

from conftest import NOBODY
from container import APP, App
from terminal import columns, on_a_terminal
from watch import BINARY, Loophound

# Two threads with a loop each: one is busy for half of its time, the other for next to nothing.
LOOPS = textwrap.dedent("""\
    import asyncio
    import os
    import threading
    import time


    async def beat(work_s):
        print(work_s, threading.get_native_id(), flush=True)
        while True:
            time.sleep(work_s)
            await asyncio.sleep(0.02)


    threading.Thread(target=lambda: asyncio.run(beat(0.02)), name="busy").start()
    threading.Thread(target=lambda: asyncio.run(beat(0)), name="quiet").start()
    print("ready", flush=True)
    """)


@pytest.fixture
def two_loops(python, tmp_path):
    (tmp_path / "loops.py").write_text(LOOPS)
    with App(python.path, str(tmp_path / "loops.py")) as program:
        program.wait_ready()
        program.expect("both loops", lambda _: len(program.out.lines) == 3)
        yield program


def tids(program: App) -> list[int]:
    """Of the busy loop, and of the quiet one; they may have begun in any order."""
    return [int(line.split()[1]) for line in sorted(program.out.lines, reverse=True) if line != "ready"]


def test_every_interpreter_is_listed(interpreter, tmp_path):
    (tmp_path / "app.py").write_text(APP)
    with App(*interpreter.command(str(tmp_path / "app.py"))) as program:
        program.wait_ready()
        with Loophound("ps", "--format", "jsonl") as command:
            assert command.wait() == 0, command.dump()
        row = next(record for record in command.records() if record["pid"] == program.pid)
        assert row["status"] == "ok" and row["supported"] and row["reason"] is None
        assert row["python"] == ".".join(map(str, interpreter.version))
        assert (row["usdt"], row["uid"], row["ns_pid"]) == (interpreter.usdt, 0, program.pid)
        (loop,) = row["loop_threads"]
        assert (loop["tid"], loop["kind"], loop["utilization"]) == (program.pid, "asyncio", None)
        assert row["threads"] == len(os.listdir(f"/proc/{program.pid}/task")) and row["loops"] == 1


def test_live_tells_how_busy_each_loop_is(two_loops):
    with Loophound("ps", "-p", str(two_loops.pid), "--live=0.5", "--format", "jsonl") as command:
        assert command.wait() == 0, command.dump()
    (row,) = command.records()
    loops = {loop["tid"]: loop for loop in row["loop_threads"]}
    busy, quiet = (loops[tid] for tid in tids(two_loops))
    assert len(loops) == 2, command.dump()
    assert 0.25 < busy["utilization"] < 0.9 and quiet["utilization"] < 0.25, command.dump()
    assert 3 < busy["iterations_per_second"] < 60 and quiet["iterations_per_second"] > 3, command.dump()
    with Loophound("ps", "-p", str(two_loops.pid), "--live=0.2") as command:
        assert command.wait() == 0, command.dump()
    heading, process, *threads = command.out.lines
    assert "BUSY" in heading and "ITER/S" in heading and "2 asyncio" in process, command.dump()
    assert [int(line.split()[0].lstrip("·")) for line in threads] == tids(two_loops), command.dump()  # busiest first


@pytest.mark.parametrize("arguments", [(), ("--live=0.2",)], ids=["plain", "live"])
def test_it_fits_a_terminal(two_loops, tmp_path, python, arguments):
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    (folder / "app.py").write_text(APP)
    copy = shutil.copy(python.path, folder / "python3")
    with App(copy, str(folder / "app.py"), env={"PYTHONHOME": str(Path(python.path).parent.parent)}) as program:
        program.wait_ready()
        pids = (two_loops.pid, program.pid, 1)  # the last one is no Python: it has a reason, which is long
        lines = on_a_terminal(BINARY, "ps", *(f"-p{pid}" for pid in pids), *arguments, NO_COLOR="1")
    assert max(map(columns, lines)) <= 80, "\n".join(lines)
    for pid in pids:
        assert any(str(pid) == line.split()[0] for line in lines), "\n".join(lines)


def test_what_doctor_says_of_a_process_fits_it_too(two_loops):
    lines = on_a_terminal(BINARY, "doctor", "-p", str(two_loops.pid), NO_COLOR="1")
    assert max(map(columns, lines)) <= 80, "\n".join(lines)


@pytest.mark.parametrize("asked", ["rules", "doctor", "--help"])
def test_the_others_fit_it_too(asked):
    lines = on_a_terminal(BINARY, asked, NO_COLOR="1")
    assert max(map(columns, lines)) <= 80, "\n".join(lines)
    with Loophound(asked) as command:
        command.wait()
    said = command.out.text()
    assert said.split() == " ".join(lines).split(), f"nothing is cut{command.dump()}"
    assert asked == "--help" or len(command.out.lines) < len(lines), f"a program reads whole lines{command.dump()}"


def test_without_root_it_says_what_it_did_not_see(two_loops, public_binary):
    with Loophound("ps", prefix=NOBODY, binary=public_binary) as command:
        assert command.wait() == 0, command.dump()
    assert "may not be looked at: run it as root" in command.err.text(), command.dump()
    row = next(line for line in command.out.lines if line.split()[0] == str(two_loops.pid))
    assert "root" in row and "CAP_SYS_PTRACE" in row, command.dump()


def test_rows_are_sorted(two_loops, tmp_path, python):
    (tmp_path / "app.py").write_text(APP)
    with App(python.path, str(tmp_path / "app.py")) as program:
        program.wait_ready()
        pair = ("-p", str(program.pid), "-p", str(two_loops.pid))
        for key, expected in (("pid", sorted([program.pid, two_loops.pid])), ("loops", [two_loops.pid, program.pid])):
            with Loophound("ps", *pair, "--sort", key, "--format", "jsonl") as command:
                assert command.wait() == 0, command.dump()
            assert [record["pid"] for record in command.records()] == expected


def test_one_that_is_not_there():
    with Loophound("ps", "-p", "4194304") as command:
        assert command.wait() == 1, command.dump()
    assert "no such process" in command.err.text() and not command.out.lines, command.dump()


# Six connections to itself, half of them accepted, over TCP and AF_UNIX; and a pair, which is none.
CONNECTIONS = textwrap.dedent("""\
    import socket
    import sys

    kept = [socket.socketpair()]
    for family, address in ((socket.AF_INET, ("127.0.0.1", 0)), (socket.AF_UNIX, "")):
        server = socket.socket(family)
        server.bind(address)
        server.listen(9)
        for number in range(6):
            client = socket.socket(family)
            client.connect(server.getsockname())
            kept += [client] + ([server.accept()] if number % 2 else [])
        kept.append(server)
    print("ready", flush=True)
    sys.stdin.readline()
    """)


def test_connections_are_counted(python, tmp_path):
    (tmp_path / "app.py").write_text(CONNECTIONS)
    with App(python.path, str(tmp_path / "app.py")) as program:
        program.wait_ready()
        with Loophound("ps", "-p", str(program.pid), "--format", "jsonl") as command:
            assert command.wait() == 0, command.dump()
        (row,) = command.records()
        assert row["connections"] == {"outbound": 12, "inbound": 6, "listening": 2}, command.dump()
        with Loophound("ps", "-p", str(program.pid), "-p1", "--sort=connections") as command:
            assert command.wait() == 0, command.dump()
        heading, first, *_ = command.out.lines
        assert "OUT/IN" in heading and " 12/6 " in first and str(program.pid) in first, command.dump()

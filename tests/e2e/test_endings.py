"""How a watch ends: by whom it was asked, and with which exit code; and that it can always be asked."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess

from process import Child, poll
from watch import BINARY, INTERRUPTED, Loophound
from workload import Workload, environment

OK, FAILED = 0, 1
F_SETPIPE_SZ = 1031
WRITE = "1 "  # how /proc/PID/syscall begins while write() blocks

# Breaks a tiny limit again and again from ever other lines, so that nothing is folded.
CHATTER = """
import asyncio, time
async def main():
    line = 1
    print("ready", flush=True)
    while True:
        await asyncio.sleep(0)
        exec(compile("\\n" * line + "time.sleep(0.002)", "/srv/chatter.py", "exec"))
        line += 1
asyncio.run(main())
"""


def test_output_that_nobody_reads_does_not_make_it_unstoppable(python):
    reader, writer = os.pipe()
    fcntl.fcntl(writer, F_SETPIPE_SZ, 4096)
    with Child([python.path, "-c", CHATTER], env=environment()) as program:
        program.expect("its ready line", lambda line: line == "ready")
        arguments = ["watch", "-p", str(program.pid), "--format", "jsonl", "--limit", "blocking-call=1"]
        watch = subprocess.Popen([BINARY, *arguments], stdout=writer, stderr=subprocess.PIPE)
        os.close(writer)
        try:

            def is_stuck() -> bool:
                with open(f"/proc/{watch.pid}/syscall") as call:
                    return call.read().startswith(WRITE)

            poll("a write that blocks", is_stuck)
            watch.send_signal(signal.SIGTERM)
            assert watch.wait(10) == FAILED
            assert b"nobody reads it" in watch.stderr.read()
        finally:
            watch.kill()
            watch.wait()
            watch.stderr.close()
            os.close(reader)


def test_a_signal_that_is_ignored_stays_ignored(python):
    """As under nohup."""
    with Child([python.path, "-c", CHATTER], env=environment()) as program:
        program.expect("its ready line", lambda line: line == "ready")
        command = 'trap "" HUP; exec "$@"'
        with Loophound("watch", "-p", str(program.pid), "--format", "jsonl",
                       prefix=("sh", "-c", command, "sh")) as watch:  # fmt: skip
            watch.expect("its target", lambda line: json.loads(line)["type"] == "target")
            watch.send(signal.SIGHUP)
            watch.expect("life after it", lambda line: json.loads(line)["type"] == "loop")
            watch.send(signal.SIGTERM)
            assert watch.wait() == INTERRUPTED, watch.dump()
            assert watch.records()[-1]["type"] == "summary", watch.dump()


def test_run_is_over_when_its_time_is_up(python):
    with Loophound("run", "-d", "0.3", "--", python.path, "-c", "import time; time.sleep(60)") as run:
        assert run.wait() == OK, run.dump()


def test_run_lets_its_program_end_in_its_own_time(python):
    """One SIGTERM asks; only a second one to us makes an end of it."""
    stubborn = "import signal, time; signal.signal(15, print); print('ready', flush=True); time.sleep(60)"
    with Loophound("run", "--format", "jsonl", "--", python.path, "-u", "-c",
                   f"{stubborn}; time.sleep(60)") as run:  # fmt: skip
        run.expect("the program's ready line", lambda line: line == "ready")
        run.send(signal.SIGTERM)
        run.expect("that it was asked", lambda line: line.startswith("15 "))
        run.send(signal.SIGTERM)
        assert run.wait() == INTERRUPTED, run.dump()
        asked = [line for line in run.out.lines if line.startswith("15 ")]
        assert len(asked) == 1, run.dump()


def test_a_thread_is_no_process(python):
    with Workload("loop_in_thread", python) as program:
        program.wait_ready()
        threads = [int(tid) for tid in os.listdir(f"/proc/{program.pid}/task")]
        tid = next(tid for tid in threads if tid != program.pid)
        with Loophound("watch", "-p", str(tid)) as watch:
            assert watch.wait() == FAILED, watch.dump()
            assert "thread" in watch.err.text(), watch.dump()

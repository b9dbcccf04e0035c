"""A stall is told while it lasts: asleep or on the CPU, also one that never ends."""

from __future__ import annotations

import contextlib
import json

import pytest

from process import Child
from watch import Watch
from workload import environment

MILLISECOND = 1_000_000
PATIENCE_NS = 200 * MILLISECOND

# Prints when it began and how to tell the line; what follows never ends.
STALL = """
import asyncio, itertools, json, sys, threading, time
lock = threading.Lock()
lock.acquire()
def wait_for_ever():
    lock.acquire()  # line 6
def spin_for_ever():
    x = 1
    while True: x = (x * 3 + 1) % 7919 + (x ^ 5) - (x & 3) * (x | 1) % 13  # line 9
begin = threading.Semaphore(0)
def hold_for_ever():
    begin.acquire()
    sum(itertools.repeat(0))  # line 13
def lose_the_gil_for_ever():
    begin.release()
    while True: pass  # line 16
async def main():
    threading.Thread(target=hold_for_ever, name="hog", daemon=True).start()
    print(json.dumps({{"ready": True}}), flush=True)
    go = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().add_reader(0, lambda: go.done() or go.set_result(None))
    await go
    print(json.dumps({{"start_ns": time.monotonic_ns()}}), flush=True)
    {stall}()
asyncio.run(main())
"""


@pytest.mark.parametrize(
    "stall, line, rule, cause, limit_ns",
    [
        ("wait_for_ever", 6, "blocking-call", "lock", 10 * MILLISECOND),
        ("spin_for_ever", 9, "cpu-bound", "python", 50 * MILLISECOND),
        ("lose_the_gil_for_ever", 16, "gil-wait", "gil", 20 * MILLISECOND),
    ],
)
def test_a_stall_that_never_ends(interpreter, stall, line, rule, cause, limit_ns):
    with contextlib.ExitStack() as stack:
        program = stack.enter_context(
            Child(interpreter.command("-c", STALL.format(stall=stall)), env=environment())
        )
        program.expect("its ready line", lambda text: '"ready"' in text)
        watch = stack.enter_context(Watch(program.pid, "--rule", rule))  # of which it alone is told anew
        watch.wait_attached()
        program.process.stdin.write(b"go\n")
        program.process.stdin.flush()
        program.expect("its start", lambda text: '"start_ns"' in text)
        start_ns = json.loads(program.out.lines[-1])["start_ns"]

        def is_second(text: str) -> bool:
            record = json.loads(text)
            return record.get("rule") == rule and record["duration_ns"] > 1_000 * MILLISECOND

        watch.expect("the line that says it lasts for more than a second", is_second)
        watch.interrupt()
        breaches = [record for record in watch.records() if record.get("rule") == rule]
        lengths = [breach["iteration_ns"] for breach in breaches]
        assert len(breaches) >= 2, f"limit, and a second later{watch.dump()}"
        assert all(after - before >= 100 * MILLISECOND for before, after in zip(lengths, lengths[1:])), watch.dump()
        for breach in breaches:
            said = (breach["ongoing"], breach["rule"], breach["cause"], breach["site"]["line"])
            assert said == (True, rule, cause, line), watch.dump()
            assert sum(breach["split"].values()) == breach["iteration_ns"], watch.dump()
            assert breach["start_ns"] == breaches[0]["start_ns"], watch.dump()
            if rule == "gil-wait":
                holder = breach["holder"]
                assert (holder["name"], holder["native"], holder["site"]["line"]) == ("hog", True, 13), watch.dump()
        # Where the machine has other work, a limit of time on the CPU is reached later.
        told_after_ns = breaches[0]["start_ns"] + breaches[0]["iteration_ns"] - start_ns
        told_after_ns -= breaches[0]["split"]["run_queue_ns"]
        assert told_after_ns <= limit_ns + PATIENCE_NS + 50 * MILLISECOND, watch.dump()
        [site] = [site for site in watch.records()[-1]["sites"] if site["rule"] == rule]
        assert site["count"] == 1, f"it is one breach, and it counts{watch.dump()}"


# Waits for the GIL in pieces so short that a look often finds the loop between two of them.
PIECES = """
import asyncio, sys, threading, time
sys.setswitchinterval(0.00005)
begin = threading.Semaphore(0)
is_held = False
def hold():
    global is_held
    while begin.acquire():
        is_held = True
        sum(range(numbers))  # line 10
async def main():
    global is_held
    threading.Thread(target=hold, name="hog", daemon=True).start()
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    for _ in range(16):
        is_held = False
        begin.release()
        while not is_held: pass  # line 19
        await asyncio.sleep(0.01)
    print("done", flush=True)
    sys.stdin.readline()
began = time.thread_time()
sum(range(1_000_000))
numbers = int(1_000_000 * 0.3 / (time.thread_time() - began))
asyncio.run(main())
"""


def test_a_wait_in_pieces_has_its_line(python):
    with Child(python.command("-c", PIECES), env=environment()) as program:
        program.expect("its ready line", lambda text: text == "ready")
        with Watch(program.pid, "--rule", "gil-wait") as watch:
            watch.wait_attached()
            program.process.stdin.write(b"go\n")
            program.process.stdin.flush()
            program.expect("its last stall", lambda text: text == "done")
            watch.interrupt()
    ongoing = [record for record in watch.records() if record["type"] == "breach" and record["ongoing"]]
    assert ongoing, watch.dump()
    for line in ongoing:
        assert line["site"] and line["site"]["line"] == 19, watch.dump()
        assert line["holder"] and line["holder"]["site"]["line"] == 10, watch.dump()

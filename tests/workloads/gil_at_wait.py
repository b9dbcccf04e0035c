"""Plants waits for the GIL right behind the loop's own wait: a timer is due while one C call of another thread has it."""

import os
import sys
import sysconfig
import threading
import time

from truth import calibrate, emit, holds_gil, note_run_delay, repeat, run, run_delay_ns, sleep, stack_of, to_thread

DELAY_S = 0.05
LATE_NS = 3_000_000  # timers end some milliseconds late: they are rounded up, more than once

STDLIB = sysconfig.get_paths()["stdlib"]
WAITS = ("select", "get_events", "doPoll", "run")  # of the standard library, trio, Twisted, gevent

begin = threading.Semaphore(0)
holder = {}
waiting = []
held_ns = 0  # since when; 0: not yet
is_over = False
numbers = calibrate(lambda n: sum(range(n)), 0.2)


def where_it_waits(ident):
    """The stack of a thread that stands still."""
    while True:
        frame = sys._current_frames()[ident]
        at = frame.f_lasti
        time.sleep(0.001)
        now = sys._current_frames()[ident]
        if now is frame and now.f_lasti == at:
            return stack_of(frame)


def work(ident):
    global held_ns
    holder.update(holds_gil(work, native=True, first=6))
    while begin.acquire() and not is_over:
        waiting[:] = where_it_waits(ident)
        held_ns = time.monotonic_ns()
        sum(range(numbers))


def site_of(stack):
    """Where the loop waits; uvloop, which waits in C: where it was run."""
    if stack[0]["function"].split(".")[-1] in WAITS and not stack[0]["file"].endswith("runners.py"):
        return stack[0]
    return next(frame for frame in stack if not frame["file"].startswith(STDLIB))


async def handler():
    global held_ns
    held_ns = 0
    of_holder = f"self/task/{holder['tid']}"
    delay_ns, holder_delay_ns = run_delay_ns(), run_delay_ns(of_holder)
    begin.release()
    while not held_ns:  # where it waits is found out first; nothing else here may give the GIL away
        due_ns = time.monotonic_ns() + int(DELAY_S * 1e9)
        await sleep(DELAY_S)
    end_ns = time.monotonic_ns()
    delay_ns, holder_delay_ns = run_delay_ns() - delay_ns, run_delay_ns(of_holder) - holder_delay_ns
    note_run_delay(holder["tid"])
    site = site_of(waiting)
    emit(
        truth="gil_at_wait",
        rule="gil-wait",
        cause="gil",
        target=None,
        holder=holder,
        pid=os.getpid(),
        tid=threading.get_native_id(),
        file=site["file"],
        line=site["line"],
        function=site["function"].split(".")[-1],
        qualname=site["function"],
        coroutine=None,
        stack=waiting[waiting.index(site) :],
        task=None,
        at_wait=True,
        start_ns=max(due_ns + LATE_NS, held_ns),
        end_ns=end_ns,
        cpu_ns=0,
        gc_ns=0,
        run_delay_ns=delay_ns,
        unsure_ns=LATE_NS,
        holder_delay_ns=holder_delay_ns,
    )


async def plant():
    global is_over
    worker = threading.Thread(target=work, args=(threading.get_ident(),), name="summing")
    worker.start()
    while not holder:
        await sleep(0.01)
    await repeat(5, handler)
    is_over = True
    begin.release()
    await to_thread(worker.join)


run(plant)

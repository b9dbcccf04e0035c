"""Ground truth of a workload: says what was planted, and lets the test decide when it is.

A workload prints JSON lines: {"ready": true, ...} once its loop runs, one line per planted stall, and
{"done": true, ...}.  It plants after one line came in on standard input and ends when that closes, so
that `echo go | python3 time_sleep.py` shows the truth of any of them.  Runs on CPython 3.9 and later.
As it ends it is done once more: whoever watched has stopped by then, so this account covers all that was seen.

A workload that leaves sleep(), call_soon() and all else that loops differ in to this module runs on any loop: on
asyncio's, or on what tests/e2e/programs/under.py has put into its place.

One with `at_wait` was planted while the loop waited, outside of all that it calls.

A truth may have a `split`: what the stall's time was spent on, as far as the workload knows by its own means.
Any of on_cpu_ns, syscall_ns, gil_wait_ns, gc_ns, import_ns, run_queue_ns, page_fault_ns and other_ns, with the
meaning that they have in a breach's `split`: gc_ns is in no other part, nor import_ns.  Parts that are left out are
not compared, but for on_cpu_ns, run_queue_ns and the sum of all sleeps: cpu_ns and run_delay_ns say those of any
stall.  stolen_ns is in none of them: how long the thread had a CPU that others had (a hypervisor, and interrupts where the
kernel counts them apart), 0 where that cannot be known.  unsure_ns is how long the thread had no CPU while these clocks were read: so much of it may be in run_delay_ns
and not in the stall, or in the stall and not in cpu_ns.
holder_delay_ns is how long the thread that keeps the loop waiting for the GIL had no CPU itself, 0 without one.
"""

from __future__ import annotations

import asyncio
import concurrent.futures.thread  # noqa: F401, asyncio.to_thread() would import it on the loop
import gc
import inspect
import json
import os
import socket
import struct
import sys
import threading
import time
from types import FrameType
from typing import Callable, Coroutine

COROUTINE_FLAGS = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR

_output_lock = threading.Lock()
_loop_tids: set[int] = set()
_run_delays: dict[int, int] = {}  # by thread, in ns; of those that ended, as last seen


def emit(**line: object) -> None:
    """Write one JSON line to standard output, whole, from any thread."""
    data = (json.dumps(line) + "\n").encode()
    with _output_lock:
        while data:
            data = data[os.write(1, data) :]


def note_loop() -> None:
    """The calling thread runs an event loop: the summary must name it."""
    _loop_tids.add(threading.get_native_id())


def run_delay_ns(thread: str = "thread-self") -> int:
    """Time a thread has been runnable without having a CPU; 0 where the kernel does not tell."""
    try:
        with open(f"/proc/{thread}/schedstat") as stat:
            return int(stat.read().split()[1])
    except (OSError, IndexError):
        return 0


def off_cpu_ns() -> int:
    """A clock of this thread that only runs while it has no CPU: asleep or waiting for one."""
    return time.monotonic_ns() - time.thread_time_ns()


PERF_EVENT_OPEN = 298  # x86-64
# A perf_event_attr of 112 bytes: PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK; without the kernel, which needs no right.
TASK_CLOCK = struct.pack("=IIQ24xQ64x", 1, 112, 1, 1 << 5)
CLOEXEC = 1 << 3

_task_clocks: dict[int, int | None] = {}  # by thread: the descriptor of its clock


def _open_task_clock() -> int | None:
    """A clock of the calling thread that runs while it has a CPU, whoever has that CPU; None: it may have none."""
    try:
        import ctypes

        fd = ctypes.CDLL(None).syscall(PERF_EVENT_OPEN, TASK_CLOCK, 0, -1, -1, ctypes.c_ulong(CLOEXEC))
    except (ImportError, AttributeError):
        return None
    return fd if fd >= 0 else None


def stolen_ns() -> int:
    """How much of the time that this thread had a CPU is in no account of its own: the scheduler leaves out of it what
    a hypervisor took, and that is no wait for a CPU to it either.  It tells by difference only."""
    tid = threading.get_native_id()
    if tid not in _task_clocks:
        _task_clocks[tid] = _open_task_clock()
    if _task_clocks[tid] is None:
        return 0
    return int.from_bytes(os.read(_task_clocks[tid], 8), sys.byteorder) - time.thread_time_ns()


stolen_ns()  # the first of a host waits until all its CPUs know: not on a loop


def note_run_delay(tid: int) -> None:
    """A thread takes the account of it with it when it ends."""
    _run_delays[tid] = max(run_delay_ns(f"self/task/{tid}"), _run_delays.get(tid, 0))


def emit_done() -> None:
    for tid in map(int, os.listdir("/proc/self/task")):
        note_run_delay(tid)
    emit(done=True, pid=os.getpid(), loop_tids=sorted(_loop_tids), run_delays=_run_delays)


class Asyncio:
    """What a workload asks of its loop."""

    def run(self, session: Coroutine) -> None:
        asyncio.run(session)

    async def wait_readable(self, fd: int) -> None:
        loop = asyncio.get_running_loop()
        arrived = loop.create_future()

        def on_readable() -> None:
            loop.remove_reader(fd)
            arrived.set_result(None)

        loop.add_reader(fd, on_readable)
        await arrived

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def gather(self, *coroutines: Coroutine) -> None:
        await asyncio.gather(*coroutines)

    async def to_thread(self, function: Callable, *arguments: object) -> None:
        await asyncio.get_running_loop().run_in_executor(None, function, *arguments)

    def call_soon(self, function: Callable, *arguments: object) -> None:
        asyncio.get_running_loop().call_soon(function, *arguments)

    def event(self) -> asyncio.Event:
        return asyncio.Event()

    async def look_up(self, host: str) -> None:
        await asyncio.get_running_loop().getaddrinfo(host, 80, type=socket.SOCK_STREAM)

    async def run_process(self, *command: str) -> None:
        pipe, null = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(*command, stdin=null, stdout=pipe)
        await process.communicate()

    def touch_loop(self) -> None:
        vars(asyncio.get_running_loop())  # from 3.11 on a loop has a dict only if somebody looks at it

    def task_name(self) -> str | None:
        try:
            task = asyncio.current_task()
        except RuntimeError:  # no loop runs
            return None
        return task.get_name() if task else None


kind_of_loop = Asyncio()


def task_name() -> str | None:
    """Name of the task that runs in this thread; asking makes a str of a name that was a number (3.12+)."""
    return kind_of_loop.task_name()


async def sleep(seconds: float) -> None:
    await kind_of_loop.sleep(seconds)


async def gather(*coroutines: Coroutine) -> None:
    await kind_of_loop.gather(*coroutines)


async def to_thread(function: Callable, *arguments: object) -> None:
    await kind_of_loop.to_thread(function, *arguments)


async def wait_readable(fd: int) -> None:
    await kind_of_loop.wait_readable(fd)


def call_soon(function: Callable, *arguments: object) -> None:
    """Have the loop call a plain function, in its next iteration."""
    kind_of_loop.call_soon(function, *arguments)


def event():
    """The loop's own, with set() and an awaitable wait(): for one who waits."""
    return kind_of_loop.event()


def _describe(frame: FrameType, line: int) -> dict[str, object]:
    code = frame.f_code
    return {
        "function": getattr(code, "co_qualname", code.co_name),  # CPython 3.11 has the qualified name
        "file": code.co_filename,
        "line": line,
        "coroutine": bool(code.co_flags & COROUTINE_FLAGS),
    }


def stack_of(frame: FrameType | None) -> list[dict[str, object]]:
    """Innermost first."""
    stack = []
    while frame:
        stack.append(_describe(frame, frame.f_lineno))
        frame = frame.f_back
    return stack


class _Collector:
    """CPU time that the collector took, by its own callbacks; of the thread that ran it."""

    def __init__(self) -> None:
        self.cpu_ns = 0
        gc.callbacks.append(self)

    def __call__(self, phase: str, info: dict) -> None:
        if phase == "start":
            self.began_ns = time.thread_time_ns()
        else:
            self.cpu_ns += time.thread_time_ns() - self.began_ns


_collector = _Collector()


class planted:
    """Context manager around one planted stall; prints its truth at the end.

    `with planted(name, cause):` stands on one line, the blocking call on the very next one.  Where
    that cannot be, `line` says how far below the `with` the call is; a stall that keeps several lines
    busy gives their number as `lines`, any of which is a true answer.  `holder` is what `holds_gil`
    says of the thread that keeps the loop waiting.
    """

    def __init__(
        self,
        name: str,
        cause: str,
        *,
        rule: str = "blocking-call",
        split: dict[str, int] | Callable[[], dict[str, int]] | None = None,  # a function is called at the end
        target: str | None = None,
        line: int = 1,
        lines: int | None = None,
        holder: dict[str, object] | None = None,
        evidence: dict | None = None,  # what a breach must say; a pair of numbers is a range
        slack_ns: int | None = None,  # how much longer a breach may be than what is planted
    ) -> None:
        self.what = {"truth": name, "rule": rule, "cause": cause, "target": target, "holder": holder}
        if evidence is not None:
            self.what["evidence"] = evidence
        if slack_ns is not None:
            self.what["slack_ns"] = slack_ns
        self.line = line
        self.lines = lines
        self.split = split

    def __enter__(self) -> None:
        site = sys._getframe(1)
        first = site.f_lineno + self.line
        stack = [_describe(site, first), *stack_of(site.f_back)]
        coroutine = next((entry for entry in stack if entry["coroutine"]), None)
        self.what.update(
            pid=os.getpid(),
            tid=threading.get_native_id(),
            file=site.f_code.co_filename,
            line=first,
            function=site.f_code.co_name,
            qualname=stack[0]["function"],
            coroutine=coroutine and coroutine["function"],
            stack=stack,  # innermost first, from the site outwards
        )
        if self.lines:
            self.what["lines"] = list(range(first, first + self.lines))
        self.holder_delay_ns = -self._holder_delay_ns()
        self.unsure_ns = -off_cpu_ns()
        self.run_delay_ns = run_delay_ns()
        self.stolen_ns = stolen_ns()
        self.gc_ns = _collector.cpu_ns
        self.cpu_ns = time.thread_time_ns()
        self.start_ns = time.monotonic_ns()
        self.unsure_ns += off_cpu_ns()

    def _holder_delay_ns(self) -> int:
        holder = self.what["holder"]
        return run_delay_ns(f"self/task/{holder['tid']}") if holder else 0

    def __exit__(self, *exception: object) -> None:
        self.unsure_ns -= off_cpu_ns()
        end_ns = time.monotonic_ns()
        cpu_ns = time.thread_time_ns() - self.cpu_ns
        gc_ns = _collector.cpu_ns - self.gc_ns
        stolen = stolen_ns() - self.stolen_ns
        delay_ns = run_delay_ns() - self.run_delay_ns
        self.unsure_ns += off_cpu_ns()
        self.holder_delay_ns += self._holder_delay_ns()
        if self.what["holder"]:
            note_run_delay(self.what["holder"]["tid"])
        if self.split is not None:
            self.what["split"] = self.split() if callable(self.split) else self.split
        emit(
            **self.what,
            task=task_name(),
            start_ns=self.start_ns,
            end_ns=end_ns,
            cpu_ns=cpu_ns,
            gc_ns=gc_ns,
            run_delay_ns=delay_ns,
            stolen_ns=stolen,
            unsure_ns=self.unsure_ns,
            holder_delay_ns=self.holder_delay_ns,
        )


def holds_gil(function, *, native: bool, first: int, lines: int = 1) -> dict[str, object]:
    """The calling thread is about to hold the GIL, `first` lines below the head of `function`."""
    code = function.__code__
    line = code.co_firstlineno + first
    return {
        "tid": threading.get_native_id(),
        "name": threading.current_thread().name,
        "native": native,
        "function": getattr(code, "co_qualname", code.co_name),
        "file": code.co_filename,
        "lines": list(range(line, line + lines)),
    }


async def wait_for_input() -> bytes:
    """Bytes from standard input, b"" at its end, without blocking the loop."""
    await kind_of_loop.wait_readable(0)
    return os.read(0, 4096)


async def wait_for_go() -> None:
    note_loop()
    emit(ready=True, pid=os.getpid())
    await wait_for_input()


async def session(plant) -> None:
    """The whole dialogue with the test around the coroutine function `plant`."""
    await wait_for_go()
    await plant()
    emit_done()
    await wait_for_input()
    emit_done()


def run(plant) -> None:
    kind_of_loop.run(session(plant))


async def repeat(times: int, handler) -> None:
    """Await `handler()` so often, with the loop idle in between: each stall gets its own iteration."""
    for _ in range(times):
        await handler()
        await sleep(0.05)


def calibrate(work, seconds: float) -> int:
    """The n for which work(n) keeps this thread on the CPU for about `seconds`."""
    n = 1000
    while True:
        started = time.thread_time()
        work(n)
        took = time.thread_time() - started
        if took > 0.03:
            return int(n * seconds / took)
        n *= 2

"""Ground truth of an iteration that is long because of many callbacks, none of which is."""

import os
import threading
import time

from truth import call_soon, emit, event, off_cpu_ns, run_delay_ns, stolen_ns

MILLISECOND = 1_000_000


def compute(ns):
    end_ns = time.thread_time_ns() + ns
    while time.thread_time_ns() < end_ns:
        pass


class Crowd:
    """Callbacks or task steps that all run in one iteration; each says when it begins and ends."""

    def __init__(self, name, size):
        self.name = name
        self.size = size
        self.nr_done = 0
        self.nr_more = 0  # callbacks that wait when the last one is over
        self.cpu_ns = {}  # by function
        self.lines = {}
        self.over = event()

    def begin(self):
        if not self.nr_done:
            self.unsure_ns = -off_cpu_ns()
            self.run_delay_ns = run_delay_ns()
            self.stolen_ns = stolen_ns()
            self.start_ns = time.monotonic_ns()
            self.start_cpu_ns = time.thread_time_ns()
            self.unsure_ns += off_cpu_ns()
        return time.thread_time_ns()

    def end(self, function, began_ns):
        """One is over; after the last one the truth can be told."""
        self.cpu_ns[function] = self.cpu_ns.get(function, 0) + time.thread_time_ns() - began_ns
        self.nr_done += 1
        if self.nr_done == self.size:
            self.unsure_ns -= off_cpu_ns()
            self.end_ns = time.monotonic_ns()
            self.end_cpu_ns = time.thread_time_ns()
            self.stolen_ns = stolen_ns() - self.stolen_ns
            self.run_delay_ns = run_delay_ns() - self.run_delay_ns
            self.unsure_ns += off_cpu_ns()
            self.over.set()

    def more(self):
        """Leave the loop another callback to call, in its next iteration."""
        self.nr_more += 1
        call_soon(len, "")

    async def tell(self):
        await self.over.wait()
        cpu_ns = self.end_cpu_ns - self.start_cpu_ns
        codes = {function.__qualname__: function.__code__ for function in self.cpu_ns}
        shares = {function.__qualname__: ns / cpu_ns for function, ns in self.cpu_ns.items()}
        emit(
            truth=self.name,
            rule="loop-overload",
            cause="callbacks",
            target=None,
            pid=os.getpid(),
            tid=threading.get_native_id(),
            file=next(iter(codes.values())).co_filename,
            line=0,
            qualname=max(shares, key=shares.get),
            start_ns=self.start_ns,
            end_ns=self.end_ns,
            cpu_ns=cpu_ns,
            run_delay_ns=self.run_delay_ns,
            stolen_ns=self.stolen_ns,
            unsure_ns=self.unsure_ns,
            callbacks=self.size,
            ready_at_end=self.nr_more,
            shares=shares,
            firsts={name: code.co_firstlineno for name, code in codes.items()},
        )

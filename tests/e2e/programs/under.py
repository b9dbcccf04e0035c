"""Runs a workload on another loop: `under.py LOOP SCRIPT [ARGUMENT...]`; LOOPS has their names.

A loop's package is imported when the loop is made: an import while it runs would be reported.
"""

from __future__ import annotations

import asyncio
import os
import runpy
import selectors
import shutil
import subprocess
import sys
import threading
from typing import Callable, Coroutine

import truth


class Uvloop(truth.Asyncio):
    def __init__(self) -> None:
        import uvloop

        uvloop.install()


class Tornado(truth.Asyncio):
    def __init__(self) -> None:
        from tornado.ioloop import IOLoop

        self.IOLoop = IOLoop

    def run(self, session: Coroutine) -> None:
        async def start() -> None:
            await session

        loop = self.IOLoop.current(instance=False) or self.IOLoop()  # a thread has none
        loop.run_sync(start)


class AsyncioPoll(truth.Asyncio):
    """asyncio's loop, which waits by poll()."""

    def run(self, session: Coroutine) -> None:
        asyncio.SelectorEventLoop(selectors.PollSelector()).run_until_complete(session)


class AnyioAsyncio(truth.Asyncio):
    backend = "asyncio"

    def __init__(self) -> None:
        import anyio
        import anyio._backends._asyncio
        import anyio.to_thread

        self.anyio = anyio

    def run(self, session: Coroutine) -> None:
        async def start() -> None:
            await session

        self.anyio.run(start, backend=self.backend)

    async def to_thread(self, function: Callable, *arguments: object) -> None:
        await self.anyio.to_thread.run_sync(function, *arguments)


class Trio:
    def __init__(self) -> None:
        import trio

        self.trio = trio

    def run(self, session: Coroutine) -> None:
        async def start() -> None:
            await session

        self.trio.run(start)

    async def wait_readable(self, fd: int) -> None:
        await self.trio.lowlevel.wait_readable(fd)

    async def sleep(self, seconds: float) -> None:
        await self.trio.sleep(seconds)

    async def gather(self, *coroutines: Coroutine) -> None:
        async def one(coroutine: Coroutine) -> None:
            await coroutine

        async with self.trio.open_nursery() as nursery:
            for coroutine in coroutines:
                nursery.start_soon(one, coroutine)

    async def to_thread(self, function: Callable, *arguments: object) -> None:
        await self.trio.to_thread.run_sync(function, *arguments)

    def call_soon(self, function: Callable, *arguments: object) -> None:
        """In a step of a task of trio's own, with all others that are to be called."""
        self.trio.lowlevel.current_trio_token().run_sync_soon(function, *arguments)

    def event(self) -> trio.Event:
        return self.trio.Event()

    async def look_up(self, host: str) -> None:
        await self.trio.socket.getaddrinfo(host, 80)

    async def run_process(self, *command: str) -> None:
        await self.trio.run_process(command, stdin=subprocess.DEVNULL, capture_stdout=True)

    def touch_loop(self) -> None:
        pass

    def task_name(self) -> str | None:
        try:
            return self.trio.lowlevel.current_task().name
        except RuntimeError:  # no loop runs
            return None


class TrioGuest(Trio):
    """trio as the guest of asyncio: the loop, and what is reported, is its host's."""

    def run(self, session: Coroutine) -> None:
        async def start() -> None:
            await session

        async def host() -> None:
            done = asyncio.get_running_loop().create_future()
            self.trio.lowlevel.start_guest_run(
                start,
                run_sync_soon_threadsafe=asyncio.get_running_loop().call_soon_threadsafe,
                done_callback=done.set_result,
            )
            (await done).unwrap()

        asyncio.run(host())

    def task_name(self) -> str | None:
        return None


class AnyioTrio(Trio):
    def __init__(self) -> None:
        super().__init__()
        import anyio
        import anyio._backends._trio

        self.anyio = anyio

    def run(self, session: Coroutine) -> None:
        async def start() -> None:
            await session

        self.anyio.run(start, backend="trio")


class TwistedEvent:
    def __init__(self, deferred, reactor) -> None:
        self.deferred, self.reactor = deferred, reactor

    def set(self) -> None:
        self.reactor.callLater(0, self.deferred.callback, None)

    async def wait(self) -> None:
        await self.deferred


class Twisted:
    """On the reactor of epoll, or on asyncio's."""

    def __init__(self) -> None:
        from twisted.internet import defer, reactor, task, threads, utils

        self.defer, self.reactor, self.task, self.threads, self.utils = defer, reactor, task, threads, utils

    def run(self, session: Coroutine) -> None:
        failures = []

        def start() -> None:
            deferred = self.defer.ensureDeferred(session)
            deferred.addErrback(failures.append)
            deferred.addBoth(lambda result: self.reactor.stop())

        self.reactor.callWhenRunning(start)
        self.reactor.run(installSignalHandlers=threading.current_thread() is threading.main_thread())
        if failures:
            failures[0].raiseException()

    async def wait_readable(self, fd: int) -> None:
        arrived = self.defer.Deferred()
        reactor = self.reactor

        class Reader:
            def fileno(self) -> int:
                return fd

            def logPrefix(self) -> str:
                return "input"

            def doRead(self) -> None:
                reactor.removeReader(self)
                arrived.callback(None)

            def connectionLost(self, reason: object) -> None:  # its writer is gone: there is an end to read
                arrived.callback(None)

        reactor.addReader(Reader())
        await arrived

    async def sleep(self, seconds: float) -> None:
        await self.task.deferLater(self.reactor, seconds, lambda: None)

    async def gather(self, *coroutines: Coroutine) -> None:
        await self.defer.gatherResults([self.defer.ensureDeferred(coroutine) for coroutine in coroutines])

    async def to_thread(self, function: Callable, *arguments: object) -> None:
        await self.threads.deferToThread(function, *arguments)

    def call_soon(self, function: Callable, *arguments: object) -> None:
        self.reactor.callLater(0, function, *arguments)

    def event(self) -> TwistedEvent:
        return TwistedEvent(self.defer.Deferred(), self.reactor)

    async def look_up(self, host: str) -> None:
        await self.reactor.resolve(host)

    async def run_process(self, *command: str) -> None:
        await self.utils.getProcessOutput(shutil.which(command[0]), command[1:])

    def touch_loop(self) -> None:
        pass

    def task_name(self) -> str | None:
        return None


class TwistedAsyncio(Twisted):
    def __init__(self) -> None:
        from twisted.internet import asyncioreactor

        asyncioreactor.install()
        super().__init__()


class GeventEvent:
    def __init__(self, event) -> None:
        self.event, self.set = event, event.set

    async def wait(self) -> None:
        self.event.wait()


class Gevent:
    """A greenlet drives the coroutines: what they await is done when it is asked for."""

    def __init__(self) -> None:
        import gevent
        import gevent.event
        import gevent.socket
        import gevent.subprocess

        self.gevent = gevent
        gevent.get_hub().threadpool.apply(len, ("",))  # it is made of modules that are imported late
        gevent.get_hub().resolver  # noqa: B018, and so is this

    def drive(self, coroutine: Coroutine) -> None:
        try:
            coroutine.send(None)
        except StopIteration:
            return
        raise RuntimeError("it waits for what no greenlet does")

    def run(self, session: Coroutine) -> None:
        self.gevent.spawn(self.drive, session).get()

    async def wait_readable(self, fd: int) -> None:
        self.gevent.socket.wait_read(fd)

    async def sleep(self, seconds: float) -> None:
        self.gevent.sleep(seconds)

    async def gather(self, *coroutines: Coroutine) -> None:
        greenlets = [self.gevent.spawn(self.drive, coroutine) for coroutine in coroutines]
        self.gevent.joinall(greenlets, raise_error=True)

    async def to_thread(self, function: Callable, *arguments: object) -> None:
        self.gevent.get_hub().threadpool.apply(function, arguments)

    def call_soon(self, function: Callable, *arguments: object) -> None:
        self.gevent.spawn(function, *arguments)

    def event(self) -> GeventEvent:
        return GeventEvent(self.gevent.event.Event())

    async def look_up(self, host: str) -> None:
        self.gevent.socket.getaddrinfo(host, 80)

    async def run_process(self, *command: str) -> None:
        pipe, null = subprocess.PIPE, subprocess.DEVNULL
        self.gevent.subprocess.Popen(command, stdin=null, stdout=pipe).communicate()

    def touch_loop(self) -> None:
        pass

    def task_name(self) -> str | None:
        return None


LOOPS = {
    "uvloop": Uvloop,
    "tornado": Tornado,
    "asyncio-poll": AsyncioPoll,
    "trio": Trio,
    "trio-guest": TrioGuest,
    "anyio-asyncio": AnyioAsyncio,
    "anyio-trio": AnyioTrio,
    "twisted": Twisted,
    "twisted-asyncio": TwistedAsyncio,
    "gevent": Gevent,
}

if __name__ == "__main__":
    paths = sys.path[:]
    here = os.path.dirname(os.path.abspath(truth.__file__))
    sys.path[:] = [path for path in paths if path != here]  # a workload may be called as a package is
    truth.kind_of_loop = LOOPS[sys.argv[1]]()
    sys.path[:] = paths
    del sys.argv[:2]
    runpy.run_path(sys.argv[0], run_name="__main__")

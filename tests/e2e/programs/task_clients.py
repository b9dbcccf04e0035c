"""Has tasks of a library's coroutine connect, in ways of waiting for them that its argument names, and says where each connected to.

What connects has no line of the program's: whoever waits for it has, in a coroutine with the name of the way.
"""

import asyncio
import contextlib
import functools
import socket
import sys

from truth import emit, run

with contextlib.suppress(ImportError):
    import anyio
with contextlib.suppress(ImportError):
    import greenlet

COUNT, MANY = 15, 150
left_open = []


async def task(opening):
    await asyncio.create_task(opening())


async def wait_for(opening):
    await asyncio.wait_for(opening(), 60)


async def wait_for_task(opening):
    await asyncio.wait_for(asyncio.create_task(opening()), 60)


async def gather(opening):
    await asyncio.gather(opening())


async def gather_in_wait_for(opening):
    await asyncio.wait_for(asyncio.gather(opening()), 60)


async def gather_of_gather(opening):
    await asyncio.gather(asyncio.gather(opening()))


async def wait(opening):
    await asyncio.wait([asyncio.create_task(opening())])


async def shield(opening):
    await asyncio.shield(opening())


async def as_completed(opening):
    for each in asyncio.as_completed([opening()]):
        await each


async def task_group(opening):
    async with asyncio.TaskGroup() as group:
        group.create_task(opening())


async def task_group_body(opening):
    async with asyncio.TaskGroup() as group:
        group.create_task(opening())
        await asyncio.sleep(0.01)


@contextlib.contextmanager
def eagerly():
    """A task connects before it is in anybody's hands, on the stack of who makes it."""
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    yield
    asyncio.get_running_loop().set_task_factory(None)


async def eager_gather(opening):
    with eagerly():
        await asyncio.gather(opening())


async def eager_group(opening):
    with eagerly():
        async with asyncio.TaskGroup() as group:
            group.create_task(opening())


async def anyio_group(opening):
    async with anyio.create_task_group() as group:
        group.start_soon(asyncio.wait_for, opening(), None)  # anyio takes no coroutine in C


async def anyio_group_body(opening):
    async with anyio.create_task_group() as group:
        group.start_soon(asyncio.wait_for, opening(), None)  # anyio takes no coroutine in C
        await asyncio.sleep(0.01)


async def many_waiters(opening):
    """They begin before it does.  Any of them may be named: all are the same line."""
    opened = []
    waiters = [asyncio.create_task(same_task(opened)) for _ in range(5)]
    opened.append(asyncio.create_task(opening()))
    await asyncio.gather(*waiters)


async def same_task(opened):
    await opened[0]


async def generated(opening):
    await asyncio.create_task(opening())
    yield


async def async_generator(opening):
    async for _ in generated(opening):
        pass


async def context_manager(opening):
    async with contextlib.asynccontextmanager(generated)(opening):
        pass


async def acquire(opening):
    await asyncio.create_task(opening())


class Wrapped:
    def __init__(self, opening):
        self.opening = opening

    def __await__(self):
        return acquire(self.opening).__await__()


class Generator(Wrapped):
    def __await__(self):
        yield from acquire(self.opening).__await__()


async def awaitable(opening):
    await Wrapped(opening)


async def generator_awaitable(opening):
    await Generator(opening)


def connect(address, levels=20):
    """So deep that its stack is deeper than what runs the loop."""
    left_open.append(connect(address, levels - 1) if levels else socket.create_connection(address))


async def bridge(address):
    greenlet.greenlet(connect).switch(address)


async def in_greenlet(opening):
    """As database layers of asyncio do it that are written for threads, in a task of its own."""
    await asyncio.create_task(bridge(opening.args[1:]))


class Kept(asyncio.Protocol):
    """Either end of a connection."""

    transports = []

    def connection_made(self, transport):
        self.transports.append(transport)


async def one_after_the_other(way, opening):
    for _ in range(COUNT):
        await way(opening)


async def fan_out_gather(opening):
    await asyncio.gather(*(opening() for _ in range(MANY)))


async def fan_out_group(opening):
    async with asyncio.TaskGroup() as group:
        for _ in range(MANY):
            group.create_task(opening())


async def fan_out_anyio(opening):
    async with anyio.create_task_group() as group:
        for _ in range(MANY):
            group.start_soon(asyncio.wait_for, opening(), None)  # anyio takes no coroutine in C


async def go_ways(names):
    loop, addresses = asyncio.get_running_loop(), {}
    for name in names:
        server = await loop.create_server(Kept, "127.0.0.1", 0, backlog=1000)
        address = addresses[name] = server.sockets[0].getsockname()
        opening = functools.partial(loop.create_connection, Kept, *address)
        is_fan_out = name.startswith("fan_out")
        await (globals()[name](opening) if is_fan_out else one_after_the_other(globals()[name], opening))
        while Kept.transports:
            Kept.transports.pop().close()
        server.close()
    emit(peak=MANY if is_fan_out else COUNT, address=address, ways=addresses)


async def plant():
    await go_ways(sys.argv[1].split(","))


run(plant)

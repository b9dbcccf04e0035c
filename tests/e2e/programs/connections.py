"""Connects in a way that its argument names, and says how many it had open at its own peak, and from where."""

import asyncio
import errno
import gc
import os
import resource
import socket
import struct
import sys
import weakref

from network import enter_network_namespace, enter_network_without_ways
from truth import emit, run

COUNT = 150
left_open = []  # until the program ends


async def serve(reader, writer):
    """Echoes, until the client goes."""
    while data := await reader.read(4096):
        if data == b"leave me":  # what a server does with who is idle
            break
        writer.write(data)
    writer.close()


class Client:
    """Connections to one server, and the most that were open."""

    def __init__(self, address):
        self.address = address
        self.open = self.peak = 0
        self.failed = {}

    def note_failed(self, reason):
        self.failed[reason] = self.failed.get(reason, 0) + 1

    async def connect(self):
        if isinstance(self.address, str):
            reader, writer = await asyncio.open_unix_connection(self.address)
        else:
            reader, writer = await asyncio.open_connection(*self.address[:2])
        self.open += 1
        self.peak = max(self.peak, self.open)
        return reader, writer

    async def close(self, writer):
        writer.close()
        await writer.wait_closed()
        self.open -= 1

    async def fetch(self, everyone=None):
        reader, writer = await self.connect()
        writer.write(b"hello")
        await reader.read(5)
        if everyone is not None:
            everyone["left"] -= 1
            if not everyone["left"]:
                everyone["event"].set()
            await everyone["event"].wait()
        await self.close(writer)


async def unbounded(client):
    """A gather over a list: all of them are connected at the same time."""
    everyone = {"left": COUNT, "event": asyncio.Event()}
    await asyncio.gather(*(client.fetch(everyone) for _ in range(COUNT)))


RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER of 0 s


class Reckless:
    """A server that, when everyone is there, resets all but one in ten."""

    def __init__(self):
        self.left, self.everyone = COUNT, asyncio.Event()

    async def serve(self, reader, writer):
        await reader.readexactly(5)
        self.left -= 1
        if self.left % 10:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        if not self.left:
            self.everyone.set()
        await self.everyone.wait()
        writer.transport.abort()


async def reset(client):
    """The gather over a list, to such a server."""

    async def fetch():
        reader, writer = await client.connect()
        writer.write(b"hello")
        try:
            await reader.read(5)
        except ConnectionResetError:
            client.note_failed("reset")
        writer.close()
        client.open -= 1

    server = await asyncio.start_server(Reckless().serve, "127.0.0.1", 0, backlog=1000)
    client.address = server.sockets[0].getsockname()
    await asyncio.gather(*(fetch() for _ in range(COUNT)))


async def out_of_descriptors(client):
    """The gather over a list, with fewer descriptors than that. Nobody accepts: that would take some, too."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(1000)
        client.address = server.getsockname()
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (server.fileno() + 121, before[1]))
        opened = await asyncio.gather(*(client.connect() for _ in range(COUNT)), return_exceptions=True)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for each in opened:
            if isinstance(each, OSError) and each.errno == errno.EMFILE:
                client.note_failed("descriptors")
            else:
                await client.close(each[1])


def failure_of_blocking(address):
    """That call itself says what the kernel found out meanwhile."""
    with socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET) as sock:
        try:
            sock.connect(address)
        except OSError as error:
            return error


async def unreachable(client):
    """A gather over fewer than the kernel tells at a time (icmp_msgs_burst). What it knows at once was never open."""
    enter_network_without_ways()
    client.address = sys.argv[3], 80
    opened = await asyncio.gather(*(client.connect() for _ in range(40)), return_exceptions=True)
    opened.append(await asyncio.to_thread(failure_of_blocking, client.address))
    reasons = {each.errno for each in opened}
    assert reasons == {getattr(errno, sys.argv[4])}, reasons
    client.failed["unreachable"] = len(opened)


async def bounded(client):
    semaphore = asyncio.Semaphore(10)

    async def one():
        async with semaphore:
            await client.fetch()

    await asyncio.gather(*(one() for _ in range(COUNT)))


async def crawl(client):
    """One connection to each of many: no destination has many, all together have."""
    servers = [await asyncio.start_server(serve, "127.0.0.1", 0) for _ in range(60)]
    clients = [Client(server.sockets[0].getsockname()) for server in servers]
    await asyncio.gather(*(each.fetch() for each in clients))
    client.peak = len(clients)


class Pool:
    """As database drivers have one: no more than so many, kept, and lent to one task at a time."""

    def __init__(self, client, size):
        self.client, self.left = client, size
        self.idle = asyncio.LifoQueue()

    async def fetch(self):
        if self.idle.empty() and self.left:
            self.left -= 1
            stream = await self.client.connect()
        else:
            stream = await self.idle.get()
        reader, writer = stream
        writer.write(b"hello")
        await reader.read(5)
        self.idle.put_nowait(stream)

    async def close(self):
        while not self.idle.empty():
            await self.client.close(self.idle.get_nowait()[1])


async def pool(client):
    """The same gather over a list, with a pool between."""
    connections = Pool(client, 10)
    for _ in range(4):
        await asyncio.gather(*(connections.fetch() for _ in range(COUNT)))
    await connections.close()


async def churn(client):
    for _ in range(60):
        await client.fetch()


async def kept(client):
    reader, writer = await client.connect()
    for _ in range(60):
        writer.write(b"hello")
        await reader.read(5)
    await client.close(writer)


async def leak(client):
    """The server closes, this end does not: a read would tell, and nobody reads."""
    kept = left_open
    for _ in range(15):
        sock = socket.create_connection(client.address)  # noqa: ASYNC210, loopback
        client.open += 1
        client.peak = max(client.peak, client.open)
        sock.sendall(b"leave me")
        kept.append(sock)
        await asyncio.sleep(0)
    while sum(state == 8 for state in map(tcp_state, kept)) < 15:
        await asyncio.sleep(0.01)


async def growing(client):
    """A few, and more of them when it is told to go on."""
    left_open.extend(connect(client) for _ in range(3))
    await asyncio.to_thread(sys.stdin.readline)
    left_open.extend(connect(client) for _ in range(12))


async def kept_to_the_end(client):
    left_open.extend(connect(client) for _ in range(15))


async def left_to_the_end(client):
    """Some the interpreter closes with the module that has them, some its collector, as they refer to themselves."""
    left_open.extend(connect(client) for _ in range(15))
    left_open.extend(Held(connect(client)) for _ in range(15))
    left_open.extend(Held(open(os.devnull)) for _ in range(15))  # noqa: ASYNC230, SIM115


class Held:
    """Has something to close, and refers to itself: only the collector frees it."""

    def __init__(self, what):
        self.what, self.itself = what, self


def connect(client):
    """What is never closed here is closed by what frees it."""
    sock = socket.socket(socket.AF_UNIX if isinstance(client.address, str) else socket.AF_INET)
    sock.connect(client.address)  # noqa: ASYNC210, loopback
    client.open += 1
    client.peak = max(client.peak, client.open)
    return sock


async def collected(client):
    """Connections that the collector closes when it sees fit, and files and the like that it closes when it is told to."""
    gc.disable()
    held = [weakref.ref(Held(connect(client))) for _ in range(15)]
    gc.enable()
    [[] for _ in range(100_000)]  # past any threshold
    assert not any(ref() for ref in held)
    held = [weakref.ref(Held(open(os.devnull))) for _ in range(12)]  # noqa: ASYNC230, SIM115
    held += [weakref.ref(Held(socket.socket(type=socket.SOCK_DGRAM))) for _ in range(8)]  # no connections either
    gc.collect()
    assert not any(ref() for ref in held)


async def closed(client):
    """The same with their ends: each is closed before the collector has it, or goes with its last reference."""
    held = []
    for _ in range(15):
        with connect(client) as sock, open(os.devnull) as file:  # noqa: ASYNC230
            held += [weakref.ref(Held(sock)), weakref.ref(Held(file))]
        client.open -= 1
    for _ in range(15):
        connect(client)
        open(os.devnull)  # noqa: ASYNC230, SIM115
        client.open -= 1
    gc.collect()
    assert not any(ref() for ref in held)


def tcp_state(sock):
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]


async def start(where):
    if where == "unix":
        address = f"/tmp/loophound-test-{os.getpid()}.sock"
        return await asyncio.start_unix_server(serve, address, backlog=1000), address
    server = await asyncio.start_server(serve, where, 0, backlog=1000)
    return server, server.sockets[0].getsockname()


async def plant():
    how, where = sys.argv[1:3]
    if "netns" in sys.argv:
        enter_network_namespace()
    server, address = await start(where)
    client = Client(address)
    try:
        await globals()[how](client)
        emit(peak=client.peak, address=client.address, failed=client.failed)
    finally:
        if where == "unix":
            os.unlink(address)


run(plant)

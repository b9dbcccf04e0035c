"""Many connections to itself: connections_target.py [CPU CPU OF WHO ACCEPTS].

On standard input: "connect SECONDS" connects and closes for so long, "connect SECONDS PER_SECOND" at that pace if there is
CPU enough, and says how many that were and the CPU time, in ns; "hold COUNT" opens so many and says so; "drop" closes them.  A child accepts, so that each end is in a process of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import resource
import socket
import struct
import sys
import time

ADDRESSES = [f"127.0.0.{host}" for host in range(1, 9)]  # each has ports of its own
RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER of 0 s: nothing stays in TIME_WAIT


def listen() -> socket.socket:
    server = socket.socket()
    server.bind(("0.0.0.0", 0))
    server.listen(4096)
    return server


def accept_all(server: socket.socket) -> None:
    """Keeps what it accepts until the other end is gone; never reads. Ends with its parent."""
    kept: dict[int, socket.socket] = {}
    import select

    poll = select.epoll()
    poll.register(server, select.EPOLLIN)
    poll.register(0, select.EPOLLHUP)
    while True:
        for fd, what in poll.poll():
            if fd == 0:
                os._exit(0)
            if fd == server.fileno():
                accepted, _ = server.accept()
                kept[accepted.fileno()] = accepted
                poll.register(accepted, select.EPOLLRDHUP)
            else:
                kept.pop(fd).close()


def connect(port: int, number: int) -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    client.connect((ADDRESSES[number % len(ADDRESSES)], port))
    return client


def connect_for(port: int, seconds: float, per_second: float = math.inf) -> tuple[int, int]:
    number, began, began_ns = 0, time.monotonic(), time.thread_time_ns()
    while (now := time.monotonic()) < began + seconds:
        if number < (now - began) * per_second:
            connect(port, number).close()
            number += 1
        else:
            time.sleep(0.001)
    return number, time.thread_time_ns() - began_ns


async def main(port: int) -> None:
    """In a loop, so that the watch has one; the work is synchronous."""
    held: list[socket.socket] = []
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        what, *arguments = line.split()
        if what == "connect":
            print(*connect_for(port, *map(float, arguments)), flush=True)
        elif what == "hold":
            held += [connect(port, number) for number in range(int(arguments[0]))]
            print(len(held), flush=True)
        else:
            for client in held:
                client.close()
            held.clear()
            print("dropped", flush=True)


def stay_on(cpus: list[str]) -> None:
    if cpus:
        os.sched_setaffinity(0, {int(cpus[0])})


most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
with contextlib.suppress(ValueError, OSError):
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
server = listen()
port = server.getsockname()[1]
read_end, write_end = os.pipe()
if os.fork() == 0:
    os.close(write_end)
    os.dup2(read_end, 0)
    stay_on(sys.argv[2:])
    accept_all(server)
server.close()
os.close(read_end)
stay_on(sys.argv[1:])
asyncio.run(main(port))

"""What the golden recordings recorded: an application that blocks its loop in every way, once each."""

import asyncio
import fcntl
import hashlib
import os
import socket
import subprocess
import sys
import threading
import time

LOCKED = "/srv/app/locked"


class Peer:
    """Another process that is slow; forked before anybody watches."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.pipe, writer = os.pipe()
        orders, self.orders = os.pipe()
        if not os.fork():
            os.close(self.orders)
            while os.read(orders, 1):
                self.serve(writer)
            os._exit(0)
        os.close(orders)
        os.close(writer)

    def serve(self, writer):
        with open(LOCKED, "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            os.write(writer, b"locked\n")
            time.sleep(0.04)
        time.sleep(0.04)
        os.write(writer, b"late\n")
        connection, _ = self.listener.accept()
        with connection:
            time.sleep(0.04)
            connection.sendall(b"late")


def count(n):
    total = 0
    for value in range(n):
        total += value * value
    return total


class Store:
    def __init__(self):
        self.lock = threading.Lock()

    def use(self, held):
        with self.lock:
            held.set()
            time.sleep(0.04)

    def get(self):
        with self.lock:
            pass


def nested(depth):
    if depth:
        return nested(depth - 1)
    time.sleep(0.03)


async def übersicht():
    time.sleep(0.03)


async def handle(peer):
    """Every stall in an iteration of its own."""
    await übersicht()
    await asyncio.sleep(0.01)
    subprocess.run(["sleep", "0.03"], capture_output=True)
    await asyncio.sleep(0.01)

    store, held = Store(), threading.Event()
    worker = threading.Thread(target=store.use, args=(held,))
    worker.start()
    while not held.is_set():
        await asyncio.sleep(0.001)
    store.get()
    worker.join()
    await asyncio.sleep(0.01)

    os.write(peer.orders, b"x")
    while os.read(peer.pipe, 7) != b"locked\n":
        pass
    await asyncio.sleep(0.001)
    with open(LOCKED) as file:
        fcntl.flock(file, fcntl.LOCK_SH)
    await asyncio.sleep(0.001)
    os.read(peer.pipe, 5)
    await asyncio.sleep(0.001)
    with socket.create_connection(peer.listener.getsockname()) as connection:
        connection.recv(4)
    await asyncio.sleep(0.01)

    try:
        socket.getaddrinfo("late.example", 443)
    except OSError:
        pass
    await asyncio.sleep(0.01)
    count(2_500_000)
    await asyncio.sleep(0.01)
    hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 400_000)
    await asyncio.sleep(0.01)
    for _ in range(12):  # of one site in a short time: said a few times, then counted
        time.sleep(0.012)
        await asyncio.sleep(0.001)
    nested(40)
    await asyncio.sleep(0.01)
    asyncio.get_running_loop().call_soon(callback)
    await asyncio.sleep(0.01)


def callback():
    time.sleep(0.02)


async def main(peer):
    loop = asyncio.get_running_loop()
    go = loop.create_future()
    loop.add_reader(0, lambda: go.done() or go.set_result(None))
    print("ready", flush=True)
    await go
    loop.remove_reader(0)
    await handle(peer)


if __name__ == "__main__":
    asyncio.run(main(Peer()))
    sys.exit(0)

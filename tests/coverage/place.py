"""What the calls need around them: a slow disk, late peers; and the truth about each call.

Needs a mount namespace of its own, for it puts the shell on the slow disk, and an /etc/resolv.conf that
names a loopback address: workload.in_own_resolver() makes both.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import itertools
import os
import platform
import shutil
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import time

from late import DELAY, IS_QUICK, Late
from slowfs import SlowFs, bind
from truth import emit, run, run_delay_ns


class Place:
    def __init__(self) -> None:
        self.root = tempfile.mkdtemp(prefix="loophound-slow-")
        self.numbers = itertools.count(1)
        certificate = os.environ["LOOPHOUND_COVERAGE_CERTIFICATE"]  # measure.py makes one: a chroot has no openssl
        self.late = Late(certificate, nameserver())
        self.disk = SlowFs(self.root)
        self.certificate = shutil.copy(certificate, self.fresh())
        os.environ["SSL_CERT_FILE"] = self.certificate
        self.http = f"http://127.0.0.1:{self.late.ports['http']}/"
        self.https = f"https://127.0.0.1:{self.late.ports['https']}/"
        self.http_port, self.https_port, self.rude_port = (self.late.ports[k] for k in ("http", "https", "rude"))
        shutil.copy("/bin/sh", f"{self.root}/sh")
        bind(f"{self.root}/sh", os.path.realpath("/bin/sh"))
        sys.path.append(self.folder())
        self.imported = sys.path[-1]

    def order(self, what: str, descriptor: int | socket.socket) -> None:
        self.late.order(what, descriptor)

    def fresh(self) -> str:
        """A path at which nothing is."""
        return f"{self.root}/{next(self.numbers)}"

    def file(self, size: int = 20000) -> str:
        path = self.fresh()
        with open(path, "w") as file:
            file.write("late line\n" * (size // 10))
        return path

    def folder(self, files: int = 3) -> str:
        path = self.fresh()
        os.mkdir(path)
        for number in range(files):
            with open(f"{path}/{number}", "w"):
                pass
        return path

    def link(self) -> str:
        path = self.fresh()
        os.symlink(self.file(), path)
        return path

    def program(self) -> str:
        path = self.fresh()
        with open(path, "w") as file:
            file.write("#!/bin/true\n")
        os.chmod(path, 0o755)
        return path

    def module(self) -> str:
        name = f"late_module_{next(self.numbers)}"
        with open(f"{self.imported}/{name}.py", "w") as file:
            file.write("value = 1\n")
        importlib.invalidate_caches()
        return name

    def child(self) -> subprocess.Popen:
        """A process that ends soon."""
        return subprocess.Popen(["/bin/sleep", str(DELAY)])

    def pipe(self) -> int:
        """A pipe on which something arrives late."""
        reader, writer = os.pipe()
        self.order("write", writer)
        os.close(writer)
        return reader

    def full_pipe(self) -> int:
        """A pipe that is full and read late."""
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writer, bytes(4096))
        os.set_blocking(writer, True)
        self.order("read", reader)
        os.close(reader)
        return writer

    def stdin(self) -> None:
        sys.stdin = os.fdopen(self.pipe())

    def incoming(self, kind: int = socket.SOCK_STREAM) -> socket.socket:
        """A socket on which something arrives late."""
        near, far = socket.socketpair(socket.AF_UNIX, kind)
        self.order("write", far)
        far.close()
        return near

    def outgoing(self) -> socket.socket:
        """A socket that is read late."""
        near, far = socket.socketpair()
        self.order("read", far)
        far.close()
        return near

    def full_mailbox(self) -> tuple[socket.socket, str]:
        """A datagram socket, and an address that takes no more and is read late."""
        box, near = (socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2))
        address = f"\0loophound-{os.getpid()}-{next(self.numbers)}"
        box.bind(address)
        near.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                near.sendto(b"x", address)
        near.setblocking(True)
        self.order("read", box)
        box.close()
        return near, address

    def listener(self) -> socket.socket:
        """One to which somebody connects late."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.order("connect", listener)
        return listener

    def crowded(self) -> tuple[str, int]:
        """The address of a listener that takes no more connections."""
        self.crowd = [socket.socket() for _ in range(9)]
        listener, *clients = self.crowd
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for client in clients:
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        return listener.getsockname()

    def tls(self, first: bytes) -> ssl.SSLSocket:
        """An encrypted socket whose other end got these words."""
        near, far = socket.socketpair()
        self.order("talk_tls", far)
        far.close()
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        encrypted = context.wrap_socket(near)
        encrypted.send(first)
        return encrypted

    def lock(self) -> threading.Lock:
        """A lock that another thread gives back late."""
        lock = threading.Lock()
        lock.acquire()
        threading.Timer(DELAY, lock.release).start()
        return lock

    def database(self, rows: int = 12) -> sqlite3.Connection:
        """With a table of which no two rows fit into the cache."""
        base = sqlite3.connect(self.fresh(), check_same_thread=False)
        base.execute("pragma cache_size = 1")
        base.execute("create table t (x)")
        base.executemany("insert into t values (?)", [(bytes(9000),)] * rows)
        base.commit()
        return base

    def cursor(self) -> sqlite3.Cursor:
        """In the middle of a select."""
        return self.database().execute("select * from t")

    def call(self, name: str, *raises: type[BaseException]) -> Call:
        return Call(self, name, raises)

    def misses(self, name: str, needs: str) -> bool:
        """Says so if what a call needs is not on this machine."""
        why = missing(needs) if needs else ""
        if why:
            emit(call=name, absent=why)
        return bool(why)


def missing(needs: str) -> str:
    """Why a module or one of its attributes cannot be had; "" if it can."""
    module, *names = needs.split(".")
    try:
        found = importlib.import_module(module)
    except ImportError:
        return f"{module} is not installed here"
    owner = f"{module} {found.__version__}" if hasattr(found, "__version__") else f"CPython {platform.python_version()}"
    for name in names:
        found = getattr(found, name, None)
    return "" if not names or callable(found) else f"{owner} has no {'.'.join([module, *names])}"


class Call:
    """Around the statement on the very next line: its truth, in an iteration that has nothing else."""

    def __init__(self, at: Place, name: str, raises: tuple[type[BaseException], ...]) -> None:
        self.at = at
        self.what = {"call": name}
        self.raises = raises

    async def __aenter__(self) -> None:
        site = sys._getframe(1)
        self.what.update(
            file=site.f_code.co_filename,
            line=site.f_lineno + 1,
            function=site.f_code.co_name,
            tid=threading.get_native_id(),
        )
        await asyncio.sleep(0.01)
        self.at.disk.slow(not IS_QUICK)
        self.run_delay_ns = run_delay_ns()
        self.cpu_ns = time.thread_time_ns()
        self.start_ns = time.monotonic_ns()

    async def __aexit__(self, kind, error, traceback) -> bool:
        end_ns = time.monotonic_ns()
        cpu_ns = time.thread_time_ns() - self.cpu_ns
        delay_ns = run_delay_ns() - self.run_delay_ns
        self.at.disk.slow(False)
        if kind is NotImplementedError:
            emit(**self.what, absent=f"CPython {platform.python_version()} raises NotImplementedError")
            return True
        planned = kind is None or issubclass(kind, self.raises)
        emit(
            **self.what,
            start_ns=self.start_ns,
            end_ns=end_ns,
            cpu_ns=cpu_ns,
            run_delay_ns=delay_ns,
            failure=None if planned else repr(error),
        )
        await asyncio.sleep(0.01)
        return issubclass(kind, Exception) if kind else False


def nameserver() -> str:
    with open("/etc/resolv.conf") as resolv_conf:
        return next(line.split()[1] for line in resolv_conf if line.startswith("nameserver"))


def reap() -> None:
    """Take all children that have ended, so that os.wait() finds only its own."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def main(calls) -> None:
    at = Place()

    async def plant() -> None:
        for call in calls:
            try:
                await call(at)
            except Exception as error:  # of what comes before the call
                emit(call=call.__doc__, failure=f"before it: {error!r}")
                at.disk.slow(False)
            reap()

    run(plant)

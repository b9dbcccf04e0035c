"""The other side of a stall, in a process of its own so that no GIL is shared with the workload.

`Peer(mode, ...)` starts this file as a program; see MODES for what it can be.  A peer prints one line
when it is ready (its address, where it has one), takes orders as lines and ends with its input.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import truth


class Peer:
    """A peer process; make it before the loop runs, for its start blocks."""

    def __init__(self, mode: str, *args: object, pass_fds: tuple[int, ...] = ()) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, mode, *map(str, args)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=pass_fds,
            bufsize=0,
        )
        self.output_fd = self.process.stdout.fileno()
        self.greeting = self.process.stdout.readline().decode().strip()
        if not self.greeting:
            raise RuntimeError(f"peer {mode} did not start")

    def address(self) -> tuple[str, int]:
        host, port = self.greeting.rsplit(":", 1)
        return host, int(port)

    def order(self, what: str = "go") -> None:
        self.process.stdin.write(f"{what}\n".encode())

    async def answer(self) -> None:
        """Wait, without blocking the loop, for the peer's next line."""
        await truth.wait_readable(self.output_fd)
        os.read(self.output_fd, 4096)

    def stop(self) -> None:
        """Let it end, without waiting for that."""
        self.process.stdin.close()

    def close(self) -> None:
        self.stop()
        self.process.wait()


def say(line: str) -> None:
    print(line, flush=True)


def late_echo(delay: str) -> None:
    """TCP: sends back what it gets, late."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve(client: socket.socket) -> None:
        while data := client.recv(4096):
            time.sleep(float(delay))
            client.sendall(data)

    def accept() -> None:
        while True:
            client, _ = server.accept()
            threading.Thread(target=serve, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    say("127.0.0.1:%d" % server.getsockname()[1])
    sys.stdin.read()


def late_http(delay: str) -> None:
    """HTTP: answers every GET, late."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(float(delay))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"late\n")

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    say("127.0.0.1:%d" % server.server_address[1])
    sys.stdin.read()


def http_customers(rounds: str, *faults: str) -> None:
    """HTTP: from the order, a port, on four browse healthy pages while one asks for each fault so often."""
    is_over = threading.Event()

    def get(path: str) -> None:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=30) as response:
            response.read()

    def browse() -> None:
        while not is_over.is_set():
            for path in ("", "slow", "", "thread"):
                get(path)

    say("ready")
    port = int(sys.stdin.readline())
    urllib.request.install_opener(urllib.request.build_opener(urllib.request.ProxyHandler({})))
    browsers = [threading.Thread(target=browse) for _ in range(4)]
    for browser in browsers:
        browser.start()
    for fault in faults * int(rounds):
        get(fault)
        get("slow")  # each in an iteration of its own
    is_over.set()
    for browser in browsers:
        browser.join()
    say("done")
    sys.stdin.read()


def late_dns(address: str, delay: str) -> None:
    """DNS: answers every question with A 127.0.0.1, late.  The port is 53: libc asks no other."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((address, 53))

    def serve() -> None:
        while True:
            query, client = server.recvfrom(512)
            time.sleep(float(delay))
            question = query[12 : query.index(b"\0", 12) + 5]
            header = query[:2] + b"\x81\x80\0\1\0\1\0\0\0\0"
            record = b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4\x7f\0\0\1"
            server.sendto(header + question + record, client)

    threading.Thread(target=serve, daemon=True).start()
    say(f"{address}:53")
    sys.stdin.read()


def flock(path: str, delay: str) -> None:
    """Per order: lock the file, say so, keep the lock for a while."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    say("ready")
    for _ in sys.stdin:
        fcntl.flock(fd, fcntl.LOCK_EX)
        say("held")
        time.sleep(float(delay))
        fcntl.flock(fd, fcntl.LOCK_UN)


def late_line(fd: str, delay: str) -> None:
    """Per order: write one line to the descriptor, late."""
    say("ready")
    for _ in sys.stdin:
        time.sleep(float(delay))
        os.write(int(fd), b"late\n")


def stop_parent(delay: str) -> None:
    """Per order: stop the workload for a while."""
    say("ready")
    for _ in sys.stdin:
        os.kill(os.getppid(), signal.SIGSTOP)
        time.sleep(float(delay))
        os.kill(os.getppid(), signal.SIGCONT)


CLONE_NEWNS, MS_REC, MS_PRIVATE, MNT_DETACH = 0x20000, 0x4000, 0x40000, 2
FREEZER = "/sys/fs/cgroup/freezer"  # of cgroup version 1


def mount_cgroup2() -> str:
    """A folder in which it is mounted, for this process only: a host of version 1 need not have it anywhere."""
    libc = ctypes.CDLL(None, use_errno=True)
    folder = tempfile.mkdtemp(prefix="loophound-cgroup-")
    libc.unshare(CLONE_NEWNS)
    libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None)  # an interpreter's own root is no mount, and private
    if libc.mount(b"none", folder.encode(), b"cgroup2", 0, None):
        raise OSError(ctypes.get_errno(), f"cgroup2 on {folder}")
    return folder


def freeze_parent(delay: str, version: str) -> None:
    """Per order: freeze the workload's cgroup for a while, as `docker pause` does."""
    top = FREEZER if version == "1" else mount_cgroup2()
    file, frozen, thawed = ("freezer.state", "FROZEN", "THAWED") if version == "1" else ("cgroup.freeze", "1", "0")
    with open("/proc/self/cgroup") as lines:
        paths = dict(line.rstrip("\n").split(":", 2)[1:] for line in lines)
    home = Path(top + paths["freezer" if version == "1" else ""])
    group = Path(top, f"loophound-freeze-{os.getpid()}")
    group.mkdir()
    (group / "cgroup.procs").write_text(str(os.getppid()))
    say("ready")
    for _ in sys.stdin:
        (group / file).write_text(frozen)
        time.sleep(float(delay))
        (group / file).write_text(thawed)
    for member in (group / "cgroup.procs").read_text().split():  # and peers that the workload made since
        (home / "cgroup.procs").write_text(member)
    group.rmdir()
    if version == "2":
        ctypes.CDLL(None).umount2(top.encode(), MNT_DETACH)
        os.rmdir(top)


def spin(nice: str) -> None:
    """Keep a CPU busy."""
    os.nice(int(nice))

    def burn() -> None:
        while True:
            pass

    threading.Thread(target=burn, daemon=True).start()
    say("ready")
    sys.stdin.read()


def spin_later(cpu: str, threads: str) -> None:
    """From the first order on: keep one CPU busy with so many processes."""
    os.sched_setaffinity(0, {int(cpu)})
    say("ready")
    if not sys.stdin.readline():
        return
    burn = [sys.executable, "-c", "import os\nwhile os.getppid() == %d:\n    pass" % os.getpid()]
    children = [subprocess.Popen(burn) for _ in range(int(threads))]  # they end with this process
    sys.stdin.read()
    for child in children:
        child.kill()


PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207
WALL = 0x40000000  # waitpid(): of any kind of child, or who is traced


def trace_parent(delay: str) -> None:
    """Per order: stop the workload's main thread as a debugger does, for a while."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]

    def ptrace(request: int) -> None:
        if libc.ptrace(request, os.getppid(), None, None):
            raise OSError(ctypes.get_errno(), f"ptrace {request:#x}")

    say("ready")
    for _ in sys.stdin:
        ptrace(PTRACE_SEIZE)
        ptrace(PTRACE_INTERRUPT)
        os.waitpid(os.getppid(), WALL)
        time.sleep(float(delay))
        ptrace(PTRACE_DETACH)


MODES = {
    "spin-later": spin_later,
    "trace-parent": trace_parent,
    "late-echo": late_echo,
    "late-http": late_http,
    "http-customers": http_customers,
    "late-dns": late_dns,
    "flock": flock,
    "late-line": late_line,
    "stop-parent": stop_parent,
    "freeze-parent": freeze_parent,
    "spin": spin,
}

if __name__ == "__main__":
    MODES[sys.argv[1]](*sys.argv[2:])

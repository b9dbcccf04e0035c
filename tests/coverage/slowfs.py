"""A file system in memory that is slow when it is told to be: what a network disk does, at will.

Speaks the kernel's FUSE protocol on /dev/fuse, with nothing cached, so that each call that takes a path or
reads a file really waits for an answer.  SlowFs() mounts it and serves it from a process of its own.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os
import signal
import stat
import struct
import time

DELAY = 0.02  # seconds an answer takes while the disk is slow
ROOT = 1
MAX_WRITE = 128 * 1024
DIRECT_IO = 1  # open flag: no page cache

libc = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1


def mount(source: str, target: str, kind: str | None, flags: int, options: str | None) -> None:
    texts = [text and text.encode() for text in (source, target, kind)]
    if libc.mount(*texts, ctypes.c_ulong(flags), options and options.encode()):
        raise OSError(ctypes.get_errno(), f"mount {target}: {os.strerror(ctypes.get_errno())}")


def bind(source: str, target: str) -> None:
    mount(source, target, None, 4096, None)


def open_fuse(folder: str) -> int:
    """The device; a container may not have the node of it."""
    with contextlib.suppress(FileNotFoundError):
        return os.open("/dev/fuse", os.O_RDWR)
    node = os.path.join(folder, "fuse")
    os.mknod(node, stat.S_IFCHR | 0o600, os.makedev(10, 229))
    return os.open(node, os.O_RDWR)


def fork_helper(serve) -> int:
    """Run serve() in a process that ends with this one, and say which."""
    parent = os.getpid()
    helper = os.fork()
    if helper:
        return helper
    try:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == parent:
            serve()
    finally:
        os._exit(1)


class SlowFs:
    def __init__(self, folder: str) -> None:
        self.is_slow = mmap.mmap(-1, 4096)  # shared with the server
        device = open_fuse(folder)
        options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other"
        mount("slow", folder, "fuse", 0, options)
        self.server = fork_helper(lambda: Server(device, self.is_slow).serve())
        os.close(device)

    def slow(self, is_slow: bool) -> None:
        self.is_slow[0] = is_slow


class Node:
    def __init__(self, mode: int) -> None:
        self.mode = mode
        self.nlink = 1
        self.data = bytearray()  # of a file; of a symbolic link: where it leads
        self.children: dict[bytes, int] = {}


def pad(data: bytes) -> bytes:
    return data + bytes(-len(data) % 8)


class Server:
    def __init__(self, device: int, is_slow: mmap.mmap) -> None:
        self.device = device
        self.is_slow = is_slow
        self.nodes = {ROOT: Node(stat.S_IFDIR | 0o755)}
        self.operations = {
            1: self.lookup, 3: self.getattr, 4: self.setattr, 5: self.readlink, 6: self.symlink, 8: self.mknod,
            9: self.mkdir, 10: self.unlink, 11: self.unlink, 12: self.rename, 13: self.link, 14: self.open,
            15: self.read, 16: self.write, 17: self.statfs, 18: self.nothing, 20: self.nothing, 25: self.nothing,
            26: self.init, 27: self.opendir, 28: self.readdir, 29: self.nothing, 30: self.nothing,
            34: self.nothing, 35: self.create, 45: self.rename2,
        }  # fmt: skip

    def serve(self) -> None:
        without_answer = (2, 36, 42)  # forget, interrupt, batch forget
        while True:
            try:
                request = os.read(self.device, MAX_WRITE + 8192)
            except OSError as error:
                if error.errno in (errno.EINTR, errno.ENOENT):
                    continue
                return  # it is no longer mounted
            _, operation, unique, node = struct.unpack_from("<IIQQ", request)
            if operation in without_answer:
                continue
            if self.is_slow[0] and operation != 18:
                time.sleep(DELAY)
            try:
                answer = self.operations[operation](node, request[40:])
                head = struct.pack("<IiQ", 16 + len(answer), 0, unique)
            except (OSError, KeyError) as error:
                number = error.errno if isinstance(error, OSError) else errno.ENOSYS
                answer, head = b"", struct.pack("<IiQ", 16, -number, unique)
            os.write(self.device, head + answer)

    def attributes(self, number: int) -> bytes:
        node = self.nodes[number]
        size = len(node.data)
        head = struct.pack("<6Q3I", number, size, -(-size // 512), 0, 0, 0, 0, 0, 0)
        return head + struct.pack("<7I", node.mode, node.nlink, 0, 0, 0, 4096, 0)

    def entry(self, number: int) -> bytes:
        return struct.pack("<4Q2I", number, 0, 0, 0, 0, 0) + self.attributes(number)

    def child(self, parent: int, name: bytes) -> int:
        try:
            return self.nodes[parent].children[name]
        except KeyError:
            raise OSError(errno.ENOENT, "") from None

    def add(self, parent: int, name: bytes, mode: int, data: bytes = b"") -> int:
        if name in self.nodes[parent].children:
            raise OSError(errno.EEXIST, "")
        number = max(self.nodes) + 1
        self.nodes[number] = Node(mode)
        self.nodes[number].data += data
        self.nodes[parent].children[name] = number
        return number

    def init(self, _node: int, _body: bytes) -> bytes:
        big_writes = 1 << 5
        return struct.pack("<4I2H2I2H8I", 7, 31, 0, big_writes, 12, 9, MAX_WRITE, 1, 32, 0, *[0] * 8)

    def nothing(self, _node: int, _body: bytes) -> bytes:
        return b""

    def lookup(self, node: int, body: bytes) -> bytes:
        return self.entry(self.child(node, body[:-1]))

    def getattr(self, node: int, _body: bytes) -> bytes:
        return struct.pack("<QII", 0, 0, 0) + self.attributes(node)

    def setattr(self, node: int, body: bytes) -> bytes:
        valid, _, _, size = struct.unpack_from("<IIQQ", body)
        (mode,) = struct.unpack_from("<I", body, 68)
        data = self.nodes[node].data
        if valid & 1:
            self.nodes[node].mode = stat.S_IFMT(self.nodes[node].mode) | stat.S_IMODE(mode)
        if valid & 8:
            data[:] = data[:size].ljust(size, b"\0")
        return self.getattr(node, b"")

    def readlink(self, node: int, _body: bytes) -> bytes:
        return bytes(self.nodes[node].data)

    def symlink(self, node: int, body: bytes) -> bytes:
        name, target = body[:-1].split(b"\0")
        return self.entry(self.add(node, name, stat.S_IFLNK | 0o777, target))

    def mknod(self, node: int, body: bytes) -> bytes:
        return self.entry(self.add(node, body[16:-1], struct.unpack_from("<I", body)[0]))

    def mkdir(self, node: int, body: bytes) -> bytes:
        return self.entry(self.add(node, body[8:-1], stat.S_IFDIR | struct.unpack_from("<I", body)[0]))

    def unlink(self, node: int, body: bytes) -> bytes:
        self.child(node, body[:-1])
        del self.nodes[node].children[body[:-1]]
        return b""

    def rename(self, node: int, body: bytes, head: int = 8) -> bytes:
        (folder,) = struct.unpack_from("<Q", body)
        old, new = body[head:-1].split(b"\0")
        number = self.child(node, old)
        del self.nodes[node].children[old]
        self.nodes[folder].children[new] = number
        return b""

    def rename2(self, node: int, body: bytes) -> bytes:
        return self.rename(node, body, head=16)

    def link(self, node: int, body: bytes) -> bytes:
        (number,) = struct.unpack_from("<Q", body)
        self.nodes[node].children[body[8:-1]] = number
        return self.entry(number)

    def open(self, _node: int, _body: bytes) -> bytes:
        return struct.pack("<QII", 0, DIRECT_IO, 0)

    def opendir(self, _node: int, _body: bytes) -> bytes:
        return struct.pack("<QII", 0, 0, 0)

    def create(self, node: int, body: bytes) -> bytes:
        mode = struct.unpack_from("<II", body)[1]
        return self.entry(self.add(node, body[16:-1], stat.S_IFREG | mode)) + self.open(node, b"")

    def read(self, node: int, body: bytes) -> bytes:
        _, offset, size = struct.unpack_from("<QQI", body)
        return bytes(self.nodes[node].data[offset : offset + size])

    def write(self, node: int, body: bytes) -> bytes:
        _, offset, size = struct.unpack_from("<QQI", body)
        data = self.nodes[node].data
        data.extend(bytes(max(0, offset - len(data))))
        data[offset : offset + size] = body[40 : 40 + size]
        return struct.pack("<II", size, 0)

    def statfs(self, _node: int, _body: bytes) -> bytes:
        return struct.pack("<5Q10I", 1 << 20, 1 << 19, 1 << 19, 1 << 20, 1 << 19, 4096, 255, 4096, *[0] * 7)

    def readdir(self, node: int, body: bytes) -> bytes:
        _, offset, size = struct.unpack_from("<QQI", body)
        answer = b""
        for place, (name, number) in list(enumerate(self.nodes[node].children.items(), 1))[offset:]:
            kind = stat.S_IFMT(self.nodes[number].mode) >> 12
            entry = pad(struct.pack("<QQII", number, place, len(name), kind) + name)
            if len(answer) + len(entry) > size:
                break
            answer += entry
        return answer

"""A network of a program's own, and what the kernel itself says of its sockets (sock_diag)."""

import ctypes
import fcntl
import os
import socket
import struct

SOCK_DIAG_BY_FAMILY = 20
NLMSG_DONE = 3
NLMSG_HEAD = struct.Struct("=IHHII")
UNIX_NAME = 0  # UNIX_DIAG_NAME
SHOW_NAME = 1
ESTABLISHED, SYN_SENT, CLOSE_WAIT = 1, 2, 8
OPEN = 1 << ESTABLISHED | 1 << SYN_SENT | 1 << CLOSE_WAIT


def enter_network_namespace():
    """A network of our own, with nothing but its loopback interface, which has ::1 too."""
    if ctypes.CDLL(None, use_errno=True).unshare(0x40000000):  # CLONE_NEWNET
        raise OSError(ctypes.get_errno(), "unshare")
    with socket.socket() as sock:
        fcntl.ioctl(sock, 0x8914, struct.pack("16sH14x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP


def _sockets(request):
    """The answers to a request for all sockets of a kind."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4) as diag:  # NETLINK_SOCK_DIAG
        diag.send(NLMSG_HEAD.pack(NLMSG_HEAD.size + len(request), SOCK_DIAG_BY_FAMILY, 0x301, 0, 0) + request)
        while True:
            data = diag.recv(1 << 16)
            while data:
                length, kind, *_ = NLMSG_HEAD.unpack_from(data)
                if kind == NLMSG_DONE:
                    return
                if kind != SOCK_DIAG_BY_FAMILY:
                    raise OSError(f"sock_diag: an answer of type {kind}")
                yield data[NLMSG_HEAD.size : length]
                data = data[(length + 3) & ~3 :]


def connections_to(address):
    """How many sockets of this network are connected to it, or about to be: a path, or (host, port)."""
    if isinstance(address, str):  # the other ends, which have the name
        request = struct.pack("=BBHIIIII", socket.AF_UNIX, 0, 0, 1 << ESTABLISHED, 0, SHOW_NAME, 0, 0)
        return sum(_unix_name(answer) == os.fsencode(address) for answer in _sockets(request))
    request = struct.pack("=BBBBI48x", socket.AF_INET, socket.IPPROTO_TCP, 0, 0, OPEN)
    return sum(struct.unpack_from(">HH", answer, 4)[1] == address[1] for answer in _sockets(request))


def _unix_name(answer):
    at = 16  # struct unix_diag_msg
    while at < len(answer):
        length, kind = struct.unpack_from("=HH", answer, at)
        if kind == UNIX_NAME:
            return answer[at + 4 : at + length].rstrip(b"\0")
        at += (length + 3) & ~3
    return b""

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


def _address(text):
    return struct.pack("=HH4s8x", socket.AF_INET, 0, socket.inet_aton(text))


def enter_network_without_ways():
    """10.8.0.0/24 is an Ethernet on which nobody answers, 10.9.0.0/24 is said to be unreachable, all else has no route."""
    enter_network_namespace()
    ethernet = os.open("/dev/net/tun", os.O_RDWR)  # as long as the program lives
    name = b"dark".ljust(16, b"\0")
    fcntl.ioctl(ethernet, 0x400454CA, struct.pack("16sH22x", name, 0x1002))  # TUNSETIFF: a TAP, as it is
    for setting, value in (("mcast_solicit", 1), ("retrans_time_ms", 20)):  # who is there is asked once
        with open(f"/proc/sys/net/ipv4/neigh/dark/{setting}", "w") as file:
            file.write(str(value))
    nowhere, netmask = _address("0.0.0.0"), _address("255.255.255.0")
    rejected = struct.pack("@L16s16s16sHhLPhPLLH", 0, _address("10.9.0.0"), nowhere, netmask, 0x201, *[0] * 8)
    with socket.socket() as sock:
        fcntl.ioctl(sock, 0x8916, name + _address("10.8.0.1"))  # SIOCSIFADDR
        fcntl.ioctl(sock, 0x891C, name + netmask)  # SIOCSIFNETMASK
        fcntl.ioctl(sock, 0x8914, struct.pack("16sH14x", name, 1))  # SIOCSIFFLAGS
        fcntl.ioctl(sock, 0x890B, rejected)  # SIOCADDRT, up and rejecting


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

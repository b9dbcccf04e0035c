"""Plants socket.getaddrinfo() of a name that its DNS server answers late.

Needs root (libc asks no port but 53) and an /etc/resolv.conf that names a loopback address;
tests/e2e/workload.py runs it in a mount namespace of its own that has one.
"""

import socket

from peer import Peer
from truth import planted, repeat, run

with open("/etc/resolv.conf") as resolv_conf:
    nameserver = next(line.split()[1] for line in resolv_conf if line.startswith("nameserver"))

peer = Peer("late-dns", nameserver, 0.12)
"name".encode("idna")  # getaddrinfo() would import that codec inside the first stall


def resolve():
    with planted("dns_getaddrinfo", "dns", target=peer.greeting):
        return socket.getaddrinfo("late.loophound.test", 80, socket.AF_INET)


async def handler():
    resolve()


async def plant():
    await repeat(3, handler)


run(plant)

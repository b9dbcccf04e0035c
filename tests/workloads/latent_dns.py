"""Plants socket.getaddrinfo() of a name that a file answers."""

import encodings.idna  # noqa: F401  (the first look-up would import it)
import socket

from truth import planted, repeat, run

socket.getaddrinfo("localhost", 80)


async def handler():
    with planted("latent_dns", "dns"):
        socket.getaddrinfo("localhost", 80)


async def plant():
    await repeat(3, handler)


run(plant)

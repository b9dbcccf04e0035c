"""Healthy twin of socket.getaddrinfo(): loop.getaddrinfo()."""

import asyncio
import socket

from truth import repeat, run


async def handler():
    loop = asyncio.get_running_loop()
    await loop.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)


async def plant():
    await repeat(11, handler)


run(plant)

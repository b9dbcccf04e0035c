"""Healthy twin of the sockets: an asyncio server that answers late, and its clients."""

import asyncio

from truth import repeat, run


async def serve(reader, writer):
    while line := await reader.readline():
        await asyncio.sleep(0.05)
        writer.write(line)
        await writer.drain()
    writer.close()


async def talk(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(3):
        writer.write(b"hello\n")
        await writer.drain()
        await reader.readline()
    writer.close()
    await writer.wait_closed()


async def plant():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async def handler():
        await asyncio.gather(*(talk(port) for _ in range(10)))

    async with server:
        await repeat(5, handler)


run(plant)

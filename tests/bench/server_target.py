"""A real aiohttp server, on asyncio's own loop or on uvloop.

Says its port; asked by a line on its standard input, it says when, how many requests it has answered and
how much CPU time it has used (all in ns), at one moment.  Ends with its standard input.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time

from aiohttp import web

ITEMS = [{"id": number, "name": f"item {number}", "price": number * 1.5} for number in range(10)]
answered = 0


async def handler(request: web.Request) -> web.Response:
    global answered
    answered += 1
    limit = int(request.query.get("limit", "10"))
    return web.json_response({"items": ITEMS[:limit]})


async def main() -> None:
    app = web.Application()
    app.router.add_get("/items", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    ended = asyncio.Event()

    def on_input() -> None:
        if os.read(0, 100):
            print(time.monotonic_ns(), answered, time.process_time_ns(), flush=True)
        else:
            ended.set()

    asyncio.get_running_loop().add_reader(0, on_input)
    print(runner.addresses[0][1], flush=True)
    await ended.wait()


if sys.argv[1] == "uvloop":
    import uvloop

    uvloop.install()
asyncio.run(main())

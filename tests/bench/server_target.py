"""A real aiohttp server, on asyncio's own loop or on uvloop.

Says its port; asked by a line on its standard input, it says when, how many requests it has answered, how
much CPU time it has used, how much of that went into gauging, and how many gauges these were (times in ns).
Ends with its standard input.

A gauge is a fixed piece of work, done now and then between requests: how fast this CPU is just now.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time

from aiohttp import web

ITEMS = [{"id": number, "name": f"item {number}", "price": number * 1.5} for number in range(10)]
GAUGE_EVERY = 16  # requests: some 6 % of the time
answered = nr_gauges = gauging_ns = 0


def gauge() -> None:
    """What a request is made of, as far as it needs no system call."""
    global nr_gauges, gauging_ns
    began_ns = time.thread_time_ns()
    for _ in range(3):
        web.json_response({"items": ITEMS})
        json.dumps(ITEMS)
    gauging_ns += time.thread_time_ns() - began_ns
    nr_gauges += 1


async def handler(request: web.Request) -> web.Response:
    global answered
    answered += 1
    if answered % GAUGE_EVERY == 0:
        gauge()
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
            print(time.monotonic_ns(), answered, time.process_time_ns(), gauging_ns, nr_gauges, flush=True)
        else:
            ended.set()

    asyncio.get_running_loop().add_reader(0, on_input)
    print(runner.addresses[0][1], flush=True)
    await ended.wait()


if sys.argv[1] == "uvloop":
    import uvloop

    uvloop.install()
asyncio.run(main())

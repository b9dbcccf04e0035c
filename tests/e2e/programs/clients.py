"""Real clients of a real HTTP server, with and without their bounds, as the argument names; says its own peak.

The server is aiohttp's, in this process: how many connections it has is how many its clients have.
"""

import asyncio
import concurrent.futures
import sys

import aiohttp
import httpx
import requests
from aiohttp import web
from truth import emit, run

COUNT = 150
held = {"now": 0, "peak": 0}


async def slow(request):
    """Answers once no more clients come, so that those that may come at the same time do."""
    held["now"] += 1
    held["peak"] = max(held["peak"], held["now"])
    seen = -1
    while seen != held["peak"]:
        seen = held["peak"]
        await asyncio.sleep(0.05)
    held["now"] -= 1
    return web.Response(text="hello")


async def quick(request):
    held["peak"] = max(held["peak"], 1)
    return web.Response(text="hello")


async def fetch(session, url):
    async with session.get(url) as response:
        await response.text()


async def fetch_all(url, limit):
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=limit)) as session:
        await asyncio.gather(*(fetch(session, url) for _ in range(COUNT)))


async def default_pool(url):
    await fetch_all(url, 100)  # what aiohttp has if it is not told


async def no_limit(url):
    await fetch_all(url, 0)


async def session_each(url):
    for _ in range(60):
        async with aiohttp.ClientSession() as session:
            await fetch(session, url)


def no_bound():
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))


async def gather_get(url):
    """This and the next: of the program's, no other coroutine than this one's has a part in it."""
    async with no_bound() as session:
        for response in await asyncio.gather(*[session.get(url) for _ in range(COUNT)]):
            response.release()


async def group_get(url):
    async with no_bound() as session:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(session.get(url)) for _ in range(COUNT)]
        for task in tasks:
            task.result().release()


async def httpx_all(url, limits):
    async with httpx.AsyncClient(limits=limits, timeout=None) as client:
        await asyncio.gather(*(httpx_fetch(client, url) for _ in range(COUNT)))


async def httpx_fetch(client, url):
    (await client.get(url)).raise_for_status()


async def httpx_pool(url):
    await httpx_all(url, httpx.Limits(max_connections=100, max_keepalive_connections=20))  # its default


async def httpx_no_limit(url):
    await httpx_all(url, httpx.Limits())


async def httpx_gather_get(url):
    async with httpx.AsyncClient(limits=httpx.Limits(), timeout=None) as client:
        await asyncio.gather(*[client.get(url) for _ in range(COUNT)])


async def httpx_group_get(url):
    async with httpx.AsyncClient(limits=httpx.Limits(), timeout=None) as client, asyncio.TaskGroup() as group:
        for _ in range(COUNT):
            group.create_task(client.get(url))


async def httpx_each(url):
    for _ in range(60):
        async with httpx.AsyncClient(timeout=None, verify=False) as client:  # certificates take longer than all else
            await httpx_fetch(client, url + "quick")


async def threads(url):
    """A pool of requests' own, used by threads."""
    session = requests.Session()
    session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=10))
    with concurrent.futures.ThreadPoolExecutor(10) as executor:
        loop = asyncio.get_running_loop()
        await asyncio.gather(*(loop.run_in_executor(executor, session.get, url) for _ in range(40)))
    session.close()


async def plant():
    app = web.Application()
    app.router.add_get("/", slow)
    app.router.add_get("/quick", quick)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1000)
    await site.start()
    address = runner.addresses[0]
    await globals()[sys.argv[1]]("http://%s:%d/" % address)
    emit(peak=held["peak"], address=address)
    await runner.cleanup()


run(plant)

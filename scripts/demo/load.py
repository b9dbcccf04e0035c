"""Customers of app.py: `load.py URL SECONDS` drives all its handlers and says what the innocent suffered."""

from __future__ import annotations

import asyncio
import statistics
import sys
import time

import aiohttp

HEALTHY = ("/", "/items", "/slow-but-async")
FAULTY = (
    "/checkout",
    "/weather",
    "/resolve",
    "/thumbnail",
    "/order",
    "/stock",
    "/recommend",
    "/login",
    "/import",
    "/import-in-thread",
    "/remember",
    "/invoice",
)
PAUSE = 0.06  # seconds between two faulty requests


async def get(session: aiohttp.ClientSession, path: str) -> float:
    """Seconds that the request took."""
    started = time.monotonic()
    async with session.get(path) as response:
        response.raise_for_status()
        await response.read()
    return time.monotonic() - started


async def browse(session: aiohttp.ClientSession, path: str, until: float) -> list[float]:
    took = []
    while time.monotonic() < until:
        took.append(await get(session, path))
        await asyncio.sleep(0.01)
    return took


async def torment(session: aiohttp.ClientSession, until: float) -> int:
    requests = 0
    while time.monotonic() < until:
        await get(session, FAULTY[requests % len(FAULTY)])
        await asyncio.sleep(PAUSE)
        requests += 1
    return requests


async def main(url: str, seconds: float) -> None:
    until = time.monotonic() + seconds
    async with aiohttp.ClientSession(url) as session:
        faulty, *healthy = await asyncio.gather(
            torment(session, until), *(browse(session, path, until) for path in HEALTHY for _ in range(2))
        )
    index = [1000 * took for took in healthy[0] + healthy[1]]
    p99 = statistics.quantiles(index, n=100)[98]
    print(
        f"{sum(map(len, healthy))} requests to healthy handlers, {faulty} to faulty ones; "
        f"/ took {statistics.median(index):.1f} ms in the median, {p99:.0f} ms at the 99th percentile"
    )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))

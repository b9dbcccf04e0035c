"""Plants thousands of quick reads of one line: all are counted, few are told."""

import os

from truth import planted, repeat, run

opened = os.open(__file__, os.O_RDONLY)
READS = 2000


async def handler():
    with planted("latent_many", "file", target=__file__):
        for _ in range(READS): os.pread(opened, 64, 0)  # noqa: E701


async def plant():
    await repeat(5, handler)


run(plant)

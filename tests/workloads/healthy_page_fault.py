"""The twin of starved_page_fault: the same pages, in memory."""

import mmap
import os
import tempfile

from truth import repeat, run

PAGE = mmap.PAGESIZE
NR_PAGES = 4096

backing = tempfile.TemporaryFile(dir=os.path.dirname(os.path.abspath(__file__)))
for _ in range(NR_PAGES // 256):
    backing.write(os.urandom(256 * PAGE))
backing.flush()
pages = mmap.mmap(backing.fileno(), NR_PAGES * PAGE, prot=mmap.PROT_READ)


async def handler():
    for page in range(0, NR_PAGES, 16):
        pages[page * PAGE]


async def plant():
    await repeat(5, handler)


run(plant)

"""Plants reads of a mapped file whose pages are gone from memory: major faults, each a read of the disk.

The test puts the process into a cgroup that may read the disk 50 times a second, as a cloud's disks
limit it: a fast disk's faults take as much CPU time as sleep.
"""

import mmap
import os
import random
import tempfile
import time

from truth import planted, repeat, run

PAGE = mmap.PAGESIZE
NR_PAGES = 4096
LOST_NS = 120_000_000

# Next to the program: what the temporary folder has may never leave memory.
backing = tempfile.TemporaryFile(dir=os.path.dirname(os.path.abspath(__file__)))
for _ in range(NR_PAGES // 256):
    backing.write(os.urandom(256 * PAGE))
backing.flush()
os.fsync(backing.fileno())
pages = mmap.mmap(backing.fileno(), NR_PAGES * PAGE, prot=mmap.PROT_READ)
pages.madvise(mmap.MADV_RANDOM)  # or the kernel would read ahead
order = random.Random(1).sample(range(NR_PAGES), NR_PAGES)


def drop():
    pages.madvise(mmap.MADV_DONTNEED)
    os.posix_fadvise(backing.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def touch():
    """Touch page after page until enough time was lost off the CPU."""
    start_ns = time.monotonic_ns() - time.thread_time_ns()
    for nr, page in enumerate(order, 1):
        pages[page * PAGE]
        if time.monotonic_ns() - time.thread_time_ns() - start_ns > LOST_NS:
            return nr
    raise RuntimeError("the disk is too fast for this workload")


async def handler():
    evidence = {}
    with planted("starved_page_fault", "page-fault", rule="host-starved", evidence=evidence):
        nr = touch()
        evidence["major_faults"] = nr // 2, nr + 50


async def plant():
    for _ in range(3):
        drop()
        await repeat(1, handler)


run(plant)

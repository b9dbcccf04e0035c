"""Forges its own interpreter's memory while its loop is blocked, each time another way, and puts it right again.

What is forged is what a profiler reads and the interpreter itself does not need meanwhile: the names and the table of lines
of the code that blocks, and the chain of its frames.
"""

import ctypes
import mmap
import sys
import time

from truth import emit, run, sleep

WORD = ctypes.sizeof(ctypes.c_void_p)
STALLS = 3  # of each kind
SECONDS = 0.05
kept = []  # what is forged has to stay


def word(address):
    return ctypes.c_void_p.from_address(address)


def place_of(owner, part, words=64):
    """Where in an object the address of another is."""
    for offset in range(0, words * WORD, WORD):
        if word(id(owner) + offset).value == id(part):
            return id(owner) + offset
    raise LookupError(type(part))


def copy_of(thing, size):
    """The bytes of an object, elsewhere."""
    raw = ctypes.create_string_buffer(ctypes.string_at(id(thing), size), size + 4096)
    kept.append(raw)
    return ctypes.addressof(raw)


def huge(thing):
    """It says that it is as long as a terabyte: ob_size, or a str's length, is the third word."""
    address = copy_of(thing, sys.getsizeof(thing))
    word(address + 2 * WORD).value = 1 << 40
    return address


def negative(thing):
    address = copy_of(thing, sys.getsizeof(thing))
    word(address + 2 * WORD).value = -1 & (1 << 64) - 1
    return address


def at_the_edge(thing):
    """Its head is the last that is mapped: what should follow is not."""
    size = mmap.PAGESIZE
    area = mmap.mmap(-1, 2 * size)
    kept.append(area)
    start = ctypes.addressof(ctypes.c_char.from_buffer(area))
    ctypes.CDLL(None).mprotect(ctypes.c_void_p(start + size), ctypes.c_size_t(size), 0)
    address = start + size - 3 * WORD
    ctypes.memmove(address, id(thing), 3 * WORD)
    word(address + 2 * WORD).value = 200
    return address


def nowhere(thing):
    return 0x4141414141414140


def kernel(thing):
    return 0xFFFFFFFF81000000


def block():
    time.sleep(SECONDS)


def others():
    """The three that a name and a line are read from."""
    code = block.__code__
    table = getattr(code, "co_linetable", None)  # since 3.10
    return [part for part in (code.co_filename, code.co_name, table) if part is not None]


def forge(part, forged):
    try:
        place = place_of(block.__code__, part)
    except LookupError:  # made when it is asked for: not what the interpreter has
        return
    true = word(place).value
    word(place).value = forged(part)
    block()
    word(place).value = true


def previous_of(frame):
    """Where the interpreter's own frame says which is the one outside of it; None: this version has none such."""
    own = word(id(frame) + 3 * WORD).value  # PyFrameObject.f_frame, from 3.11 on
    outer = word(id(frame.f_back) + 3 * WORD).value
    for offset in range(0, 12 * WORD, WORD):
        if word(own + offset).value == outer:
            return own + offset, own
    return None


def cycle():
    """The frame outside of this one is this one."""
    frame = sys._getframe()
    frame.f_back  # noqa: B018, made while asked for
    found = previous_of(frame) if sys.version_info >= (3, 11) else None
    if not found:
        return
    place, own = found
    true = word(place).value
    word(place).value = own
    time.sleep(SECONDS)
    word(place).value = true


async def plant():
    done = 0
    for _ in range(STALLS):
        for part in others():
            for forged in (huge, negative, at_the_edge, nowhere, kernel):
                forge(part, forged)
                await sleep(0.001)
                done += 1
        cycle()
        await sleep(0.001)
    emit(stalls=done)


run(plant)

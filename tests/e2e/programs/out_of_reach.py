"""Sleeps of a loop in C code, which keeps the GIL, while nobody can read its thread's state or its own frame, and a usual one.

`out_of_reach.py LIBRARY state|frame`; the library is out_of_reach.c.
"""

import ctypes
import sys
import time

from truth import planted, repeat, run

NS = 80_000_000
BYTES = {"state": 4096, "frame": 64}  # of the state, more than there is to read
F_FRAME = 24  # in a frame object of 3.11 and later: where the frame is

sleep_without = ctypes.PyDLL(sys.argv[1]).sleep_without
sleep_without.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_long
sleep_without.restype = None
ctypes.pythonapi.PyThreadState_Get.restype = ctypes.c_void_p
what = sys.argv[2]


def address(frame):
    if what == "state":
        return ctypes.pythonapi.PyThreadState_Get()
    return id(frame) if sys.version_info < (3, 11) else ctypes.c_void_p.from_address(id(frame) + F_FRAME).value


async def unreadable():
    addr = address(sys._getframe())
    with planted("out_of_reach", "sleep"):
        sleep_without(addr, BYTES[what], NS)


async def readable():
    with planted("within_reach", "sleep"):
        time.sleep(NS / 1e9)


async def plant():
    await repeat(3, unreadable)
    await repeat(1, readable)


run(plant)

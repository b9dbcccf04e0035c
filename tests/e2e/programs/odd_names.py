"""Blocks in a function whose file, name and task are a terminal's escapes, in a process that is called so."""

import asyncio
import ctypes
import sys

from truth import emit, emit_done, wait_for_go

ESCAPES = "\x1b[2J\x1b]0;owned\x07\r\n</pre><script>\"}\\'\u202e"
SOURCE = "import time\nasync def f():\n    time.sleep(0.15)\n"

ctypes.CDLL(None).prctl(15, b"\x1b[31m\r\n<b>\"}", 0, 0, 0)  # PR_SET_NAME
space = {}
exec(compile(SOURCE, f"/srv/{ESCAPES}.py", "exec"), space)
odd = space["f"]
odd.__code__ = odd.__code__.replace(co_name=ESCAPES)


async def main():
    await wait_for_go()
    await asyncio.create_task(odd(), name=ESCAPES)


asyncio.run(main())
emit_done()
sys.stdin.buffer.read()

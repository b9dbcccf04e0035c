"""Makes a program of snippets: each call on a line of its own, straight in an `async def`, as the linters mean it."""

from __future__ import annotations

import re
from pathlib import Path

from snippet import Snippet

HEAD = '''"""Made by tests/coverage: each call of the lists, once."""

import asyncio, concurrent.futures, fcntl, glob, http.client, importlib, io, os, pathlib, posixpath, queue, select
import socket, sqlite3, ssl, subprocess, sys, tempfile, threading, time, urllib.request

from place import main

'''


def function_name(call: str) -> str:
    return "call_" + re.sub(r"\W+", "_", call).strip("_")


def make(snippets: dict[str, Snippet], path: Path) -> None:
    text = HEAD
    for name, snippet in snippets.items():
        raises = f", {snippet.raises}" if snippet.raises else ""
        text += f'\nasync def {function_name(name)}(at):\n    """{name}"""\n'
        if snippet.needs:
            text += f"    if at.misses({name!r}, {snippet.needs!r}):\n        return\n"
        for statement in filter(None, snippet.given.split("; ")):
            text += f"    {statement}\n"
        text += f"    async with at.call({name!r}{raises}):\n        {snippet.do}\n\n"
    text += "\nmain([\n" + "".join(f"    {function_name(name)},\n" for name in snippets) + "])\n"
    path.write_text(text)

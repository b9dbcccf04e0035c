"""Runs loophound beside the servers of programs/server.py while their customers are there."""

from __future__ import annotations

import dataclasses
import json

from interpreters import Interpreter
from watch import Outcome, Watch, outcome_of
from workload import Workload

# Server, as programs/server.py has it -> the kind of its loop.
SERVERS = {
    "aiohttp": "asyncio",
    "aiohttp-uvloop": "uvloop",
    "tornado": "asyncio",
    "starlette": "asyncio",
    "starlette-uvloop": "uvloop",
    "fastapi": "asyncio",
    "fastapi-uvloop": "uvloop",
    "gunicorn-uvloop": "uvloop",
}


def watch_server(name: str, interpreter: Interpreter) -> Outcome:
    with Workload("server", interpreter, name) as program:
        ready = program.expect("the server's ready line", lambda line: '"ready"' in line)
        pid = json.loads(ready)["pid"]  # of a worker, where there are some
        # Its customers are in the same process and connect anew for each request: churn, and planted by nobody.
        with Watch(pid, "--no-rule", "connection-churn") as watch:
            watch.wait_attached()
            program.go()
            program.wait_done()
            watch.interrupt()
        program.end()
    return dataclasses.replace(outcome_of(watch, interpreter, program), pid=pid)

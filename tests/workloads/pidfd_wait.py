"""Plants a wait for a process by its pidfd, as what waits for several of them at once does."""

import os
import select
import subprocess

from truth import planted, repeat, run, to_thread

children = []


def start():
    children.append(subprocess.Popen(["sleep", "0.12"]))


def wait_for_child(pidfd):
    with planted("pidfd_wait", "subprocess"):
        select.select([pidfd], [], [])


async def handler():
    await to_thread(start)
    child = children.pop()
    pidfd = os.pidfd_open(child.pid)
    wait_for_child(pidfd)
    child.wait()
    os.close(pidfd)


async def plant():
    await repeat(3, handler)


run(plant)

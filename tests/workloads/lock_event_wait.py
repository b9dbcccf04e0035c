"""Plants threading.Event.wait() of an event that nobody sets."""

import threading

from truth import planted, repeat, run

event = threading.Event()


def wait_for_it():
    with planted("lock_event_wait", "lock"):
        event.wait(0.12)


async def handler():
    wait_for_it()


async def plant():
    await repeat(5, handler)


run(plant)

"""Plants a synchronous client's wait for its own descriptors, by epoll as the loop itself, in a function below a coroutine."""

import os
import selectors

from truth import planted, repeat, run

replies, _ = os.pipe()
selector = selectors.DefaultSelector()
selector.register(replies, selectors.EVENT_READ)


def poll_replies():
    with planted("selector_wait", "other"):
        selector.select(0.12)


async def handler():
    poll_replies()


async def plant():
    await repeat(5, handler)


run(plant)

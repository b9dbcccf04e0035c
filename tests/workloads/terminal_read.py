"""Plants a read from a terminal at which someone types late."""

import os

from peer import Peer
from truth import planted, repeat, run

keyboard, terminal = os.openpty()
peer = Peer("late-line", keyboard, 0.12, pass_fds=(keyboard,))


def ask_user():
    with planted("terminal_read", "terminal", target=os.ttyname(terminal)):
        return os.read(terminal, 16)


async def handler():
    peer.order()
    ask_user()


async def plant():
    await repeat(3, handler)


run(plant)

"""gevent: a greenlet that blocks, and a thread's own first greenlet that does, which nothing but its own program waits for."""

import os
import time

import gevent
import gevent.socket

import truth


class Gevent(truth.Asyncio):
    def task_name(self):
        return None


truth.kind_of_loop = Gevent()


def work():
    gevent.sleep(0.02)
    with truth.planted("first_greenlet", "sleep"):
        time.sleep(0.12)
    gevent.sleep(0.02)


def wait_for_input():
    gevent.socket.wait_read(0)
    os.read(0, 4096)


truth.note_loop()
truth.emit(ready=True, pid=os.getpid())
wait_for_input()
for _ in range(2):
    gevent.spawn(work).join()
    time.sleep(0.15)
    gevent.sleep(0.02)
truth.emit_done()
wait_for_input()
truth.emit_done()

"""Healthy: servers on selectors of their own, whose handlers may block, and no event loop."""

import multiprocessing.managers
import os
import selectors
import socket
import socketserver
import sys
import threading
import time

from truth import emit, emit_done


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        time.sleep(0.05)
        self.wfile.write(self.rfile.readline())


def talk(address):
    with socket.create_connection(address) as client:
        client.sendall(b"hello\n")
        client.recv(16)


def serve_by_epoll(server, times):
    """The loop of many a small server: its wait is an epoll's, and it is nobody's event loop."""
    selector = selectors.DefaultSelector()
    selector.register(server, selectors.EVENT_READ)
    while times:
        for _ in selector.select():
            client, _ = server.accept()
            with client:
                time.sleep(0.05)
                client.sendall(client.recv(16))
            times -= 1
    selector.close()


emit(ready=True, pid=os.getpid())
sys.stdin.readline()
with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    for _ in range(3):
        talk(server.server_address)
    server.shutdown()
with socket.create_server(("127.0.0.1", 0)) as listening:
    clients = [threading.Thread(target=talk, args=(listening.getsockname(),)) for _ in range(3)]
    for client in clients:
        client.start()
    serve_by_epoll(listening, 3)
    for client in clients:
        client.join()
manager = multiprocessing.managers.BaseManager(("127.0.0.1", 0), b"secret")
threading.Thread(target=manager.get_server().serve_forever, daemon=True).start()
time.sleep(0.12)
emit_done()
sys.stdin.read()
# A manager's server ends with its process, and has its threads in the way of that.
os._exit(0)

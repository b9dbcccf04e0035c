"""A process that does to the other end of a descriptor, late, what it was ordered to; and slow servers.

It is another process so that no GIL is shared with the program that waits for it.
"""

from __future__ import annotations

import array
import contextlib
import json
import os
import socket
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from slowfs import fork_helper

IS_QUICK = bool(os.environ.get("LOOPHOUND_COVERAGE_QUICK"))  # all of it answers at once, for --latent
DELAY = 0 if IS_QUICK else 0.06


class Late:
    """The program's side: orders, and where the servers are."""

    def __init__(self, certificate: str, dns_address: str) -> None:
        self.orders, theirs = socket.socketpair()
        fork_helper(lambda: Worker(theirs, certificate, dns_address).serve())
        self.ports = json.loads(self.orders.recv(4096))

    def order(self, what: str, descriptor: int | socket.socket) -> None:
        number = descriptor if isinstance(descriptor, int) else descriptor.fileno()
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [number]))]
        self.orders.sendmsg([json.dumps(what).encode() + b"\n"], rights)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        time.sleep(DELAY)
        self.send_response(200)
        self.send_header("Content-Length", "0" if self.command == "HEAD" else "5")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(b"late\n")

    do_GET = do_HEAD = do_OPTIONS = do_POST = do_PUT = do_PATCH = do_DELETE = do_TRACE = do_CONNECT = answer

    def log_message(self, *args: object) -> None:
        pass


class Worker:
    def __init__(self, orders: socket.socket, certificate: str, dns_address: str) -> None:
        self.orders = orders
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate)
        self.dns_address = dns_address

    def serve(self) -> None:
        http, https = (ThreadingHTTPServer(("127.0.0.1", 0), Handler) for _ in range(2))
        https.socket = self.context.wrap_socket(https.socket, server_side=True)
        rude = socket.create_server(("127.0.0.1", 0))
        for server in (http.serve_forever, https.serve_forever, lambda: self.hang_up(rude), self.answer_dns):
            threading.Thread(target=server, daemon=True).start()
        ports = {"http": http.server_port, "https": https.server_port, "rude": rude.getsockname()[1]}
        self.orders.send(json.dumps(ports).encode())
        while True:
            data, rights, _, _ = self.orders.recvmsg(4096, socket.CMSG_SPACE(4 * 16))
            descriptors = array.array("i", b"".join(each[2] for each in rights))
            for order, descriptor in zip(data.splitlines(), descriptors):
                threading.Thread(target=self.obey, args=(json.loads(order), descriptor), daemon=True).start()

    def obey(self, order: str, descriptor: int) -> None:
        with contextlib.suppress(OSError):
            getattr(self, order)(descriptor)

    def write(self, descriptor: int) -> None:
        time.sleep(DELAY)
        os.write(descriptor, b"late\n")
        os.close(descriptor)

    def read(self, descriptor: int) -> None:
        time.sleep(DELAY)
        while os.read(descriptor, 1 << 20):
            pass
        os.close(descriptor)

    def connect(self, descriptor: int) -> None:
        """To the listener that the descriptor is."""
        time.sleep(DELAY)
        with socket.socket(fileno=descriptor) as listener:
            socket.create_connection(listener.getsockname()).close()

    def talk_tls(self, descriptor: int) -> None:
        """Answers late, and reads late when it is told to stop."""
        with self.context.wrap_socket(socket.socket(fileno=descriptor), server_side=True) as far:
            while data := far.recv(1 << 20):
                if data.startswith((b"ask", b"stop")):
                    time.sleep(DELAY)
                if data.startswith(b"ask"):
                    far.send(b"late\n")

    def hang_up(self, server: socket.socket) -> None:
        """Takes every connection, says nothing and closes it."""

        def keep(client: socket.socket) -> None:
            time.sleep(DELAY)
            client.close()

        while True:
            client, _ = server.accept()
            threading.Thread(target=keep, args=(client,), daemon=True).start()

    def answer_dns(self) -> None:
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind((self.dns_address, 53))
        while True:
            query, client = server.recvfrom(512)
            time.sleep(DELAY)
            end = query.index(b"\0", 12) + 5
            head = query[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + query[12:end]
            server.sendto(head + b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4\x7f\0\0\1", client)

"""Servers that take their time: HTTP on a free port and DNS at `slow_server.py DNS_ADDRESS`.

Prints the URL of the first once both listen; the second needs root, for its port is 53.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

DELAY = 0.15  # seconds


class SlowPage(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        time.sleep(DELAY)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"sunny\n")

    def log_message(self, *args: object) -> None:
        pass


def answer_questions(server: socket.socket) -> None:
    """Say that every name is 127.0.0.1."""
    while True:
        query, client = server.recvfrom(512)
        time.sleep(DELAY)
        question = query[12 : query.index(b"\0", 12) + 5]
        header = query[:2] + b"\x81\x80\0\1\0\1\0\0\0\0"
        record = b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4\x7f\0\0\1"
        server.sendto(header + question + record, client)


def main(dns_address: str) -> None:
    dns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    dns.bind((dns_address, 53))
    threading.Thread(target=answer_questions, args=(dns,), daemon=True).start()
    http = ThreadingHTTPServer(("127.0.0.1", 0), SlowPage)
    print(f"http://127.0.0.1:{http.server_address[1]}/", flush=True)
    http.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1])

"""Clients that mean no good take nothing from others: neither their room, nor their password's turn."""

from __future__ import annotations

import contextlib
import socket
import time

from process import PATIENCE
from service import Service

BEGINNINGS = [b"", b"GET /metrics HTTP/1.1\r\nX-Y: ", b"GET /met"]
# MHD's own time for a silent client is 5 s, and the backlog has to be gone through as well.
SOON_S = 3.5


def test_slow_clients_make_room(tmp_path):
    """As many as there is room for, and as many again that wait before the one that asks."""
    (tmp_path / "c.yaml").write_text("web: {max_connections: 32, max_requests_per_second: 1000}\n")
    with Service("-c", str(tmp_path / "c.yaml"), "--breaches.to", "none") as service, contextlib.ExitStack() as stack:
        service.wait_serving()
        for number in range(64):
            slow = stack.enter_context(socket.create_connection(("127.0.0.1", service.port), PATIENCE))
            slow.sendall(BEGINNINGS[number % len(BEGINNINGS)])
        begin = time.monotonic()
        assert service.ask("/-/healthy").status == 200
        assert time.monotonic() - begin < SOON_S
        assert service.value("loophound_web_process_restarts_total") == 0

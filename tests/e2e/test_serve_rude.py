"""Clients that mean no good take nothing from others: neither their room, nor their password's turn."""

from __future__ import annotations

import contextlib
import crypt
import json
import socket
import subprocess
import sys
import time

from process import PATIENCE
from service import Service
from task_counts import worker_of
from watch import Loophound
from workload import Workload

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


CROWD, WAVES = 700, 4
ROUND = [b"", b"GET / HTTP/1.1\r\nX: ", b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", b"\0" * 3000, b"GET " + b"/" * 40_000]


def crowd(service: Service, stack: contextlib.ExitStack) -> None:
    """So many clients that each want something else and read nothing."""
    for number in range(CROWD):
        client = stack.enter_context(socket.socket())
        client.setblocking(False)
        client.connect_ex(("127.0.0.1", service.port))
        with contextlib.suppress(OSError):  # not connected yet, or thrown out already
            client.send(ROUND[number % len(ROUND)])


def test_thousands_of_clients_leave_watching_untouched(python):
    """Nobody of them is served soon; every stall is seen, none is lost."""
    with Service("--breaches.to", "none") as service, Workload("time_sleep", python) as program, contextlib.ExitStack() as stack:
        service.wait_serving()
        program.wait_ready()
        service.wait_knows(program.pid)
        program.go()
        for _ in range(WAVES):
            with contextlib.ExitStack() as wave:
                crowd(service, wave)
        crowd(service, stack)  # they stay
        program.wait_done()
        stack.close()
        planted = len(program.truths())
        mine = worker_of(service.metrics(), program.pid)
        service.wait_value(lambda value: value == planted, "loophound_breaches_total", **mine, rule="blocking-call", cause="sleep")
        assert service.value("loophound_web_process_restarts_total") == 0
        assert service.value("loophound_events_dropped_total", reason="ring_full") == 0
        program.end()


def test_too_large_a_request_is_refused():
    with Service("--breaches.to", "none") as service:
        service.wait_serving()
        assert service.ask("/metrics", X="a" * 100_000).status == 431
        assert service.ask("/metrics?" + "a" * 100_000).status in (414, 431)
        assert service.ask("/-/healthy").status == 200


# In the service's network, where there are three hosts.
ASKS = """
import base64, http.client, json, sys
port = int(sys.argv[1])

def ask(host, password, name=b"scraper:"):
    connection = http.client.HTTPConnection("192.0.2.1", port, timeout=30, source_address=(host, 0))
    user = base64.b64encode(name + password.encode()).decode()
    connection.request("GET", "/-/healthy", headers={"Authorization": "Basic " + user})
    status = connection.getresponse().status
    connection.close()
    return status

old = [ask("192.0.2.2", password, b"late:") for password in ["yesterday"] * 60 + ["prometheus"]]
print(json.dumps([[ask("192.0.2.2", f"guess {n}") for n in range(60)], ask("192.0.2.3", "prometheus"), old]))
"""


def test_who_guesses_keeps_no_scraper_out(tmp_path):
    right = crypt.crypt("prometheus", "$2b$04$abcdefghijklmnopqrstuu")
    users = {"basic_auth_users": {"scraper": right, "late": right}}
    (tmp_path / "web.yml").write_text(json.dumps(users))
    (tmp_path / "c.yaml").write_text("web: {max_requests_per_second: 1000}\n")
    hosts = "ip link set lo up && for n in 1 2 3; do ip address add 192.0.2.$n/24 dev lo; done"
    arguments = ("-c", str(tmp_path / "c.yaml"), "--web.config.file", str(tmp_path / "web.yml"))
    prefix = ("unshare", "--net", "sh", "-c", f'{hosts} && exec "$@"', "sh")
    with Loophound("serve", "--breaches.to", "none", "--web.listen-address", "192.0.2.1:0", *arguments, prefix=prefix) as service:
        line = service.err.wait_for(lambda each: "serving on" in each)
        assert line, service.dump()
        enter = ["nsenter", "-t", str(service.pid), "--net", sys.executable, "-c", ASKS]
        run = subprocess.run([*enter, line.rsplit(":", 1)[1]], capture_output=True, text=True, timeout=PATIENCE)
        assert run.returncode == 0, run.stderr
        guesses, scraper, old = json.loads(run.stdout)
        assert guesses.count(401) <= 30 and 429 in guesses, guesses
        assert scraper == 200, guesses
        assert old == [401] * 60 + [200], old  # one that asks with an old password keeps nobody out

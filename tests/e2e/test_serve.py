"""The service: what it shows is true, scraped by a real Prometheus; who asks wrongly is told so."""

from __future__ import annotations

import contextlib
import crypt
import gzip
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import time

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from service import Prometheus, Service, children, labels_of, prometheus_tool
from task_counts import worker_of
from watch import BINARY, Loophound
from workload import Workload

PATIENCE = 30


def run_workload(service: Service, name: str, python) -> Workload:
    """Runs it to its end, found by the service before it begins."""
    with Workload(name, python) as program:
        service.run(program)
        yield program
        program.end()


def test_a_real_prometheus_reads_the_truth(python, tmp_path):
    """Started for each test that counts: the sums of a service begin with it."""
    with Service("--breaches.to", "none") as service, Workload("time_sleep", python) as program:
        service.wait_serving()
        program.wait_ready()
        with Prometheus(service, tmp_path) as prometheus:
            prometheus.wait_value("up", lambda value: value == 1)
            service.wait_knows(program.pid)
            program.go()
            program.wait_done()
            truths = program.truths()
            lost_s = sum(truth["end_ns"] - truth["start_ns"] for truth in truths) / 1e9
            mine = f'* on (process, worker) group_left loophound_target_info{{pid="{program.pid}"}}'

            breaches = 'loophound_breaches_total{rule="blocking-call",cause="sleep"} ' + mine
            prometheus.wait_value(breaches, lambda value: value == len(truths))
            seconds = 'loophound_breach_seconds_total{rule="blocking-call",cause="sleep"} ' + mine
            assert prometheus.wait_value(seconds, lambda value: value > 0) == pytest.approx(lost_s, rel=0.02, abs=0.01)
            lost = 'loophound_loop_lost_seconds_total{cause="sleep"} ' + mine
            assert prometheus.wait_value(lost, lambda value: value > 0) == pytest.approx(lost_s, rel=0.02, abs=0.01)
            busy = prometheus.wait_value("loophound_loop_busy_seconds_total " + mine, lambda value: value >= lost_s * 0.98)
            assert busy <= lost_s + 1
            assert prometheus.query("count(loophound_events_dropped_total)")[0]["value"][1] == "4"
        program.end()


def test_promtool_has_nothing_to_say(service, python):
    for _ in run_workload(service, "time_sleep", python):
        text = service.metrics()
        check = subprocess.run([prometheus_tool("promtool"), "check", "metrics"], input=text, capture_output=True, text=True)
        assert (check.returncode, check.stdout, check.stderr) == (0, "", "")


def test_openmetrics_is_read_by_its_own_parser(service, python):
    for program in run_workload(service, "two_sites", python):
        response = service.ask("/metrics", Accept="application/openmetrics-text; version=1.0.0")
        assert response.getheader("Content-Type") == "application/openmetrics-text; version=1.0.0; charset=utf-8"
        families = {family.name: family for family in text_string_to_metric_families(response.body.decode())}
        assert families["loophound_breaches"].type == "counter"
        assert families["loophound_loop_busy_seconds"].unit == "seconds"
        pids = {sample.labels["pid"] for sample in families["loophound_target"].samples}
        assert str(program.pid) in pids
        plain = {line.split("{")[0].split(" ")[0] for line in service.metrics().splitlines() if line[0] != "#"}
        assert {sample.name for family in families.values() for sample in family.samples} == plain


def test_breaches_and_loops_as_json(service, python):
    for program in run_workload(service, "time_sleep", python):
        service.wait_value(lambda value: value >= 1, "loophound_targets", state="ok")
        deadline = time.monotonic() + PATIENCE
        mine = []
        while len(mine) < len(program.truths()) and time.monotonic() < deadline:
            breaches = json.loads(service.ask("/api/v1/breaches").body)
            mine = [each for each in breaches if each["pid"] == program.pid and each["rule"] == "blocking-call"]
            mine = [each for each in mine if not each["ongoing"]]
        assert {each["site"]["line"] for each in mine} == {truth["line"] for truth in program.truths()}
        assert len(mine) == len(program.truths())
        assert [each["start_ns"] for each in mine] == sorted((each["start_ns"] for each in mine), reverse=True)
        kinds = []
        while not kinds and time.monotonic() < deadline:  # it is said once a second
            loops = json.loads(service.ask("/api/v1/loops").body)
            kinds = [each["kind"] for each in loops if each["pid"] == program.pid]
        assert kinds == ["asyncio"]


@pytest.mark.parametrize("path", ["/", "/metrics", "/-/healthy", "/-/ready", "/api/v1/breaches", "/api/v1/loops"])
def test_each_path(service, path):
    response, head = service.ask(path), service.ask(path, "HEAD")
    assert (response.status, head.status) == (200, 200), response.body
    assert response.body and not head.body
    assert response.getheader("X-Content-Type-Options") == "nosniff"
    assert service.ask(path, "POST").status == 405
    assert service.ask(path, "DELETE").getheader("Allow") == "GET, HEAD"
    packed = service.ask("/metrics", **{"Accept-Encoding": "gzip"})
    assert packed.getheader("Content-Encoding") == "gzip"
    assert gzip.decompress(packed.body).startswith(b"# HELP")


def test_other_paths_are_none(service):
    for path in ("/x", "/metrics/", "/../etc/passwd", "/%00", "//", "/metrics%2f"):
        assert service.ask(path).status == 404, path


GARBAGE = [b"\0" * 5000, b"GET " + b"/" * 100_000, b"\r\n" * 1000, b"GET / HTTP/9.9\r\n\r\n" * 50, b"GET /metrics HTTP/1.1\r\nX: "]


def test_rude_clients_lose_their_own_connections(tmp_path):
    """Garbage, endless headers, half a request, many at once: others are served meanwhile."""
    (tmp_path / "c.yaml").write_text("web: {max_requests_per_second: 5}\n")
    with Service("-c", str(tmp_path / "c.yaml"), "--breaches.to", "none") as service:
        service.wait_serving()
        rude = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(40)]
        for each, garbage in zip(rude, GARBAGE * 6):
            each.settimeout(PATIENCE)
            with contextlib.suppress(OSError):  # thrown out while it still speaks
                each.sendall(garbage)
        assert service.ask("/-/healthy").status == 200
        statuses = [service.ask("/-/healthy").status for _ in range(40)]
        assert set(statuses) == {200, 429}  # past so many a second
        for each in rude:
            each.close()
        service.wait_metrics(lambda text: "loophound_web_process_restarts_total 0\n" in text)


@pytest.mark.parametrize("victim", ["loophound-web", "loophound-reader"])
def test_a_child_that_is_killed_is_replaced(python, victim):
    with Service("--breaches.to", "none") as service, Workload("time_sleep", python) as program:
        service.wait_serving()
        service.ask("/-/ready")
        before = children(service.pid)[victim]
        os.kill(before, signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE
        while children(service.pid).get(victim) in (None, before) and time.monotonic() < deadline:
            time.sleep(0.05)  # between two looks
        if victim == "loophound-web":
            assert service.err.wait_for(lambda line: "the web process ended, signal 9;" in line), service.dump()
        service.run(program)
        expected = len(program.truths())
        mine = worker_of(service.metrics(), program.pid)
        service.wait_value(lambda value: value >= expected, "loophound_breaches_total", **mine, rule="blocking-call", cause="sleep")
        program.end()


def test_it_ends_with_all_it_started():
    with Service("--breaches.to", "none") as service:
        service.wait_serving()
        pids = children(service.pid)
        assert set(pids) == {"loophound-web", "loophound-reader"}
        service.process.terminate()
        assert service.wait() == 0
        for pid in pids.values():
            assert not os.path.exists(f"/proc/{pid}")


def test_killed_it_takes_its_children_along():
    with Service("--breaches.to", "none") as service:
        service.wait_serving()
        pids = children(service.pid)
        service.process.kill()
        service.process.wait()
        deadline = time.monotonic() + PATIENCE
        while any(os.path.exists(f"/proc/{pid}") for pid in pids.values()) and time.monotonic() < deadline:
            time.sleep(0.05)  # between two looks
        assert not any(os.path.exists(f"/proc/{pid}") for pid in pids.values())


def test_passwords_and_tls(tmp_path):
    make_certificate(tmp_path)
    right = crypt.crypt("prometheus", "$2b$04$abcdefghijklmnopqrstuu")
    config = {
        "tls_server_config": {"cert_file": "cert.pem", "key_file": "key.pem"},
        "basic_auth_users": {"scraper": right},
    }
    (tmp_path / "web.yml").write_text(json.dumps(config))
    check = [prometheus_tool("promtool"), "check", "web-config", str(tmp_path / "web.yml")]
    subprocess.run(check, check=True, capture_output=True)
    arguments = ("--breaches.to", "none", "--web.config.file", str(tmp_path / "web.yml"))
    with Service(*arguments, user="scraper:prometheus") as service:
        service.wait_serving()
        assert service.scheme == "https"
        assert service.ask("/metrics").status == 200
        stranger = service.ask("/metrics", Authorization="Basic c2NyYXBlcjp3cm9uZw==")
        assert stranger.status == 401 and stranger.getheader("WWW-Authenticate").startswith("Basic")
        assert service.ask("/-/healthy", Authorization="").status == 401
        # A new password, and one that is none: the first is taken over, the second is not.
        (tmp_path / "web.yml").write_text(json.dumps({"basic_auth_users": {"scraper": "secret"}}))
        service.process.send_signal(signal.SIGHUP)
        assert service.err.wait_for(lambda line: "reload:" in line and "bcrypt hash is expected" in line), service.dump()
        assert service.ask("/metrics").status == 200
        config["basic_auth_users"]["scraper"] = crypt.crypt("other", "$2b$04$abcdefghijklmnopqrstuu")
        (tmp_path / "web.yml").write_text(json.dumps(config))
        service.process.send_signal(signal.SIGHUP)
        assert service.err.wait_for(lambda line: line.endswith("reload: done")), service.dump()
        deadline = time.monotonic() + PATIENCE
        while service.ask("/metrics").status != 401 and time.monotonic() < deadline:
            pass
        assert service.ask("/metrics").status == 401


def make_certificate(directory) -> None:
    key = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "1"]
    subprocess.run(
        [*key, "-keyout", directory / "key.pem", "-out", directory / "cert.pem"], check=True, capture_output=True
    )


def test_a_certificate_that_is_no_good(tmp_path):
    """At the start an error; at a reload HTTP goes on with what it had, also after its process died."""
    (tmp_path / "web.yml").write_text("tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n")
    make_certificate(tmp_path)
    good = (tmp_path / "cert.pem").read_text()
    (tmp_path / "cert.pem").write_text("no certificate\n")
    arguments = ("--breaches.to", "none", "--web.config.file", str(tmp_path / "web.yml"))
    with Service(*arguments) as refused:
        assert refused.wait() == 1
        assert "HTTP cannot start: are certificate and key right" in refused.err.text(), refused.dump()
    (tmp_path / "cert.pem").write_text(good)
    with Service(*arguments) as service:
        service.wait_serving()
        (tmp_path / "cert.pem").write_text("no certificate\n")
        service.process.send_signal(signal.SIGHUP)
        assert service.err.wait_for(lambda line: "the web configuration stays as it was" in line), service.dump()
        assert service.ask("/metrics").status == 200
        os.kill(children(service.pid)["loophound-web"], signal.SIGKILL)
        assert service.ask("/metrics").status == 200


def test_a_reload_does_not_let_others_in(tmp_path):
    right = crypt.crypt("prometheus", "$2b$04$abcdefghijklmnopqrstuu")
    (tmp_path / "web.yml").write_text(json.dumps({"basic_auth_users": {"scraper": right}}))
    arguments = ("--web.listen-address", "0.0.0.0:0", "--web.config.file", str(tmp_path / "web.yml"))
    with Loophound("serve", "--breaches.to", "none", *arguments) as service:
        line = service.err.wait_for(lambda each: "serving on" in each)
        port = int(line.rsplit(":", 1)[1])
        (tmp_path / "web.yml").write_text("{}\n")
        service.process.send_signal(signal.SIGHUP)
        assert service.err.wait_for(lambda each: "reload:" in each and "--web.allow-insecure" in each), service.dump()
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
            connection.request("GET", "/metrics")
            assert connection.getresponse().status == 401


@pytest.mark.parametrize(
    "text, said",
    [
        ("wbe: {}", "line 1: wbe: no such key; known are web log breaches"),
        ("web:\n  listen_adress: x\n", "line 2: listen_adress: no such key"),
        ("web:\n  allow_insecure: maybe\n", "line 2: allow_insecure: true or false is expected"),
        ("limits:\n  blocking-call: 20\n", "line 2: blocking-call: a time with its unit is expected"),
        ("limits:\n  blocked-call: 20ms\n", "line 2: blocked-call: no such rule"),
        ("web: {}\nweb: {}\n", "line 2: web: is there twice"),
        ("a: &x 1\nb: *x\n", "line 1: anchors and tags are not supported"),
        ("[1, 2]", "line 1: keys and values are expected"),
        ("metrics:\n  buckets: [10ms, 1ms]\n", "line 2: buckets: the times have to rise"),
        ("breaches: {to: file}\n", "breaches.file has to be an absolute path"),
        ("a: [", "line"),
        ("---\n---\n", "a second document"),
    ],
)
def test_a_wrong_configuration(tmp_path, text, said):
    (tmp_path / "c.yaml").write_text(text)
    with Loophound("serve", "--check-config", "-c", str(tmp_path / "c.yaml")) as check:
        assert check.wait() == 2, check.dump()
        assert said in check.err.text(), check.dump()
        assert len(check.err.lines) == 1


def test_a_right_configuration(tmp_path):
    (tmp_path / "c.yaml").write_text(
        "limits: {blocking-call: 50ms}\nrules: {gc-pause: off}\nallow:\n- {file: app.py, function: warm_up}\n"
        "metrics: {buckets: [1ms, 10ms, 100ms], retention: 1m}\nbreaches: {to: file, file: /var/log/x.jsonl}\n"
    )
    with Loophound("serve", "--check-config", "-c", str(tmp_path / "c.yaml")) as check:
        assert check.wait() == 0, check.dump()


@pytest.mark.parametrize("key, says", [("metrics: {max_loops: 7}", "metrics changed"), ("limits: {gc-pause: 1s}", "")])
def test_a_reload_says_what_takes_a_restart(tmp_path, key, says):
    (tmp_path / "c.yaml").write_text("log: {level: info}\n")
    with Service("-c", str(tmp_path / "c.yaml"), "--breaches.to", "none") as service:
        service.wait_serving()
        (tmp_path / "c.yaml").write_text(f"log: {{level: debug}}\n{key}\n")
        service.process.send_signal(signal.SIGHUP)
        assert service.err.wait_for(lambda line: line.endswith("reload: done")), service.dump()
        warned = [line for line in service.err.lines if "that takes a restart" in line]
        assert len(warned) == bool(says) and all(says in line for line in warned), service.dump()


def test_others_get_in_with_a_password_only(tmp_path):
    with Loophound("serve", "--web.listen-address", "0.0.0.0:0") as refused:
        assert refused.wait() == 1
        assert "--web.allow-insecure" in refused.err.text()
    for address in ("10911", "localhost", "127.0.0.1:http", "host.example:1"):
        with Loophound("serve", "--web.listen-address", address) as refused:
            assert refused.wait() == 1
            assert "expected HOST:PORT" in refused.err.text()


def test_breaches_go_to_a_file(python, tmp_path):
    path = tmp_path / "breaches.jsonl"
    (tmp_path / "c.yaml").write_text(f"breaches: {{to: file, file: {path}}}\n")
    with Service("-c", str(tmp_path / "c.yaml")) as service, Workload("many_small_sleeps", python) as program:
        service.wait_serving()
        service.run(program)
        service.wait_value(lambda value: value >= len(program.truths()), "loophound_breach_lines_total")
        program.end()
        service.process.terminate()
        assert service.wait() == 0
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines and all(line["type"] == "breach" for line in lines)


def test_without_its_library_it_says_which_package_is_missing():
    """And nothing else needs it."""
    listed = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    library = re.search(r"libmicrohttpd\.so\.12 .*=> (/\S+)", listed)[1]
    without = ["unshare", "--mount", "sh", "-c", 'mount --bind /dev/null "$0" && exec "$@"', os.path.realpath(library)]
    found = subprocess.run(
        [*without, BINARY, "serve", "--web.listen-address", "127.0.0.1:0", "--breaches.to", "none"],
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert found.returncode == 1
    assert "libmicrohttpd.so.12: HTTP needs it; it is in the package libmicrohttpd12 (" in found.stderr
    assert "serve: the web process ended as it began" in found.stderr
    subprocess.run([*without, BINARY, "rules"], check=True, stdout=subprocess.DEVNULL)

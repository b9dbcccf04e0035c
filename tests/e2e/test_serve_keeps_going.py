"""The service goes on through what a host does to it in a year: nothing grows, what is lost is counted."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
from pathlib import Path

from growth import figures
from process import poll
from service import SERVING, Service, children, reader_stopped
from workload import Workload


def nr_breaches(service: Service, pid: int) -> int:
    """Of blocking calls of that process that are over; none while there is no answer."""
    response = service.ask("/api/v1/breaches")
    breaches = json.loads(response.body) if response.status == 200 else []
    mine = (each for each in breaches if each["pid"] == pid and each["rule"] == "blocking-call" and not each["ongoing"])
    return sum(each["count"] for each in mine)


def watches(service: Service, python, name: str = "time_sleep") -> int:
    """It still finds a process, names its stalls and counts them."""
    with Workload(name, python) as program:
        service.run(program)
        planted = len(program.truths())
        poll("its stalls to be shown", lambda: nr_breaches(service, program.pid) == planted)
        program.end()
        return program.pid


def run_throng(service: Service, python, what: str, number: int) -> None:
    with Workload("throng", python, what, str(number)) as throng:
        service.run(throng)
        throng.end()


def nr_targets(service: Service) -> float:
    return service.value("loophound_targets", state="ok") or 0


def test_throngs(python):
    """1000 forks at 500 a second, 200 loops that are killed at once; twice: the second time nothing is new."""
    with Service("--breaches.to", "none") as service:
        service.wait_serving()
        seen = []
        for _ in range(2):
            run_throng(service, python, "forks", 1000)
            run_throng(service, python, "loops", 200)
            watches(service, python)
            poll("their ends to be seen", lambda: nr_targets(service) <= 40)
            seen.append(figures(service))
        first, second = seen
        for name, entries in second["entries"].items():
            assert entries <= first["entries"][name] + 40, (name, seen)  # others' processes come and go
        for name, fds in second["fds"].items():
            assert fds <= first["fds"][name] + 20, (name, seen)
        assert second["rss_kib"]["main"] <= first["rss_kib"]["main"] + 8 * 1024, seen
        assert service.value("loophound_events_dropped_total", reason="ring_full") is not None


def test_names_that_speak_to_terminals(python):
    with Service("--log.level", "debug") as service, Workload("odd_names", python) as program:
        service.wait_serving()
        service.run(program)
        poll("its stall to be shown", lambda: nr_breaches(service, program.pid) == 1)
        program.end()
        page = service.ask("/").body.decode()
        shown = [page, service.metrics(), service.ask("/api/v1/breaches").body.decode(), service.ask("/api/v1/loops").body.decode()]
        breaches, loops = json.loads(shown[2]), json.loads(shown[3])
        assert any(each["pid"] == program.pid for each in breaches), service.dump()
        assert loops is not None
        assert "<script>" not in page
        for text in (*shown, service.err.text(), service.out.text()):
            assert not any(character < " " and character != "\n" for character in text), repr(text)
            assert "\x7f" not in text and "\u202e" not in text


def test_a_full_disk(python, tmp_path):
    """Lines fail and are counted; when there is room again they are written, each whole."""
    disk = tmp_path / "disk"
    disk.mkdir()
    config = tmp_path / "c.yaml"
    config.write_text(f"breaches: {{to: file, file: {disk}/b.jsonl}}\n")
    mount = 'mount -t tmpfs -o size=64k none "$0" && exec "$@"'
    prefix = ("unshare", "--mount", "sh", "-c", mount, str(disk))
    with Service("-c", str(config), prefix=prefix) as service:
        service.wait_serving()
        seen = Path(f"/proc/{service.pid}/root{disk}")  # as the service sees it
        filler = os.open(seen / "filler", os.O_WRONLY | os.O_CREAT)
        try:
            while os.write(filler, bytes(4096)):
                pass
        except OSError:
            pass
        os.close(filler)
        watches(service, python)
        service.wait_value(lambda value: value >= 1, "loophound_breach_lines_failed_total")
        (seen / "filler").unlink()
        pid = watches(service, python)
        lines = [json.loads(line) for line in (seen / "b.jsonl").read_text().splitlines()]
        assert any(line["pid"] == pid for line in lines), lines


def read_until(pipe: int, wanted: str) -> re.Match:
    said = b""

    def search() -> re.Match | None:
        nonlocal said
        with contextlib.suppress(BlockingIOError):
            said += os.read(pipe, 65536)
        return re.search(wanted, said.decode(), re.MULTILINE)

    poll(wanted, search)
    return search()


def test_messages_that_nobody_reads(python, tmp_path):
    """They are lost and counted, and the watch goes on."""
    fifo = tmp_path / "stderr"
    os.mkfifo(fifo)
    pipe = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
    prefix = ("sh", "-c", 'exec "$@" 2>"$0"', str(fifo))
    with Service("--breaches.to", "none", "--log.level", "debug", prefix=prefix) as service:
        service.port = int(read_until(pipe, SERVING.pattern)[2])
        with Workload("time_sleep", python) as program:
            program.wait_ready()
            read_until(pipe, rf"process {program.pid} .*: ok\b")
            with contextlib.suppress(BlockingIOError):
                while os.write(pipe, b"\n"):
                    pass
            service.send(signal.SIGHUP)
            program.go()
            program.wait_done()
            poll("its stalls to be shown", lambda: nr_breaches(service, program.pid) == len(program.truths()))
            os.read(pipe, 1 << 20)
            service.send(signal.SIGHUP)
            said = read_until(pipe, r"reload: done$").string
            assert re.match(r"loophound: warning: (\d+ messages are|1 message is) lost here: nobody read what was before\n", said), said
            program.end()
    os.close(pipe)


def test_a_configuration_that_is_broken_at_reload(python, tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text("breaches: {to: none}\n")
    with Service("-c", str(config)) as service:
        service.wait_serving()
        for text in ("breaches: {to: [", "breaches: {to: file, file: /nowhere/x}\n", "\0", None):
            if text is None:
                config.unlink()
            else:
                config.write_text(text)
            said = len(service.err.lines)
            service.send(signal.SIGHUP)
            wanted = "the configuration stays as it was"
            poll("the reload to be refused", lambda: any(wanted in line for line in service.err.lines[said:]))
        watches(service, python)


def test_a_reader_that_hangs_keeps_no_scrape_waiting(python):
    """What a page that never answers does to it."""
    with reader_stopped(python, "--breaches.to", "none") as (service, program, reader):
        while children(service.pid).get("loophound-reader") in (None, reader):
            assert service.ask("/metrics").status in (200, 429), service.dump()
        program.wait_done()
        service.wait_value(lambda value: value >= 1, "loophound_read_watchdog_kills_total")
        watches(service, python)

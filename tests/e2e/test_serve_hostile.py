"""What a target can do to the service: its own names are lost, and nobody else's; watching and scraping go on."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from pathlib import Path

import pytest

from container import App
from fusetrap import FuseTrap, hangs
from growth import figures, rss_kib
from process import poll
from service import Service, children, reader_stopped
from test_containers import mapper  # noqa: F401, a fixture
from test_serve_keeps_going import nr_breaches, watches
from workload import Workload

WEB = "web: {max_requests_per_second: 1000}\n"


@contextlib.contextmanager
def trapped(mapper, tmp_path, nr: int):  # noqa: F811
    """So many processes whose library is on a FUSE that hangs from now on."""
    folder = tmp_path / "fuse"
    folder.mkdir()
    with contextlib.ExitStack() as stack:
        trap = stack.enter_context(FuseTrap(folder))
        library = folder / "libpython3.11.so.1.0"
        library.write_bytes(b"\x7fELF" + bytes(8000))
        programs = [stack.enter_context(App(mapper, str(library))).wait_ready() for _ in range(nr)]
        stack.callback(trap.end)  # before the programs are ended: they cannot while somebody waits for their memory
        trap.arm()
        yield programs


def test_a_page_that_never_answers(python, mapper, tmp_path):  # noqa: F811
    """The reader is killed for them, and only they are given up."""
    (tmp_path / "c.yaml").write_text(WEB)
    with trapped(mapper, tmp_path, 3) as programs, Service("-c", str(tmp_path / "c.yaml"), "--breaches.to", "none") as service:
        service.wait_serving()

        def are_given_up() -> bool:
            assert service.ask("/metrics").status == 200
            return (service.value("loophound_targets", state="stuck") or 0) >= len(programs)

        poll("them to be given up", are_given_up)
        assert service.value("loophound_read_watchdog_kills_total") >= 1
        watches(service, python)
        assert service.ask("/-/ready").status == 200


def test_it_ends_while_its_reader_hangs(mapper, tmp_path):  # noqa: F811
    """What the reader is at is of a process that nothing has happened in: nobody waits for it."""
    with trapped(mapper, tmp_path, 1), Service("--breaches.to", "none") as service:
        poll("its reader to hang", lambda: (reader := children(service.pid).get("loophound-reader")) and hangs(reader))
        begin = time.monotonic()
        service.send(signal.SIGTERM)
        assert service.wait() == 0
        assert time.monotonic() - begin < 1.0


def test_it_ends_while_names_are_awaited(python):
    """A stall has just been seen, and the reader is not going to say where."""
    with reader_stopped(python, "--breaches.to", "stdout") as (service, program, _):
        program.wait_done()
        begin = time.monotonic()
        service.send(signal.SIGTERM)
        assert service.wait() == 0
        assert time.monotonic() - begin < 1.0
        ended = [line for line in service.records() if line["type"] == "breach" and line["pid"] == program.pid and not line["ongoing"]]
        assert sum(line["count"] for line in ended) == len(program.truths()), "told without names"


def test_names_that_come_at_its_end_are_told(python):
    with reader_stopped(python, "--breaches.to", "stdout") as (service, program, reader):
        program.wait_done()
        service.send(signal.SIGTERM)
        os.kill(reader, signal.SIGCONT)
        assert service.wait() == 0
        lines = [line for line in service.records() if line["type"] == "breach" and line["pid"] == program.pid]
        last = max(lines, key=lambda line: line["start_ns"])  # those before may have waited for too long
        assert last["site"]["function"] == "handler", service.dump()


def nr_uprobe_links(pid: int) -> int:
    """Attachments to probes within targets."""
    nr = 0
    for path in Path(f"/proc/{pid}/fdinfo").iterdir():
        with contextlib.suppress(OSError):  # it is closed meanwhile
            nr += "uprobe_multi" in path.read_text()
    return nr


def lets_go_while_names_are_awaited(python) -> bool:
    with reader_stopped(python, "--breaches.to", "none") as (service, program, reader):
        if not nr_uprobe_links(service.pid):
            pytest.skip("no probes in this interpreter, or a kernel that attaches to them one by one")
        program.wait_done()
        service.send(signal.SIGTERM)
        is_early = False
        while not is_early and reader in children(service.pid).values():
            is_early = not nr_uprobe_links(service.pid) and reader in children(service.pid).values()
        assert service.wait() == 0
        return is_early


def test_it_lets_go_of_probes_while_names_are_awaited(python):
    """The reader is ended after names are; on a machine that is busy we may look too late, so more than once."""
    assert any(lets_go_while_names_are_awaited(python) for _ in range(5))


def test_forged_memory(interpreter, tmp_path):
    (tmp_path / "c.yaml").write_text(WEB)
    with Service("-c", str(tmp_path / "c.yaml"), "--breaches.to", "none") as service:
        service.wait_serving()
        watches(service, interpreter)
        before = figures(service)
        with Workload("forges", interpreter) as program:
            service.run(program)
            stalls = next(line for line in program.out.lines if "stalls" in line)
            planted = int(stalls.split(":")[1].strip(" }"))
            assert planted >= 30, program.dump()
            # Each is counted, whatever it said of itself; more are those of the cycle.
            poll("its stalls to be shown", lambda: nr_breaches(service, program.pid) >= planted)
            program.end()
        watches(service, interpreter)
        after = figures(service)
        assert service.value("loophound_ring_decode_errors_total") == 0
        assert service.value("loophound_web_process_restarts_total") == 0
        assert service.value("loophound_read_watchdog_kills_total") == 0
        for name in ("main", "loophound-reader", "loophound-web"):
            assert after["rss_kib"][name] <= before["rss_kib"][name] + 8 * 1024, (before, after)


def shown(metrics: str) -> set[str]:
    """The pids of targets that have a place of their own."""
    return set(re.findall(r'^loophound_target_info{.*pid="(\d+)"', metrics, re.M))


def test_a_full_ring(python, tmp_path):
    """The service stands still while its targets do not: what found no room is counted to the last, then all goes on.

    They end meanwhile, and for the records of that there is no room either: it is found out.
    """
    (tmp_path / "c.yaml").write_text(WEB + "limits: {blocking-call: 1ms}\n")
    with Service("-c", str(tmp_path / "c.yaml"), "--breaches.to", "none") as service, Workload("throng", python, "stalls", "4000") as throng:
        service.wait_serving()
        throng.wait_ready()
        service.wait_knows(throng.pid)
        # And its sixteen: one that is not known yet would make no record while the service stands still.
        service.wait_value(lambda value: value >= 17, "loophound_targets", state="ok")
        pids = set(Path(f"/proc/{throng.pid}/task/{throng.pid}/children").read_text().split())
        assert len(pids) == 16
        web = children(service.pid)["loophound-web"]
        service.send(signal.SIGSTOP)
        throng.go()
        assert service.ask("/-/healthy").status == 503  # by the web process, which does not wait for ever
        throng.wait_done()
        throng.end()
        service.send(signal.SIGCONT)
        seen: set[str] = set()  # in the first scrape: that they ended takes two looks, a second apart

        def are_gone(text: str) -> bool:
            seen.update(pids & shown(text))
            return bool(seen) and not pids & shown(text)

        service.wait_metrics(are_gone)
        assert service.value("loophound_events_dropped_total", reason="ring_full") > 0

        def adds_up() -> bool:
            names = ("events_seen", "events_submitted", "ring_events_consumed")
            seen, submitted, consumed = (service.value(f"loophound_{name}_total") for name in names)
            dropped = service.value("loophound_events_dropped_total", reason="ring_full")
            return seen == submitted + dropped and submitted == consumed

        poll("all of it to be accounted for", adds_up)
        assert service.value("loophound_ring_peak_bytes") > 0.9 * service.value("loophound_ring_capacity_bytes")
        assert watches(service, python)
        assert children(service.pid)["loophound-web"] == web
        assert rss_kib(service.pid) < 64 * 1024

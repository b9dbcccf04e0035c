"""What the service says of itself: how full it is, whether it is ready."""

from __future__ import annotations

import contextlib
import os
import re
import signal

from growth import map_entries
from process import PATIENCE, poll
from service import Service, children
from workload import Workload

LOOPS = 30


def test_how_full_it_is(python):
    with Service("--breaches.to", "none") as service, Workload("throng", python, "loops", str(LOOPS)) as throng:
        service.wait_serving()
        before = service.value("loophound_map_entries", map="loops")
        throng.wait_ready()
        service.wait_value(lambda value: value >= before + LOOPS, "loophound_map_entries", map="loops")

        def is_what_the_kernel_has() -> bool:  # others' processes come and go meanwhile
            entries = map_entries(service.pid)["targets"]
            return entries >= LOOPS and service.value("loophound_map_entries", map="targets") == entries

        poll("the count of targets to be right", is_what_the_kernel_has)
        for name in ("targets", "loops", "destinations", "unix_connections"):
            assert service.value("loophound_map_max_entries", map=name) >= 1024
        throng.go()
        throng.wait_done()
        service.wait_value(lambda value: value < before + LOOPS, "loophound_map_entries", map="loops")
        capacity = service.value("loophound_ring_capacity_bytes")
        assert 0 < service.value("loophound_ring_peak_bytes") <= capacity
        throng.end()


def test_who_has_ended_is_forgotten(python):
    with Service("--breaches.to", "none") as service, Workload("throng", python, "loops", str(LOOPS)) as throng:
        service.wait_serving()
        throng.wait_ready()
        tables = ("targets", "loops")
        for table in tables:
            service.wait_value(lambda value: value >= LOOPS, "loophound_table_entries", table=table)
        throng.go()
        throng.wait_done()
        full = {table: service.value("loophound_table_entries", table=table) for table in tables}
        for table in tables:  # half: others' processes come and go meanwhile
            service.wait_value(lambda value: value <= full[table] - LOOPS / 2, "loophound_table_entries", table=table)
        for table in ("stacks", "code"):
            bytes_held = service.value("loophound_table_bytes", table=table)
            assert bytes_held <= service.value("loophound_table_max_bytes", table=table)
        throng.end()


def kill_reader(service: Service) -> None:
    with contextlib.suppress(OSError):  # it is being replaced
        reader = children(service.pid).get("loophound-reader")
        if reader:
            os.kill(reader, signal.SIGKILL)


def test_without_a_reader_it_is_not_ready(python, tmp_path):
    """One that dies again and again is started ever later; until then nothing can be read."""
    (tmp_path / "c.yaml").write_text("web: {max_requests_per_second: 1000}\n")
    with Service("-c", str(tmp_path / "c.yaml"), "--breaches.to", "none") as service:
        service.wait_serving()
        assert service.ask("/-/ready").status == 200
        assert service.value("loophound_ready") == 1

        def is_said() -> bool:
            kill_reader(service)
            ready = service.ask("/-/ready")
            return ready.status == 503 and b"the reader process cannot be started" in ready.body

        poll("it to be said", is_said)

        def is_shown() -> bool:
            kill_reader(service)
            return "loophound_ready 0\n" in service.metrics()

        poll("it to be shown", is_shown)
        poll("it to be ready again", lambda: service.ask("/-/ready").status == 200, PATIENCE)
        service.wait_value(lambda value: value >= 2, "loophound_read_watchdog_kills_total")
        with Workload("time_sleep", python) as program:
            program.wait_ready()
            service.wait_knows(program.pid)


def test_what_is_shown_is_as_it_is_when_somebody_asks(python, tmp_path):
    """Counters are added up each five seconds; who asks has them as of a second ago at most."""
    config = tmp_path / "c.yaml"
    config.write_text("targets: [{name: lengths.py}]\nweb: {max_requests_per_second: 1000}\n")
    with Service("-c", str(config), "--breaches.to", "none") as service, Workload("lengths", python) as program:
        service.wait_serving()
        program.wait_ready()
        service.wait_knows(program.pid)
        program.go()
        shown = set()
        while not any('"done"' in line for line in program.out.lines):
            shown.add(turns(service))
        assert len(shown) >= 5, "it has stalled for five seconds"
        program.end()


def turns(service: Service) -> int:
    counts = re.findall(r"^loophound_loop_iteration_duration_seconds_count{.*} (\d+)$", service.metrics(), re.MULTILINE)
    return sum(map(int, counts))

"""What matters most of loophound on this kernel: planted faults are found, on the right line, for the right cause.

An emulated machine is slow: how long a stall took is compared by nobody here, and what is reported besides is no
invention, as its loops do stand still more often.  tests/e2e/ holds to both, on the kernel of whoever runs it.
"""

from __future__ import annotations

import os
import signal

import pytest

from connecting import breaches, check_counts, run
from interpreters import system_interpreter
from match import is_certain, overlap, same_site
from recording import report, watch_recording
from service import Service
from watch import Loophound, watch_workload
from workload import Workload

PYTHON = system_interpreter()
WORKLOADS = """time_sleep socket_recv_blocking dns_getaddrinfo pipe_read file_flock subprocess_run lock_threading
cpu_python cpu_native_pbkdf2 plain_callback gc_explicit import_on_loop gil_python_thread overload_callbacks loop_in_thread""".split()
# What the USDT probes of this interpreter tell, which it has.
BY_PROBE = "gc_explicit", "import_on_loop"


def test_doctor_misses_nothing():
    with Loophound("doctor") as doctor:
        assert doctor.wait() == 0, doctor.dump()
    assert os.uname().release in doctor.out.text(), doctor.dump()
    print(doctor.out.text())


def found(truth: dict, reported: list[dict]) -> dict | None:
    """The breach of a planted stall: its rule, thread and line are right."""
    return next((each for each in reported if same_site(truth, each) and (each["count"] > 1 or overlap(truth, each))), None)


@pytest.mark.parametrize("workload", WORKLOADS)
def test_planted_faults_are_found(workload):
    outcome = watch_workload(workload, PYTHON)
    reported = [line for line in outcome.of_type("breach") if line["count"] and not line["ongoing"]]

    assert outcome.truths, outcome.output
    for truth in outcome.truths:
        truth["usdt"] = PYTHON.usdt
        breach = found(truth, reported)
        if breach is None:
            assert not is_certain(truth), f"missed: {truth}{outcome.output}"
            continue
        assert breach["cause"] == truth["cause"], f"{truth}{outcome.output}"
        if truth["rule"] == "loop-overload":  # nobody's alone
            continue
        coroutine = breach["coroutine"]
        assert (coroutine and coroutine["function"]) == truth["coroutine"], f"{truth}{outcome.output}"
        if truth["holder"]:
            assert breach["holder"]["tid"] == truth["holder"]["tid"], f"{truth}{outcome.output}"
    if workload in BY_PROBE:  # but for the first: they are attached while it runs
        assert not all(breach["estimated"] for breach in reported), outcome.output
    loops = {loop["tid"] for loop in outcome.summary()["loops"] if loop["pid"] == outcome.pid}
    assert loops == outcome.loop_tids, outcome.output


@pytest.mark.parametrize("where", ["127.0.0.1", "unix"])
def test_connections_are_counted(where):
    outcome, truth = run(PYTHON, "unbounded", where)

    check_counts(outcome, truth, "out", "in")
    assert "unbounded-concurrency" in {breach["rule"] for breach in breaches(outcome)}, outcome.output


def test_ps_names_it_and_its_loop():
    with Workload("time_sleep", PYTHON) as program:
        program.wait_ready()
        with Loophound("ps", "--format", "jsonl") as ps:
            assert ps.wait() == 0, ps.dump()
        (line,) = [line for line in ps.records() if line.get("pid") == program.pid]
        assert line["python"] == ".".join(map(str, PYTHON.version)), ps.dump()
        assert [loop["kind"] for loop in line["loop_threads"]] == ["asyncio"], ps.dump()


def test_report_prints_what_watch_printed(tmp_path):
    watch = watch_recording(PYTHON, tmp_path / "recording", workload="two_sites")
    command = report(tmp_path / "recording")

    assert command.process.returncode == 0, command.dump()
    assert any(record["type"] == "breach" for record in watch.records()), watch.dump()
    assert command.out.text() == watch.out.text()


def test_serve_counts_breaches():
    with Service("--breaches.to", "none") as service, Workload("time_sleep", PYTHON) as program:
        service.wait_serving()
        service.run(program)
        nr = len(program.truths())
        service.wait_value(lambda value: value >= nr, "loophound_breaches_total", rule="blocking-call", cause="sleep")
        program.end()
        service.send(signal.SIGTERM)
        assert service.wait() == 0, service.dump()

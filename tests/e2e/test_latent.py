"""--latent: blocking work that was quick is found, right, and what asyncio does itself is left alone."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from interpreters import find_interpreters
from watch import Outcome, Watch, watch_workload
from workload import Workload, find_workloads

# So that nothing is a breach, on however slow a machine.
PATIENT = ("--rule", "blocking-call", "--limit", "blocking-call=10000")
OWN_TESTS = {"latent_then_slow", "latent_audit"}
LATENT = [name for name in find_workloads() if name.startswith("latent_") and name not in OWN_TESTS]
HEALTHY = [
    "healthy_latent",
    "healthy_getaddrinfo",
    "healthy_idle",
    "healthy_locks",
    "healthy_streams",
    "healthy_subprocess",
    "healthy_to_thread",
]
PROGRAM = "on_latent_exit"


def latent_sites(outcome: Outcome) -> dict[tuple, int]:
    return {
        (site["file"], site["line"], site["function"], site["cause"]): site["count"]
        for site in outcome.summary()["sites"]
        if site["severity"] == "latent"
    }


def planted_sites(outcome: Outcome) -> dict[tuple, int]:
    sites: dict[tuple, int] = {}
    for truth in outcome.truths:
        key = truth["file"], truth["line"], truth["qualname"], truth["cause"]
        sites[key] = sites.get(key, 0) + 1
    return sites


def check_told(outcome: Outcome) -> None:
    """Each planted site, with its cause, and no other."""
    seen, planted = latent_sites(outcome), planted_sites(outcome)

    assert set(seen) == set(planted), outcome.output
    for site, times in planted.items():
        assert seen[site] >= times, outcome.output
    for line in outcome.of_type("breach"):
        assert (line["severity"], line["duration_ns"], line["ongoing"]) == ("latent", 0, False), outcome.output
        truth = next(t for t in outcome.truths if t["line"] == line["site"]["line"])
        assert line["coroutine"]["function"] == truth["coroutine"], outcome.output
        assert line["advice"], outcome.output
        if truth["target"]:
            assert line["syscall"]["target"] == truth["target"], outcome.output
    summary = outcome.summary()
    assert summary["breaches"] == 0, outcome.output
    assert summary["latent"] == sum(line["count"] for line in outcome.of_type("breach")), outcome.output


@pytest.mark.parametrize("workload", LATENT)
def test_quick_blocking_work_is_told(workload, interpreter):
    check_told(watch_workload(workload, interpreter, "--latent", *PATIENT))


def test_what_only_the_audit_probe_tells(interpreter):
    outcome = watch_workload("latent_audit", interpreter, "--latent", *PATIENT)

    if interpreter.usdt:
        check_told(outcome)
    else:
        assert latent_sites(outcome) == {}, outcome.output


def test_all_are_counted_and_few_are_told(interpreter):
    outcome = watch_workload("latent_many", interpreter, "--latent", *PATIENT)

    assert list(latent_sites(outcome).values()) == [2000 * len(outcome.truths)], outcome.output
    assert len(outcome.of_type("breach")) <= 4, outcome.output
    assert outcome.summary()["lost"]["latent_calls"] == 2000 * len(outcome.truths), outcome.output


def test_what_turns_out_slow_is_a_breach_only(interpreter):
    outcome = watch_workload("latent_then_slow", interpreter, "--latent", "--rule", "blocking-call")

    over = [line for line in outcome.of_type("breach") if line["count"] and not line["ongoing"]]
    assert [line["severity"] for line in over] == ["breach"] * 3, (
        outcome.output
    )
    assert latent_sites(outcome) == {}, outcome.output


@pytest.mark.parametrize("workload", HEALTHY)
def test_healthy_twins_are_left_alone(workload, interpreter):
    outcome = watch_workload(workload, interpreter, "--latent", *PATIENT)

    assert [line for line in outcome.of_type("breach") if line["severity"] == "latent"] == [], outcome.output
    assert outcome.summary()["latent"] == 0, outcome.output


@pytest.mark.parametrize("workload", ["latent_file", "latent_connect"])
def test_nothing_is_told_unasked(workload, interpreter):
    outcome = watch_workload(workload, interpreter, *PATIENT)

    assert outcome.of_type("breach") == [], outcome.output
    assert outcome.summary()["lost"]["latent_calls"] == 0, outcome.output


def programs_of(pid: int) -> set[str]:
    """Names of the BPF programs that a process holds."""
    bpftool = shutil.which("bpftool", path="/usr/sbin:/usr/bin:/sbin:/bin")
    if not bpftool:
        pytest.skip("no bpftool")
    names = set()
    for fd in Path(f"/proc/{pid}/fdinfo").iterdir():
        facts = dict(line.split(":", 1) for line in fd.read_text().splitlines() if ":" in line)
        if "prog_id" in facts and "link_id" not in facts:
            command = [bpftool, "-j", "prog", "show", "id", facts["prog_id"].strip()]
            shown = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
            names.add(json.loads(shown)["name"])
    assert "on_timer" in names, f"{names}: not all of them"
    return names


@pytest.mark.parametrize("options, names", [((), set()), (("--latent",), {"on_latent_exit"})])
def test_programs_are_loaded_only_when_asked_for(options, names):
    with Workload("healthy_idle", find_interpreters()[0]) as workload:
        workload.wait_ready()
        with Watch(workload.pid, *options) as watch:
            watch.wait_attached()
            assert programs_of(watch.process.pid) & {PROGRAM} == names
            watch.interrupt()


@pytest.mark.parametrize("fail_on, code", [("any", 130), ("latent", 3)])
def test_fail_on_latent_is_a_word_of_its_own(fail_on, code):
    with Workload("latent_file", find_interpreters()[0]) as workload:
        workload.wait_ready()
        with Watch(workload.pid, "--latent", *PATIENT, "--fail-on", fail_on) as watch:
            watch.wait_attached()
            workload.go()
            workload.wait_done()
            watch.send(2)
            assert watch.wait() == code, watch.dump()
        workload.end()

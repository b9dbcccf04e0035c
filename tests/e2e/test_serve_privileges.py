"""What each of the service's three processes may still do, as the kernel says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conftest import FOUR, with_capabilities
from process import poll
from service import Service, children
from test_serve_keeps_going import nr_breaches
from watch import Loophound
from workload import Workload

CAPABILITIES = {"dac_read_search": 2, "sys_ptrace": 19, "sys_admin": 21, "perfmon": 38, "bpf": 39, "checkpoint_restore": 40}
READ = {"dac_read_search", "sys_ptrace", "checkpoint_restore"}


def mask(*names: str) -> int:
    return sum(1 << CAPABILITIES[name] for name in names)


def status(pid: int | str) -> dict[str, str]:
    text = Path(f"/proc/{pid}/status").read_text()
    return dict(re.findall(r"(\w+):\s+(.*)", text))


@pytest.fixture(scope="module")
def service():
    with Service("--breaches.to", "none") as service:
        yield service.wait_serving()


def processes(service: Service) -> dict[str, int]:
    service.ask("/-/ready")  # the web process has what it needs, and no more
    return {"main": service.pid, **children(service.pid)}


@pytest.mark.parametrize(
    "name, kept",
    [("main", set(CAPABILITIES)), ("loophound-reader", READ), ("loophound-web", set())],
)
def test_capabilities_and_filter(service, name, kept):
    of = status(processes(service)[name])
    for field in ("CapEff", "CapPrm"):
        had = int(status("self")[field], 16)  # root of a container may not have them all
        assert int(of[field], 16) == mask(*kept) & had, (name, field, of[field])
    assert int(of["CapInh"], 16) == int(of["CapAmb"], 16) == 0
    assert (of["Seccomp"], of["NoNewPrivs"]) == ("2", "1"), name


def test_a_user_of_its_own_with_four_capabilities(python, public_binary):
    """It watches what root watches; each process has its part of the four, and nothing is ambient any more."""
    arguments = {"prefix": with_capabilities(*FOUR), "binary": public_binary}
    with Service("--breaches.to", "none", **arguments) as service, Workload("time_sleep", python) as program:
        service.wait_serving()
        service.run(program)
        planted = len(program.truths())
        poll("its stalls to be shown", lambda: nr_breaches(service, program.pid) == planted)
        program.end()
        for name, pid in processes(service).items():
            of = status(pid)
            kept = {"loophound": set(FOUR), "loophound-reader": READ & set(FOUR), "loophound-web": set()}
            wanted = mask(*kept["loophound" if name == "main" else name])
            assert int(of["CapEff"], 16) == int(of["CapPrm"], 16) == wanted, (name, of["CapEff"])
            assert int(of["CapInh"], 16) == int(of["CapAmb"], 16) == 0, name
            assert (of["Seccomp"], of["NoNewPrivs"]) == ("2", "1"), name
            assert of["Uid"].split() == ["65534"] * 4
        said = service.err.text()
        assert "user id 65534, with CAP_BPF CAP_PERFMON CAP_SYS_PTRACE CAP_DAC_READ_SEARCH" in said, said
        assert said.count("without CAP_") == 1 and "without CAP_CHECKPOINT_RESTORE: " in said, said
        with Loophound("doctor") as doctor:
            doctor.wait()
        assert re.search(
            rf"process +{service.pid}, user id 65534\n.* has +CAP_BPF CAP_PERFMON CAP_SYS_PTRACE CAP_DAC_READ_SEARCH\n"
            r".*lacks +CAP_CHECKPOINT_RESTORE",
            doctor.out.text(),
        ), doctor.dump()


@pytest.mark.parametrize("lacking", ["bpf", "perfmon", "sys_ptrace"])
def test_what_it_lacks_is_said(python, public_binary, lacking):
    """Without the first two it ends; without the third it serves, and says of each process that it may not read it."""
    prefix = with_capabilities(*(each for each in FOUR if each != lacking))
    with Service("--log.level", "debug", "--breaches.to", "none", prefix=prefix, binary=public_binary) as service:
        if lacking == "sys_ptrace":
            service.wait_serving()
            with Workload("time_sleep", python) as program:
                program.wait_ready()
                program.go()
                program.wait_done()
                poll("it to be refused", lambda: (service.value("loophound_targets", state="denied") or 0) >= 1)
        else:
            assert service.wait() == 4, service.dump()
        assert f"without CAP_{lacking.upper()}: " in service.err.text(), service.dump()

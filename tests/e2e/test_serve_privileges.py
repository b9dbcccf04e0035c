"""What each of the service's three processes may still do, as the kernel says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from service import Service, children

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

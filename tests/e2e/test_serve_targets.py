"""Who the service watches, and by which limits: by its configuration, as processes come and move, and by a reload."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess

import pytest

from container import APP, ID, App, hierarchies, in_cgroup
from process import poll
from service import Service, prometheus_tool
from task_counts import worker_of
from watch import Loophound, parse
from workload import Workload

pytestmark = pytest.mark.skipif("v2" not in hierarchies(), reason="no unified hierarchy to make cgroups in")


class Programs:
    """Programs that stall when they are told to, each under a name and in a cgroup of its own."""

    def __init__(self, stack: contextlib.ExitStack, python, folder) -> None:
        self.stack, self.python, self.folder = stack, python, folder

    def start(self, name: str) -> App:
        path = self.folder / f"{name}.py"
        path.write_text(APP)
        return self.stack.enter_context(App(*self.python.command(str(path)))).wait_ready()

    def move(self, program: App, group: str) -> App:
        self.stack.enter_context(in_cgroup(program.pid, hierarchies()["v2"], group))
        return program


@pytest.fixture
def programs(python, tmp_path):
    with contextlib.ExitStack() as stack:
        yield Programs(stack, python, tmp_path)


def breaches(service: Service) -> list[dict]:
    response = service.ask("/api/v1/breaches")
    lines = json.loads(response.body) if response.status == 200 else []
    return [line for line in lines if line["rule"] == "blocking-call" and line["count"] and not line["ongoing"]]


def loops_of(service: Service) -> dict[int, dict]:
    """Labels by pid."""
    response = service.ask("/api/v1/loops")
    return {each["pid"]: each["labels"] for each in json.loads(response.body)} if response.status == 200 else {}


def wait_breaches(service: Service, *programs: App) -> list[dict]:
    """Until each has one; those of all."""
    pids = {program.pid for program in programs}
    poll("their stalls to be shown", lambda: pids <= {line["pid"] for line in breaches(service)})
    return breaches(service)


def reload(service: Service, wanted: str = "reload: done") -> None:
    before = len(service.err.lines)
    service.send(signal.SIGHUP)
    poll(wanted, lambda: any(wanted in line for line in service.err.lines[before:]))


WEB = "web: {max_requests_per_second: 1000}\n"

CONFIG = """\
targets:
- {unit: loophound-quiet.service, watch: false}
- {unit: loophound-sh*.service, limits: {blocking-call: 300ms}, labels: {team: shop, tier: front}}
- {container: %s, labels: {team: box}}
- {name: loophound_named.py}
- {name: loophound_moves.py, cgroup: /}
breaches: {to: stdout}
""" % ID[:12]


def test_who_is_selected_and_how(programs, tmp_path):
    """Before the service begins, and by a move while it runs; who is not, or excluded, is left alone."""
    (tmp_path / "c.yaml").write_text(WEB + CONFIG)
    shop = programs.move(programs.start("a"), "loophound-shop.service")
    quiet = programs.move(programs.start("loophound_named"), "loophound-quiet.service")
    nobody = programs.start("b")
    boxed = programs.start("c")
    with Service("-c", str(tmp_path / "c.yaml")) as service:
        service.wait_serving()
        named = programs.start("loophound_named")
        for program in (shop, named):
            service.wait_knows(program.pid)
        programs.move(boxed, f"docker-{ID}.scope")
        service.wait_knows(boxed.pid)
        for program in (shop, quiet, nobody, boxed, named):
            program.stall()
        found = wait_breaches(service, boxed, named)
        assert {line["pid"] for line in found} == {boxed.pid, named.pid}, service.dump()
        labels = {line["pid"]: line["labels"] for line in found}
        assert labels == {boxed.pid: {"team": "box"}, named.pid: {}}
        loops = {shop.pid: {"team": "shop", "tier": "front"}, **labels}
        poll("their loops", lambda: loops_of(service) == loops)
        assert service.value("loophound_target_labels_info", team="shop", tier="front") == 1
        assert service.value("loophound_target_labels_info", team="box") == 1
        for program in (quiet, nobody):
            assert f"process {program.pid} " not in service.err.text(), service.dump()
        # A target that moves to where it is excluded is let go of, and said to be.
        programs.move(named, "loophound-quiet.service")
        assert service.err.wait_for(lambda line: f"process {named.pid}: not selected any more" in line), service.dump()
        check = subprocess.run(
            [prometheus_tool("promtool"), "check", "metrics"], input=service.metrics(), capture_output=True, text=True
        )
        assert (check.returncode, check.stdout, check.stderr) == (0, "", "")


def test_a_reload_changes_who_and_how_and_nothing_else(programs, tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text(WEB + "breaches: {to: none}\ntargets: [{name: kept.py, limits: {blocking-call: 300ms}}, {name: old.py}]\n")
    kept, old, new = (programs.start(name) for name in ("kept", "old", "new"))
    with Service("-c", str(config)) as service:
        service.wait_serving()
        for program in (kept, old):
            service.wait_knows(program.pid)
        kept.stall()
        old.stall()
        assert {line["pid"] for line in wait_breaches(service, old)} == {old.pid}
        worker = service.wait_value(lambda value: True, "loophound_target_info", pid=str(kept.pid))
        busy = service.wait_value(lambda value: value > 0.1, "loophound_loop_busy_seconds_total", process="python3.11", worker="0")
        assert worker == 1

        config.write_text(WEB + "breaches: {to: none}\ntargets: [{name: kept.py, labels: {a: b}}, {name: new.py}]\n")
        reload(service)
        service.wait_knows(new.pid)
        assert f"process {old.pid}: not selected any more" in service.err.text(), service.dump()
        assert service.value("loophound_target_info", pid=str(old.pid)) is None
        assert service.value("loophound_target_info", pid=str(kept.pid)) == 1
        for program in (old, kept, new):
            program.stall()
        found = wait_breaches(service, kept, new)
        assert sorted(line["pid"] for line in found) == sorted([old.pid, kept.pid, new.pid]), service.dump()
        assert [line["labels"] for line in found if line["pid"] == kept.pid] == [{"a": "b"}]
        # It was never lost: identified once, and what it did before is still in its sums.
        assert len([line for line in service.err.lines if f"process {kept.pid} " in line]) == 1, service.dump()
        assert service.value("loophound_loop_busy_seconds_total", process="python3.11", worker="0") >= busy

        config.write_text("targets:\n- {name: new.py}\n- {nmae: old.py}\n")
        reload(service, f"{config}: line 3: nmae: no such key")
        assert "the configuration stays as it was" in service.err.lines[-1], service.dump()
        kept.stall()
        poll("its next stall", lambda: [line["pid"] for line in breaches(service)].count(kept.pid) == 2)

        # Whom it let go of it can watch again; without targets, all.
        config.write_text(WEB + "breaches: {to: none}\n")
        reload(service)
        known = re.compile(rf"process {old.pid} .*: ok\b")
        poll("it is known again", lambda: len([line for line in service.err.lines if known.search(line)]) == 2)
        old.stall()
        poll("its next stall", lambda: [line["pid"] for line in breaches(service)].count(old.pid) == 2)


def test_a_loud_target_has_its_own_part(programs, tmp_path):
    """What it said too much is counted by reason, and told by a line."""
    (tmp_path / "c.yaml").write_text("breaches: {to: stdout}\ntargets: [{name: loud.py, per_second: 1}, {name: soft.py}]\n")
    loud, soft = programs.start("loud"), programs.start("soft")
    with Service("-c", str(tmp_path / "c.yaml")) as service:
        service.wait_serving()
        for program in (loud, soft):
            service.wait_knows(program.pid)
        for _ in range(5):
            loud.stall()
        soft.stall()
        held = parse(service.expect("what was held back", lambda line: parse(line)["type"] == "held"))
        service.expect("the other's stall", lambda line: parse(line).get("pid") == soft.pid and not parse(line)["ongoing"])
        assert held["by_reason"]["target"] == held["lines"] and held["by_reason"]["overall"] == 0
        assert [each["pid"] for each in held["targets"]] == [loud.pid]
        assert service.value("loophound_breach_lines_held_total", reason="target") >= held["lines"]
        assert service.value("loophound_breach_lines_held_total", reason="overall") == 0


def test_what_repeats_is_folded_and_counted(python):
    """Of one line, ten a second are told; the next one has the count of the others, and no time of theirs is lost."""
    with Service() as service, Workload("often", python) as program:
        service.wait_serving()
        service.run(program)
        planted = len(program.truths())
        breaches = {**worker_of(service.metrics(), program.pid), "rule": "blocking-call", "cause": "sleep"}
        service.wait_value(lambda value: value == planted, "loophound_breaches_total", **breaches)

        def lines() -> list[dict]:
            told = (parse(line) for line in service.out.lines)
            return [each for each in told if each.get("pid") == program.pid and each["rule"] == "blocking-call" and not each["ongoing"]]

        poll("all of them to be told", lambda: sum(line["count"] for line in lines()) == planted)
        assert len(lines()) < planted / 2, "some were folded"
        seconds = service.value("loophound_breach_seconds_total", **breaches)
        assert sum(line["total_ns"] for line in lines()) / 1e9 == pytest.approx(seconds, rel=1e-6)
        assert service.value("loophound_breaches_folded_total") >= planted - len(lines())
        program.end()


def test_the_log_can_be_json(programs, tmp_path):
    (tmp_path / "c.yaml").write_text("log: {format: json}\n")
    program = programs.start("a")
    arguments = ("--web.listen-address", "127.0.0.1:0", "--breaches.to", "none", "-c", str(tmp_path / "c.yaml"))
    with Loophound("serve", *arguments) as service:
        line = service.err.wait_for(lambda line: f"process {program.pid} " in line)
        assert line and parse(line)["pid"] == program.pid and parse(line)["level"] == "info", service.dump()
        (tmp_path / "c.yaml").write_text('log: {format: json}\n"\\x1b[2J\\"": 1\n')
        service.send(signal.SIGHUP)
        assert service.err.wait_for(lambda line: "stays as it was" in line), service.dump()
        (tmp_path / "c.yaml").write_text("log: {format: logfmt}\n")
        service.send(signal.SIGHUP)
        assert service.err.wait_for(lambda line: line.endswith("reload: done")), service.dump()
        lines = [parse(line) for line in service.err.lines if not line.startswith("loophound: ")]
    assert {line["type"] for line in lines} == {"log"}
    (refused,) = (line for line in lines if line["level"] == "error")
    assert '\x1b[2J"' in refused["message"] and refused["time"].endswith("Z")

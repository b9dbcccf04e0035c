"""Processes that begin after the watch: found at their exec, followed from their fork, let go at their end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from process import Child, poll
from watch import Loophound, Watch, parse
from workload import environment, script

EMBEDDED = "libpython3.11.so.1.0"


class Search(Watch):
    """A watch for what begins, told to be there by its session line."""

    def __init__(self, *which: str) -> None:
        Loophound.__init__(self, "watch", *which, "--format", "jsonl")
        self.expect("the session line", lambda line: parse(line)["type"] == "session")

    def expect_target(self, pid: int) -> dict:
        line = self.expect(f"a target line for {pid}", is_about("target", pid))
        assert parse(line)["status"] == "ok", self.dump()
        return parse(line)

    def expect_breach(self, pid: int) -> dict:
        return parse(self.expect(f"a breach of {pid}", is_about("breach", pid)))


def is_about(kind: str, pid: int):
    def matches(line: str) -> bool:
        record = json.loads(line)
        return record["type"] == kind and record.get("pid") == pid

    return matches


def first_line(child: Child) -> str:
    return child.expect("a line", lambda line: True)


@contextlib.contextmanager
def started(*command: str, **popen):
    """A program that blocks until its input ends; yields its own pid, as it says."""
    with Child(list(command), env=environment(), **popen) as child:
        yield int(first_line(child))
        child.process.stdin.close()
        assert child.wait() == 0, child.dump()


@pytest.fixture
def program(tmp_path) -> Path:
    """blocks_at_once.py under a name that is this test's alone, with a #! line."""
    path = tmp_path / f"found_{tmp_path.name}.py"
    path.write_text("#!/usr/bin/env python3\n" + Path(script("blocks_at_once")).read_text())
    path.chmod(0o755)
    return path


def embedding_program(directory: Path) -> str:
    path = directory / "server-with-python"
    source = Path(__file__).parent / "programs/embeds_python.c"
    command = ["gcc", f'-DEMBEDDED_PYTHON="{EMBEDDED}"', "-o", str(path), str(source), "-ldl"]
    subprocess.run(command, check=True)
    return str(path)


def venv_python(python, directory: Path) -> str:
    subprocess.run([python.path, "-m", "venv", "--without-pip", str(directory / "venv")], check=True)
    return str(directory / "venv/bin/python")


def renamed_python(python, directory: Path) -> str:
    path = directory / "my-server"
    path.write_bytes(Path(python.path).read_bytes())
    path.chmod(0o755)
    return str(path)


def test_what_begins_is_found_whatever_it_is(python, program, tmp_path):
    """None of them is a child of a target, and the watch has nothing when it begins."""
    commands = {
        "#!": [str(program)],
        "venv": [venv_python(python, tmp_path), str(program)],
        "renamed": [renamed_python(python, tmp_path), str(program)],
        "embedded": [embedding_program(tmp_path), str(program)],
        "namespace": ["unshare", "--pid", "--fork", python.path, str(program)],
        "wrapper": ["sh", "-c", f"VARIABLE=1 exec nice {python.path} {program}"],
    }
    with Search("--name", program.name) as watch:
        for how, command in commands.items():
            home = {"PYTHONHOME": "/usr"} if how == "renamed" else {}
            with Child(command, env={**environment(), **home}) as child:
                pid = int(first_line(child))
                watch.expect_target(pid)
                assert watch.expect_breach(pid)["site"]["function"] == "block", (how, watch.dump())
                child.process.stdin.close()
                assert child.wait() == 0, (how, child.dump())
        watch.interrupt()
    assert {line["pid"] for line in watch.records() if line["type"] == "target"} == {
        line["pid"] for line in watch.records() if line["type"] == "breach"
    }, watch.dump()


def test_the_next_one_is_watched_from_its_first_iteration(python, program):
    with Search("--name", program.name) as watch:
        with started(python.path, str(program)) as teacher:
            watch.expect_breach(teacher)
        with started(python.path, str(program)) as pid:
            breach = watch.expect_breach(pid)
        watch.interrupt()
    callers = [frame["line"] for frame in breach["stack"] if frame["function"] == "main"]
    first = next(n for n, line in enumerate(program.read_text().splitlines(), 1) if line.strip() == "block()")
    assert callers == [first], watch.dump()


def test_nobody_else_is_watched(python, program, tmp_path):
    other = tmp_path / f"other_{tmp_path.name}.py"
    other.write_text(program.read_text())
    with Search("--name", program.name) as watch:
        with started(python.path, str(other)), started(python.path, str(program)) as pid:
            watch.expect_breach(pid)
        watch.interrupt()
    assert {line["pid"] for line in watch.records() if "pid" in line} == {pid}, watch.dump()


def test_all_finds_one_that_begins(python, program):
    with Search("--all") as watch, started(python.path, str(program)) as pid:
        watch.expect_target(pid)
        watch.expect_breach(pid)
        watch.interrupt()


@contextlib.contextmanager
def cgroup(name: str):
    """A cgroup of the unified hierarchy, or else of one of version 1; its directory."""
    root = Path("/sys/fs/cgroup")
    if not (root / "cgroup.controllers").exists():
        root = next(path for path in (root / "unified", root / "pids", root / "cpu") if path.is_dir())
    group = root / name
    group.mkdir()
    try:
        yield group
    finally:
        poll("an empty cgroup", lambda: not (group / "cgroup.procs").read_text())
        group.rmdir()


def test_cgroup_finds_what_begins_in_it_and_what_is_moved(python, program, tmp_path):
    def enter():
        (inner / "cgroup.procs").write_text("0")

    with cgroup(f"loophound-{os.getpid()}") as outer, cgroup(f"{outer.name}/inner") as inner:
        with Search("--cgroup", f"/{outer.name}") as watch, started(python.path, str(program)) as moved:
            with started(python.path, str(program), preexec_fn=enter) as born:
                watch.expect_breach(born)
            assert not any(is_about("target", moved)(line) for line in watch.out.lines), watch.dump()
            (outer / "cgroup.procs").write_text(str(moved))
            watch.expect_breach(moved)
            watch.interrupt()
    assert {line["pid"] for line in watch.records() if "pid" in line} == {moved, born}, watch.dump()


def test_what_is_moved_into_a_cgroup_is_found_by_the_name_of_its_program(python, program, tmp_path):
    """As at a start: the name of its thread is the interpreter's."""
    other = tmp_path / f"other_{tmp_path.name}.py"
    other.write_text(program.read_text())
    with cgroup(f"loophound-{os.getpid()}") as group, contextlib.ExitStack() as stack:
        watch = stack.enter_context(Search("--cgroup", f"/{group.name}", "--name", program.name))
        stranger, moved = (stack.enter_context(started(python.path, str(script))) for script in (other, program))
        for pid in (stranger, moved):
            (group / "cgroup.procs").write_text(str(pid))
        watch.expect_breach(moved)
        watch.interrupt()
    assert {line["pid"] for line in watch.records() if "pid" in line} == {moved}, watch.dump()


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_of_multiprocessing_from_their_first_iteration(method, python):
    with Child([python.path, script("has_workers"), method], env=environment()) as program:
        program.expect("the ready line", lambda line: line == "ready")
        with Watch(program.pid) as watch:
            watch.wait_attached()
            for nr in range(2):
                program.process.stdin.write(b"\n")
                program.process.stdin.flush()
                program.expect("a worker's pid", lambda line: len(program.out.lines) == 2 + nr)
                pid = int(program.out.lines[-1])
                line = watch.expect(f"a breach of {pid}", is_about("breach", pid))
                assert parse(line)["site"]["function"] == "main", watch.dump()
            program.process.stdin.close()
            assert program.wait() == 0, program.dump()
            assert watch.wait() == 0, watch.dump()


def workers_of(master: int) -> set[int]:
    children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    return {int(pid) for pid in children}


def test_gunicorn_workers_are_followed_and_so_are_their_successors(python, tmp_path):
    server = ["gunicorn", "-k", "uvicorn.workers.UvicornWorker", "-w", "2", "--pythonpath"]
    server += [str(Path(script("serves_asgi")).parent), "-b", f"unix:{tmp_path}/socket", "serves_asgi:app"]
    with Child([python.path, "/usr/bin/gunicorn", *server[1:]], env=environment()) as gunicorn:
        poll("two workers", lambda: len(workers_of(gunicorn.pid)) == 2)
        with Watch(gunicorn.pid) as watch:
            watch.wait_attached()
            old = workers_of(gunicorn.pid)
            for pid in old:
                os.kill(pid, signal.SIGKILL)
            poll("two new workers", lambda: len(workers_of(gunicorn.pid) - old) == 2)
            for pid in workers_of(gunicorn.pid) - old:
                breach = parse(watch.expect(f"a breach of {pid}", is_about("breach", pid)))
                assert breach["site"]["function"] == "app", watch.dump()
                assert any(frame["function"] == "app" for frame in breach["stack"]), watch.dump()
            watch.interrupt()
        gunicorn.send(signal.SIGTERM)
        gunicorn.wait()


def kept(watch: Watch) -> dict[str, int]:
    """What the daemon and its reader hold of the system."""
    pids = [watch.pid, *workers_of(watch.pid)]
    status = [Path(f"/proc/{pid}/status").read_text() for pid in pids]
    return {
        "fds": sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids),
        "rss_kib": sum(int(text.split("VmRSS:")[1].split()[0]) for text in status),
    }


STORM = "i=0; while [ $i -lt 700 ]; do /bin/true; i=$((i+1)); done"


def test_a_storm_of_short_processes_leaves_nothing(python, program):
    """2,100 of them in three shells; what is left is what was there, and the next Python is found."""
    with Search("--all") as watch:
        subprocess.run(["sh", "-c", STORM], check=True)
        with started(python.path, str(program)) as pid:
            watch.expect_breach(pid)
        before = kept(watch)
        for shell in [subprocess.Popen(["sh", "-c", STORM]) for _ in range(3)]:
            assert shell.wait() == 0
        with started(python.path, str(program)) as pid:
            watch.expect_breach(pid)
        after = kept(watch)
        watch.interrupt()
    assert after["fds"] <= before["fds"] + 8, (before, after)
    assert after["rss_kib"] < before["rss_kib"] + 2048, (before, after)
    lost = watch.records()[-1]["lost"]
    assert lost["targets_refused"] == lost["ring_full"] == 0, watch.dump()

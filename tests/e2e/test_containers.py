"""Targets in other namespaces and roots, whose files were replaced, and those that mean harm."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from container import APP, ID, POD, STALL_LINE, STALL_NS, App, contained, hierarchies, in_cgroup, make_root
from fusetrap import FuseTrap
from conftest import FOUR, with_capabilities
from watch import Loophound, Watch


@pytest.fixture(scope="module")
def root(python, tmp_path_factory) -> Path:
    return make_root(tmp_path_factory.mktemp("root"), python)


@pytest.fixture
def app(tmp_path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    return tmp_path / "app.py"


def processes(*arguments: str, **popen) -> dict[int, dict]:
    """What `ps` says, by pid."""
    with Loophound("ps", "--format", "jsonl", *arguments, **popen) as command:
        assert command.wait() == 0, command.dump()
        return {record["pid"]: record for record in command.records()}


def the_stall_of(program: App, **popen) -> tuple[dict, dict]:
    """The target line and the breach that a watch says of one stall."""
    with Watch(program.pid, **popen) as watch:
        watch.wait_attached()
        program.stall()
        watch.interrupt()
    target = next(line for line in watch.records() if line["type"] == "target")
    (breach,) = watch.breaches()
    assert (breach["rule"], breach["cause"], breach["pid"]) == ("blocking-call", "sleep", program.pid), watch.dump()
    assert abs(breach["duration_ns"] - STALL_NS) < 20_000_000, watch.dump()
    assert breach["site"]["line"] == STALL_LINE and not breach["incomplete"], watch.dump()
    return target, breach


CGROUPS = [
    # hierarchy, path, what is said: container, container_runtime, pod, unit
    ("v2", f"kubepods-burstable-pod{POD.replace('-', '_')}.slice/cri-containerd-{ID}.scope",
     (ID, "containerd", POD, f"cri-containerd-{ID}.scope")),
    ("v2", f"docker-{ID}.scope/system.slice/shop\\x2deu@1.service/worker",
     (ID, "docker", None, "shop\\x2deu@1.service")),
    ("v1", f"docker/{ID}", (ID, "docker", None, None)),
]  # fmt: skip


def test_in_a_container(root, python):
    with App(*contained(root, python)) as program, contextlib.ExitStack() as stack:
        program.wait_ready()
        # Where systemd has a hierarchy of its own, the unit is what we are in, whatever the others say.
        keys = ("container", "container_runtime", "pod", "unit")
        has_unit = processes("-p", str(program.pid))[program.pid]["unit"] and "v1" in hierarchies()
        for kind, path, expected in CGROUPS:
            if kind not in hierarchies():
                continue
            with in_cgroup(program.pid, hierarchies()[kind], path):
                row = processes("-p", str(program.pid))[program.pid]
                said = tuple(row[key] for key in keys)
                assert said[:3] == expected[:3] and (has_unit or said == expected)
        kind, path, _ = CGROUPS[0] if "v2" in hierarchies() else CGROUPS[-1]
        stack.enter_context(in_cgroup(program.pid, hierarchies()[kind], path))
        target, breach = the_stall_of(program)
        with Loophound("doctor", "-p", str(program.pid)) as doctor:
            assert doctor.wait() == 0, doctor.dump()
    assert program.pid != program.started
    for line in (row, target, breach):
        assert (line["ns_pid"], line["container"], line["exe"]) == (1, ID, python.path)
    assert row["usdt"] == target["usdt"] == python.usdt  # which only its file tells
    assert [loop["ns_tid"] for loop in row["loop_threads"]] == [1]
    assert breach["site"]["file"] == "/srv/app.py"
    for text in ("pid 1 in", ID[:12], "asyncio"):
        assert text in doctor.out.text(), doctor.dump()


def test_in_a_chroot_without_the_capability_for_mapped_files(root, python, public_binary):
    with App("chroot", str(root), python.path, "/srv/app.py") as program:
        program.wait_ready()
        limits = with_capabilities(*FOUR)
        target, breach = the_stall_of(program, prefix=limits, binary=public_binary)
    assert target["usdt"] == python.usdt  # so that its file was found by its path
    assert target["ns_pid"] == program.pid and target["container"] is None
    assert breach["site"]["file"] == "/srv/app.py"


def test_a_program_that_was_replaced(python, app, tmp_path):
    copy = shutil.copy(python.path, tmp_path / "python3")
    with App(copy, str(app), env={"PYTHONHOME": str(Path(python.path).parent.parent)}) as program:
        program.wait_ready()
        shutil.copy("/bin/true", tmp_path / "new")
        os.rename(tmp_path / "new", copy)  # as an upgrade does
        row = processes("-p", str(program.pid))[program.pid]
        target, _ = the_stall_of(program)
    assert row["exe"] == f"{copy} (deleted)"
    assert row["usdt"] == target["usdt"] == python.usdt


def shared_library(path: str) -> str | None:
    said = subprocess.run(["ldd", path], capture_output=True, text=True).stdout
    return next((line.split()[2] for line in said.splitlines() if "libpython" in line), None)


def test_a_library_that_was_replaced(interpreter, app, tmp_path):
    library = shared_library(interpreter.path)
    if not library:
        return  # it is a part of the program: see above
    copy = shutil.copy(library, tmp_path / os.path.basename(library))
    with App(interpreter.path, str(app), env={"LD_PRELOAD": copy}) as program:
        program.wait_ready()
        assert f"{copy}\n" in Path(f"/proc/{program.pid}/maps").read_text()
        os.unlink(copy)
        target, _ = the_stall_of(program)
    assert not target["static"] and target["usdt"] == interpreter.usdt


MAPPER = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	int fd = open(argv[1], O_RDONLY);

	prctl(PR_SET_NAME, "py\033[2J\n");
	if (fd < 0 || mmap(0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED)
		return perror(argv[argc - 1]), 1;
	puts("ready");
	fflush(stdout);
	getchar();
	return 0;
}
"""


@pytest.fixture
def mapper(tmp_path) -> str:
    """A program that maps the file it is given as a library is mapped."""
    binary = str(tmp_path / "mapper")
    subprocess.run(["gcc", "-o", binary, "-x", "c", "-"], input=MAPPER.encode(), check=True)
    return binary


def traps(folder: Path) -> list[Path]:
    """Files that pass for a library by their name and are not to be read."""
    names = [folder / kind / "libpython3.11.so.1.0" for kind in ("device", "sparse", "text", "gone")]
    for name in names:
        name.parent.mkdir()
    device, sparse, text, gone = names
    os.mknod(device, 0o20600, os.makedev(1, 5))  # /dev/zero, which can be mapped, and read without end
    sparse.touch()
    os.truncate(sparse, 1 << 42)
    text.write_text("#!" + "x" * 8000)
    gone.write_text("\x7fELF" + "x" * 8000)
    return names


def test_traps_are_not_walked_into(python, app, mapper, tmp_path):
    """ps ends, tells of whom it could, and of those who would keep it that they do."""
    strange = shutil.copy(python.path, tmp_path / "python\033[31m\n3")
    home = {"PYTHONHOME": str(Path(python.path).parent.parent)}
    with contextlib.ExitStack() as stack:
        healthy = stack.enter_context(App(strange, str(app), env=home)).wait_ready()
        programs = [stack.enter_context(App(mapper, str(path))).wait_ready() for path in traps(tmp_path)]
        gone = tmp_path / "gone/libpython3.11.so.1.0"
        gone.unlink()
        gone.symlink_to("/etc/shadow")
        os.mkfifo(tmp_path / "fifo")
        os.rename(tmp_path / "fifo", tmp_path / "text/libpython3.11.so.1.0")
        pids = [str(program.pid) for program in (healthy, *programs)]
        arguments = [argument for pid in pids for argument in ("-p", pid)]
        rows = processes(*arguments)
        with Loophound("ps", *arguments) as text:
            assert text.wait() == 0, text.dump()
    assert len(rows) == 5 and rows[healthy.pid]["supported"]
    for program in programs:
        row = rows[program.pid]
        assert not row["supported"] and row["reason"] and row["comm"] == "py\033[2J\n"
    assert all(line.isprintable() for line in text.out.lines), text.dump()
    assert len(text.out.lines) == 6, text.dump()


def test_a_file_system_that_never_answers(python, app, mapper, tmp_path):
    """FUSE: whoever maps one of its files decides how long a read of that memory takes."""
    folder = tmp_path / "fuse"
    folder.mkdir()
    with contextlib.ExitStack() as stack:
        healthy = stack.enter_context(App(python.path, str(app))).wait_ready()
        trap = stack.enter_context(FuseTrap(folder))
        library = folder / "libpython3.11.so.1.0"
        library.write_bytes(b"\x7fELF" + bytes(8000))
        programs = [stack.enter_context(App(mapper, str(library))).wait_ready() for _ in range(3)]
        stack.callback(trap.end)  # before the programs are ended: they cannot while somebody waits for their memory
        trap.arm()
        pids = [program.pid for program in (*programs, healthy)]
        rows = processes(*[argument for pid in pids for argument in ("-p", str(pid))])
    assert rows[healthy.pid]["supported"] and len(rows) == 4
    for program in programs:
        assert rows[program.pid]["status"] == "stuck", rows[program.pid]
        assert rows[program.pid]["reason"] and rows[program.pid]["comm"] == "py\033[2J\n"

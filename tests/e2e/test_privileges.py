"""Root, or four capabilities, or one clear sentence."""

from __future__ import annotations

import os

from conftest import FOUR, NOBODY, with_capabilities
from watch import Loophound, Watch
from workload import Workload

CANNOT = 4


def test_without_privileges_one_sentence(python, public_binary):
    with Workload("healthy_idle", python) as program:
        program.wait_ready()
        arguments = ("watch", "-p", str(program.pid))
        with Loophound(*arguments, prefix=NOBODY, binary=public_binary) as command:
            assert command.wait() == CANNOT, command.dump()
    assert command.out.text() == "", command.dump()
    assert len(command.err.lines) == 1, command.dump()
    assert "root" in command.err.text() and "CAP_BPF" in command.err.text(), command.dump()


def test_a_missing_capability_is_named(python, public_binary):
    with Workload("healthy_idle", python) as program:
        program.wait_ready()
        prefix = with_capabilities("bpf", "sys_ptrace", "dac_read_search")
        with Loophound("watch", "-p", str(program.pid), prefix=prefix, binary=public_binary) as command:
            assert command.wait() == CANNOT, command.dump()
    assert "CAP_PERFMON" in command.err.text(), command.dump()


def test_doctor_says_what_is_missing(public_binary):
    with Loophound("doctor", prefix=NOBODY, binary=public_binary) as command:
        assert command.wait() == CANNOT, command.dump()
    assert "CAP_BPF" in command.out.text() + command.err.text(), command.dump()


def test_four_capabilities_will_do(interpreter, public_binary):
    with Workload("time_sleep", interpreter) as program:
        program.wait_ready()
        with Watch(program.pid, prefix=with_capabilities(*FOUR), binary=public_binary) as watch:
            watch.wait_attached()
            program.go()
            program.wait_done()
            watch.interrupt()
        program.end()
    lines = [record for record in watch.records() if record["type"] == "breach"]
    breaches = [line for line in lines if line["count"] and not line["ongoing"]]
    assert sum(breach["count"] for breach in breaches) == len(program.truths()), watch.dump()
    assert {os.path.basename(breach["site"]["file"]) for breach in breaches} == {"time_sleep.py"}, watch.dump()

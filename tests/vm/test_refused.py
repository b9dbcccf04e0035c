"""A kernel that is too old for loophound is refused by one sentence, which names it and the one that is needed."""

import os

import pytest

from process import Child
from watch import Loophound

CANNOT = 4  # the host cannot do it


@pytest.mark.parametrize("command", [["watch", "--all"], ["record", "--all", "-o", "/tmp/recording"], ["serve"], ["run", "true"]], ids=" ".join)
def test_one_sentence(command):
    with Loophound(*command) as refused:
        assert refused.wait() == CANNOT, refused.dump()
    errors = [line for line in refused.err.lines if "error:" in line or "warning:" in line]
    assert len(errors) == 1, refused.dump()
    assert os.uname().release in errors[0] and "5.15" in errors[0], refused.dump()


def test_doctor_says_it_too():
    with Loophound("doctor") as doctor:
        assert doctor.wait() == CANNOT, doctor.dump()
    lines = [line for line in doctor.out.lines if os.uname().release in line and "5.15" in line]
    assert lines, doctor.dump()

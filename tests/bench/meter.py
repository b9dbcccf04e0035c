"""The C program that measures what a thing costs a process; see meter.c."""

from __future__ import annotations

from child import BUILD, Child
from host import CPU_OTHER


class Meter(Child):
    def __init__(self) -> None:
        super().__init__(str(BUILD / "bench" / "meter"), cpu=CPU_OTHER)

    def measure(self, mode: str, milliseconds: int) -> float:
        return float(self.ask(f"{mode} {milliseconds}"))

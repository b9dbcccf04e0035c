"""For tests that run in a virtual machine: the programs of the end-to-end tests, and which tests this kernel is for."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

FLOOR = (5, 15)
RELEASE = tuple(int(part) for part in os.uname().release.split("-")[0].split("+")[0].split(".")[:2])

collect_ignore = ["test_supported.py" if RELEASE < FLOOR else "test_refused.py"]

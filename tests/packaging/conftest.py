"""Programs that other tests use: the workloads, and how a child's lines are waited for."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

"""Every call that other tools hold to be blocking, and that does block, is reported: on its line, with its cause."""

from __future__ import annotations

import re
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.append(str(TOP / "tests" / "coverage"))

from measure import measure  # noqa: E402

ROW = re.compile(r"^\| `([^`]+)` \| [^|]* \| yes \|", re.MULTILINE)


def test_coverage_does_not_shrink(python, tmp_path):
    verdicts = measure(python, tmp_path)

    wrong = {name: verdict for name, verdict in verdicts.items() if verdict.status in ("missed", "wrong")}
    assert not wrong, "\n".join(f"{name}: {verdict}" for name, verdict in wrong.items())
    said = set(ROW.findall((TOP / "docs" / "COVERAGE.md").read_text()))
    reported = {name for name, verdict in verdicts.items() if verdict.status in ("reported", "known")}
    not_here = {name for name, verdict in verdicts.items() if verdict.status in ("absent", "short")}
    assert said, "docs/COVERAGE.md names no call that is reported: has its form changed?"
    assert not said - reported - not_here, "docs/COVERAGE.md says that these are reported"

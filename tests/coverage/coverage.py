"""Executes the calls that other tools hold to be blocking, and writes docs/COVERAGE.md: which of them are reported.

Exit code 1 if a call that blocked was not reported, or on the wrong line or with the wrong cause.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]

from interpreters import find_interpreters, system_interpreter  # noqa: E402
from measure import Verdict, add_latent, find_lists, has_latent, measure  # noqa: E402

TOP = HERE.parent.parent

INTRODUCTION = """# Coverage

Which of the calls that other tools hold to be blocking does loophound report? `make coverage` executes each of them
on a running loop, in an iteration of its own, and writes this file. `tests/coverage/list_*.py` are the lists,
`snippets_*.py` say how a call is made to block for real: files lie on a disk that answers after 20 ms (a file
system served over /dev/fuse, nothing cached), so does the shell; peers, servers and the name server answer after
60 ms. A call is *reported* if a breach names its file, line and function.

*cannot block*: the call needs no answer from anything that can be slow; the reason is in its row. Those calls are on
the lists as a matter of policy, and no time is lost in them. *Not here*: this CPython or this version of the
library does not have it, or the library could not be installed.
"""

LATENT = """
*latent*: what `--latent` says of the same call where nothing is slow: disk, servers and peers answer at once.
"""


def summary_row(title: str, verdicts: list[Verdict]) -> list[str]:
    count = Counter(verdict.status for verdict in verdicts)
    can = sum(count[status] for status in ("reported", "known", "wrong", "missed"))
    seen = can - count["missed"]
    return [
        title,
        str(len(verdicts)),
        str(count["absent"]),
        str(count["quick"]),
        f"**{seen} of {can}**",
        f"{count['reported']} of {can}",
    ]


def markdown(heads: list[str], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [heads, ["---"] * len(heads), *rows]) + "\n"


SUMMARY = ["list", "calls", "not here", "cannot block", "reported, on the exact line", "and the right cause"]


def call_row(code: str, verdict: Verdict, with_latent: bool) -> list[str]:
    words = {"reported": "yes", "known": "yes", "wrong": "yes", "missed": "**no**", "short": "no"}
    status = words.get(verdict.status, "-")
    note = {"quick": "cannot block: ", "wrong": "**wrong cause**: "}.get(verdict.status, "") + verdict.reason
    said = f"{verdict.rule}, {verdict.cause}" if verdict.rule else ""
    return [f"`{verdict.name}`", code, status, said, *([verdict.latent] if with_latent else []), note]


def render(by_interpreter: dict[str, dict[str, Verdict]], shown: str, with_latent: bool) -> str:
    """The tables of one interpreter in full, of all in short."""
    lists = find_lists().values()
    verdicts = by_interpreter[shown]
    text = INTRODUCTION + (LATENT if with_latent else "")
    text += f"\n## Summary\n\nOn CPython {shown}:\n\n"
    rows = [summary_row(each.TITLE, [verdicts[name] for _, name in each.ROWS]) for each in lists]
    rows.append(summary_row("all, each call once", list(verdicts.values())))
    text += markdown(SUMMARY, rows)
    text += "\nAll of the calls on each interpreter here; not each has the libraries that are not CPython's:\n\n"
    rows = [summary_row(name, list(each.values())) for name, each in by_interpreter.items()]
    text += markdown(["CPython", *SUMMARY[1:]], rows)
    for each in lists:
        codes = any(code for code, _ in each.ROWS)
        heads = ["call", "code" if codes else "", "reported", "as", *(["latent"] if with_latent else []), ""]
        text += f"\n## {each.TITLE}\n\n{each.__doc__.strip()}\n\n"
        text += markdown(heads, [call_row(code, verdicts[name], with_latent) for code, name in each.ROWS])
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", default=TOP / "docs" / "COVERAGE.md", type=Path, metavar="FILE")
    parser.add_argument("--programs", default=TOP / "build" / "coverage", type=Path, metavar="DIR", help="left there")
    parser.add_argument("--only-system", action="store_true", help="the distribution's interpreter alone")
    options = parser.parse_args()

    shown = system_interpreter()
    interpreters = [shown] if options.only_system else find_interpreters()
    verdicts = {}
    for interpreter in interpreters:
        verdicts[str(interpreter)] = measure(interpreter, options.programs)
        print(f"{interpreter}: {dict(Counter(v.status for v in verdicts[str(interpreter)].values()))}", file=sys.stderr)
    with_latent = has_latent()
    if with_latent:
        add_latent(verdicts[str(shown)], shown, options.programs)
    options.output.write_text(render(verdicts, str(shown), with_latent))
    failed = [(name, v) for name, each in verdicts.items() for v in each.values() if v.status in ("missed", "wrong")]
    for name, verdict in failed:
        print(f"{verdict.status} on {name}: {verdict.name}: {verdict.rule} {verdict.cause}: {verdict.reason}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""Executes every call of the lists under `loophound watch` and says which of them were reported, and how right."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from interpreters import Interpreter
from match import overlap
from process import Child
from program import make
from snippet import Snippet
from watch import BINARY, Watch
from workload import Workload, environment, in_own_resolver

HERE = Path(__file__).resolve().parent
LISTS = ("blockbuster", "flake8_async", "ruff", "home_assistant", "unlisted")
GROUPS = ("files", "network", "others")
LIMIT_MS = 12  # blocking-call's, and what the clocks of the two may differ by
SECONDS = 180.0  # for one group; a failure only uses them up


@dataclass
class Verdict:
    name: str
    # reported, known (a cause known to be wrong), quick (cannot block), absent, short (did not sleep long enough this
    # time), wrong (cause), missed (or on another line)
    status: str
    reason: str = ""
    rule: str = ""
    cause: str = ""
    latent: str = ""  # what is said of it where all is quick, with --latent: latent, breach or nothing


def find_lists() -> dict:
    return {name: importlib.import_module(f"list_{name}") for name in LISTS}


def wanted_calls() -> set[str]:
    return {name for each in find_lists().values() for _, name in each.ROWS}


def snippets_of(group: str) -> dict[str, Snippet]:
    wanted = wanted_calls()
    snippets = importlib.import_module(f"snippets_{group}").SNIPPETS
    return {name: snippet for name, snippet in snippets.items() if name in wanted}


class Calls(Workload):
    """The program of one group: speaks as a workload does."""

    def __init__(self, program: Path, interpreter: Interpreter, env: dict[str, str]) -> None:
        paths = f"{HERE}:{environment()['PYTHONPATH']}"
        command = in_own_resolver(interpreter.command(str(program)))
        Child.__init__(self, command, env={**environment(), "PYTHONPATH": paths, **env})

    def wait_done(self) -> None:
        self.expect("the last call", lambda line: '"done"' in line, SECONDS)

    def calls(self) -> list[dict]:
        return [line for line in map(json.loads, self.out.lines) if "call" in line]


@dataclass
class Seen:
    """Of one call: what it was, and what was said of its thread at that time."""

    snippet: Snippet
    call: dict | None
    there: list[dict]

    def exact(self, severity: str) -> list[dict]:
        """Those that name its very line."""
        return [line for line in self.there if line["severity"] == severity and is_at(self.call, line["site"])]


def measure(interpreter: Interpreter, folder: Path, only: str = "") -> dict[str, Verdict]:
    """The verdict on each call; the programs are left in the folder."""
    return {name: judge(name, seen) for name, seen in watch_all(interpreter, folder, only).items()}


def add_latent(verdicts: dict[str, Verdict], interpreter: Interpreter, folder: Path) -> None:
    """The same calls where nothing is slow."""
    for name, seen in watch_all(interpreter, folder, "", "--latent", LOOPHOUND_COVERAGE_QUICK="1").items():
        said = [severity for severity in ("latent", "breach") if seen.exact(severity)]
        verdicts[name].latent = said[0] if said else "-"


def watch_all(interpreter: Interpreter, folder: Path, only: str, *options: str, **env: str) -> dict[str, Seen]:
    folder.mkdir(parents=True, exist_ok=True)
    groups = [group for group in GROUPS if not only or group == only]
    with ThreadPoolExecutor(2) as pool:
        parts = list(pool.map(lambda group: watch_group(group, interpreter, folder, options, env), groups))
    return {name: seen for part in parts for name, seen in part.items()}


def make_certificate(folder: str) -> str:
    """A file with key and certificate of 127.0.0.1."""
    key, certificate, both = (Path(folder, f"certificate{kind}") for kind in (".key", ".crt", ""))
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=127.0.0.1"
    subprocess.run([*command.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True)
    both.write_text(key.read_text() + certificate.read_text())
    return str(both)


def watch_group(
    group: str, interpreter: Interpreter, folder: Path, options: tuple[str, ...], env: dict[str, str]
) -> dict[str, Seen]:
    snippets = snippets_of(group)
    path = folder / f"calls_{group}.py"
    make(snippets, path)
    with contextlib.ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="loophound-"))
        env = {**env, "TMPDIR": scratch, "LOOPHOUND_COVERAGE_CERTIFICATE": make_certificate(scratch)}
        program = stack.enter_context(Calls(path, interpreter, env))
        program.wait_ready()
        watch = stack.enter_context(Watch(program.pid, *options))
        watch.wait_attached()
        program.go()
        program.wait_done()
        watch.interrupt()
        program.end()
        lines = [line for line in watch.records() if line["type"] == "breach" and line["count"] and not line["ongoing"]]
        done = {call["call"]: call for call in program.calls()}

    def there(call: dict | None) -> list[dict]:
        if not call or "end_ns" not in call:
            return []
        return [line for line in lines if line["tid"] == call["tid"] and overlap(call, line)]

    return {name: Seen(snippet, done.get(name), there(done.get(name))) for name, snippet in snippets.items()}


def judge(name: str, seen: Seen) -> Verdict:
    snippet, call = seen.snippet, seen.call
    if call is None:
        return Verdict(name, "missed", "it was not executed")
    if call.get("absent"):
        return Verdict(name, "absent", call["absent"])
    if call.get("failure"):
        return Verdict(name, "missed", f"it failed: {call['failure']}")
    breaches = seen.exact("breach")
    if breaches:
        best = max(breaches, key=lambda line: (line["cause"] in snippet.cause.split(), line["duration_ns"]))
        right = best["cause"] in snippet.cause.split()
        status = "reported" if right else "known" if snippet.known else "wrong"
        reason = "" if right else snippet.known or f"it should be {snippet.cause or 'none: it cannot block'}"
        return Verdict(name, status, reason, best["rule"], best["cause"])
    if snippet.quick:
        return Verdict(name, "quick", snippet.quick)
    asleep_ms = (call["end_ns"] - call["start_ns"] - call["cpu_ns"] - call["run_delay_ns"]) / 1e6
    if asleep_ms < LIMIT_MS and not seen.exact("breach"):
        return Verdict(name, "short", f"only {asleep_ms:.1f} ms asleep this time: the host was busy")
    elsewhere = [f"{line['rule']} at {line['site']}" for line in seen.there if line["severity"] == "breach"]
    return Verdict(name, "missed", f"{asleep_ms:.1f} ms asleep; {'; '.join(elsewhere) or 'no report'}")


def is_at(call: dict | None, site: dict | None) -> bool:
    return bool(call) and bool(site) and all(site[key] == call[key] for key in ("file", "line", "function"))


def has_latent() -> bool:
    said = subprocess.run([BINARY, "watch", "--help"], capture_output=True, text=True, env=dict(os.environ))
    return "--latent" in said.stdout + said.stderr

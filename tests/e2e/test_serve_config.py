"""The configuration: flags override it, through a reload too; what is wrong in it is named by file, line and key."""

from __future__ import annotations

import json
import signal
import subprocess

import pytest
import yaml

from process import poll
from test_packaging import WHOLE
from watch import BINARY, Loophound, parse

CONFIG = """\
web: {listen_address: "127.0.0.1:1", config_file: /nowhere, allow_insecure: false}
log: {level: error, format: logfmt}
breaches: {to: none}
"""


def test_flags_override(tmp_path):
    config, web, lines = (tmp_path / name for name in ("c.yaml", "web.yml", "b.jsonl"))
    config.write_text(CONFIG)
    web.write_text("{}\n")
    flags = ("--web.listen-address=0.0.0.0:0", f"--web.config.file={web}", "--web.allow-insecure")
    flags += ("--log.level=debug", "--log.format=json", f"--breaches.to={lines}")
    with Loophound("serve", "-c", str(config), *flags) as service:

        def said(level: str, wanted: str, after: int = 0) -> bool:
            records = [parse(line) for line in service.err.lines[after:] if line.startswith("{")]
            return any(each["level"] == level and wanted in each["message"] for each in records)

        assert service.err.wait_for(lambda line: line.startswith("{") and "serving on http://0.0.0.0:" in line), service.dump()
        assert lines.exists()
        for _ in range(2):
            before = len(service.err.lines)
            service.send(signal.SIGHUP)
            poll("the reload", lambda before=before: said("info", "reload: done", before))
        poll("what is told of debug only", lambda: said("debug", ""))
        assert "takes a restart" not in service.err.text(), service.dump()


def refused(path, text: str) -> str:
    path.write_text(text)
    check = subprocess.run([BINARY, "serve", "--check-config", "-c", path], capture_output=True, text=True, timeout=30)
    assert check.returncode == 2, text
    return check.stderr


def places(value: dict, before: str = "", indent: str = "", line: int = 1):
    """Each key of the shipped example, with what has to stand before it, its line and its value."""
    for key, each in value.items():
        yield pytest.param(before, line, key, each, id=f"{line}-{before.split(':')[0]}-{key}")
        for item in each if isinstance(each, list) else [each]:
            if isinstance(item, dict):
                mark = "- " if isinstance(each, list) else "  "
                yield from places(item, f"{before}{key}:\n{indent}{mark}", indent + "  ", line + 1)


@pytest.mark.parametrize("before, line, key, value", places(yaml.safe_load(WHOLE)))
def test_each_key_is_named_where_it_is_wrong(tmp_path, before, line, key, value):
    path = tmp_path / "c.yaml"
    another_type = "7" if isinstance(value, (dict, list)) else "{x: 1}"
    said = refused(path, f"{before}{key}: {another_type}\n")
    assert f"{path}: line {line}: {key}: " in said
    if not before.endswith("labels:\n    "):  # whose names are the user's
        said = refused(path, f"{before}{key}x: 1\n")
        assert f"{path}: line {line}: {key}x: no " in said

"""Programs that other tests use, the workloads and how a child's lines are waited for; the Debian packages."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))


@pytest.fixture(scope="session")
def packages(tmp_path_factory):
    """this.deb, and next.deb: the next version, with another default configuration."""
    to = tmp_path_factory.mktemp("deb")
    version = (ROOT / "VERSION").read_text().strip()
    maintained = {**os.environ, "DEB_MAINTAINER": "Somebody <somebody@debian.org>"}  # as who distributes it has to say
    run = subprocess.run(["packaging/debian/build.sh", version], cwd=ROOT, env=maintained, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    this = (ROOT / run.stdout.strip()).rename(to / "this.deb")
    subprocess.run(["dpkg-deb", "-R", this, to / "next"], check=True)
    for file, old, new in (("DEBIAN/control", f"Version: {version}", f"Version: {version}+next"), ("etc/loophound/loophound.yaml", "", "# next\n")):
        path = to / "next" / file
        path.write_text(path.read_text().replace(old, new, 1))
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", to / "next", to / "next.deb"], check=True, stdout=subprocess.DEVNULL)
    return to

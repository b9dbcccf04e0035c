"""The Debian package: in, up, out and gone, in a copy of this machine's files, where no systemd runs."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OVERLAY = ROOT / "tests/packaging/overlay.sh"


def script(directory: Path, text: str) -> str:
    """What it prints, with set -e."""
    (directory / "script").write_text("set -e\n" + text)
    run = subprocess.run([OVERLAY, directory, "sh", "/mnt/script"], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def test_it_comes_goes_and_leaves_nothing(packages):
    said = script(
        packages,
        """
        ls -R /etc /usr/bin /usr/lib/systemd /usr/share/loophound /var/lib/systemd > /tmp/before 2>/dev/null || :
        dpkg -i /mnt/this.deb
        loophound --version
        loophound serve --check-config -c /etc/loophound/loophound.yaml
        test -L /etc/systemd/system/multi-user.target.wants/loophound.service && echo enabled
        dpkg --verify loophound && echo unchanged
        test -z "$(systemd-analyze verify --man=no /usr/lib/systemd/system/loophound.service 2>&1)" && echo verified
        ! ldd /usr/bin/loophound | grep 'not found'
        dpkg -i /mnt/next.deb
        dpkg-query -W -f '${Version} ${Status}\\n' loophound
        head -n 1 /etc/loophound/loophound.yaml
        dpkg -r loophound
        test -e /etc/loophound/loophound.yaml && echo the configuration stays
        test ! -e /usr/bin/loophound
        dpkg -P loophound
        ls -R /etc /usr/bin /usr/lib/systemd /usr/share/loophound /var/lib/systemd > /tmp/after 2>/dev/null || :
        diff /tmp/before /tmp/after && echo nothing is left
        """,
    )
    version = (ROOT / "VERSION").read_text().strip()
    for line in (f"loophound {version}", "enabled", "unchanged", "verified", "# next", "the configuration stays", "nothing is left"):
        assert line in said.splitlines()
    assert f"{version}+next install ok installed" in said


def test_an_upgrade_leaves_the_configuration_and_a_disabled_service_alone(packages):
    said = script(
        packages,
        """
        dpkg -i /mnt/this.deb
        echo 'log: {level: debug}' > /etc/loophound/loophound.yaml
        rm /etc/systemd/system/multi-user.target.wants/loophound.service
        dpkg -i --force-confold /mnt/next.deb
        cat /etc/loophound/loophound.yaml
        test ! -e /etc/systemd/system/multi-user.target.wants/loophound.service && echo stays disabled
        """,
    )
    assert "log: {level: debug}" in said.splitlines() and "stays disabled" in said.splitlines()



def test_lintian_has_nothing_to_say(packages):
    check = subprocess.run(["lintian", "--fail-on", "error,warning", packages / "this.deb"], capture_output=True, text=True)
    assert check.returncode == 0, check.stdout + check.stderr


def test_what_it_depends_on_is_what_it_is_linked_with(packages):
    field = subprocess.run(["dpkg-deb", "-f", packages / "this.deb", "Depends"], capture_output=True, text=True, check=True)
    depends = set(re.findall(r"[a-z][a-z0-9.+-]+(?= |,|$)", field.stdout))
    assert {"libbpf1", "libc6", "libcap-ng0", "libseccomp2", "procps"} <= depends
    assert {"libgnutls30", "libmicrohttpd12"} <= depends  # loaded by name

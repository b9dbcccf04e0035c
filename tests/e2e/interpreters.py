"""Finds the CPythons of this machine that loophound claims to read.

Some are in a root directory of their own (scripts/chroots.sh): a program of theirs is started in a mount namespace
where that directory has this machine's /proc, /sys, /dev, /tmp and checkout, and then by chroot(2).
"""

from __future__ import annotations

import functools
import glob
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

MINORS = range(9, 16)

TOP = Path(__file__).resolve().parents[2]
CHROOTS = TOP / "scripts" / "chroots.sh"
FREE_THREADED = TOP / "scripts" / "free_threaded.sh"
# The pid stays that of the first of these programs: each becomes the next one.
ENTER = """
root=$0 shares=$1
IFS='
'
shift
for each in /proc /sys /dev /tmp; do mount --rbind "$each" "$root$each" || exit; done
for each in $shares; do
    # What is below /tmp is there by now.
    [ -e "$root$each" ] && [ "$root$each" -ef "$each" ] && continue
    mkdir -p "$root$each" && mount --rbind "$each" "$root$each" || exit
done
# A copy: a test's own may be mounted there, of a file that is unlinked by now.
mount -t tmpfs tmpfs "$root/run" && cp /etc/resolv.conf "$root/run" || exit
mount --bind "$root/run/resolv.conf" "$root/etc/resolv.conf" || exit
exec /usr/sbin/chroot "$root" "$@"
"""

PROBE = """
import json, os, sys, sysconfig
print(json.dumps({
    "executable": os.path.realpath(sys.executable),
    "version": list(sys.version_info[:3]),
    "cpython": sys.implementation.name == "cpython",
    "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    "usdt": bool(sysconfig.get_config_var("WITH_DTRACE")),
}))
"""


@dataclass(frozen=True)
class Interpreter:
    path: str
    version: tuple[int, int, int]
    usdt: bool
    root: str = ""  # "": this machine's own
    free_threaded: bool = False

    def __str__(self) -> str:
        return ".".join(map(str, self.version)) + "t" * self.free_threaded + ("+usdt" if self.usdt else "")

    def command(self, *arguments: str) -> list[str]:
        """What starts it; the process that this becomes is the interpreter itself."""
        return in_root(self.root, [self.path, *arguments])


def in_root(root: str, command: list[str], shares: tuple[str, ...] = (str(TOP),)) -> list[str]:
    """The command in that root directory, if there is one; the shares are there as they are here."""
    return ["unshare", "--mount", "sh", "-c", ENTER, root, "\n".join(shares), *command] if root else command


def _candidates() -> list[tuple[str, str]]:
    """Roots and paths that may be an interpreter, the distribution's own first; managers' shims among them."""
    names = [f"python3.{minor}" for minor in MINORS]
    paths = [f"/usr/bin/{name}" for name in names]
    paths += os.environ.get("LOOPHOUND_PYTHONS", "").split(":")
    root = os.environ.get("PYENV_ROOT")
    if not root and shutil.which("pyenv"):
        root = subprocess.run(["pyenv", "root"], capture_output=True, text=True).stdout.strip()
    if root:
        paths += sorted(glob.glob(os.path.join(glob.escape(root), "versions", "3.*", "bin", "python3")))
    paths += [path for path in map(shutil.which, names) if path]
    own = [("", path) for path in paths if path and os.access(path, os.X_OK)]
    built = subprocess.run([FREE_THREADED, "--list"], capture_output=True, text=True, check=True).stdout.split()
    return own + [("", path) for path in built] + [tuple(line.split(":", 1)) for line in _list_chroots()]


def _list_chroots() -> list[str]:
    if os.geteuid() != 0:
        return []
    return subprocess.run([CHROOTS, "--list"], capture_output=True, text=True, check=True).stdout.splitlines()


@functools.lru_cache(maxsize=None)
def _find_all() -> tuple[Interpreter, ...]:
    found: dict[tuple[str, str], Interpreter] = {}
    for root, path in _candidates():
        try:
            probe = subprocess.run(in_root(root, [path, "-c", PROBE]), capture_output=True, timeout=30)
            facts = json.loads(probe.stdout)
        except (OSError, ValueError, subprocess.TimeoutExpired):
            continue  # a shim of a version that is not installed, or no Python at all
        major, minor, _ = version = tuple(facts["version"])
        if facts["cpython"] and major == 3 and minor in MINORS:
            one = Interpreter(facts["executable"], version, facts["usdt"], root, facts["free_threaded"])
            found.setdefault((root, one.path), one)
    return tuple(sorted(found.values(), key=lambda interpreter: interpreter.version))


def find_interpreters() -> tuple[Interpreter, ...]:
    """Builds with the GIL: every test runs on them."""
    return tuple(each for each in _find_all() if not each.free_threaded)


def find_free_threaded() -> tuple[Interpreter, ...]:
    """Builds without: test_free_threaded.py runs on them."""
    return tuple(each for each in _find_all() if each.free_threaded)


def is_double(interpreter: Interpreter) -> bool:
    """Whether another of its minor version runs everything: the distribution's, or else one outside of a root directory."""
    same = [each for each in find_interpreters() if each.version[1] == interpreter.version[1]]
    return interpreter != min(same, key=lambda each: (bool(each.root), not each.path.startswith("/usr/bin/")))


def system_interpreter() -> Interpreter:
    """The one for tests that need any: the distribution's own if it is there."""
    found = find_interpreters()
    return next((each for each in found if not each.root and each.path.startswith("/usr/bin/")), found[0])

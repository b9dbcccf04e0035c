"""Makes one golden recording; scripts/golden.sh calls it where no path tells which machine this is."""

import socket
import sys

from interpreters import in_root
from process import Child
from watch import Watch


def main(root: str, python: str, recording: str, dns_address: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((dns_address, 53))
        command = in_root(root, [python, "/srv/app/app.py"], shares=("/srv",))
        with Child(command, cwd="/srv/app", env={"PATH": "/usr/bin:/bin"}) as app:
            app.expect("its ready line", lambda line: line == "ready")
            with Watch(app.pid, "--record", recording) as watch:
                watch.wait_attached()
                app.process.stdin.write(b"go\n")
                app.process.stdin.flush()
                assert app.wait() == 0, app.dump() + watch.dump()
                assert watch.wait() == 0, app.dump() + watch.dump()


main(*sys.argv[1:])

"""Runs a workload in another interpreter of this process, which has a GIL of its own: `in_subinterpreter.py SCRIPT`."""

from __future__ import annotations

import sys
import threading

if sys.version_info >= (3, 14):
    from concurrent import interpreters

    other = interpreters.create()
    run = other.exec
else:
    import _interpreters

    other = _interpreters.create()

    def run(code: str) -> None:
        failure = _interpreters.exec(other, code)
        if failure:
            raise RuntimeError(failure.formatted)


thread = threading.Thread(target=run, args=(f"import runpy; runpy.run_path({sys.argv[1]!r}, run_name='__main__')",))
thread.start()
thread.join()

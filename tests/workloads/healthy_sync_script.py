"""Healthy: a script without a loop may block as it likes."""

import os
import subprocess
import sys
import threading
import time

from truth import emit, emit_done

emit(ready=True, pid=os.getpid())
sys.stdin.readline()
for _ in range(3):
    time.sleep(0.12)
    threading.Event().wait(0.12)
    subprocess.run(["sleep", "0.12"], capture_output=True, stdin=subprocess.DEVNULL)
emit_done()
sys.stdin.read()

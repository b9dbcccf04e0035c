"""Plants os.chmod(), which only the interpreter's audit probe tells."""

import os
import tempfile

from truth import planted, repeat, run

file = tempfile.NamedTemporaryFile()


async def handler():
    with planted("latent_audit", "file"):
        os.chmod(file.name, 0o600)


async def plant():
    await repeat(3, handler)


run(plant)

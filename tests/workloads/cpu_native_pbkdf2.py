"""Plants one long C call that keeps the CPU: no bytecode moves, the line that called it is the site."""

import hashlib

from truth import calibrate, planted, repeat, run

rounds = calibrate(lambda n: hashlib.pbkdf2_hmac("sha256", b"password", b"salt", n), 0.2)


def hash_password():
    with planted("cpu_native_pbkdf2", "native", rule="cpu-bound"):
        return hashlib.pbkdf2_hmac("sha256", b"password", b"salt", rounds)


async def handler():
    hash_password()


async def plant():
    await repeat(5, handler)


run(plant)

"""Plants json.loads() of a big document."""

import gc
import json

from truth import calibrate, planted, repeat, run


def document_of(n):
    return json.dumps([{"id": i, "name": "item %d" % i, "tags": ["a", "b"]} for i in range(n)])


gc.disable()  # or what it loads sets off collections, which are a breach of their own
kept = []  # or freeing what was loaded would be work too, after the stall
document = document_of(calibrate(lambda n: json.loads(document_of(n)), 0.4))


async def handler():
    with planted("cpu_native_json", "native", rule="cpu-bound"):
        kept.append(json.loads(document))


async def plant():
    await repeat(3, handler)


run(plant)

"""Plants a query of a sqlite3 database in a file."""

import os
import sqlite3
import tempfile

from truth import planted, repeat, run

folder = tempfile.TemporaryDirectory()
path = os.path.join(folder.name, "shop.db")
with sqlite3.connect(path) as made:
    made.execute("create table orders (name)")


async def handler():
    with planted("latent_sqlite_connect", "file"):
        db = sqlite3.connect(path)
    with planted("latent_sqlite_execute", "file"):
        db.execute("select * from orders").fetchall()
    db.close()


async def plant():
    await repeat(3, handler)


run(plant)

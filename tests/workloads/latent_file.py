"""Plants open() and the read of a small file that is in the page cache."""

from truth import planted, repeat, run

opened = open(__file__, "rb")


async def handler():
    with planted("latent_file_open", "file", target=__file__):
        open(__file__).close()
    opened.seek(0)
    with planted("latent_file_read", "file", target=__file__):
        opened.read()


async def plant():
    await repeat(3, handler)


run(plant)

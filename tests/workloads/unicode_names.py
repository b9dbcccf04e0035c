"""Plants time.sleep() in functions whose names need Latin-1, two and four bytes a character."""

import time

from truth import planted, repeat, run


def größe():
    with planted("unicode_names_latin", "sleep"):
        time.sleep(0.06)


def 寝る():
    with planted("unicode_names_bmp", "sleep"):
        time.sleep(0.07)


def 𠮷():
    with planted("unicode_names_astral", "sleep"):
        time.sleep(0.08)


async def обработчик():
    größe()
    寝る()
    𠮷()


async def plant():
    await repeat(3, обработчик)


run(plant)

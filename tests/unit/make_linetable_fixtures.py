#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Writes linetable_fixtures.h: line tables as real interpreters make them, and what they mean.

    make_linetable_fixtures.py PYTHON... > linetable_fixtures.h

Each PYTHON compiles the same source and says, by its own co_lines() (3.9: dis.findlinestarts()),
which line each instruction has.  An instruction without a line counts as the entry before it.
"""
import subprocess
import sys

SOURCE = '''
def negative(a, b):
    return a(
        b
        (1),
        b(
            2), a)(
        a, b
    )

@negative(
    print,
    str)
def decorated(x=[i
                 for i in
                 range(3)]):
    for i in x:
        while i:
            i -= 1
        else:
            continue
    return {k: v
            for k, v
            in x}

def finally_(f):
    try:
        with f as g:
            g()
    except (ValueError,
            TypeError) as e:
        raise RuntimeError from e
    else:
        f()
    finally:
        try:
            f()
        finally:
            f = None
    return f

async def coroutine(s):
    async with s as t, \\
            t as u:
        async for x in u:
            if x:
                await x
            elif u:
                break
        else:
            return [await y async for y in
                    u if
                    await y]
    try:
        await s
    finally:
        await t

async def async_generator(n):
    for i in range(n):
        yield (await
               i)

class Class:
    """Doc."""
    attribute: int = (1 +
                      2)

    def method(self): return (lambda:
        self)

def wide(a):
    x = [%(wide)s]
    y = [%(wide)s]; return (x,
        y)

def tall(a):
    a()
%(blank)s
    a()
%(blank)s%(blank)s%(blank)s
    return a(a,
%(blank)s
        a) + (
        a)

def tall_expression(a):
    return (a.x +
%(blank)s
            a.y) + a.z(
        a.w)
''' % {"wide": ", ".join(["a"] * 200), "blank": "\n" * 150}

# Runs in each interpreter: prints one line per code object.
CHILD = '''
import dis, sys
def codes(code):
    yield code
    for const in code.co_consts:
        if hasattr(const, "co_code"):
            yield from codes(const)
def ranges(code):
    if sys.version_info >= (3, 10):
        yield from code.co_lines()
        return
    starts = list(dis.findlinestarts(code))
    for i, (start, line) in enumerate(starts):
        yield start, starts[i + 1][0] if i + 1 < len(starts) else len(code.co_code), line
def expected(code):
    out, before = [], code.co_firstlineno
    for start, end, line in ranges(code):
        before = line = before if line is None else line
        if out and out[-1][1] == start and out[-1][2] == line:
            out[-1][1] = end
        elif start != end:
            out.append([start, end, line])
    return out
for code in codes(compile(sys.stdin.read(), "fixture", "exec")):
    table = code.co_linetable if sys.version_info >= (3, 10) else code.co_lnotab
    print([code.co_name, code.co_firstlineno, len(code.co_code), list(table), expected(code)])
'''


def wrapped(items):
    line = "\t"
    for item in items:
        if len(line) + len(item) > 92:
            yield line
            line = "\t"
        line += item
    yield line


def main():
    print("/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */")
    print("/* Made by make_linetable_fixtures.py from real interpreters: do not edit. */")
    print("/* clang-format off */")
    rows = []
    for python in sys.argv[1:]:
        version = subprocess.check_output([python, "-c", "import sys; print(*sys.version_info[:3])"],
                                          text=True).split()
        out = subprocess.check_output([python, "-c", CHILD], input=SOURCE, text=True)
        for line in out.splitlines():
            name, first, code_bytes, table, expected = eval(line)  # what CHILD printed
            tag = f"{len(rows)}"
            print(f"static const uint8_t table_{tag}[] = {{")
            print("\n".join(wrapped(f"{byte}," for byte in table)))
            print(f"}};\nstatic const struct expected_range expected_{tag}[] = {{")
            print("\n".join(wrapped("{%d,%d,%d}," % tuple(e) for e in expected)))
            print("};")
            rows.append(f'\t{{ "{".".join(version)} {name}", {version[1]}, {first}, {code_bytes}, table_{tag}, '
                        f"sizeof(table_{tag}), expected_{tag}, {len(expected)} }},")
    print("static const struct fixture fixtures[] = {")
    print("\n".join(rows))
    print("};\n/* clang-format on */")


if __name__ == "__main__":
    main()

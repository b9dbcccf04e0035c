"""How one call is executed so that it really blocks: a statement, and what has to be there before."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Snippet:
    do: str  # the statement: the line that has to be named
    cause: str = ""  # that has to be said
    given: str = ""  # statements before it, in an iteration of their own; `at` is the Place
    needs: str = ""  # module or module.attribute that has to be there
    raises: str = ""  # exceptions that end it as planned
    quick: str = ""  # why it does not block, so that there is nothing to report
    known: str = ""  # why the cause is known to be said wrong

"""The one error that is the user's to mend: the command line prints it as a sentence and exits with 2."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UsageError(Exception):
    """Says what is wrong, with its name and value, and what to do about it."""


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """Returns an error that names what was asked for and the nearest names there are."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.55)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(names)}"
    return UsageError(f"unknown {kind} {name!r}; {hint}")

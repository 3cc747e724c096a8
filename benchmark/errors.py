"""The one error that is the user's to mend: the command line prints it as a sentence and exits with 2."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable


class UsageError(Exception):
    """Says what is wrong, with its name and value, and what to do about it."""


def canonical_name(name: str) -> str:
    """Returns a name without what makes no difference between names: case, underscores, spaces about marks."""
    small = " ".join(name.casefold().replace("_", " ").split())
    return re.sub(r"\s*([:(),])\s*", r"\1", small)


def hint(name: str, known: Iterable[str]) -> str:
    """Returns the nearest of the `known` names, or all of them if none is near, as the end of a sentence."""
    names = sorted(known)
    by_plain = {canonical_name(each): each for each in reversed(names)}
    near = difflib.get_close_matches(canonical_name(name), list(by_plain), n=3, cutoff=0.52)
    return (
        f"did you mean {' or '.join(by_plain[each] for each in near)}?" if near else f"there are: {', '.join(names)}"
    )


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """Returns an error that names what was asked for and the nearest names there are."""
    return UsageError(f"unknown {kind} {name!r}; {hint(name, known)}")

"""The terminal: colour and signs where it has them, plain letters where it has not."""

from __future__ import annotations

import os
import sys

from rich.console import Console

WIDTH = 120  # columns where there is no terminal, as in the log of a CI job
LETTERS = str.maketrans("▲▼■●\N{MULTIPLICATION SIGN}\N{MINUS SIGN}\N{EN DASH}", "+-=?x--") | {
    ord("±"): "+-",
    ord("…"): "...",
}


class Ascii(Console):
    """A console whose boxes and bars are drawn with ASCII letters."""

    @property
    def encoding(self) -> str:
        """Returns what rich chooses its characters by."""
        return "ascii"


def is_plain() -> bool:
    """Returns whether nothing but ASCII may be shown: the output's encoding or the locale says so."""
    encoding = (getattr(sys.stdout, "encoding", None) or "utf-8").lower()
    locale = next((value for name in ("LC_ALL", "LC_CTYPE", "LANG") if (value := os.environ.get(name))), "")
    return not encoding.startswith("utf") or locale in ("C", "POSIX")


def console(as_json: bool = False) -> Console:
    """Returns a console on the standard output, or on the standard error where the output is one JSON object.

    NO_COLOR and TERM=dumb are respected by rich.
    """
    kind = Ascii if is_plain() else Console
    there = kind(highlight=False, emoji=False, markup=False, stderr=as_json)
    return (
        there if there.is_terminal else kind(highlight=False, emoji=False, markup=False, stderr=as_json, width=WIDTH)
    )


def letters(text: str) -> str:
    """Returns a text in the letters that the terminal has."""
    return text.translate(LETTERS).encode("ascii", "replace").decode() if is_plain() else text

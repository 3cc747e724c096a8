"""Text for Markdown."""

from __future__ import annotations

import re


def plain_cell(text: object) -> str:
    """Returns text for a Markdown cell, with nothing in it that Markdown would take for a mark."""
    return re.sub(r"([\\`*_{}\[\]<>#|~])", r"\\\1", " ".join(str(text).split()))

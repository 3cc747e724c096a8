"""What the docstring of an ablation's module must say, read without importing the module."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "ablations"


@dataclass(frozen=True)
class Documented:
    """One module of `ablations/`, by its docstring."""

    name: str
    question: str
    sources: tuple[str, ...]  # links


def documented(docstring: str) -> tuple[str, tuple[str, ...]]:
    """Returns the question and the links of a docstring. Raises ValueError if it lacks either."""
    question, _, rest = docstring.partition("\n")
    if not question.strip().endswith("?"):
        raise ValueError(f"its docstring must begin with the question it asks, on one line; found {question!r}")
    sources = tuple(link.rstrip(".,;:)") for link in re.findall(r"https?://\S+", rest))
    if not sources:
        raise ValueError("its docstring must name a source by a link")
    return question.strip(), sources


def read_docstrings(folders: list[Path]) -> tuple[list[Documented], dict[str, str]]:
    """Returns the modules in `folders` by name, and for each that breaks the contract a sentence that says why."""
    found, broken = [], {}
    for path in sorted(path for folder in folders for path in folder.glob("*.py") if path.stem != "__init__"):
        try:
            docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
            found.append(Documented(path.stem, *documented(docstring)))
        except (SyntaxError, ValueError) as reason:
            broken[path.stem] = f"{PACKAGE}/{path.name} is left out: {type(reason).__name__}: {reason}"
    return found, broken

"""What the docstring of an ablation's module must say, read without importing the module."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "ablations"
PAPERS = "papers"  # modules with a base of their own: one for each published table


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


def check_differences(docstring: str) -> None:
    """Raises ValueError unless a docstring says how a table differs from its paper's, and what its small form cuts."""
    for word in ("Differs:", "Reduced:"):
        if word not in docstring:
            raise ValueError(f'its docstring must say, after "{word}", how it departs from the paper; found none')


def docstring_remarks(docstring: str) -> str:
    """Returns what a docstring says below its question, as one paragraph."""
    return " ".join(docstring.partition("\n")[2].split())


def read_docstrings(folders: list[Path], package: str = PACKAGE) -> tuple[list[Documented], dict[str, str]]:
    """Returns the modules in `folders` by name, and for each that breaks the contract a sentence that says why."""
    found, broken = [], {}
    for path in sorted(path for folder in folders for path in folder.glob("*.py") if path.stem != "__init__"):
        try:
            docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
            found.append(Documented(path.stem, *documented(docstring)))
        except (SyntaxError, ValueError) as reason:
            broken[path.stem] = f"{package}/{path.name} is left out: {type(reason).__name__}: {reason}"
    return found, broken

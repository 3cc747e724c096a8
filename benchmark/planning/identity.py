"""When two runs are the same run: the text of a recipe, the mark of a trick's code, the key of a run.

The text names each part with all its fields, floats in full. A field that does nothing is left out, so a field added
later renames no result. A part from `ablations/` carries a mark of its module's syntax tree, blind to comments,
docstrings and what merely lists variants: editing a slope re-trains its runs, editing a comment re-trains nothing.
The engine's own identity is `ENGINE`, raised by hand when the golden test says that its numbers changed.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import sys
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from types import FunctionType

from benchmark.recipe import Ensemble, Member, Recipe
from benchmark.store.version import ENGINE

UNMARKED = {"variants", "CONTEXTS", "CLAIMS"}  # they say what to run and how to read it, not what a part does


@dataclass(frozen=True)
class Run:
    """One training to be done or found in a store."""

    recipe: Recipe
    seed: int
    fingerprint: str  # of the data set
    start: str = ""  # key of the run with whose weights this one begins
    keeps_weights: bool = False  # others begin with its weights; it is the same run with and without

    @property
    def key(self) -> str:
        """16 hexadecimal digits; equal for equal runs alone."""
        start = f"\n{self.start}" if self.start else ""
        return digest(f"{ENGINE}\n{self.fingerprint}\n{self.seed}\n{describe(self.recipe)}{start}", 16)


@dataclass(frozen=True)
class Combination:
    """One ensemble, to be made of runs in a store or found there."""

    ensemble: Ensemble
    replicate: int
    fingerprint: str  # of the data set

    @property
    def key(self) -> str:
        """As of a run."""
        return digest(f"{ENGINE}\n{self.fingerprint}\n{self.replicate}\n{describe(self.ensemble)}", 16)

    @property
    def runs(self) -> tuple[Run, ...]:
        """One for each member, in their order; several if members are snapshots of one run."""
        ensemble = self.ensemble
        return tuple(Run(m.recipe, ensemble.seed(m, self.replicate), self.fingerprint) for m in ensemble.members)


def digest(content: str | bytes, length: int) -> str:
    """The first `length` hexadecimal digits of the SHA-256 of a text, or of bytes."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()[:length]


@cache
def describe(part: object) -> str:
    """The text of a recipe or of a part of one: equal text means equal training.

    Raises TypeError for a part that has no stable text: a lambda, an instance that is no frozen dataclass.
    """
    match part:
        case None | bool() | int() | float() | str():
            return repr(part)
        case tuple():
            return f"({', '.join(map(describe, part))})"
        case FunctionType():
            return named(part)
        case Member():  # by the digest of its recipe: ten whole texts would fill a page
            return f"{digest(describe(part.recipe), 16)}+{part.seed_offset}@{part.at!r}"
        case _ if is_dataclass(part) and not isinstance(part, type):
            # A default of the recipe does nothing and is left out; a part's default may do much, and is written.
            bare = isinstance(part, Recipe | Ensemble)
            compared = [f for f in fields(part) if f.compare]  # not the place of a file whose content has a digest
            used = [f for f in compared if not bare or getattr(part, f.name) != f.default]
            options = ", ".join(f"{f.name}={describe(getattr(part, f.name))}" for f in used)
            return f"{named(type(part))}({options})"
    raise TypeError(f"{part!r} has no stable text; a recipe holds numbers, named functions and frozen dataclasses")


def named(part: FunctionType | type) -> str:
    """The qualified name of a function or class, with its module's mark if it comes from `ablations/`."""
    if "<" in part.__qualname__:
        raise TypeError(f"{part!r} has no name of its own; define it at the top of its module")
    name = f"{part.__module__}.{part.__qualname__}"
    return f"{name}@{module_mark(part.__module__)}" if name.startswith("ablations.") else name


@cache
def module_mark(module: str) -> str:
    """The mark of an imported module."""
    return mark(inspect.getsource(sys.modules[module]))


def mark(source: str) -> str:
    """A mark of an ablation's code, blind to comments, docstrings, layout and what is UNMARKED.

    Imports that nothing else uses are left out too, so that adding a claim trains nothing anew.
    """
    tree = ast.parse(source)
    tree.body = [node for node in tree.body if _defines(node) not in UNMARKED]
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node):
            del node.body[0]
        if isinstance(node, ast.Import | ast.ImportFrom):
            node.names = [a for a in node.names if (a.asname or a.name).split(".")[0] in used]
    tree.body = [node for node in tree.body if getattr(node, "names", True)]
    return digest(ast.unparse(tree), 8)


def _defines(node: ast.stmt) -> str:
    match node:
        case ast.FunctionDef(name=name):
            return name
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name
    return ""

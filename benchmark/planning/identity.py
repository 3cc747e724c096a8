"""When two runs are the same run: the text of a recipe, the mark of a trick's code, the key of a run.

The text names each part with all its fields, floats in full. A field that does nothing is left out, so a field added
later renames no result. A part from `ablations/` carries a mark of its module's syntax tree, blind to comments,
docstrings and what merely lists variants: editing a slope re-trains its runs, editing a comment re-trains nothing.
The engine's own identity is `ENGINE`, raised by hand when the golden test says that its numbers changed.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from math import isfinite
from pathlib import Path
from types import FunctionType, ModuleType, UnionType
from typing import Union, get_args, get_origin, get_type_hints
from weakref import finalize

from benchmark.recipe import Ensemble, Member, Recipe
from benchmark.store.keys import digest, run_key

UNMARKED = {
    "variants",
    "CONTEXTS",
    "CLAIMS",
    "TWO_FACTORS",
    "TOUR",
    "TITLE",
    "base",
    "PUBLISHED",
    "REMARKS",
}  # what to run, how to read it
MARKED = ("ablations", "papers")  # packages whose parts carry the mark of their module
PUBLIC = ("benchmark.recipe", "benchmark.networks", "benchmark.baseline", "benchmark.ensembles")
"""The modules of the suite whose definitions recipes may hold: stored results name them, so they must stay there."""


@dataclass(frozen=True)
class Run:
    """One training to be done or found in a store."""

    recipe: Recipe
    seed: int
    fingerprint: str  # of the data set
    start: str = ""  # key of the run with whose weights this one begins
    keeps_weights: bool = False  # others begin with its weights; it is the same run with and without
    start_digest: str = field(default="", compare=False)  # of the file with the weights that it begins with

    @property
    def key(self) -> str:
        """Returns 16 hexadecimal digits, equal for equal runs only."""
        return run_key(self.fingerprint, self.seed, describe(self.recipe), self.start)


@dataclass(frozen=True)
class Combination:
    """One ensemble, to be made of runs in a store or found there."""

    ensemble: Ensemble
    replicate: int
    fingerprint: str  # of the data set

    @property
    def key(self) -> str:
        """Returns 16 hexadecimal digits, equal for equal replicates of equal ensembles only."""
        return run_key(self.fingerprint, self.replicate, describe(self.ensemble))

    @property
    def runs(self) -> tuple[Run, ...]:
        """Returns a run for each member, in their order; the same one for members that are snapshots of one run."""
        ensemble = self.ensemble
        return tuple(Run(m.recipe, ensemble.seed(m, self.replicate), self.fingerprint) for m in ensemble.members)


@dataclass(frozen=True)
class Spelling:
    """How the text of a part writes names and numbers."""

    name: Callable[[FunctionType | type], str]
    number: Callable[[float, Sequence[object]], str]


def describe(part: object) -> str:
    """Returns the text of a recipe or of a part of one: equal values have equal texts, and equal texts train alike.

    Numbers are written as the type that their field declares, so that 1 and 1.0 are one rate. Raises TypeError for a
    part that has no stable text: a lambda, an instance that is no frozen dataclass; ValueError for a number in a field
    that is not finite, or not whole though it is declared as an int.
    """
    if not isinstance(part, Recipe | Ensemble):
        return value_text(part, None, Spelling(named, number_text))
    place = id(part)
    if place not in _texts:
        text = value_text(part, None, Spelling(named, number_text))
        _texts[place] = text
        finalize(part, _texts.pop, place).atexit = False
    return _texts[place]


_texts: dict[int, str] = {}  # of recipes and ensembles by identity, as long as these live: plans ask for them often


def readable(part: object) -> str:
    """Returns the text of a part for readers: without the suite's modules and marks, numbers with six digits."""
    return value_text(part, None, Spelling(plain_name, short_number))


def value_text(part: object, declared: object, spelling: Spelling) -> str:
    """Returns the text of a part that stands in a field of the `declared` type; None where that is not known."""
    match part:
        case None | str():
            return repr(part)
        case bool() | int() | float():
            return spelling.number(part, alternatives(declared))
        case tuple():
            kinds = element_types(declared, len(part))
            return f"({', '.join(value_text(each, kind, spelling) for each, kind in zip(part, kinds, strict=True))})"
        case FunctionType():
            return spelling.name(part)
        case Member():  # by the digest of its recipe: ten whole texts would fill a page
            offset, at = number_text(part.seed_offset, (int,)), number_text(part.at, (float,))
            return f"{digest(describe(part.recipe), 16)}+{offset}@{at}"
        case _ if is_dataclass(part) and not isinstance(part, type):
            # A default of the recipe does nothing and is left out; a part's default may do much, and is written.
            bare = isinstance(part, Recipe | Ensemble)
            compared = [f for f in fields(part) if f.compare]  # not the place of a file whose content has a digest
            used = [f.name for f in compared if not bare or getattr(part, f.name) != f.default]
            hints = field_types(type(part))
            values = [value_text(checked(part, name, hints.get(name)), hints.get(name), spelling) for name in used]
            options = ", ".join(f"{name}={value}" for name, value in zip(used, values, strict=True))
            return f"{spelling.name(type(part))}({options})"
    raise TypeError(f"{part!r} has no stable text; a recipe holds numbers, named functions and frozen dataclasses")


def checked(part: object, name: str, declared: object) -> object:
    """Returns a field. Raises ValueError for a number that is not finite, or not whole where it must be."""
    value: object = getattr(part, name)
    if isinstance(value, int | float):
        kinds = alternatives(declared)
        if not isfinite(value):
            raise ValueError(f"{type(part).__name__}.{name} must be a finite number, got {value!r}")
        if int in kinds and float not in kinds and value != int(value):
            raise ValueError(f"{type(part).__name__}.{name} must be a whole number, got {value!r}")
    return value


def plain_name(part: FunctionType | type) -> str:
    """Returns the name of a function or class, with its module only where that is another package's."""
    ours = part.__module__.partition(".")[0] == "benchmark" or is_marked(part.__module__)
    return part.__qualname__ if ours else f"{part.__module__}.{part.__qualname__}"


def short_number(number: float, kinds: Sequence[object]) -> str:
    """Returns a number as `number_text` has it, with six significant digits where it has more than six decimals."""
    text = number_text(number, kinds)
    return f"{number:.6g}" if len(text.partition(".")[2]) > 6 else text


def number_text(number: float, kinds: Sequence[object]) -> str:
    """Returns a number as one of the `kinds` that are declared; equal numbers have equal texts in any case."""
    if float in kinds:
        return repr(float(number) + 0.0)  # which makes -0.0 a 0.0
    whole = isinstance(number, int) or number.is_integer()
    if bool in kinds and int not in kinds and number in (0, 1):
        return repr(bool(number))
    return repr(int(number)) if whole else repr(float(number))


def alternatives(declared: object) -> tuple[object, ...]:
    """Returns the types that a declared type admits."""
    return get_args(declared) if get_origin(declared) in (Union, UnionType) else (declared,)


def element_types(declared: object, length: int) -> Sequence[object]:
    """Returns the declared type of each of the elements of a tuple; None where it is not known."""
    for kind in alternatives(declared):
        if get_origin(kind) is tuple:
            given = get_args(kind)
            if len(given) == 2 and given[1] is Ellipsis:
                return [given[0]] * length
            if len(given) == length:
                return given
    return [None] * length


@cache
def field_types(kind: type) -> dict[str, object]:
    """Returns the declared types of a dataclass by field; none where they cannot be worked out."""
    try:
        return get_type_hints(kind)
    except Exception:  # whatever a user's annotations raise: numbers are then written as undeclared ones
        return {}


def changes(arm: Recipe | Ensemble, base: Recipe) -> dict[str, object]:
    """Returns the fields in which an arm differs from `base` by their texts, with the arm's values."""
    if isinstance(arm, Ensemble):
        return arm.contents()
    values = ((f.name, getattr(arm, f.name), getattr(base, f.name)) for f in fields(Recipe))
    return {name: mine for name, mine, theirs in values if mine is not theirs and describe(mine) != describe(theirs)}


def named(part: FunctionType | type) -> str:
    """Returns the qualified name of a function or class, with its module's mark unless the module is public.

    Raises TypeError for a lambda, or what is defined within a function.
    """
    if "<" in part.__qualname__:
        raise TypeError(f"{part!r} has no name of its own; define it at the top of its module")
    name = f"{part.__module__}.{part.__qualname__}"
    return f"{name}@{module_mark(part.__module__)}" if is_marked(part.__module__) else name


@cache
def is_marked(module: str) -> bool:
    """Returns whether a module's code is part of the identity of what it defines: an ablation's, a paper's, a user's.

    Public modules of the suite and installed packages are not: the first have `ENGINE`, the second their version.
    """
    top = module.partition(".")[0]
    if top in MARKED:
        return True
    if top == "benchmark" or top in sys.stdlib_module_names:
        return False
    file = getattr(sys.modules.get(module), "__file__", None)
    return file is not None and not ({"site-packages", "dist-packages"} & set(Path(file).parts))


@cache
def module_mark(module: str) -> str:
    """Returns the mark of an imported module, and of the marked modules that it imports."""
    source = inspect.getsource(sys.modules[module])
    imported = sorted(helpers(module, set()))
    if not imported:
        return code_mark(source)
    return digest(
        "\n".join([code_mark(source), *(code_mark(inspect.getsource(sys.modules[name])) for name in imported)]), 8
    )


def helpers(module: str, seen: set[str]) -> set[str]:
    """Returns the marked modules that one imports, directly or through others of them."""
    for name in imported_modules(sys.modules[module]) - seen - {module}:
        if is_marked(name) and has_code(name):
            seen.add(name)
            helpers(name, seen)
    return seen - {module}


def has_code(module: str) -> bool:
    """Returns whether a loaded module has a file with anything in it; a package's is often empty."""
    file = getattr(sys.modules[module], "__file__", None)
    return file is not None and Path(file).stat().st_size > 0


def imported_modules(module: ModuleType) -> set[str]:
    """Returns the names of the loaded modules that a module's code imports anywhere."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = (module.__package__ or "").split(".")
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return {name for name in found if hasattr(sys.modules.get(name), "__file__")}


def code_mark(source: str) -> str:
    """Returns a mark of an ablation's code, blind to comments, docstrings, layout and what is UNMARKED.

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

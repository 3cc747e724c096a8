"""A base of the user's own, `--base my_base.py`: read from its file, and what of the catalogue fits its network."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import torch

from benchmark.errors import UsageError
from benchmark.planning.identity import changes, describe
from benchmark.planning.studies import Study
from benchmark.recipe import Arm, Parts, Recipe

CLASSES = 10  # of the network that is only asked which of the recipe's parts it takes
PARTS = ("activation", "norm", "convolution", "pool", "after_stage", "before_head")  # what networks may ask for


def base_of_file(path: Path, data: str, precision: Literal["fp32", "bf16"]) -> Recipe:
    """Returns the base that a file defines, on a data set.

    Raises UsageError if there is no such file, it cannot be imported, or its `base` gives no recipe that can be
    trained.
    """
    make = getattr(imported(path), "base", None)
    if not callable(make):
        raise UsageError(f"{path} has no function base(data, precision) -> Recipe; docs/own-networks.md shows some")
    more = (False,) if len(inspect.signature(make).parameters) > 2 else ()  # as modules of papers/ have it
    try:
        made = make(data, precision, *more)
        describe(made)
    except Exception as reason:  # whatever a user's module raises
        raise UsageError(f"base({data!r}, {precision!r}) of {path} fails: {type(reason).__name__}: {reason}") from None
    if not isinstance(made, Recipe):
        raise UsageError(f"base() of {path} must give a Recipe, got {made!r}")
    if made.data != data:
        raise UsageError(
            f"base() of {path} must give a recipe on the data set {data!r}, which it is asked for, got {made.data!r}"
        )
    try:
        network, _ = built(made)
    except Exception as reason:
        raise UsageError(f"the network of {path} cannot be built: {type(reason).__name__}: {reason}") from None
    if not isinstance(getattr(network, "head", None), torch.nn.Module):
        raise UsageError(f"the network of {path} must have its classifier as the submodule `head`; tricks look for it")
    return made


def imported(path: Path) -> ModuleType:
    """Returns a user's module under its file's name, as worker processes will find it too."""
    name, folder = path.stem, str(path.resolve().parent)
    if not path.is_file() or path.suffix != ".py":
        raise UsageError(f"--base must be a Python file with a function base(data, precision), got {path}")
    there = sys.modules.get(name)
    if there is not None and Path(str(there.__file__)).resolve() == path.resolve():
        return there
    spec = importlib.util.find_spec(name) if name.isidentifier() and there is None else None
    other = spec is not None and Path(str(spec.origin)).resolve() != path.resolve()
    if not name.isidentifier() or there is not None or other:
        raise UsageError(
            f"{path.name} has the name of another module, or one that is no name of a module; rename the file"
        )
    sys.path.insert(0, folder)  # workers are started with this process's path
    try:
        return importlib.import_module(name)
    except Exception as reason:
        raise UsageError(f"{path} cannot be imported: {type(reason).__name__}: {reason}") from None


def built(recipe: Recipe) -> tuple[torch.nn.Module, frozenset[str]]:
    """Returns a recipe's network, its weights without memory, and the recipe's parts that it asked for."""
    asked: set[str] = set()

    def watched(name: str) -> Callable[..., Any]:  # makers take a layer's sizes, each its own
        def make(*sizes: Any) -> torch.nn.Module:
            asked.add(name)
            layer: torch.nn.Module = getattr(recipe, name)(*sizes)
            return layer

        return make

    with torch.device("meta"):
        network = recipe.network(Parts(classes=CLASSES, **{name: watched(name) for name in PARTS}))
    return network, frozenset(asked)


def fitting(tables: Iterable[Study], base: Recipe) -> tuple[list[Study], dict[str, str]]:
    """Returns the tables whose changes reach the base's network, and for each left out, or row of it, a sentence.

    A network that makes its norms itself trains the same whatever norm the recipe has: such a row would be measured
    as without effect, and is none.
    """
    known: dict[str, frozenset[str]] = {}
    kept, unfit = list[Study](), dict[str, str]()
    for table in tables:
        of_context = unreached(table.base, base, known)
        parts = {name: of_context or unreached(arm, table.base, known) for name, arm in table.arms.items()}
        lost = [name for name, each in parts.items() if each]
        if lost:
            rows = f": {', '.join(lost)}" if len(lost) < len(parts) else ""
            ignored = " and ".join(sorted({part for each in parts.values() for part in each}))
            unfit[f"{table.name}{rows}"] = (
                f"{table.name}{rows} does not fit: the network takes no {ignored} from the recipe"
            )
        if kept_arms := {name: arm for name, arm in table.arms.items() if name not in lost}:
            kept.append(replace(table, arms=kept_arms))
    return kept, unfit


def unreached(arm: Arm, base: Recipe, known: dict[str, frozenset[str]]) -> list[str]:
    """Returns the parts in which an arm differs from `base` and which its network never asks for."""
    if not isinstance(arm, Recipe):
        return []
    changed = [name for name in changes(arm, base) if name in PARTS]
    if not changed:
        return []
    text = describe(arm.network)
    if text not in known:
        known[text] = built(arm)[1]
    return [name for name in changed if name not in known[text]]

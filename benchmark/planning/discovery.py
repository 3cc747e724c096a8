"""The ablations found in `ablations/`, each checked against the contract."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType

from benchmark.claim import Claim
from benchmark.errors import unknown
from benchmark.planning.contract import PACKAGE, documented
from benchmark.recipe import Arm, Recipe


@dataclass(frozen=True)
class Ablation:
    """One module of `ablations/`, checked."""

    name: str
    question: str
    sources: tuple[str, ...]  # links
    contexts: dict[str, Callable[[Recipe], Recipe]]  # adaptations of the base under which it is measured
    variants: Callable[[Recipe, Recipe], Mapping[str, Arm]]  # of the base in a context, and of the base itself
    claims: tuple[Claim, ...]
    factors: tuple[str, str] | None = None  # names of the two factors, where its variants are named KIND: WAY
    tour: tuple[str, ...] = ()  # what a run without a selection takes of it: VARIANT, or CONTEXT: VARIANT


def discover() -> tuple[list[Ablation], dict[str, str]]:
    """The ablations there are, and for each module that cannot be used one sentence that says why."""
    good: list[Ablation] = []
    broken: dict[str, str] = {}
    for name in names():
        try:
            good.append(read(importlib.import_module(f"{PACKAGE}.{name}")))
        except Exception as reason:  # whatever a user's module raises must not stop the others
            broken[name] = f"{PACKAGE}/{name}.py is left out: {type(reason).__name__}: {reason}"
    return good, broken


def names() -> list[str]:
    """The modules of `ablations/`, found by being there."""
    package = importlib.import_module(PACKAGE)
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__))


def read(module: ModuleType) -> Ablation:
    """The ablation that a module defines. Raises ValueError if it breaks the contract, saying how to mend it."""
    question, sources = documented(inspect.getdoc(module) or "")
    if not callable(getattr(module, "variants", None)):
        raise ValueError("it needs a function variants(base: Recipe) -> dict[str, Recipe]")
    contexts = getattr(module, "CONTEXTS", {"": unadapted})
    claims = tuple(getattr(module, "CLAIMS", ()))
    name = module.__name__.removeprefix(f"{PACKAGE}.")
    return Ablation(
        name,
        question,
        sources,
        contexts,
        with_original(module.variants),
        claims,
        getattr(module, "TWO_FACTORS", None),
        tour_of(module),
    )


def tour_of(module: ModuleType) -> tuple[str, ...]:
    """Returns what a module contributes to the tour. Raises TypeError unless TOUR is a tuple of names."""
    tour = getattr(module, "TOUR", ())
    if not isinstance(tour, tuple) or not all(isinstance(name, str) for name in tour):
        raise TypeError(f'TOUR must be a tuple of names, such as TOUR = ("GELU",), got {tour!r}')
    return tour


def with_original(variants: Callable[..., Mapping[str, Arm]]) -> Callable[[Recipe, Recipe], Mapping[str, Arm]]:
    """`variants(base)`, or `variants(base, original)` for a module that asks what its contexts started from."""
    if len(inspect.signature(variants).parameters) > 1:
        return variants
    return lambda base, original: variants(base)


def unadapted(base: Recipe) -> Recipe:
    """The context of an ablation that names none."""
    return base


def chosen(ablations: Sequence[Ablation], broken: Iterable[str], only: Sequence[str]) -> list[Ablation]:
    """Those of `only`, or all. Raises UsageError for a name that is not there, with the nearest ones."""
    known = {ablation.name: ablation for ablation in ablations}
    for name in only:
        if name not in known and name not in broken:
            raise unknown("ablation", name, known)
    return [ablation for name, ablation in known.items() if not only or name in only]

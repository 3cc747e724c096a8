"""The ablations found in `ablations/`, each checked against the contract."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType

from benchmark.claim import Claim, Published
from benchmark.errors import unknown
from benchmark.planning.contract import PACKAGE, PAPERS, check_differences, docstring_remarks, documented
from benchmark.recipe import Arm, Recipe, Scaled
from benchmark.store.records import Dose


@dataclass(frozen=True)
class Ablation:
    """One module of `ablations/` or `papers/`, checked."""

    name: str
    question: str
    sources: tuple[str, ...]  # links
    contexts: dict[str, Callable[[Recipe], Recipe]]  # adaptations of the base under which it is measured
    variants: Callable[[Recipe, Recipe], Mapping[str, Arm]]  # of the base in a context, and of the base itself
    claims: tuple[Claim, ...]
    factors: tuple[str, str] | None = None  # names of the two factors, where its variants are named KIND: WAY
    tour: tuple[str, ...] = ()  # what a run without a selection takes of it: VARIANT, or CONTEXT: VARIANT
    published: Mapping[tuple[str, str], Mapping[str, Published]] = field(default_factory=dict)  # by data and context
    remarks: str = ""  # what readers of its tables have to know; of a paper's table: sources, and how it differs
    package: str = PACKAGE
    doses: Mapping[str, Dose] = field(default_factory=dict)  # by context, where contexts differ by an amount

    @property
    def data(self) -> tuple[str, ...]:
        """Returns the data sets of the paper's tables, CIFAR-10 where none is named."""
        return tuple(dict.fromkeys(data for data, _ in self.published)) or ("cifar10",)


def discover(package: str = PACKAGE, full: bool = False) -> tuple[list[Ablation], dict[str, str]]:
    """Returns the ablations of a package, and for each module that cannot be used one sentence that says why.

    `full` is for modules with a base of their own, which have a full and a reduced form.
    """
    good: list[Ablation] = []
    broken: dict[str, str] = {}
    for name in module_names(package):
        try:
            good.append(read_module(importlib.import_module(f"{package}.{name}"), full))
        except Exception as reason:  # whatever a user's module raises must not stop the others
            broken[name] = f"{package}/{name}.py is left out: {type(reason).__name__}: {reason}"
    return good, broken


def module_names(package: str = PACKAGE) -> list[str]:
    """Returns the modules of a package, found by being there."""
    return sorted(module.name for module in pkgutil.iter_modules(importlib.import_module(package).__path__))


def read_module(module: ModuleType, full: bool = False) -> Ablation:
    """Returns the ablation that a module defines. Raises ValueError if it breaks the contract, saying how
    to mend it."""
    docstring = inspect.getdoc(module) or ""
    question, sources = documented(docstring)
    if not callable(getattr(module, "variants", None)):
        raise ValueError("it needs a function variants(base: Recipe) -> dict[str, Recipe]")
    contexts = getattr(module, "CONTEXTS", {"": unadapted})
    doses = {
        name: Dose(of=adapt.number, times=float(adapt.times))
        for name, adapt in contexts.items()
        if isinstance(adapt, Scaled)
    }
    if own := getattr(module, "base", None):
        check_differences(docstring)
        contexts = {name: on_its_own(own, adapt, full) for name, adapt in contexts.items()}
    claims = tuple(getattr(module, "CLAIMS", ()))
    package, _, name = module.__name__.rpartition(".")
    return Ablation(
        name,
        question,
        sources,
        contexts,
        with_original(module.variants),
        claims,
        getattr(module, "TWO_FACTORS", None),
        tour_of(module),
        published_by(module),
        docstring_remarks(docstring) if package == PAPERS else remarks_of(module),
        package,
        doses,
    )


def on_its_own(
    own: Callable[[str, str, bool], Recipe], adapt: Callable[[Recipe], Recipe], full: bool
) -> Callable[[Recipe], Recipe]:
    """Returns a context that starts from a module's base; the budget's gives no more than data and precision."""
    return lambda given: adapt(own(given.data, given.precision, full))


def published_by(module: ModuleType) -> Mapping[tuple[str, str], Mapping[str, Published]]:
    """Returns what a module's PUBLISHED says. Raises TypeError unless it has values by arm by data and context."""
    found = getattr(module, "PUBLISHED", {})
    shape = 'PUBLISHED must be such as {("cifar10", ""): {"cutout": Published(95.3, "read", runs=5)}}'
    for place, values in found.items():
        if not isinstance(place, tuple) or len(place) != 2 or not isinstance(values, Mapping):
            raise TypeError(f"{shape}, got {place!r}: {values!r}")
        if wrong := {name: value for name, value in values.items() if not isinstance(value, Published)}:
            raise TypeError(f"{shape}, got {wrong!r}")
    return dict(found)


def tour_of(module: ModuleType) -> tuple[str, ...]:
    """Returns what a module contributes to the tour. Raises TypeError unless TOUR is a tuple of names."""
    tour = getattr(module, "TOUR", ())
    if not isinstance(tour, tuple) or not all(isinstance(name, str) for name in tour):
        raise TypeError(f'TOUR must be a tuple of names, such as TOUR = ("GELU",), got {tour!r}')
    return tour


def remarks_of(module: ModuleType) -> str:
    """Returns what the readers of a module's tables have to know. Raises TypeError unless REMARKS is a text."""
    remarks = getattr(module, "REMARKS", "")
    if not isinstance(remarks, str):
        raise TypeError(f"REMARKS must be a text for the readers of the tables, got {remarks!r}")
    return remarks


def with_original(variants: Callable[..., Mapping[str, Arm]]) -> Callable[[Recipe, Recipe], Mapping[str, Arm]]:
    """Returns `variants(base)`, or `variants(base, original)` for a module that asks what its contexts
    started from."""
    if len(inspect.signature(variants).parameters) > 1:
        return variants
    return lambda base, original: variants(base)


def unadapted(base: Recipe) -> Recipe:
    """Returns the context of an ablation that names none."""
    return base


def choose_ablations(ablations: Sequence[Ablation], broken: Iterable[str], only: Sequence[str]) -> list[Ablation]:
    """Returns the ablations that `only` names, or all. Raises UsageError for a name that is not there, with the
    nearest ones."""
    known = {ablation.name: ablation for ablation in ablations}
    for name in only:
        if name not in known and name not in broken:
            raise unknown("ablation", name, known)
    return [ablation for name, ablation in known.items() if not only or name in only]

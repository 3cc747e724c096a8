"""The command `list`."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from benchmark.commands.say import AsJson, leave_out, say
from benchmark.planning.contract import PACKAGE, Documented, read_docstrings


@dataclass(frozen=True)
class Details:
    """What only the code of an ablation says."""

    variants: tuple[str, ...]  # in all contexts, those that are the baseline itself included
    contexts: tuple[str, ...]


def command(
    variants: Annotated[bool, typer.Option("--variants", help="Name the variants too; takes seconds.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the ablations: name, question, sources, and with --variants the variants and contexts.

    Example: python -m benchmark list --variants --json
    """
    found, broken = read_docstrings([Path(folder) for folder in importlib.import_module(PACKAGE).__path__])
    details: dict[str, Details] = {}
    if variants:
        details, failing = details_of_all()
        broken |= failing
        found = [each for each in found if each.name in details]
    if as_json:
        show_json(found, details, broken)
    else:
        for entry in found:
            say(f"{entry.name}: {entry.question}")
            for line in (*([", ".join(details[entry.name].variants)] if variants else []), *entry.sources):
                say(f"  {line}")
    leave_out(broken, as_json)


def show_json(found: Sequence[Documented], details: Mapping[str, Details], broken: dict[str, str]) -> None:
    """Prints the answer as JSON; `details` are empty without --variants."""
    from benchmark.commands.answers import ListAnswer, Listed, show_answer  # only now: SciPy and pandas take a second

    ablations = tuple(
        Listed(
            name=each.name,
            question=each.question,
            sources=each.sources,
            variants=details[each.name].variants if details else None,
            contexts=details[each.name].contexts if details else None,
        )
        for each in found
    )
    show_answer(ListAnswer(ablations=ablations, left_out=broken), True, str)


def details_of_all() -> tuple[dict[str, Details], dict[str, str]]:
    """Returns the details of each ablation by its name, and why modules had to be left out."""
    from benchmark.baseline import baseline  # only now: it imports torch
    from benchmark.planning.discovery import discover
    from benchmark.planning.studies import studies

    found, broken = discover()
    tables, failing = studies(found, baseline("cifar10", "quick"))
    details = {}
    for each in found:
        if each.name not in failing:
            names = {arm for table in tables if table.ablation == each for arm in (*table.arms, *table.same)}
            details[each.name] = Details(tuple(sorted(names)), tuple(filter(None, each.contexts)))
    return details, broken | failing

"""The command `list`."""

from __future__ import annotations

import importlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from benchmark.commands.say import leave_out, say
from benchmark.planning.contract import PACKAGE, read_docstrings


def command(
    variants: Annotated[bool, typer.Option("--variants", help="Name the variants too; takes seconds.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """List the ablations: name, question, sources, and with --variants the variants and contexts.

    Example: python -m benchmark list --variants --json
    """
    found, broken = read_docstrings([Path(folder) for folder in importlib.import_module(PACKAGE).__path__])
    entries = [asdict(each) for each in found]
    if variants:
        details, failing = detailed()
        entries = [entry | details[entry["name"]] for entry in entries if entry["name"] in details]
        broken |= failing
    if as_json:
        say(json.dumps({"ablations": entries, "left_out": broken}, indent=1))
    else:
        for entry in entries:
            say(f"{entry['name']}: {entry['question']}")
            for line in (*([", ".join(entry["variants"])] if variants else []), *entry["sources"]):
                say(f"  {line}")
    leave_out(broken)


def detailed() -> tuple[dict[str, dict[str, list[str]]], dict[str, str]]:
    """Returns the variants and contexts of each ablation by its name, and why modules had to be left out."""
    from benchmark.baseline import baseline  # only now: it imports torch
    from benchmark.planning.discovery import discover
    from benchmark.planning.studies import studies

    found, broken = discover()
    tables, failing = studies(found, baseline("cifar10", "quick"))
    details = {
        ablation.name: {
            "variants": sorted({arm for t in tables if t.ablation == ablation for arm in [*t.arms, *t.same]}),
            "contexts": [context for context in ablation.contexts if context],
        }
        for ablation in found
    }
    return details, broken | failing

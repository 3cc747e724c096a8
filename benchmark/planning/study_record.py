"""A planned table in the form in which the store keeps it."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

from benchmark.budgets import BUDGETS
from benchmark.claim import CONTROL, Claim
from benchmark.data.splits import DataSet
from benchmark.planning.identity import describe
from benchmark.planning.requests import Request
from benchmark.planning.rounds import steps
from benchmark.planning.studies import Study
from benchmark.recipe import Ensemble, Recipe, everyone


def seeds_in(study: dict[str, Any]) -> dict[str, int]:
    """The seeds that a stored table plans for each arm that trains."""
    arms = {arm["variant"]: arm["seeds"] for arm in study["arms"] if arm.get("kind") != "ensemble"}
    return {CONTROL: study["control"]["seeds"], **arms}


def as_json(table: Study, asked: Request, data: DataSet) -> dict[str, Any]:
    """A table as the store keeps it, so that a report needs nothing but the store."""
    return {
        "ablation": table.ablation.name,
        "context": table.context,
        "question": table.ablation.question,
        "sources": list(table.ablation.sources),
        "data": asked.data,
        "data_choice": asked.data_choice,
        "fingerprint": data.fingerprint,
        "classes": len(data.classes),
        "test_images": len(data.test.labels),
        "budget": asked.budget,
        "margin": BUDGETS[asked.budget].margin,
        "control": {
            "recipe": describe(table.base),
            "seeds": table.seeds_of(CONTROL, asked.seeds),
            "same": list(table.same),
            "steps": steps(table.base),  # with these two an ensemble's cost is told in runs of the control
            "batch_size": table.base.batch_size,
        },
        "arms": [
            {
                "variant": name,
                "recipe": describe(arm),
                "changes": {field: short(value) for field, value in arm.changes(table.base).items()},
                "seeds": table.seeds_of(name, asked.seeds),
                **(copies(arm, table.base) if isinstance(arm, Ensemble) else {}),
            }
            for name, arm in table.arms.items()
        ],
        "trained": {describe(recipe): len(taken) for recipe, taken in table.runs_of(asked.seeds).items()},
        "claims": [claim_as_json(claim) for claim in table.ablation.claims],
    }


def copies(arm: Ensemble, base: Recipe) -> dict[str, Any]:
    """That an arm is an ensemble, and of how many copies of the control, if of nothing else."""
    only = all(member.recipe == base and member.at == 1 for member in arm.members) and arm.choose is everyone
    return {"kind": "ensemble", "copies": len(arm.members) if only else None, "combine": short(arm.combine)}


def claim_as_json(claim: Claim) -> dict[str, Any]:
    """A claim as the store keeps it."""
    compared = {"kind": type(claim.holds).__name__.lower(), **asdict(claim.holds)}
    return {"name": claim.name, "text": claim.text, "context": claim.context, **compared}


def short(part: object) -> str:
    """A part's text for readers: no module names, no marks, six digits of a number, the gist of a whole recipe."""
    if isinstance(part, Recipe):
        return f"a training of {part.epochs} epochs on {part.images or 'all'} images of {part.data}"
    text = re.sub(r"\b(?:ablations|benchmark)\.(?:\w+\.)*|@\w{8}", "", describe(part))
    return re.sub(r"\b\d+\.\d{7,}\b", lambda number: f"{float(number[0]):.6g}", text)

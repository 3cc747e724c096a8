"""Seconds of a step of each variant and, measured alternately, of its control; their ratio goes into the report."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmark.data.splits import DataSet
from benchmark.planning.discovery import discover
from benchmark.planning.studies import studies
from benchmark.recipe import Recipe
from benchmark.running.cost import cost_record, step_turns
from benchmark.store.store import Store
from benchmark.store.version import ENGINE
from speed.conftest import base_recipe
from speed.replay import replay, replayed

CPU = torch.device("cpu")


def variants() -> dict[str, tuple[str, Recipe, Recipe]]:
    """Returns each distinct variant by a name of its own: the table that it is first in, its recipe and
    its control's."""
    found: dict[tuple[Recipe, Recipe], tuple[str, str]] = {}
    for table in studies(discover()[0], base_recipe())[0]:
        title = " ".join([table.ablation.name, *([f"({table.context})"] if table.context else [])])
        for name, arm in table.arms.items():
            if isinstance(arm, Recipe):  # an ensemble trains nothing
                found.setdefault((arm, table.base), (title, name))
    return {f"{title}: {name}": (title, *pair) for pair, (title, name) in found.items()}


VARIANTS = variants()


@pytest.fixture(scope="module")
def store(base: Recipe) -> Store:
    """Returns the default store, whose report shows the costs."""
    return Store(Path("results") / f"{base.data}-quick", ENGINE)


@pytest.mark.benchmark(timer=replayed)
@pytest.mark.parametrize("variant", VARIANTS)
def test_step(variant: str, data: DataSet, store: Store, benchmark: Any) -> None:
    group, arm, control = VARIANTS[variant]
    turns = step_turns(arm, control, data, CPU)
    found = turns.cost()
    store.save_cost(cost_record(arm, control, found, "cpu"))
    benchmark.group = f"{group}, seconds a step"
    benchmark.extra_info |= {"row": variant, **asdict(found)}
    replay(benchmark, turns.variant)

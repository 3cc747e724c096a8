"""Costs: measured in turns, kept in the store, shown in the tables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import TINY

from benchmark.cost import ROUNDS, STEPS, cost, step_seconds
from benchmark.data import DataSet
from benchmark.errors import UsageError
from benchmark.recipe import Recipe
from benchmark.store import Store
from benchmark.tables import table

CPU = torch.device("cpu")
SLOW = replace(TINY, epochs=3)


def test_a_machine_that_slows_down_slows_both(toy: DataSet) -> None:
    """Times of a machine that loses a tenth of its speed at each turn: the variant takes 3 times the control's."""
    turns = iter(range(100))

    def seconds(recipe: Recipe, data: DataSet, device: torch.device) -> float:
        return (3.0 if recipe == SLOW else 1.0) * (1 + 0.1 * next(turns))

    found = cost(SLOW, TINY, toy, CPU, seconds)
    assert (found.ratio, found.low, found.high) == pytest.approx((3, 3, 3))
    assert next(turns) == 2 * ROUNDS + 1


def test_steps_are_timed_from_the_first_weights(toy: DataSet) -> None:
    calls: list[float] = []

    def schedule(progress: float, history: object) -> float:
        calls.append(progress)
        return 1.0

    recipe = replace(TINY, schedule=schedule, batch_size=12)
    assert 0 < step_seconds(recipe, toy, CPU) < 1
    assert len(calls) == STEPS


def test_a_table_takes_the_measured_cost_before_that_of_the_runs(tmp_path: Path) -> None:
    store = Store(tmp_path, 1)
    store.save_costs([{"recipe": "r", "control": "c", "ratio": 1.5, "low": 1.4, "high": 1.6}], {"cpu": "any"})
    run = {"status": "done", "test_accuracy": 0.5, "seed": 0}
    found = {
        ("f", "r"): [{**run, "step_ms": 9.0}],
        ("f", "s"): [{**run, "step_ms": 4.0}],
        ("f", "c"): [{**run, "step_ms": 2.0}],
    }
    arms = [{"variant": name, "recipe": name, "seeds": 1} for name in ("r", "s")]
    study = {"ablation": "a", "context": "", "data": "d", "budget": "b", "fingerprint": "f", "classes": 10}
    study |= {"margin": 1.0, "control": {"recipe": "c", "seeds": 1}, "arms": arms}
    rows = table(study, found, store.costs()).rows
    assert [row.step_ms_ratio for row in rows] == [1.5, 2.0]


def test_damaged_costs_are_named(tmp_path: Path) -> None:
    (tmp_path / "costs.json").write_text("{")
    with pytest.raises(UsageError, match=r"costs.json is damaged; delete it"):
        Store(tmp_path, 1).costs()

"""Costs: measured in turns, kept in the store, shown in the tables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from builders import arm, record, study
from conftest import TINY

from benchmark.claim import CONTROL
from benchmark.data.splits import DataSet
from benchmark.engine.network import Network
from benchmark.engine.progress import Progress
from benchmark.engine.training import fit
from benchmark.errors import UsageError
from benchmark.evidence.tables import table
from benchmark.running import cost
from benchmark.running.cost import ROUNDS, STEPS, Turns, cost_record, in_turns, step_seconds, step_turns, stepper
from benchmark.store.records import CostRecord, Record
from benchmark.store.store import Store

CPU = torch.device("cpu")
SLOW = replace(TINY, epochs=3)


def test_a_machine_that_slows_down_slows_both() -> None:
    """Times of a machine that loses a tenth of its speed at each turn: the variant takes 3 times the control's."""
    slower = (1 + 0.1 * turn for turn in range(100))
    turns = in_turns(lambda: 3 * next(slower), lambda: next(slower))
    found = turns.cost()
    assert (len(turns.variant), len(turns.control)) == (ROUNDS, ROUNDS + 1)
    assert (found.ratio, found.low, found.high) == pytest.approx((3, 3, 3))
    assert (found.step_ms, found.control_step_ms) == pytest.approx((3 * 1500, 1500))  # medians of 1.1 ... 1.9, 1 ... 2


def test_one_slow_turn_moves_the_range_and_not_the_ratio() -> None:
    found = Turns(variant=(2.0, 2.0, 8.0), control=(1.0, 1.0, 1.0, 1.0)).cost()
    assert (found.ratio, found.low, found.high) == (2, 2, 8)
    found = Turns(variant=(2.0, 2.0, 2.0), control=(1.0, 1.0, 3.0, 1.0)).cost()
    assert (found.ratio, found.low, found.high) == (1, 1, 2)


def test_two_recipes_take_turns(toy: DataSet) -> None:
    turns = step_turns(SLOW, TINY, toy, CPU)
    assert all(0 < each < 1 for each in [*turns.variant, *turns.control])


def test_steps_are_those_of_a_run_captured_where_a_device_captures(
    toy: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replayed and not launched one by one: the shares of what lies within and without the graph are others there."""
    captured: list[Network] = []

    def remembered(network: Network) -> Network:
        captured.append(network)
        return network

    monkeypatch.setattr(Network, "captured", remembered)
    step_seconds(TINY, toy, CPU)
    assert not captured
    monkeypatch.setattr(cost, "captures", lambda device: True)
    step_seconds(TINY, toy, CPU)
    assert len(captured) == 1


def test_each_turn_takes_the_same_steps(toy: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    losses: list[list[float]] = []

    def watched(*given: Any) -> Progress:
        progress = fit(*given)
        losses.append(progress.losses.tolist())
        return progress

    monkeypatch.setattr(cost, "fit", watched)
    seconds = stepper(replace(TINY, batch_size=12), toy, CPU)
    seconds()
    seconds()
    assert len(losses) == 3  # the first is not timed
    assert losses[0] == losses[1] == losses[2]


def test_nothing_that_a_stepper_keeps_is_part_of_an_autograd_graph(toy: DataSet) -> None:
    """A graph made before a capture belongs to another stream, and the capture fails."""
    kept: list[list[torch.Tensor]] = [cell.cell_contents for cell in closure(stepper(TINY, toy, CPU))]
    tensors = [each for held in kept if isinstance(held, list) for each in held]
    assert tensors
    assert not any(each.requires_grad for each in tensors)


def closure(function: Any) -> tuple[Any, ...]:
    """The cells of a function, which hold what it keeps."""
    cells: tuple[Any, ...] = function.__closure__
    return cells


@pytest.mark.gpu
def test_steps_on_a_gpu_are_captured(toy: DataSet, recwarn: pytest.WarningsRecorder) -> None:
    assert 0 < step_seconds(TINY, toy, torch.device("cuda:0"), steps=3) < 1
    assert not recwarn


def test_steps_are_timed_from_the_first_weights(toy: DataSet) -> None:
    calls: list[float] = []

    def schedule(progress: float, history: object) -> float:
        calls.append(progress)
        return 1.0

    recipe = replace(TINY, schedule=schedule, batch_size=12)
    assert 0 < step_seconds(recipe, toy, CPU) < 1
    assert len(calls) == 2 * STEPS  # the first ones are not timed


def test_a_recipe_that_starts_from_another_is_timed_without_its_weights(toy: DataSet) -> None:
    assert 0 < step_seconds(replace(TINY, start_from=SLOW), toy, CPU) < 1


def measured(recipe: str, control: str, ratio: float) -> CostRecord:
    """A step of so many times the control's 10 ms."""
    return CostRecord(
        recipe=recipe,
        control=control,
        ratio=ratio,
        low=ratio - 0.1,
        high=ratio + 0.1,
        step_ms=10 * ratio,
        control_step_ms=10.0,
        environment={"device": "cpu"},
    )


def ratios(store: Store) -> dict[tuple[str, str], float]:
    """Ratio by recipe and control."""
    return {(each.recipe, each.control): each.ratio for each in store.costs()}


def test_a_table_takes_the_measured_cost_before_that_of_the_runs(tmp_path: Path) -> None:
    store = Store(tmp_path, 1)
    store.save_cost(measured("r", "c", 1.5))
    found: dict[tuple[str, str], list[Record]] = {
        ("f", name): [record(name, 0, 0.5, step_ms=milliseconds)]
        for name, milliseconds in (("r", 9.0), ("s", 4.0), ("c", 2.0))
    }
    arms = tuple(arm(name, name, seeds=1) for name in ("r", "s"))
    planned = study("a", "", ["r"], control=arm(CONTROL, "c", seeds=1, changes={}), arms=arms)
    rows = table(planned, found, {(each.recipe, each.control): each for each in store.costs()}).rows
    assert [row.step_ms_ratio for row in rows] == [1.5, 2.0]


def test_a_measurement_replaces_that_of_its_pair_and_keeps_the_others(tmp_path: Path) -> None:
    store = Store(tmp_path, 1)
    for variant, control, ratio in (("r", "c", 1.5), ("r", "d", 1.2), ("s", "c", 1.0), ("r", "c", 1.6)):
        store.save_cost(measured(variant, control, ratio))
    assert ratios(Store(tmp_path, 1)) == {("r", "c"): 1.6, ("r", "d"): 1.2, ("s", "c"): 1.0}


def test_what_a_store_keeps_of_a_measurement(tmp_path: Path) -> None:
    found = Turns(variant=(2.0,), control=(1.0, 1.0)).cost()
    kept = cost_record(SLOW, TINY, found, "cpu")
    assert kept.recipe != kept.control
    assert (kept.ratio, kept.step_ms, kept.environment["device"]) == (2, 2000, "cpu")
    Store(tmp_path, 1).save_cost(kept)
    assert Store(tmp_path, 1).costs() == [kept]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "it is no JSON: "),
        ("[]", "it is no JSON object"),
        ("{}", "it has no field 'costs'"),
        ('{"costs": [1]}', "Expected `object`, got `int`"),
        ('{"costs": [{"recipe": "r"}]}', "missing required field `control`"),
    ],
)
def test_damaged_costs_are_named(text: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "costs.json").write_text(text)
    with pytest.raises(UsageError, match=rf"costs.json is damaged \(.*{reason}.*\); delete it"):
        Store(tmp_path, 1).costs()

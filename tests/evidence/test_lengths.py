"""Effects by budget, on a made-up store: which tricks are taken, in which order, and whose sign changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from builders import arm, record, study

from benchmark.budgets import BUDGETS
from benchmark.evidence.lengths import Trick, budgets_of, by_budget, turns
from benchmark.evidence.tables import Table, tables
from benchmark.report.length_plot import draw
from benchmark.store.store import Store

EFFECTS = {  # points, by trick and budget
    "late": {"small": 0.0, "quick": -5.0, "standard": 5.0},
    "early": {"small": 4.0, "quick": 5.0, "standard": 3.0},
    "twice": {"small": 1.0, "standard": 1.0},
}


def made(folder: Path, budgets: tuple[str, ...], seeds: int, shift: float = 0.0) -> list[Table]:
    """The tables of a store that has these budgets, with so many seeds, its effects moved by so many points."""
    store = Store(folder, 1)
    with store.writing():
        store.save_tables(
            study(
                "trick",
                budget,
                [name for name, effects in EFFECTS.items() if budget in effects],
                budget=budget,
                margin=BUDGETS[budget].margin,
                control=arm("baseline", f"{budget}-baseline", seeds=seeds, changes={}),
            )
            for budget in budgets
        )
        for budget in budgets:
            for name in ("baseline", *(name for name, effects in EFFECTS.items() if budget in effects)):
                for seed in range(seeds):
                    effect = EFFECTS[name][budget] + shift if name in EFFECTS else 0.0
                    noise = Random(f"{name} {budget} {seed}").gauss(0, 0.2)
                    accuracy = round(0.6 + (effect + noise) / 100, 4)
                    store.add(record(f"{budget}-{name}", seed, accuracy, budget=budget))
    return tables(store)


@pytest.fixture
def found(tmp_path: Path) -> list[Table]:
    """Three budgets, whose tables have no context in common: `by_budget` takes contexts as they are."""
    return [without_context(each) for each in made(tmp_path / "one", ("standard", "quick", "small"), 5)]


def without_context(table: Table) -> Table:
    """The table as of an ablation without contexts."""
    rows = [replace(row, context="") for row in table.rows]
    return replace(table, study=replace(table.study, context=""), rows=rows)


def test_tricks_of_three_budgets_stand_in_the_order_of_their_length(found: list[Table]) -> None:
    tricks = by_budget(found, "cifar10")
    assert [trick.variant for trick in tricks] == ["early", "late"]
    assert all(list(places) == ["quick", "small", "standard"] for places in tricks.values())
    assert budgets_of(tricks) == ["quick", "small", "standard"]
    assert by_budget(found, "cifar100") == {}
    assert len(by_budget(found, "cifar10", least=2)) == 3


def test_a_sign_changes_between_resolved_effects_alone(found: list[Table]) -> None:
    (turn,) = turns(by_budget(found, "cifar10"))
    assert (turn.trick.variant, turn.before.budget, turn.after.budget) == ("late", "quick", "standard")


def test_of_two_tables_that_have_more_runs_is_taken(found: list[Table], tmp_path: Path) -> None:
    trick = Trick("trick", "", "early")
    more = [without_context(each) for each in made(tmp_path / "more", ("small",), 8, shift=-7.0)]
    fewer = [without_context(each) for each in made(tmp_path / "fewer", ("small",), 4, shift=-7.0)]
    for tables_ in ([*found, *fewer], [*fewer, *found]):
        assert by_budget(tables_, "cifar10")[trick]["small"].effect == pytest.approx(4, abs=0.5)
    for tables_ in ([*found, *more], [*more, *found]):
        assert by_budget(tables_, "cifar10")[trick]["small"].effect == pytest.approx(-3, abs=0.5)


def test_the_figure_has_the_tricks_and_the_images_that_are_seen(found: list[Table]) -> None:
    drawn = draw(by_budget(found, "cifar10"), "cifar10")
    for text in ("Trick: early", "Trick: late", "45,000", "225,000", "495,000", "standard"):
        assert f">{text}" in drawn

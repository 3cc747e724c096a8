"""Effects against the length of training, on a small made-up store: what is drawn, and whose sign changes."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from builders import Page, arm, record, study

from benchmark import report
from benchmark.evidence.doses import dose_responses
from benchmark.evidence.tables import tables
from benchmark.report import dose_plot
from benchmark.store.records import Dose, TableRecord
from benchmark.store.store import Store

EFFECTS = {  # points, by trick and times the epochs; "open" of runs that spread widely
    "late": {1: -3.0, 2: 0.1, 4: 3.0},
    "early": {1: 2.0, 2: 2.0, 4: 2.0},
    "open": {1: -3.0, 2: 0.0, 4: 3.0},
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "store", 1)
    with made.writing():
        made.save_tables(table(times) for times in (4, 1, 2))
        for times in (1, 2, 4):
            for name in ("baseline", *EFFECTS):
                for seed in range(5):
                    spread = 6.0 if name == "open" else 0.3
                    effect = EFFECTS[name][times] if name in EFFECTS else 0.0
                    noise = Random(f"{name} {times} {seed}").gauss(0, spread)
                    accuracy = round(0.6 + 0.05 * times + (effect + noise) / 100, 4)
                    made.add(record(f"x{times}-{name}", seed, accuracy))
    return made


def table(times: int) -> TableRecord:
    return study(
        "dose",
        f"x{times}",
        list(EFFECTS),
        dose=Dose(of="epochs", times=times),
        control=arm("baseline", f"x{times}-baseline", seeds=5, changes={}),
    )


def test_effects_are_by_dose_and_a_sign_changes_between_verdicts_alone(store: Store) -> None:
    (found,) = dose_responses(tables(store))
    assert found.of == "epochs"
    assert list(found.curves) == list(EFFECTS)
    assert all([point.times for point in points] == [1, 2, 4] for points in found.curves.values())
    assert [point.row.verdict for point in found.curves["late"]] == ["hurts", "equivalent", "helps"]
    assert "unresolved" in {point.row.verdict for point in found.curves["open"]}
    (change,) = found.changes
    assert (change.variant, change.before.times, change.after.times) == ("late", 1, 4)


def test_a_single_dose_and_tables_without_any_are_not_drawn(store: Store) -> None:
    found = tables(store)
    assert dose_responses(found[:1]) == []
    with store.writing():
        store.save_tables([study("dose", f"x{times}", list(EFFECTS)) for times in (1, 2, 4)])
    assert dose_responses(tables(store)) == []


def test_the_report_shows_the_figure_and_says_whose_sign_changes(store: Store, tmp_path: Path) -> None:
    page = report.write(store, tmp_path / "report")
    drawn = (tmp_path / "report" / "plots" / "dose--dose-cifar10-quick-epochs.svg").read_text()
    for name in (*EFFECTS, "×1", "×2", "×4", "length of training"):  # noqa: RUF001  times
        assert f">{name}" in drawn
    (found,) = dose_responses(tables(store))
    said = dose_plot.in_words(found)
    low, high = "\N{MINUS SIGN}2.9 [\N{MINUS SIGN}3.4, \N{MINUS SIGN}2.5]", "+3.1 [+2.9, +3.4]"
    assert said == f"The sign changes of late, from {low} at ×1 to {high} at ×4."  # noqa: RUF001  times
    assert said in Page(page.read_text()).text
    assert said in (tmp_path / "report" / "index.md").read_text().replace("\\", "")

"""The short lists, on tables whose truth is known."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders import arm, record, study

from benchmark import report
from benchmark.errors import UsageError
from benchmark.evidence.tables import Table, tables
from benchmark.report import exports, shortlists
from benchmark.report.shortlists import BEGIN, END, Candidate
from benchmark.store.records import Facts, TableRecord
from benchmark.store.store import Store

WORTHS = {
    "base": 0.0,
    "good": 5.0,
    "better": 7.0,
    "bad": -5.0,
    "vague": 0.5,
    "long": 8.0,
    "wide": 6.0,
    "weak": -20.0,
    "worse": -6.0,
}


def facts(epochs: int) -> Facts:
    return Facts(learning_rate=0.1, batch_size=10, epochs=epochs, steps=10.0 * epochs, constant_rate=True)


def planned(name: str, variants: list[str], **changes: Any) -> TableRecord:
    """A table whose arms and control have recipes of their own names, shared between tables."""
    made = tuple(arm(each, each, facts=facts(4 if each == "long" else 1)) for each in variants)
    plain: dict[str, Any] = {"control": arm("baseline", "base", facts=facts(1)), "arms": made, "claims": ()}
    return replace(study(name, "", variants), **(plain | changes))


def named(folder: Path, *plans: TableRecord) -> dict[str, Table]:
    """The tables of a store with five runs of every recipe; those of `vague` differ widely."""
    store = Store(folder, 1)
    with store.writing():
        store.save_tables(plans)
        for recipe, worth in WORTHS.items():
            for seed in range(5):
                noise = (6.0 if recipe == "vague" else 0.2) * (seed - 2)
                store.add(record(recipe, seed, (60 + worth + noise) / 100))
    return report.by_name(tables(store))


def plans() -> list[TableRecord]:
    """Tables of the main baseline, one of a baseline 20 points below it, and one that repeats recipes."""
    longer = planned("length", ["long"], arms=(arm("long", "long", changes={"epochs": "4"}, facts=facts(4)),))
    wider = planned("capacity", ["wide"], arms=(arm("wide", "wide", changes={"network": "w"}),))
    return [
        planned("trick_a", ["good", "better", "bad"]),
        planned("trick_b", ["worse"]),
        planned("trick_c", ["vague", "bad"]),
        longer,
        wider,
        planned("trick_d", ["bad"], context="weak", control=arm("baseline", "weak")),
        planned("trick_e", ["good"], context="all of it"),
        planned("trick_e", ["good"], context="most of it"),
    ]


def names(entries: list[shortlists.Entry]) -> list[tuple[str, int]]:
    return [(one.best.title, one.others) for one in entries]


def test_each_trick_stands_in_the_list_of_its_best_variant(tmp_path: Path) -> None:
    (found,) = shortlists.shortlists(named(tmp_path, *plans()))
    assert names(found.worth) == [("Trick a: better", 1)]  # trick e is one of its recipes
    assert names(found.price) == [("Length: long", 0), ("Capacity: wide", 0)]
    assert names(found.not_worth) == [("Trick b: worse", 0)]
    assert names(found.unknown) == [("Trick c: vague", 0)]
    assert found.accuracy == pytest.approx(60.0)
    assert [one.best.price for one in found.price] == ["longer training", "another network"]


def test_each_recipe_counts_once_and_against_the_main_baseline(tmp_path: Path) -> None:
    """`bad` helps the weak baseline and is in three other tables; `good` is in three."""
    tables_ = named(tmp_path, *plans())
    (found,) = shortlists.shortlists(tables_)
    assert found.counts == {"helps": 4, "hurts": 2, "unresolved": 1}
    every = shortlists.candidates(tables_)
    assert [(each.title, each.against) for each in every if not each.main] == [("Trick d (weak): bad", "weak")]
    assert len(every) == 8


def test_training_time_is_that_of_steps_or_else_of_seconds(tmp_path: Path) -> None:
    rows = {each.row.variant: each.row for each in shortlists.candidates(named(tmp_path, *plans()))}
    assert (rows["long"].time_ratio, rows["long"].time_measured) == (1.0, False)  # of equal seconds in the records


def test_the_lists_go_between_the_markers_of_a_document(tmp_path: Path) -> None:
    found = named(tmp_path / "store", *plans())
    document = tmp_path / "README.md"
    document.write_text(f"# Title\n{BEGIN}\nold\n{END}\nrest\n")
    report.write_lists(Store(tmp_path / "store", 1), document)
    text = document.read_text()
    assert (text[:8], text[-5:], "old" in text) == ("# Title\n", "rest\n", False)
    assert shortlists.markdown(shortlists.shortlists(found)).strip() in text
    assert "| Trick a: better (+ 1 more) | 67.0 % | +7.0" in text
    report.write_lists(Store(tmp_path / "store", 1), document)
    assert document.read_text() == text
    document.write_text("no markers")
    with pytest.raises(UsageError, match="effects:begin"):
        report.write_lists(Store(tmp_path / "store", 1), document)
    with pytest.raises(UsageError, match="--readme"):
        report.write_lists(Store(tmp_path / "store", 1), tmp_path / "none.md")


def test_rows_of_the_main_table_are_chosen_by_name(tmp_path: Path) -> None:
    found = named(tmp_path, *plans())

    def variants(groups: list[list[Candidate]]) -> list[list[str]]:
        return [[each.row.variant for each in group] for group in groups]

    assert variants(shortlists.choose_rows(found, [])) == [["better"], ["long", "wide"], ["worse"], ["vague"]]
    assert variants(shortlists.choose_rows(found, ["TRICK_A:bad", "trick_d (weak): bad"])) == [["bad", "bad"]]
    with pytest.raises(UsageError, match=r"unknown row.*did you mean trick_a: better"):
        shortlists.choose_rows(found, ["trick_a: bettr"])
    text = exports.main_table(shortlists.choose_rows(found, []))
    assert text.count("\\midrule") == 4
    assert "Trick a: better & 5 & 67.0 & +7.0" in text


def test_the_lists_need_no_torch() -> None:
    script = "import sys; from benchmark.report import shortlists; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[2])

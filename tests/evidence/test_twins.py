"""Contexts with equal recipes are one table."""

from __future__ import annotations

import csv
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from builders import record, study

from benchmark import report
from benchmark.claim import Better, Claim
from benchmark.evidence.judgements import judgements
from benchmark.evidence.regression import compare_stores
from benchmark.evidence.tables import Table, tables
from benchmark.evidence.twins import without_twins
from benchmark.report import shortlists, variants, view
from benchmark.report.history import HISTORY, over_time, read_history
from benchmark.report.style import Gallery
from benchmark.store.records import TableName, TableRecord
from benchmark.store.store import Store

ARMS = ("linear", "slow")
CLAIMS = (
    Claim("S4.4", "Linear helps.", Better("linear"), context="few"),
    Claim("S4.4", "Linear helps.", Better("linear"), context="many"),
    Claim("S4.5", "Slow helps.", Better("slow"), context="all"),
    Claim("S4.6", "Slow beats linear.", Better("slow", "linear")),
)


def planned(context: str, recipes: str) -> TableRecord:
    """A table whose recipes are named after `recipes`."""
    made = study("transfer", recipes, list(ARMS), claims=CLAIMS)
    return replace(made, context=context)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[Table]:
    store = Store(tmp_path_factory.mktemp("twins"), 1)
    with store.writing():
        store.save_tables([planned("few", "few"), planned("many", "whole"), planned("all", "whole")])
        for recipes in ("few", "whole"):
            for name, accuracy in (("baseline", 0.6), ("linear", 0.7), ("slow", 0.61)):
                for seed in range(5 if name == "baseline" else 4):
                    store.add(record(f"{recipes}-{name}", seed, accuracy + seed / 1000))
    return tables(store)


def test_equal_contexts_are_one_table_that_names_both(found: list[Table]) -> None:
    few, whole = without_twins(found)
    assert few is found[0]
    assert whole.study.context == "many = all"
    assert {row.context for row in whole.rows} == {"many = all"}
    assert [str(name) for name in whole.names] == ["transfer (many)", "transfer (all)"]
    assert few.names == [TableName("transfer", "few", "cifar10", "quick")]


def test_each_claim_is_judged_once(found: list[Table]) -> None:
    few, whole = without_twins(found)
    assert [each.name for each in judgements(whole)] == ["S4.4", "S4.5", "S4.6"]
    assert [each.name for each in judgements(few)] == ["S4.4", "S4.6"]


def test_the_most_interim_tests_count(found: list[Table]) -> None:
    tested = replace(found[2], study=replace(found[2].study, interims=({"linear": 4},)))
    assert without_twins([*found[:2], tested])[1].study.interims == ({"linear": 4},)


def test_reports_show_one_and_know_both_names(found: list[Table]) -> None:
    named = report.by_name(found)
    assert list(named) == ["transfer-few", "transfer-many-all"]
    rows = list(csv.DictReader(StringIO(report.numbers(named)["effects.csv"])))
    assert [(row["context"], row["variant"]) for row in rows] == [
        (context, arm) for context in ("few", "many = all") for arm in ARMS
    ]
    for name in ("transfer (many): slow", "transfer (all): slow"):
        ((one,),) = shortlists.choose_rows(named, [name])
        assert one.row.context == "many = all"
    shown = view.grouped(named, {}, {}, [], several=False)
    commands = [each.command for each in variants.every(shortlists.candidates(named), named, shown)]
    assert any("--only 'transfer (many): slow'" in each for each in commands)


def stored(found: list[Table], folder: Path, *planned: TableRecord) -> Store:
    """A store with the runs of all tables, which plans those given, or all."""
    store = Store(folder, 1)
    with store.writing():
        store.save_tables(planned or [table.study for table in found])
        for table in found[:2]:
            for run in (*table.control, *(run for runs in table.arms.values() for run in runs)):
                store.add(run)
    return store


def test_regress_compares_each_once(found: list[Table], tmp_path: Path) -> None:
    store = stored(found, tmp_path)
    compared = compare_stores(store, store)
    assert [change.name for change in compared.changes] == [
        f"transfer ({context}): {arm}" for context in ("few", "many = all") for arm in ("baseline", *ARMS)
    ]
    assert not compared.matching.lacking
    for only in ("transfer (many): slow", "transfer (all): slow"):
        assert [change.name for change in compare_stores(store, store, only).changes] == [
            "transfer (many = all): baseline",
            "transfer (many = all): slow",
        ]


def test_regress_knows_a_table_by_each_of_its_contexts(found: list[Table], tmp_path: Path) -> None:
    both = stored(found, tmp_path / "both")
    few, many, all_ = (table.study for table in found)
    one = stored(found, tmp_path / "one", few, all_)
    for reference, store in ((both, one), (one, both)):
        compared = compare_stores(reference, store)
        assert len(compared.changes) == 6
        assert [*compared.matching.lacking, *compared.matching.gone] == []
        assert compared.matching.others == 0
        assert not any(pair.recoded for pair in compared.matching.pairs)
    # where "all" has other recipes by now, it is compared by its name, and "many" by its recipe
    parted = stored(found, tmp_path / "parted", many, replace(few, context="all"))
    compared = compare_stores(stored(found, tmp_path / "whole", many, all_), parted)
    assert [(str(pair.after.study.name), pair.now, pair.recoded) for pair in compared.matching.pairs] == [
        (f"transfer ({context})", arm, context == "all") for arm in ARMS for context in ("many", "all")
    ]
    assert not compared.matching.lacking


def test_effects_accepted_before_their_contexts_were_joined_are_still_drawn(
    found: list[Table], tmp_path: Path
) -> None:
    whole = without_twins(found)[1]
    lines = [
        f"2026-11-{day},abc,cifar10,quick,transfer,{context},slow,{effect},"
        for day, context, effect in ((1, "many", 1.0), (1, "all", 1.0), (2, "many = all", 1.5))
    ]
    path = tmp_path / "history.csv"
    path.write_text("\n".join([",".join(HISTORY), *lines]))
    noted = read_history(path, Store(tmp_path, 1))
    (tmp_path / "plots").mkdir()
    drawn = over_time(whole, noted, Gallery(tmp_path / "plots", ()), "transfer")
    assert list(drawn) == ["transfer-history"]
    assert over_time(found[0], noted, Gallery(tmp_path / "plots", ()), "few") == {}


def test_different_arms_are_different_tables(found: list[Table]) -> None:
    lesser = replace(found[2], study=replace(found[2].study, arms=found[2].study.arms[:1]))
    assert len(without_twins([*found[:2], lesser])) == 3


def test_the_page_has_one_section(found: list[Table], tmp_path: Path) -> None:
    store = Store(tmp_path, 1)
    with store.writing():
        store.save_tables(table.study for table in found)
        for run in found[1].control:
            store.add(run)
        for runs in found[1].arms.values():
            for run in runs:
                store.add(run)
    page = (report.write(store, tmp_path / "report").parent / "index.md").read_text()
    assert page.count("### Transfer") == 1
    assert "### Transfer (many = all)" in page

"""Committed results are found by today's code, and what is derived from them is what they give."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from benchmark.baseline import baseline
from benchmark.planning.designs import DESIGNS, find_tricks
from benchmark.planning.discovery import Ablation
from benchmark.planning.grid import found_for
from benchmark.planning.identity import Combination, Run, describe
from benchmark.planning.rounds import origin
from benchmark.planning.studies import Study, study
from benchmark.recipe import Ensemble
from benchmark.report.freshness import stale
from benchmark.store.records import TableRecord
from benchmark.store.store import Store
from benchmark.store.version import ENGINE
from docs.results import pages

ROOT = Path(__file__).resolve().parents[2]
STORES = sorted(path.parent for path in (ROOT / "results" / "reference").glob("*/runs.jsonl"))
TABLES = [(store, table) for store in STORES for table in Store(store, ENGINE).tables()]


@cache
def opened(folder: Path) -> Store:
    return Store(folder, ENGINE)


@cache
def discovered(budget: str) -> list[Ablation]:
    """The modules that a budget trains, all of which can be used."""
    found, broken = found_for(budget)
    assert not broken
    return found


@cache
def fingerprints(store: Store) -> dict[str, str]:
    """The fingerprint of each data set that a run of the store is of or names in its recipe."""
    records = store.records.values()
    prints = {record.data: record.fingerprint for record in records}
    return prints | {run.recipe.partition("data='")[2].partition("'")[0]: run.fingerprint for run in records}


def planned(table: TableRecord) -> Study:
    """What today's code makes of a stored table, in the precision of its runs."""
    found = discovered(table.budget)
    base = baseline(table.data, table.budget, "bf16" if "bf16" in table.control.recipe else "fp32")
    if table.tricks:
        chosen = find_tricks([trick.replace(": ", ":", 1) for trick in table.tricks], found)
        return DESIGNS[table.design](chosen, base)
    (ablation,) = (each for each in found if each.name == table.ablation)
    return study(ablation, table.context, ablation.contexts[table.context](base), base)


def missing(table: TableRecord, store: Store) -> list[str]:
    """The runs that today's code plans for a table and that are not stored under the keys that it makes."""
    ours = planned(table)
    prints = fingerprints(store)
    lacking = []
    for arm in (table.control, *table.arms):
        value = ours.base if arm is table.control else ours.arms.get(arm.variant)
        assert value is not None, f"{table.name.row(arm.variant)} is not planned any more"
        for seed in range(arm.seeds):
            if isinstance(value, Ensemble):
                key = Combination(value, seed, table.fingerprint).key
            else:
                before = origin(value, seed, prints)
                key = Run(value, seed, table.fingerprint, before.key if before else "").key
            if key not in store:
                lacking.append(f"{arm.variant}, seed {seed}")
    return lacking


@pytest.mark.parametrize(("folder", "table"), TABLES, ids=lambda each: getattr(each, "name", each).__str__()[-60:])
def test_what_a_stored_table_plans_is_stored(folder: Path, table: TableRecord) -> None:
    assert not missing(table, opened(folder))


def test_keys_do_not_depend_on_what_was_described_before() -> None:
    """Each ablation alone, and all in the opposite order, in processes of their own: forks of one that has described
    nothing."""
    code = """
import json, os
from benchmark.baseline import baseline
from benchmark.planning.discovery import discover
from benchmark.planning.identity import describe
from benchmark.planning.studies import studies

def texts(only):
    found, _ = discover()
    wanted = only.split(",") if only else [each.name for each in reversed(found)]
    ablations = [next(each for each in found if each.name == name) for name in wanted]
    tables, _ = studies(ablations, baseline("cifar10", "quick"))
    return {f"{t.ablation.name} {t.context}: {n}": describe(a) for t in tables for n, a in t.arms.items()}

for only in ("", "clipping", "clipping,learning_rate", "learning_rate,clipping"):
    if not (child := os.fork()):
        print(json.dumps(texts(only)), flush=True)
        os._exit(0)
    assert not os.waitpid(child, 0)[1]
"""
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True, text=True)
    whole, *parts = map(json.loads, ended.stdout.splitlines())
    assert len(parts) == 3
    for each in parts:
        assert each
        assert each.items() <= whole.items()


@pytest.mark.parametrize("folder", STORES, ids=lambda folder: folder.name)
def test_no_committed_number_is_stale(folder: Path) -> None:
    assert not stale(opened(folder), folder / "report", everything=False)


def test_the_documents_of_results_are_current() -> None:
    """If this fails: `python -m docs.results`."""
    made = pages([opened(folder) for folder in STORES])
    assert [name for name, text in made.items() if (ROOT / "docs" / name).read_text(encoding="utf-8") != text] == []


@pytest.mark.parametrize("folder", STORES, ids=lambda folder: folder.name)
def test_stored_recipes_name_public_definitions_only(folder: Path) -> None:
    """What else of the suite a recipe named could not be moved any more."""
    from benchmark.planning.identity import PUBLIC

    for text in {record.recipe for record in opened(folder).records.values()}:
        modules = {part.rpartition(".")[0] for part in words(text) if part.startswith("benchmark.")}
        assert modules <= set(PUBLIC), text


def words(text: str) -> list[str]:
    """The dotted names in a text."""
    return "".join(letter if letter.isalnum() or letter in "._" else " " for letter in text).split()


def test_describing_is_not_cached_by_equality() -> None:
    assert [describe((1, True, 1.0)), describe((True, 1.0, 1))] == ["(1, 1, 1)", "(1, 1, 1)"]

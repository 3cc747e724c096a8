"""The contract of an ablation. A new file in ablations/ is held to it without a line added here."""

from __future__ import annotations

import ast
import importlib
import inspect
import pickle
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from builders import ABOUT, once, start_of
from conftest import TINY
from pretended_gpu.trial import Trials

from benchmark.baseline import baseline
from benchmark.claim import CONTROL
from benchmark.data.splits import DataSet
from benchmark.engine import training
from benchmark.engine.progress import Progress, restore, state_of
from benchmark.engine.training import train
from benchmark.planning.discovery import discover, module_names, read_module
from benchmark.planning.identity import changes, describe
from benchmark.planning.rounds import combinations, plan
from benchmark.planning.studies import Study, studies
from benchmark.recipe import Recipe, absent
from benchmark.running.combining import combine, record
from benchmark.running.execution import keep
from benchmark.running.executor import Outcome
from benchmark.running.interrupted import Kept, packed, unpacked
from benchmark.store.records import EnsembleRecord, timestamp
from benchmark.store.store import Store

CPU = torch.device("cpu")
OLD = {name: f"print of {name}" for name in ("cifar10", "fractal10", "toy")}  # what a toy set may start or learn from
MOST = 360  # training images of toy6, the larger of the toy sets
OTHER = replace(TINY, data="toy6", norm=absent, images=60, epochs=1, batch_size=20)  # another data set, without a norm
SHORT = replace(TINY, images=48, validation_images=16, batch_size=16)  # three steps an epoch
ROOMS = ("recipe", "networks", "baseline", "ensembles")
MAY_IMPORT = {*(f"benchmark.{room}" for room in ROOMS), "torch", "torchvision"}


def arms(base: Recipe) -> list[Any]:
    """Each distinct recipe of all ablations, under the last name it has; members of ensembles under that of these.

    Recipes for more images than the toy sets have take all of them, and are one. Of contexts that differ by an amount
    alone, one is here.
    """
    tables, _ = studies(discover()[0], base)
    named = {
        describe(replace(recipe, images=None) if (recipe.images or 0) >= MOST else recipe): pytest.param(
            recipe, id=f"{table.ablation.name} {table.context}: {name}"
        )
        for table in tables
        if table.context not in [*table.ablation.doses][1:]
        for name, arm in {CONTROL: table.base, **table.arms}.items()
        for recipe in ([arm] if isinstance(arm, Recipe) else arm.seeds(1))
    }
    return list(named.values())


def kinds(base: Recipe) -> list[Any]:
    """Of `arms` that differ by amounts alone, none of them 0 where another's is not, one: they run the same lines."""

    def amount(found: re.Match[str]) -> str:
        return "n" if any(digit in found[0] for digit in "123456789") else found[0]

    return list({re.sub(r"\d[\d.e+-]*", amount, describe(arm.values[0])): arm for arm in arms(base)}.values())


@pytest.fixture(autouse=True, scope="module")
def decomposed_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.linalg, "svd", once(torch.linalg.svd))
        yield


@pytest.fixture(params=module_names())
def module(request: pytest.FixtureRequest) -> ModuleType:
    return importlib.import_module(f"ablations.{request.param}")


def test_every_module_is_an_ablation() -> None:
    assert discover()[1] == {}


def test_asks_a_question_and_cites_its_sources(module: ModuleType) -> None:
    ablation = read_module(module)
    assert ablation.question.endswith("?")
    assert ablation.sources


def test_imports_only_what_it_may(module: ModuleType) -> None:
    """Of other ablations, only to list what they define: a part that uses theirs would be marked with all they do."""
    tree = ast.parse(inspect.getsource(module))
    if not any(isinstance(n, ast.ClassDef | ast.FunctionDef) and n.name != "variants" for n in tree.body):
        tree.body = [n for n in tree.body if not (isinstance(n, ast.ImportFrom) and n.module == "ablations")]
    imported = {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    imported |= {alias.name for n in ast.walk(tree) if isinstance(n, ast.Import) for alias in n.names}
    for name in imported - MAY_IMPORT:
        assert name.split(".")[0] in {*sys.stdlib_module_names, "torch", "torchvision"}, name


def test_is_short(module: ModuleType) -> None:
    source = inspect.getsource(module)
    numbers = [node for node in ast.parse(source).body if "PUBLISHED" in ast.unparse(node).partition("=")[0]]
    lines = sum((node.end_lineno or node.lineno) - node.lineno + 1 for node in numbers)
    assert len(source.splitlines()) - lines <= 100, "a paper's numbers do not count"


@pytest.mark.parametrize("base", [TINY, OTHER, baseline("cifar100", "standard")], ids=["tiny", "other", "standard"])
def test_varies_any_base(base: Recipe) -> None:
    tables, broken = studies(discover()[0], base)
    assert broken == {}
    for table in tables:
        assert table.arms, table.ablation.name
        assert all(wanted.recipe.data == base.data for wanted in table.runs_of(1).values())


def test_arms_of_a_table_differ_from_one_another() -> None:
    for table in studies(discover()[0], TINY)[0]:
        texts = [describe(arm) for arm in table.arms.values()]
        assert len(set(texts)) == len(texts), table.ablation.name


def test_what_changes_optimiser_and_rate_says_where_the_rate_was_tuned() -> None:
    told = set()
    for table in studies(discover()[0], TINY)[0]:
        for arm in table.arms.values():
            if isinstance(arm, Recipe) and {"optimiser", "learning_rate"} <= changes(arm, table.base).keys():
                assert re.search("tuned.* at (the budget|any)", table.ablation.remarks), table.ablation.name
                told.add(table.ablation.name)
    assert {"optimiser", "adam_family", "momentum", "schedule_free"} <= told


class Watched:
    """Keeps the states of a training before and after its first epoch."""

    before = after = b""

    def resume(self, progress: Progress) -> None:
        self.before = packed(Kept({}, state_of(progress)))

    def offer(self, progress: Progress) -> None:
        self.after = self.after or packed(Kept({}, state_of(progress)))


class Resumed(Watched):
    """Begins as another training did, and goes on where that one was after its first epoch."""

    def __init__(self, other: Watched) -> None:
        self.other = other

    def resume(self, progress: Progress) -> None:
        super().resume(progress)
        assert self.before == self.other.before
        restore(progress, unpacked(self.other.after, CPU).state)


@pytest.mark.parametrize("arm", arms(SHORT))
def test_trains_to_finite_logits_and_goes_on_from_a_state_to_the_same_ones(
    arm: Recipe, toy: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All random numbers, kernels and parts repeat exactly, and a state lacks nothing that a part counts with."""
    start, watched = start_of(arm, toy), Watched()
    first = train(arm, 0, toy, CPU, start, keeper=watched)
    monkeypatch.setattr(training, "step_flops", lambda network, batch: first.step_flops)  # counted once is enough
    second = train(arm, 0, toy, CPU, start, keeper=Resumed(watched))
    assert first.status == "done"
    assert first.logits is not None
    assert second.logits is not None
    assert np.isfinite(first.logits).all()
    assert np.array_equal(first.logits, second.logits)
    assert np.array_equal(first.losses, second.losses)


@pytest.mark.parametrize("arm", kinds(TINY))
def test_runs_on_a_gpu_without_waiting_and_as_a_cuda_graph(arm: Recipe, trials: Trials) -> None:
    """On a GPU that is only pretended; tests/pretended_gpu says what that proves."""
    assert trials.examine(arm).faults == ""


@pytest.mark.parametrize("arm", kinds(OTHER))
def test_applies_to_another_base(arm: Recipe, toy6: DataSet) -> None:
    result = train(arm, 1, toy6, CPU, start_of(arm, toy6))
    assert result.logits is not None
    assert result.logits.shape == (120, 6)


DOCS = Path(__file__).parents[2] / "docs"


def rows(name: str) -> list[list[str]]:
    """The cells of the tables of a page in docs/."""
    lines = (DOCS / name).read_text().splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]


def test_claims_by_number_are_the_articles_statements_and_all_of_them() -> None:
    """docs/article.md has the words of each and their place; what is not there goes by another name."""
    claimed: dict[str, set[str]] = {}
    for ablation in discover()[0]:
        for claim in ablation.claims:
            if re.fullmatch(r"S?\d+(\.\d+)?", claim.name):
                claimed.setdefault(claim.name, set()).add(ablation.name)
    quoted = {row[0]: set(re.findall(r"`(\w+)`", row[3])) for row in rows("article.md") if re.match(r"S\d", row[0])}
    assert claimed == quoted


def test_the_table_of_other_libraries_names_modules_that_there_are() -> None:
    named = {name for row in rows("composer.md") for name in re.findall(r"`(\w+)`", row[-1])}
    assert named <= set(module_names())
    composers = rows("composer.md")[1:29]
    assert (composers[0][0], composers[-1][0]) == ("Alibi", "WeightStandardization")
    assert all(re.search(r"`\w+`|none", row[1]) for row in composers)


@pytest.mark.parametrize("arm", arms(TINY))
def test_reaches_a_worker_as_it_is(arm: Recipe) -> None:
    assert pickle.loads(pickle.dumps(arm)) == arm


def test_ensembles_are_made_of_their_runs(toy: DataSet, tmp_path: Path) -> None:
    """Each as often as planned, with finite measures, again the same, and reported."""
    store, tables = Store(tmp_path, 1), [t for t in studies(discover()[0], TINY)[0] if combinations([t], 1, "")]
    with store.writing():
        for run in (run for planned in plan(tables, 1, toy.fingerprint) for run in planned):
            outcome = Outcome(run, train(run.recipe, run.seed, toy, CPU), "", {}, timestamp(), timestamp())
            keep(outcome, store, ABOUT)
        ensembles = combinations(tables, 1, toy.fingerprint)
        assert combine(ensembles, store, toy, ABOUT) == []
    for each in (each for replicates in ensembles.values() for each in replicates):
        made = store[each.key]
        assert isinstance(made, EnsembleRecord)
        assert None not in (made.test_loss, made.calibration_error, made.gain)
        assert made.train_flops > 0
        again = record(each, store.records, store, toy, ABOUT)
        assert replace(again, started=made.started, finished=made.finished) == made


def test_runs_have_distinct_stable_texts() -> None:
    runs = [run for planned in plan(studies(discover()[0], TINY)[0], 2, "print", OLD) for run in planned]
    assert len({run.key for run in runs}) == len(runs)
    assert not any(" at 0x" in describe(run.recipe) for run in runs)


@pytest.mark.parametrize("table", studies(discover()[0], TINY)[0], ids=lambda t: f"{t.ablation.name} {t.context}")
def test_switched_off_is_the_baseline(table: Study) -> None:
    """An arm that replaces a field by the base's own value is the same run as the base, not another of its kind."""
    for name in table.same:
        assert describe(table.ablation.variants(table.base, TINY)[name]) == describe(table.base)


def test_is_imported_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert module_names()

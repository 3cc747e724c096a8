"""The contract of a paper's table, and the command that trains them. A new file in papers/ is held to it."""

from __future__ import annotations

import ast
import importlib
import inspect
from dataclasses import replace
from html import unescape
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from builders import Page
from torch import nn

import papers.lenet
from benchmark.baseline import baseline
from benchmark.commands import papers as command
from benchmark.data.splits import DataSet
from benchmark.engine.network import first
from benchmark.engine.training import train
from benchmark.networks import Drop
from benchmark.planning.bases import built
from benchmark.planning.contract import PAPERS
from benchmark.planning.discovery import discover, module_names, read_module
from benchmark.planning.identity import UNMARKED, describe, module_mark
from benchmark.planning.studies import Study, studies
from benchmark.recipe import Ensemble, Published, Recipe
from benchmark.store.store import Store
from benchmark.store.version import ENGINE
from papers.swa import HalfThenDown

GIVEN = baseline("cifar10", "reduced", "fp32")


def tables(full: bool = False) -> list[Study]:
    found, broken = discover(PAPERS, full)
    assert broken == {}
    made, failing = studies(found, GIVEN)
    assert failing == {}
    return made


def arms() -> list[Any]:
    """Each distinct recipe of the reduced forms, so small that it trains in no time; members of ensembles too."""
    found: dict[str, Any] = {}
    for table in tables():
        for name, arm in {"control": table.base, **table.arms}.items():
            for recipe in [arm] if isinstance(arm, Recipe) else arm.seeds(1):
                if not isinstance(recipe.before, Recipe):
                    found.setdefault(describe(recipe), pytest.param(recipe, id=f"{table.name}: {name}"))
    return list(found.values())


@pytest.fixture(params=module_names(PAPERS))
def module(request: pytest.FixtureRequest) -> ModuleType:
    return importlib.import_module(f"papers.{request.param}")


def test_asks_a_question_cites_a_source_and_says_how_it_differs(module: ModuleType) -> None:
    paper = read_module(module)
    assert paper.question.endswith("?")
    assert paper.sources
    assert "Differs:" in paper.remarks
    assert "Reduced:" in paper.remarks
    assert paper.claims
    numbers = len(inspect.getsource(module).partition("PUBLISHED = {")[2].partition("\n}\n")[0].splitlines())
    assert len(inspect.getsource(module).splitlines()) - numbers <= 100, "a paper's numbers do not count"


def test_states_its_base_itself(module: ModuleType) -> None:
    """Nothing but data and precision is taken from the budget's base."""
    for full in (False, True):
        (one,) = (each for each in discover(PAPERS, full)[0] if each.name == module.__name__.partition(".")[2])
        for adapt in one.contexts.values():
            other = replace(GIVEN, epochs=77, images=123, learning_rate=9.0)
            assert describe(adapt(other)) == describe(adapt(GIVEN))


def test_the_full_form_trains_longer_and_on_all_images() -> None:
    for small, whole in zip(tables(), tables(full=True), strict=True):
        assert (small.name, list(small.arms)) == (whole.name, list(whole.arms))
        assert whole.base.images is None
        assert whole.base.epochs > small.base.epochs


FULL_PARAMETERS = {  # of the controls' networks, weights and biases of each layer by hand
    "alexnet": 2432 + 25_632 + 51_264 + 10_250,  # 0.09 million
    "dropout_placement": 7296 + 307_328 + 819_456 + 4097 * 2048 + 2049 * 2048 + 20_490,  # 13.7 million
    "cutout": 11_173_962,  # ResNet-18: tests/engine/test_networks.py has its layers
    "random_erasing": 11_172_170,
    "snapshots": 269_722,  # ResNet-20
    "independent_runs": 269_722,
    "xu": 966_986,  # NIN, 0.97 million: tests/engine/test_networks.py
    "nin_dropout": 966_986,
    "zca": 3040 + 40_040 + 1001 * 200 + 2010,
}


@pytest.mark.parametrize("name", FULL_PARAMETERS)
def test_the_full_form_has_the_papers_number_of_parameters(name: str) -> None:
    (table, *_) = (each for each in tables(full=True) if each.ablation.name == name)
    network, _ = built(replace(table.base, data="cifar10"))
    assert sum(each.numel() for each in network.parameters()) == FULL_PARAMETERS[name]


def test_dropout_is_in_the_layers_of_its_row() -> None:
    (table,) = (each for each in tables(full=True) if each.ablation.name == "dropout_placement")
    shares = {
        name: [each.share for each in arm.network.layers if isinstance(each, Drop)]  # type: ignore[union-attr]
        for name, arm in {"none": table.base, **table.arms}.items()
    }
    assert shares == {"none": [], "fully connected": [0.5, 0.5], "all layers": [0.1, 0.25, 0.25, 0.5, 0.5, 0.5]}


def test_rows_of_network_in_network_are_what_they_are_called() -> None:
    """The control's runs are those of Xu's ReLU; a fully connected head reads all of the last maps."""
    found = {each.ablation.name: each for each in tables(full=True) if each.ablation.name in ("xu", "nin_dropout")}
    table = found["nin_dropout"]
    assert describe(table.base) == describe(found["xu"].base)
    arms = {"dropout": table.base, **table.arms}
    halves, parameters = {}, {}
    for name, arm in arms.items():
        network, _ = built(replace(arm, data="cifar10"))  # type: ignore[type-var]  # no row is an ensemble
        halves[name] = sum(isinstance(layer, nn.Dropout) for layer in network.modules())
        parameters[name] = sum(each.numel() for each in network.parameters())
    assert halves == {
        "dropout": 2,
        "no dropout": 0,
        "dropout, flip and shift": 2,
        "fully connected": 2,
        "fully connected + dropout": 3,
    }
    assert parameters["fully connected"] == parameters["dropout"] + 63 * 192 * 10, "8 x 8 pixels for one mean"
    assert parameters["no dropout"] == parameters["dropout, flip and shift"] == parameters["dropout"]


@pytest.mark.parametrize(("progress", "rate"), [(0, 1), (0.4, 1), (0.56, 0.6), (0.72, 0.2), (0.8, 0.2), (1, 0.2)])
def test_the_rate_under_weight_averaging_is_that_of_its_repository(progress: float, rate: float) -> None:
    """1 until half of the part before averages, then down to the last share at nine tenths of it, then held."""
    assert HalfThenDown(0.2, 0.8)(progress, []) == pytest.approx(rate)


def test_rows_of_one_cost_are_of_one_cost() -> None:
    """Five short runs, snapshots and checkpoints take as many epochs as the single run."""
    (table,) = (each for each in tables(full=True) if each.ablation.name == "snapshots")
    for name, arm in table.arms.items():
        assert isinstance(arm, Ensemble)
        recipes = arm.seeds(1)
        assert sum(len(seeds) * recipe.epochs for recipe, seeds in recipes.items()) == table.base.epochs, name
        assert len(arm.members) == 5


def test_a_part_calls_nothing_of_an_ablation(module: ModuleType) -> None:
    """What it takes of ablations are values of its recipes."""
    tree = ast.parse(inspect.getsource(module))
    from_ablations = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ablations.")
        for alias in node.names
    }
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            used = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
            assert not used & from_ablations, node.name


@pytest.mark.parametrize("arm", arms())
def test_trains_to_finite_logits(arm: Recipe, toy: DataSet) -> None:
    small = replace(arm, data="toy", images=32, validation_images=16, epochs=1, batch_size=16, snapshots=())
    result = train(small, 0, replace(toy, test=first(toy.test, 16)), torch.device("cpu"))
    assert result.status == "done"
    assert result.logits is not None
    assert np.isfinite(result.logits).all()


def test_a_part_of_a_paper_has_the_mark_of_its_module() -> None:
    """An edited part must not be served what was trained before."""
    text = describe(papers.lenet.Falling(((0.5, 0.5),)))
    assert text.startswith(f"papers.lenet.Falling@{module_mark('papers.lenet')}(")


def test_correcting_a_published_number_renames_no_run() -> None:
    assert {"base", "PUBLISHED", "CLAIMS"} <= UNMARKED


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({("cifar10", ""): {"none such": Published(1.0, "read")}}, "PUBLISHED is about ['none such']"),
        ({("cifar10", "deep"): {"/255": Published(1.0, "read")}}, "PUBLISHED is about context 'deep'"),
        ({"cifar10": {}}, "PUBLISHED must be such as"),
        ({("cifar10", ""): {"/255": 58.48}}, "PUBLISHED must be such as"),
    ],
)
def test_mistakes_in_published_are_named(wrong: Any, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(papers.lenet, "PUBLISHED", wrong)
    found, broken = discover(PAPERS)
    _, failing = studies(found, GIVEN)
    assert said in (broken | failing)["lenet"]


def test_a_module_without_its_differences_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(papers.lenet, "__doc__", "Is it?\n\nhttps://example.org. Differs: in all.")
    assert 'after "Reduced:"' in discover(PAPERS)[1]["lenet"]


def test_trains_a_table_and_writes_the_page(
    tricks: Any, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From an empty store; again it trains nothing; runs that a committed store has are taken from there."""
    whole = papers.lenet.base
    monkeypatch.setattr(papers.lenet, "base", lambda *given: replace(whole(*given), images=None, epochs=1))
    monkeypatch.setattr(papers.lenet, "PUBLISHED", {("toy", ""): papers.lenet.PUBLISHED["cifar10", ""]})
    monkeypatch.setattr(command, "RESULTS", tmp_path)
    monkeypatch.setattr(command, "REFERENCES", tmp_path / "reference")
    options = ["papers", "--only", "lenet", "--seeds", "2", "--data-dir", folder, "--device", "cpu", "--jobs", "1"]
    options += ["--out", tmp_path / "page"]
    code, said = tricks(*options, "--store", tmp_path / "reference" / "toy-reduced")
    assert code == 0, said
    code, said = tricks(*options)
    assert f"10 runs taken from {tmp_path / 'reference'}" in said
    assert "10 runs, 0 to train" in said
    assert len(Store(tmp_path / "toy-reduced", ENGINE).records) == 10
    page = (tmp_path / "page" / "index.md").read_text()
    assert "| [LeNet](#lenet-reduced) | reduced |" in page
    assert "| + L2 | 76.23 |" in page
    assert "--only lenet --seeds 2 --fresh" in page
    html = (tmp_path / "page" / "index.html").read_text()
    shown = Page(html)
    assert "lenet-reduced" in shown.ids
    assert "One row: python -m benchmark papers --data toy --only 'lenet: + L2' --seeds 2 --fresh" in shown.text
    assert "script" not in shown.tags
    assert "script-src 'none'" in unescape(html)
    report = (tmp_path / "toy-reduced" / "report" / "index.html").read_text()
    assert "Published and measured" in report


def test_an_unknown_table_is_named(tricks: Any) -> None:
    code, said = tricks("papers", "--only", "lenett")
    assert code == 2
    assert "did you mean lenet" in said

"""Builders that several test files share: made-up stores, a reader of pages, a stand-in for the workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import Tensor

from benchmark.data.splits import DataSet
from benchmark.engine.training import train
from benchmark.planning.identity import Run, describe
from benchmark.recipe import Recipe
from benchmark.running.executor import Outcome
from benchmark.store.records import Record, timestamp
from benchmark.store.store import Store

SOURCE = "https://arxiv.org/abs/1505.00853"


CPU = {"torch": "2.14.1", "python": "3.11.7", "device": "cpu", "cpu": "a CPU", "threads": 1, "git_commit": "abc"}


EFFECTS = {
    ("activation", ""): {"tanh": -4.0, "a|b <i>x_$": 3.0, "leaky": 0.1},
    ("initialisation", "batch norm"): {"zeros": -55.0, "normal": -0.1},
}


def record(name: str, seed: int, accuracy: float | None, **changes: Any) -> Record:
    """A run of recipe `name`, 3 epochs long; one without accuracy diverged after 2."""
    curve = [0.2, 0.3, accuracy or 0.3][: 3 if accuracy is not None else 2]
    return {
        "key": f"{name}-{seed}",
        "status": "diverged" if accuracy is None else "done",
        "reason": "",
        "data": "cifar10",
        "fingerprint": "f",
        "seed": seed,
        "recipe": name,
        "test_accuracy": accuracy,
        "validation_accuracy": curve,
        "epoch_train_accuracy": [*curve, None] if accuracy is None else curve,
        "step_ms": 10.0,
        "environment": CPU,
        "started": f"2026-11-23T10:{seed:02d}:00.000+00:00",
        "finished": f"2026-11-23T11:{seed:02d}:00.000+00:00",
    } | changes


def study(ablation: str, context: str, arms: list[str], **changes: Any) -> dict[str, Any]:
    """A table whose recipes are called CONTEXT-ARM."""
    return {
        "ablation": ablation,
        "context": context,
        "question": "What is it worth?",
        "sources": [SOURCE],
        "data": "cifar10",
        "data_choice": "auto: found in data",
        "fingerprint": "f",
        "classes": 10,
        "budget": "quick",
        "margin": 1.0,
        "control": {"recipe": f"{context}-baseline", "seeds": 5, "same": ["ReLU"] if ablation == "activation" else []},
        "arms": [
            {"variant": arm, "recipe": f"{context}-{arm}", "changes": {"part": f"made {arm}"}, "seeds": 4}
            for arm in arms
        ],
        "claims": [
            {"name": "S1", "text": "It helps.", "kind": "better", "arm": arms[0], "than": "baseline"} | ANYWHERE
        ],
    } | changes


ANYWHERE: dict[str, Any] = {"context": None}


Alter = Callable[[Record], Record | None]


def fill(folder: Path, alter: Alter = lambda run: run, **changes: Any) -> Store:
    """A store of the tables in EFFECTS; `alter` may change a run, or leave it out, and `changes` the tables."""
    store = Store(folder, 1)
    with store.writing():
        store.save_studies(study(*name, list(arms), **changes) for name, arms in EFFECTS.items())
        for (_, context), arms in EFFECTS.items():
            for arm, effect in {"baseline": 0.0, **arms}.items():
                for seed in range(5 if arm == "baseline" else 4):
                    noise = Random(f"{context} {arm} {seed}").gauss(0, 2.0 if arm == "leaky" else 0.3)
                    accuracy = 0.1 if arm == "zeros" else round(0.65 + (effect + noise) / 100, 4)
                    if run := alter(record(f"{context}-{arm}", seed, accuracy)):
                        store.add(run)
    return store


class Page(HTMLParser):
    """Checks that elements are closed in order, and keeps what matters."""

    VOID = frozenset(("meta", "br", "link", "img", "input", "hr"))

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.links: list[str] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.ids += [value or "" for name, value in attributes if name == "id"]
        self.links += [value or "" for name, value in attributes if name in ("src", "href", "xlink:href", "srcset")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data if self.open and self.open[-1] not in ("style", "script") else ""


def toy(folder: Path, store: Path, *more: object) -> list[str]:
    given = ["--data", "toy", "--data-dir", folder, "--budget", "quick", "--store", store, "--device", "cpu", *more]
    return [str(each) for each in given]


class Inline:
    """Trains in this process, or only pretends to."""

    def __init__(self, data: DataSet) -> None:
        self.data = data
        self.trained: list[Run] = []

    def outcomes(self, runs: Iterator[Run]) -> Iterator[Outcome]:
        for run in runs:
            self.trained.append(run)
            result = train(run.recipe, run.seed, self.data, torch.device("cpu"))
            yield Outcome(run, result, "", {}, timestamp(), timestamp())


# A log of 100 steps in five epochs, each part in rows of its own.
BOTH = """step,loss,epoch,train_accuracy,validation_accuracy
""" + "".join(
    f"{step},{2 - step / 100},,,\n"
    + (f",,{step // 20},{0.3 + step / 200},{0.3 + step / 230}\n" if not step % 20 else "")
    for step in range(1, 101)
)


def start_of(recipe: Recipe, data: DataSet) -> dict[str, Tensor] | None:
    """Weights for a recipe that starts or learns from trained ones, learned on the CPU from `data`."""
    if not isinstance(recipe.before, Recipe):
        return None
    begun = replace(recipe.before, data=data.name, epochs=1)
    known = describe(begun), data.fingerprint
    if known not in _starts:
        weights = train(begun, 0, data, torch.device("cpu")).weights
        assert weights is not None
        _starts[known] = {name: torch.from_numpy(array) for name, array in weights.items()}
    return _starts[known]


_starts: dict[tuple[str, str], dict[str, Tensor]] = {}  # many recipes start from the same

"""Builders that several test files share: made-up stores, a reader of pages, a stand-in for the workers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import torch
from jsonschema import Draft202012Validator
from torch import Tensor

from benchmark.claim import Better, Claim
from benchmark.data.splits import DataSet
from benchmark.engine.training import train
from benchmark.planning.identity import Run, describe
from benchmark.recipe import Recipe
from benchmark.running.executor import Outcome
from benchmark.store.keys import run_key
from benchmark.store.records import (
    About,
    ArmRecord,
    CostRecord,
    EnsembleRecord,
    Facts,
    FailedRecord,
    Rate,
    Record,
    RunRecord,
    TableRecord,
    later,
    timestamp,
)
from benchmark.store.store import Store

SCHEMAS = Path(__file__).resolve().parents[1] / "docs" / "schemas"
AnyRecord = TypeVar("AnyRecord", RunRecord, EnsembleRecord, FailedRecord)
ABOUT = About("toy", "", "quick")
SOURCE = "https://arxiv.org/abs/1505.00853"


CPU = {"torch": "2.14.1", "python": "3.11.7", "device": "cpu", "cpu": "a CPU", "threads": 1, "git_commit": "abc"}


EFFECTS = {
    ("activation", ""): {"tanh": -4.0, "a|b <i>x_$": 3.0, "leaky": 0.1},
    ("initialisation", "batch norm"): {"zeros": -55.0, "normal": -0.1},
}


COST = CostRecord(
    recipe="r",
    control="c",
    ratio=1.5,
    low=1.4,
    high=1.6,
    step_ms=15.0,
    control_step_ms=10.0,
    environment={"device": "cpu"},
)
RATE = Rate(what="false alarms", count=1, of=100, low=0.0, high=0.05, goal="at most 5 %")


def record(name: str, seed: int, accuracy: float | None, **changes: Any) -> RunRecord:
    """A run of recipe `name`, 3 epochs long; one without accuracy diverged after 2."""
    curve = (0.2, 0.3, accuracy or 0.3)[: 3 if accuracy is not None else 2]
    plain: dict[str, Any] = {
        "status": "diverged" if accuracy is None else "done",
        "reason": "",
        "data": "cifar10",
        "data_choice": "auto: found in data",
        "budget": "quick",
        "fingerprint": "f",
        "seed": seed,
        "recipe": name,
        "test_accuracy": accuracy,
        "train_accuracy": accuracy,
        "validation_accuracy": curve,
        "validation_loss": (None,) * len(curve),
        "epoch_train_accuracy": (*curve, None) if accuracy is None else curve,
        "epoch_train_loss": (),
        "train_seconds": 3.0,
        "step_ms": 10.0,
        "peak_memory_mb": 100.0,
        "parameters": 1000,
        "step_flops": 10**6,
        "environment": CPU,
        "started": f"2026-11-23T10:{seed:02d}:00.000+00:00",
        "finished": f"2026-11-23T11:{seed:02d}:00.000+00:00",
    }
    return keyed(RunRecord(key="", **(plain | changes)))


def took(name: str, seed: int, seconds: float, **changes: Any) -> RunRecord:
    """A run of recipe `name` on 200 images, in 2 steps of 10^6 operations, that took so many seconds."""
    facts = Facts(learning_rate=0.1, batch_size=100, epochs=1, steps=2, constant_rate=True)
    began = "2026-11-23T10:00:00.000+00:00"
    times = {"started": began, "finished": later(began, seconds), "train_seconds": seconds}
    return record(name, seed, 0.5, **({"facts": facts} | times | changes))


def failed(name: str, seed: int, reason: str, **changes: Any) -> FailedRecord:
    """A run of recipe `name` that raised an error."""
    of = record(name, seed, 0.5, **changes)
    header = {field.name: getattr(of, field.name) for field in fields(FailedRecord)}
    return FailedRecord(**(header | {"status": "failed", "reason": reason}))


def keyed(record: AnyRecord) -> AnyRecord:
    """The record with the key that its content makes."""
    start = "" if isinstance(record, EnsembleRecord) else record.start
    return replace(record, key=run_key(record.fingerprint, record.seed, record.recipe, start))


def changed(record: AnyRecord, **changes: Any) -> AnyRecord:
    """The record with other fields, and the key that goes with them."""
    return keyed(replace(record, **changes))


def arm(variant: str, recipe: str, **changes: Any) -> ArmRecord:
    """An arm of 4 seeds that changes one part."""
    plain: dict[str, Any] = {"changes": {"part": f"made {variant}"}, "seeds": 4}
    return ArmRecord(variant=variant, recipe=recipe, **(plain | changes))


def study(ablation: str, context: str, names: list[str], **changes: Any) -> TableRecord:
    """A table whose recipes are called CONTEXT-ARM."""
    plain: dict[str, Any] = {
        "question": "What is it worth?",
        "sources": (SOURCE,),
        "data": "cifar10",
        "data_choice": "auto: found in data",
        "fingerprint": "f",
        "classes": 10,
        "budget": "quick",
        "margin": 1.0,
        "control": arm("baseline", f"{context}-baseline", seeds=5, changes={}),
        "same": ("ReLU",) if ablation == "activation" else (),
        "arms": tuple(arm(each, f"{context}-{each}") for each in names),
        "claims": (Claim("S1", "It helps.", Better(names[0])),),
    }
    return TableRecord(ablation=ablation, context=context, **(plain | changes))


Alter = Callable[[RunRecord], Record | None]


def fill(folder: Path, alter: Alter = lambda run: run, **changes: Any) -> Store:
    """A store of the tables in EFFECTS; `alter` may change a run, or leave it out, and `changes` the tables."""
    store = Store(folder, 1)
    with store.writing():
        store.save_tables(study(*name, list(arms), **changes) for name, arms in EFFECTS.items())
        for (_, context), arms in EFFECTS.items():
            for name, effect in {"baseline": 0.0, **arms}.items():
                for seed in range(5 if name == "baseline" else 4):
                    noise = Random(f"{context} {name} {seed}").gauss(0, 2.0 if name == "leaky" else 0.3)
                    accuracy = 0.1 if name == "zeros" else round(0.65 + (effect + noise) / 100, 4)
                    if run := alter(record(f"{context}-{name}", seed, accuracy)):
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


def validator(name: str) -> Draft202012Validator:
    """What refuses JSON that does not fit a schema of docs/schemas/."""
    schema = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


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


def once(decompose: Callable[..., tuple[Tensor, ...]]) -> Callable[..., tuple[Tensor, ...]]:
    """Decomposes each matrix once: all pixels of the images, which seven variants of whitening fit, take a second."""
    kept: dict[bytes, tuple[Tensor, ...]] = {}

    def decomposed(matrix: Tensor, *options: object, **named: object) -> tuple[Tensor, ...]:
        name = sha256(f"{options} {named}".encode() + matrix.numpy().tobytes()).digest()
        if name not in kept:
            kept[name] = decompose(matrix, *options, **named)
        return tuple(each.clone() for each in kept[name])

    return decomposed

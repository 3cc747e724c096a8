"""Trains the networks that the thresholds of `diagnose` are fitted on, and others that they are tested on.

    python -m speed.diagnosis_trainings speed/reference/diagnosis.csv [--minutes 30]

One process with one thread. Each line of the table is one training: what was trained, the mean losses of twenty equal
parts of it, the early rise of its loss, its accuracies. Started again, the script continues where it stopped. At the
end it prints how often `diagnose` is right: of the learning rate, judged by what became of the other rates.

Fitted on: a small VGG with batch norm and a perceptron, on CIFAR-10. Tested on: a plain convolutional network without
norm and a residual network with batch norm, on other images of CIFAR-10 and on the first 20 classes of CIFAR-100.
Each with SGD and Adam, four schedules and seven learning rates.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import cos, isfinite, pi
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from benchmark.baseline import SGD, WarmUpAndDecay, baseline
from benchmark.data.load import load
from benchmark.data.splits import DataSet, Split
from benchmark.engine.training import train
from benchmark.evidence.diagnosis import UNSURE, chance_accuracy, early_rise, judge_rate, learnt
from benchmark.evidence.log import Log
from benchmark.evidence.sweeps import GOOD
from benchmark.networks import VGG, GlobalAverage
from benchmark.recipe import Parts, Recipe, Validation, absent, constant

IMAGES, EPOCHS, BATCH = 1600, 8, 32
CLASSES = 20  # of CIFAR-100
COLUMNS = ("purpose", "network", "data", "classes", "optimiser", "schedule", "rate", "levels", "rise")
MEASURED = ("train_accuracy", "validation_accuracy", "validation_loss")


@dataclass(frozen=True)
class Case:
    """One training."""

    purpose: str  # "fit" or "test"
    network: str
    data: str
    optimiser: str
    schedule: str
    rate: float  # the peak

    @property
    def key(self) -> tuple[str, ...]:
        """Returns what identifies the training in the table."""
        return (self.purpose, self.network, self.data, self.optimiser, self.schedule, f"{self.rate:g}")


def perceptron(parts: Parts) -> nn.Module:
    """Returns two hidden layers of 128 units on the flattened pixels, without norm."""
    hidden = (nn.Flatten(), nn.Linear(3072, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU())
    return nn.Sequential(OrderedDict(features=nn.Sequential(*hidden), head=nn.Linear(128, parts.classes)))


class Block(nn.Module):
    """Two convolutions with norm and a shortcut: He et al. 2016, https://arxiv.org/abs/1512.03385."""

    def __init__(self, parts: Parts, inputs: int, outputs: int) -> None:
        super().__init__()
        self.change = nn.Conv2d(inputs, outputs, 1, bias=False)
        layers = (parts.convolution(inputs, outputs, False), nn.BatchNorm2d(outputs), nn.ReLU())
        self.body = nn.Sequential(*layers, parts.convolution(outputs, outputs, False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Maps (n, inputs, h, w) to (n, outputs, h, w)."""
        return torch.relu(self.change(x) + self.body(x))


def residual(parts: Parts) -> nn.Module:
    """Returns three residual blocks of 8, 16 and 32 channels."""
    stem = (parts.convolution(3, 8, False), parts.pool(8), nn.BatchNorm2d(8), nn.ReLU())
    first, second, third = (Block(parts, *sizes) for sizes in ((8, 8), (8, 16), (16, 32)))
    layers = (*stem, first, parts.pool(8), second, parts.pool(16), third, GlobalAverage())
    return nn.Sequential(OrderedDict(features=nn.Sequential(*layers), head=nn.Linear(32, parts.classes)))


def cosine(progress: float, history: Sequence[Validation]) -> float:
    """Returns half a cosine from 1 to 0: Loshchilov & Hutter 2017, https://arxiv.org/abs/1608.03983."""
    return (1 + cos(pi * progress)) / 2


def steps(progress: float, history: Sequence[Validation]) -> float:
    """Returns 1, then a tenth from half of the training on and a hundredth from three quarters on."""
    return 1.0 if progress < 0.5 else 0.1 if progress < 0.75 else 0.01


def adam(groups: Iterable[dict[str, Any]]) -> Optimizer:
    """Returns the optimiser of Kingma & Ba 2015, https://arxiv.org/abs/1412.6980."""
    return torch.optim.Adam(list(groups), lr=0.0)


NETWORKS: dict[str, dict[str, Any]] = {
    "vgg": {"network": VGG(((8, 1), (16, 1), (32, 1)))},
    "perceptron": {"network": perceptron, "norm": absent},
    "plain": {"network": VGG(((16, 1), (24, 1), (32, 2))), "norm": absent},
    "residual": {"network": residual},
}
OPTIMISERS: dict[str, Any] = {"sgd": SGD(momentum=0.9, nesterov=True), "adam": adam}
RATES = {"sgd": (5e-4, 3e-3, 0.02, 0.1, 0.4, 1.5, 6.0), "adam": (1e-5, 1e-4, 5e-4, 2e-3, 0.01, 0.05, 0.3)}
SCHEDULES: dict[str, Any] = {
    "constant": constant,
    "linear": WarmUpAndDecay(0.2),
    "cosine": cosine,
    "steps": steps,
}
SWEEP = ("network", "data", "optimiser", "schedule")
SETS = {"fit": (("vgg", "perceptron"), ("cifar10",)), "test": (("plain", "residual"), ("cifar10", "cifar100"))}


def cases() -> Iterator[Case]:
    """Yields the trainings: all of one sweep of rates after each other, fit and test sweeps mixed."""
    for schedule in SCHEDULES:
        for optimiser in OPTIMISERS:
            for purpose, (networks, sets) in SETS.items():
                for network in networks:
                    for data in sets:
                        for peak in RATES[optimiser]:
                            yield Case(purpose, network, data, optimiser, schedule, peak)


def images(case: Case, folder: Path) -> DataSet:
    """Returns the images of a case: IMAGES to train on, 1,000 to validate on, and ten to test on, not looked at."""
    whole = load(case.data, folder)
    classes = whole.classes[:CLASSES]
    splits = []
    for split in (whole.train, whole.validation, whole.test):
        kept = split.labels < len(classes)
        splits.append(Split(split.images[kept], split.labels[kept]))
    learned, validated, tested = splits
    start = IMAGES if case.purpose == "test" else 0
    chosen = slice(start, start + IMAGES)
    return replace(
        whole,
        classes=classes,
        train=Split(learned.images[chosen], learned.labels[chosen]),
        validation=Split(validated.images[:1000], validated.labels[:1000]),
        test=Split(tested.images[:10], tested.labels[:10]),
    )


def recipe(case: Case) -> Recipe:
    """Returns the recipe of a case: the baseline's but for what the case names."""
    return replace(
        baseline(case.data, "quick"),
        images=None,
        validation_images=None,
        epochs=EPOCHS,
        batch_size=BATCH,
        learning_rate=case.rate,
        schedule=SCHEDULES[case.schedule],
        optimiser=OPTIMISERS[case.optimiser],
        precision="fp32",
        **NETWORKS[case.network],
    )


def line(case: Case, data: DataSet) -> dict[str, Any]:
    """Trains a case; returns its line of the table, lists of numbers parted by spaces."""
    found = train(recipe(case), 0, data, torch.device("cpu"))
    rise = early_rise(found.losses.tolist())
    columns = dict(zip(("purpose", "network", "data", "optimiser", "schedule", "rate"), case.key, strict=True))
    curves = {
        "levels": found.levels,
        "train_accuracy": found.epoch_train_accuracy,
        "validation_accuracy": found.validation_accuracy,
        "validation_loss": found.validation_loss,
    }
    numbers = {name: " ".join(f"{value:.4g}" for value in values) for name, values in curves.items()}
    return columns | {"classes": len(data.classes), "rise": "" if rise is None else f"{rise:.4g}"} | numbers


@dataclass(frozen=True)
class Judged:
    """A training of the table, what its learning rate is by the outcome, and what `diagnose` says of it."""

    purpose: str
    schedule: str
    truth: str  # low, good, high, at chance
    word: str


def judged(path: Path) -> list[Judged]:
    """Returns the trainings of a table. The best rate is that of the highest validation accuracy at the end.

    At chance: validation at chance, or diverged. Good: within GOOD of the best. High: above the good ones; low: below.
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    sweeps: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for row in rows:
        sweeps.setdefault(tuple(row[name] for name in ("purpose", *SWEEP)), []).append(row)
    return [each for sweep in sweeps.values() for each in of_sweep(sweep)]


def of_sweep(rows: list[dict[str, str]]) -> Iterator[Judged]:
    """Yields the trainings of a sweep of rates, which rise from row to row."""
    courses = [numbers(row["levels"]) for row in rows]
    validations = [numbers(row["validation_accuracy"]) for row in rows]
    ends = [
        accuracy[-1] if accuracy and all(map(isfinite, course)) else 0.0
        for course, accuracy in zip(courses, validations, strict=True)
    ]
    best = ends.index(max(ends))
    for at, (row, course, validation, end) in enumerate(zip(rows, courses, validations, ends, strict=True)):
        classes, rise = int(row["classes"]), float(row["rise"]) if row["rise"] else None
        known = learnt(Log(train_loss=course, validation_accuracy=validation, classes=classes))
        found = judge_rate(course, row["schedule"] == "constant", known, rise)
        truth = "good" if end >= ends[best] - GOOD else "low" if at < best else "high"
        truth = "at chance" if end <= chance_accuracy(classes) else truth
        yield Judged(row["purpose"], row["schedule"], truth, found.word if found else "")


def numbers(cell: str) -> list[float]:
    """Returns the numbers of a cell."""
    return [float(each) for each in cell.split()]


def confusion(rows: Sequence[Judged], title: str) -> str:
    """Returns a table in Markdown: what rates are by the outcome against the words, by kind of schedule."""
    words = ("low", UNSURE, "high", "too high", "nothing learned", "cannot tell")
    lines = [f"| {title} | {' | '.join(words)} |", "|-" * (len(words) + 1) + "|"]
    for kind, constantly in (("falling", False), ("constant", True)):
        for truth in ("low", "good", "high", "at chance"):
            of_kind = [row for row in rows if (row.schedule == "constant") == constantly]
            counts = Counter(row.word for row in of_kind if row.truth == truth)
            lines.append(f"| {truth}, {kind} | {' | '.join(str(counts[word]) for word in words)} |")
    return "\n".join(lines)


def main() -> None:
    """Trains what the table lacks, until the time is up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--minutes", type=float, default=60.0)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    known = set()
    if asked.out.exists():
        with asked.out.open(encoding="utf-8", newline="") as file:
            known = {tuple(row[name] for name in Case.__dataclass_fields__) for row in csv.DictReader(file)}
    end, kept = time.monotonic() + 60 * asked.minutes, {}
    with asked.out.open("a", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, (*COLUMNS, *MEASURED))
        if not known:
            table.writeheader()
        for case in cases():
            if case.key in known or time.monotonic() > end:
                continue
            if (case.purpose, case.data) not in kept:
                kept[case.purpose, case.data] = images(case, asked.data_dir)
            table.writerow(line(case, kept[case.purpose, case.data]))
            file.flush()
    for purpose in SETS:
        print(confusion([row for row in judged(asked.out) if row.purpose == purpose], purpose))


if __name__ == "__main__":
    main()

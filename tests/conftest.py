"""Toy data and a toy baseline: everything that trains in these tests trains on these, in well under a second."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from pretended_gpu.trial import Trials

from benchmark.baseline import baseline
from benchmark.commands.app import main
from benchmark.data.load import load
from benchmark.data.splits import DataSet
from benchmark.engine.machine import prepare_device
from benchmark.networks import VGG

torch.set_num_threads(1)  # as in a worker: sums in another order would be other numbers


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests marked gpu are skipped, with the reason, where there is none."""
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


@pytest.fixture(autouse=True, scope="session")
def _as_a_worker_on_a_gpu() -> None:
    """Deterministic kernels, and float32 that is float32, where there is a GPU."""
    if torch.cuda.is_available():
        prepare_device("cuda:0")


@pytest.fixture(autouse=True)
def _subnormal_numbers() -> Iterator[None]:
    """A command that trains in this process rounds them to zero, as a worker does; hypothesis needs them."""
    yield
    torch.set_flush_denormal(False)


@pytest.fixture(autouse=True, scope="session")
def _little_garbage() -> None:
    gc.freeze()  # statsmodels.multipletests collects garbage on every call, and torch leaves much to look at


def tinted(count: int, classes: int, seed: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Noise with a tint, one tint for each class."""
    tints = np.random.default_rng(7).integers(0, 256, (classes, 1, 1, 3))
    labels = np.arange(count, dtype=np.uint8) % classes
    noise = np.random.default_rng(seed).integers(0, 256, (count, 32, 32, 3))
    return ((noise + tints[labels]) // 2).astype(np.uint8), labels


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the sets toy (4 classes) and toy6 (6 classes)."""
    place = tmp_path_factory.mktemp("data")
    for name, classes in (("toy", 4), ("toy6", 6)):
        train_images, train_labels = tinted(60 * classes, classes, seed=1)
        test_images, test_labels = tinted(20 * classes, classes, seed=2)
        np.savez(
            place / f"{name}.npz",
            train_images=train_images,
            train_labels=train_labels,
            test_images=test_images,
            test_labels=test_labels,
            classes=np.array([f"class {i}" for i in range(classes)]),
        )
    return place


@pytest.fixture(scope="session")
def toy(folder: Path) -> DataSet:
    return load("toy", folder)


@pytest.fixture(scope="session")
def toy6(folder: Path) -> DataSet:
    return load("toy6", folder)


@pytest.fixture(scope="session")
def trials(folder: Path) -> Iterator[Trials]:
    """A pretended GPU, in a process of its own, that examines recipes on the set toy."""
    with Trials(folder) as process:
        yield process


# The baseline, so small that a run takes a tenth of a second.
TINY = replace(
    baseline("toy", "quick", "fp32"),
    images=None,
    validation_images=None,
    network=VGG(((4, 1), (6, 1))),
    epochs=2,
    batch_size=32,
    learning_rate=0.05,
)


def call(*arguments: object, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    """Exit code, and what it printed."""
    monkeypatch.setattr(sys, "argv", ["benchmark", *map(str, arguments)])
    try:
        main()
        code = 0
    except SystemExit as reason:
        code = int(reason.code or 0)
    printed = capsys.readouterr()
    return code, printed.out + printed.err


@pytest.fixture
def tricks(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command line, called in this process."""
    return lambda *arguments: call(*arguments, capsys=capsys, monkeypatch=monkeypatch)

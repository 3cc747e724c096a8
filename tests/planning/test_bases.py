"""A base of the user's own: read from a file, what fits of the catalogue, and a training of it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from benchmark.errors import UsageError
from benchmark.planning.bases import base_of_file, built, fitting
from benchmark.planning.discovery import discover
from benchmark.planning.grid import planned
from benchmark.planning.identity import describe
from benchmark.planning.requests import Request
from benchmark.planning.stored import today
from benchmark.planning.studies import studies
from benchmark.store.records import RunRecord
from benchmark.store.store import Store
from benchmark.store.version import ENGINE

PAGE = Path(__file__).parents[2] / "docs" / "own-networks.md"
NUMBERS = count()
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.S)
TINY = """
from collections import OrderedDict
from dataclasses import replace

from torch import nn

from benchmark.baseline import baseline


def tiny(parts):
    layers = nn.Sequential(nn.Conv2d(3, 4, 3, stride=4), nn.BatchNorm2d(4), parts.activation(4), nn.Flatten())
    return nn.Sequential(OrderedDict(features=layers, head=nn.Linear(256, parts.classes)))


def base(data, precision):
    plain = baseline(data, "quick", precision)
    return replace(plain, images=None, validation_images=None, network=tiny, epochs=1, batch_size=48)
"""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for modules, forgotten afterwards."""
    before, path = set(sys.modules), list(sys.path)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]
    sys.path[:] = path


def written(folder: Path, text: str, name: str = "") -> Path:
    """A file of a name that no other test has: marks are worked out once for each module of a process."""
    path = folder / (name or f"base_{next(NUMBERS)}.py")
    path.write_text(text)
    return path


def fit(path: Path) -> tuple[set[str], dict[str, str]]:
    """The names of the rows that fit, and why others do not."""
    base = base_of_file(path, "cifar10", "fp32")
    tables, failing = studies(discover()[0], base)
    kept, unfit = fitting(tables, base)
    return {f"{table.name}: {arm}" for table in kept for arm in table.arms}, unfit | failing


def test_the_residual_network_of_the_page(files: Path) -> None:
    rows, unfit = fit(written(files, EXAMPLES[0]))
    assert {"label_smoothing: 0.1", "activation (batch norm): GELU", "schedule: cosine"} <= rows
    assert "capacity scales a VGG" in unfit["capacity"]
    assert "the network takes no pool from the recipe" in unfit["pooling"]


def test_the_model_of_torchvision_of_the_page(files: Path) -> None:
    path = written(files, EXAMPLES[1])
    rows, unfit = fit(path)
    assert {"label_smoothing: 0.1", "schedule: cosine", "erasing: cutout 16"} <= rows
    assert not any(row.startswith("activation") for row in rows)
    assert "takes no activation" in unfit["activation (batch norm)"]
    network, asked = built(base_of_file(path, "cifar10", "fp32"))
    assert asked == {"norm"}
    assert sum(each.numel() for each in network.parameters()) == 11_173_962


def test_parts_of_the_file_are_marked_with_its_code(files: Path) -> None:
    paths = [written(files, text) for text in (TINY, TINY.replace("stride=4", "stride=2"))]
    texts = [describe(base_of_file(path, "toy", "fp32")) for path in paths]
    marks = [re.findall(r"\.tiny@(\w+)", text)[0] for text in texts]
    assert marks[0] != marks[1]


def test_the_tour_names_only_what_it_would_train(folder: Path, files: Path) -> None:
    asked = Request("toy", "", folder, "quick", ("cpu",), files, 1, base=written(files, TINY))
    for only, said in ((None, {"capacity"}), ("all", {"capacity", "depth"}), ("depth, schedule", {"depth"})):
        grid = planned(asked, only)
        assert not grid.broken
        assert {name for name in ("capacity", "depth") if f"{name} does not fit: " in str(grid.unavailable)} == said


def test_trains_what_fits_and_names_the_rest(tricks: Any, folder: Path, files: Path) -> None:
    path = written(files, TINY)
    store = files / "results"
    options = ["--base", path, "--data", "toy", "--data-dir", folder, "--device", "cpu", "--store", store]
    code, said = tricks("run", *options, "--only", "label_smoothing: 0.1, capacity", "--seeds", "1", "--jobs", "1")
    assert code == 0, said
    assert "capacity does not fit: capacity scales a VGG" in said
    (table,) = (each for each in Store(store, ENGINE).tables() if each.ablation == "label_smoothing")
    assert (table.budget, table.margin, table.control.facts and table.control.facts.epochs) == (path.stem, 1.0, 1)
    assert {record.status for record in Store(store, ENGINE).records.values()} == {"done"}
    assert f"--base {path.name}" in (store / "report" / "index.html").read_text()
    code, said = tricks("plan", *options, "--only", "label_smoothing: 0.1", "--seeds", "1")
    assert "2 distinct runs, 2 stored, 0 to train" in said
    results = Store(store, ENGINE)
    runs = [record for record in results.finished if isinstance(record, RunRecord)]
    for base, many in ((path, len(runs)), (None, 0)):
        again = today(results.tables(), store, folder, base)
        assert sum(again.run(record) is not None for record in runs) == many


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1", "has no function base"),
        ("import nothing_of_that_name", "cannot be imported: ModuleNotFoundError"),
        ("def base(data, precision): return 3", "must give a Recipe"),
        (TINY.replace("replace(plain", "replace(plain, data='other'"), "on the data set 'toy'"),
        (TINY.replace("head=", "classifier="), "submodule `head`"),
        (TINY.replace("parts.activation(4)", "parts.activation()"), "network of"),
        (TINY.replace("network=tiny", "network=lambda parts: tiny(parts)"), "fails: TypeError"),
    ],
)
def test_mistakes_are_named(text: str, said: str, files: Path) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        base_of_file(written(files, text), "toy", "fp32")


def test_files_that_cannot_be_modules(files: Path) -> None:
    with pytest.raises(UsageError, match="must be a Python file"):
        base_of_file(files / "none.py", "toy", "fp32")
    with pytest.raises(UsageError, match="has the name of another module"):
        base_of_file(written(files, TINY, "statistics.py"), "toy", "fp32")

"""Whatever bytes come, what reads them says a sentence or reads them: no traceback.

Bytes are replaced at random, and so are the values behind a right checksum, as another program would write them.

At length: `make fuzz` tries 10,000 inputs of each kind, others each time, and says how many it tried.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import zlib
from collections import Counter
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from builders import BOTH, COST, RATE, fill, record
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from safetensors.torch import save

from benchmark import report
from benchmark.data.load import load
from benchmark.data.pictures import read_picture
from benchmark.errors import UsageError
from benchmark.evidence import regression
from benchmark.evidence.diagnosis import diagnose
from benchmark.evidence.log_files import read_log
from benchmark.evidence.own import judge_results
from benchmark.evidence.own_files import Asked, results
from benchmark.evidence.tables import tables as stored_tables
from benchmark.planning.checkpoints import checkpoint
from benchmark.store.keys import run_key
from benchmark.store.lines import END, SUM, decode, encode, unseal
from benchmark.store.records import Calibration
from benchmark.store.store import Store

ROOT = Path(__file__).resolve().parent.parent
COUNT = int(os.environ.get("FUZZ", 0))  # inputs of each kind; none given: a few, always the same
settings.register_profile(
    "fuzz",
    max_examples=COUNT or 20,
    derandomize=not COUNT,
    deadline=None,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("fuzz")

Json = dict[str, Any]
Edit = tuple[int, str, Any]


def damaged(*whole: bytes) -> st.SearchStrategy[bytes]:
    """A file with some bytes replaced, cut out or put in, or other bytes altogether."""

    def put(number: int, edits: list[tuple[float, int, bytes]]) -> bytes:
        content = whole[number]  # no argument: hypothesis writes these out
        for share, length, new in edits:
            at = int(share * len(content))
            content = content[:at] + new + content[at + length :]
        return content

    cuts = st.tuples(st.floats(0, 1), st.integers(0, 40), st.binary(max_size=40))
    return st.builds(put, st.integers(0, len(whole) - 1), st.lists(cuts, min_size=1, max_size=4)) | st.binary(
        max_size=200
    )


# Values behind a right checksum

NUMBERS = [0, 1, -1, 2.5, 0.5, 1e308, -1e308, 5e-324, 10**30, float("nan"), float("inf")]
TEXTS = ["", "x", "a/../b", "=1+1", "<b>", "\ud800", "\0", "é" * 300, "2026-11-25", "9999-12-31T23:59:59+00:00", "f"]
ODD = st.sampled_from([None, True, *NUMBERS, *TEXTS, [], [1, "a"], [None], {}, {"a": 1}, [[[]]]])
EDITS = st.lists(
    st.tuples(st.integers(0, 10_000), st.sampled_from(["put", "put", "drop", "again"]), ODD), min_size=1, max_size=3
)


def places(tree: Any) -> list[tuple[Any, Any]]:
    """Every place of a JSON value: a list or an object, and where in it."""
    found: list[tuple[Any, Any]] = []
    for at in tree if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ():
        found += [(tree, at), *places(tree[at])]
    return found


def edited(whole: Json, edits: list[Edit]) -> Json:
    """The same with some values replaced, left out or doubled; the key of a run fits again."""
    content = deepcopy(whole)
    for number, deed, value in edits:
        if not (there := places(content)):
            break
        tree, at = there[number % len(there)]
        if deed == "put":
            tree[at] = deepcopy(value)
        elif deed == "drop":
            del tree[at]
        elif isinstance(tree, list):
            tree.append(deepcopy(tree[at]))
    with suppress(Exception):
        if "key" in content:
            given = [content[name] for name in ("fingerprint", "seed", "recipe")]
            content["key"] = run_key(*given, content["start"], content["engine"])
    return content


def sealed(content: Json) -> bytes:
    """A line or file with a right checksum, in which a number may be nan and a text may be cut amid a character."""
    body = json.dumps(content)[:-1].encode()
    return body + SUM + f"{zlib.crc32(body):08x}".encode() + END


def spoilt(whole: bytes) -> st.SearchStrategy[bytes]:
    """A line or a sealed file with other bytes, or with other values behind a right checksum."""
    content = unseal(whole)
    return st.one_of(damaged(whole), st.builds(lambda edits: sealed(edited(content, edits)), EDITS))


LINE = encode(record("-baseline", 0, 0.5), 1)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the inputs are put into, one after the other."""
    return tmp_path_factory.mktemp("fuzz")


@pytest.fixture(scope="module")
def whole(place: Path) -> Store:
    """A store with two tables, costs and a calibration."""
    store = fill(place / "whole")
    with store.writing():
        store.save_cost(replace(COST, recipe="-tanh", control="-baseline"))
        store.save_calibration(Calibration(made_of="2 runs", rates=(RATE,)))
    return store


def read_store(store: Store, other: Store) -> None:
    """Reads all that a report and a comparison read."""
    report.numbers(report.by_name(stored_tables(store)))
    regression.compare_stores(other, store)
    store.costs()
    store.calibration()


@given(spoilt(LINE))
def test_lines_of_a_store(line: bytes) -> None:
    with suppress(ValueError, UsageError):
        decode(line)


@given(st.data())
def test_stores_and_references(place: Path, whole: Store, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["runs.jsonl", "studies.json", "costs.json", "calibration.json"]))
    content = (whole.folder / name).read_bytes()
    lines = content.splitlines() if name == "runs.jsonl" else [content]
    at = data.draw(st.integers(0, len(lines) - 1))
    lines[at] = data.draw(spoilt(lines[at]))
    (folder := place / "spoilt").mkdir(exist_ok=True)
    for file in whole.folder.glob("*.json*"):
        (folder / file.name).write_bytes(b"\n".join(lines) + b"\n" if file.name == name else file.read_bytes())
    with suppress(UsageError):
        read_store(Store(folder, 1), whole)


# Data sets

DRAWN = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), np.uint8)
SET = {
    **{f"{split}_images": DRAWN for split in ("train", "test")},
    **{f"{split}_labels": np.arange(12) % 2 for split in ("train", "test")},
    "classes": np.array(["a", "b"]),
}
ARRAYS = hnp.arrays(
    hnp.scalar_dtypes() | hnp.unicode_string_dtypes(max_len=4),
    hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=12),
)


def archive(arrays: dict[str, Any]) -> bytes:
    """The arrays as a file."""
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()


def exchanged(name: str, array: Any) -> bytes:
    """The data set with another array in the place of one, or besides."""
    return archive(SET | {name: array})


@given(
    damaged(archive(SET))
    | st.builds(exchanged, st.sampled_from([*SET, "validation_images", "validation_labels", "remarks"]), ARRAYS),
    st.sampled_from(["own", "own@16"]),
)
def test_data_files(place: Path, content: bytes, name: str) -> None:
    (place / "own.npz").write_bytes(content)
    with suppress(UsageError):
        load(name, place)


def picture(kind: str, mode: str) -> bytes:
    """A picture as a file."""
    content = io.BytesIO()
    Image.fromarray(DRAWN[0]).convert(mode).save(content, kind)
    return content.getvalue()


def chunk(name: bytes, content: bytes) -> bytes:
    """A part of a PNG with its length and checksum."""
    return len(content).to_bytes(4, "big") + name + content + zlib.crc32(name + content).to_bytes(4, "big")


def png(parts: list[tuple[bytes, bytes]]) -> bytes:
    """A PNG of a header that is right or not, any other parts, and the end."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts) + chunk(b"IEND", b"")


PARTS = st.tuples(
    st.sampled_from(
        [b"IHDR", b"IDAT", b"PLTE", b"tRNS", b"iCCP", b"zTXt", b"iTXt", b"eXIf", b"acTL", b"fcTL", b"gAMA"]
    ),
    st.binary(max_size=30) | st.binary(max_size=30).map(zlib.compress),
)
HEADER = st.builds(
    lambda width, height, depth, color: (
        b"IHDR",
        width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([depth, color, 0, 0, 0]),
    ),
    *[st.sampled_from([0, 1, 32, 2**31])] * 2,
    st.sampled_from([1, 2, 4, 8, 16, 3]),
    st.integers(0, 7),
)


@given(
    damaged(
        *(picture("PNG", mode) for mode in ("RGB", "P", "LA", "1")), picture("JPEG", "RGB"), picture("JPEG", "CMYK")
    )
    | st.builds(lambda header, parts: png([header, *parts]), HEADER, st.lists(PARTS, max_size=4)),
    st.sampled_from([None, 8]),
)
def test_pictures(place: Path, content: bytes, side: int | None) -> None:
    (file := place / "picture.png").write_bytes(content)
    with suppress(UsageError):
        read_picture(file, side, Counter())


# Tables of others

CELLS = [
    "",
    "0",
    "1",
    "2",
    "0.5",
    "-0.5",
    "1e308",
    "1e-320",
    "nan",
    "inf",
    "-Infinity",
    "1,5",
    "50 %",
    "1.000.000",
    "x",
]
LOG_COLUMNS = ["step", "epoch", "loss", "train_loss", "val_loss", "train_acc", "val_acc", "lr", "loss_step", "x"]
RESULT_COLUMNS = ["variant", "seed", "accuracy", "baseline", "other", "test_loss", "group", "", "score"]


def table(columns: list[str], texts: list[str], seed: int) -> bytes:
    """A table with some of the columns, of numbers in their order and odd cells, in which a row may be too short."""
    draw = Random(seed)
    header = draw.choices(columns, k=draw.randint(1, 5))
    odd, even = draw.choice([0.0, 0.02, 0.3, 1.0]), draw.random() < 0.5
    file = io.StringIO()
    lines = csv.writer(file, delimiter=draw.choice(",;\t"))
    lines.writerow(header)
    for at in range(draw.choice([0, 1, 3, 25, 60])):
        usual = [str(at) if name in ("step", "epoch", "seed") else f"{draw.random():.3f}" for name in header]
        row = [draw.choice(texts) if draw.random() < odd else cell for cell in usual]
        lines.writerow(row if even or draw.random() > 0.02 else row[1:])
    return file.getvalue().encode()


def tables(columns: list[str], texts: list[str]) -> st.SearchStrategy[bytes]:
    """Such tables."""
    return st.builds(table, st.just(columns), st.just(texts), st.integers(0, 2**63))


@given(damaged(BOTH.encode()) | tables(LOG_COLUMNS, CELLS), st.sampled_from([None, 1, 10]))
def test_logs(place: Path, content: bytes, classes: int | None) -> None:
    (file := place / "log.csv").write_bytes(content)
    with suppress(UsageError):
        diagnose(read_log(file, classes=classes).log)


RESULTS = "variant,seed,accuracy\n" + "".join(
    f"{variant},{seed},{0.5 + seed / 50}\n" for variant in ("baseline", "a") for seed in range(4)
)
OBJECTS = [{"variant": variant, "seed": seed, "accuracy": 0.5} for variant in ("baseline", "a") for seed in range(3)]
JSON_RESULTS = st.builds(lambda edits: json.dumps(edited({"rows": OBJECTS}, edits).get("rows")).encode(), EDITS)


@given(
    st.one_of(
        st.tuples(damaged(RESULTS.encode()) | tables(RESULT_COLUMNS, [*CELLS, "baseline", "a"]), st.just("own.csv")),
        st.tuples(damaged(json.dumps(OBJECTS).encode()) | JSON_RESULTS, st.sampled_from(["own.json", "own.jsonl"])),
    ),
)
def test_results_of_others(place: Path, content: tuple[bytes, str]) -> None:
    (file := place / content[1]).write_bytes(content[0])
    with suppress(UsageError):
        judge_results(results(file, Asked()))


# Weights

WEIGHTS = save({"w": torch.zeros(3), "b": torch.ones((2, 2), dtype=torch.float16)})


def with_header(edits: list[Edit]) -> bytes:
    """Weights whose header is JSON of the right length with other values."""
    length = int.from_bytes(WEIGHTS[:8], "little")
    header = json.dumps(edited(json.loads(WEIGHTS[8 : 8 + length]), edits)).encode()
    return len(header).to_bytes(8, "little") + header + WEIGHTS[8 + length :]


@given(damaged(WEIGHTS) | st.builds(with_header, EDITS))
def test_weights(place: Path, content: bytes) -> None:
    (file := place / "own.safetensors").write_bytes(content)
    with suppress(UsageError):
        checkpoint(file)


def test_no_code_reads_a_pickle() -> None:
    """A pickle runs what it likes: none of a store, a data set or weights is read as one."""
    forbidden = re.compile(
        r"^\s*(import|from) (pickle|dill|cloudpickle|joblib|shelve)\b|torch\.load\(|allow_pickle=True"
    )
    for folder in ("benchmark", "ablations", "papers"):
        for path in (ROOT / folder).rglob("*.py"):
            found = [line for line in path.read_text().splitlines() if forbidden.search(line)]
            assert not found, path

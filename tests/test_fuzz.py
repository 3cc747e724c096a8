"""Whatever bytes come, what reads them says a sentence or reads them: no traceback.

At length: `python -m pytest tests/test_fuzz.py --hypothesis-profile=long` tries 10,000 inputs of each kind.
"""

from __future__ import annotations

import io
import re
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import BOTH, fill, record
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from benchmark.data.load import load
from benchmark.errors import UsageError
from benchmark.evidence import regression
from benchmark.evidence.log_files import read_log
from benchmark.planning.checkpoints import checkpoint
from benchmark.store.lines import decode, encode
from benchmark.store.store import Store

ROOT = Path(__file__).resolve().parent.parent
COMMON = {
    "deadline": None,
    "derandomize": True,
    "database": None,
    "phases": (Phase.explicit, Phase.generate),
    "suppress_health_check": list(HealthCheck),
}
settings.register_profile("fast", max_examples=20, **COMMON)
settings.register_profile("long", max_examples=10_000, **COMMON)
if settings.get_current_profile_name() == "default":
    settings.load_profile("fast")

LINE = encode(record("r", 0, 0.5), 1)


def images(seed: int, count: int = 6) -> dict[str, np.ndarray]:
    """A data set of two classes."""
    drawn = np.random.default_rng(seed).integers(0, 256, (count, 32, 32, 3), np.uint8)
    return {
        **{f"{split}_images": drawn for split in ("train", "test")},
        **{f"{split}_labels": np.arange(count) % 2 for split in ("train", "test")},
        "classes": np.array(["a", "b"]),
    }


def archive(arrays: dict[str, np.ndarray]) -> bytes:
    """The arrays as a file."""
    content = io.BytesIO()
    np.savez(content, **arrays)  # type: ignore[arg-type]  # its own options are taken for names of arrays
    return content.getvalue()


def damaged(whole: bytes) -> st.SearchStrategy[bytes]:
    """A file with some bytes replaced, cut out or put in, or other bytes altogether."""
    cuts = st.tuples(st.integers(0, len(whole)), st.integers(0, 40), st.binary(max_size=40))

    def put(edits: list[tuple[int, int, bytes]]) -> bytes:
        content = whole
        for at, length, new in edits:
            content = content[:at] + new + content[at + length :]
        return content

    return st.lists(cuts, min_size=1, max_size=4).map(put) | st.binary(max_size=200)


DATA, WEIGHTS = archive(images(0)), save({"w": torch.zeros(3)})


@given(damaged(LINE))
def test_lines_of_a_store(line: bytes) -> None:
    with suppress(ValueError, UsageError):
        decode(line)


@given(damaged(LINE + b"\n" + LINE))
def test_stores_and_references(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("store")
    if not hasattr(test_stores_and_references, "whole"):
        test_stores_and_references.whole = fill(folder / "whole")  # type: ignore[attr-defined]
    (folder / "runs.jsonl").write_bytes(content)
    with suppress(UsageError):
        store = Store(folder, 1)
        regression.compare_stores(test_stores_and_references.whole, store)  # type: ignore[attr-defined]


@given(damaged(DATA))
def test_data_files(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("data")
    (folder / "own.npz").write_bytes(content)
    with suppress(UsageError):
        load("own", folder)


@given(damaged(BOTH.encode()))
def test_logs(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    (file := tmp_path_factory.mktemp("log") / "log.csv").write_bytes(content)
    with suppress(UsageError):
        read_log(file)


@given(damaged(WEIGHTS))
def test_weights(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    (file := tmp_path_factory.mktemp("weights") / "own.safetensors").write_bytes(content)
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

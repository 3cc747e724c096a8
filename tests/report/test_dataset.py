"""A store as a data set: the same numbers as the records, and a description that Croissant's own library accepts."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from builders import fill

pytest.importorskip("pyarrow", reason="Parquet needs the extra `parquet`")

from benchmark.report.dataset import write_dataset


def test_files_hold_the_records_and_the_effects(tmp_path: Path) -> None:
    store = fill(tmp_path / "store")
    described = write_dataset(store, tmp_path / "out")
    runs = pd.read_parquet(tmp_path / "out" / "runs.parquet")
    assert list(runs["key"]) == sorted(store.records)
    first = store.records[runs["key"][0]]
    assert runs["test_accuracy"][0] == first.test_accuracy  # type: ignore[union-attr]  # no run failed
    assert tuple(runs["validation_accuracy"][0]) == first.validation_accuracy  # type: ignore[union-attr]
    assert runs["seed"].dtype == "Int64"
    effects = pd.read_parquet(tmp_path / "out" / "effects.parquet")
    assert set(effects["variant"]) == {"tanh", "a|b <i>x_$", "leaky", "zeros", "normal"}
    content = json.loads(described.read_text())
    for each in content["distribution"]:
        assert sha256((tmp_path / "out" / each["name"]).read_bytes()).hexdigest() == each["sha256"]
    columns = {field["name"]: field for field in content["recordSet"][0]["field"]}
    assert set(columns) == set(runs.columns)
    assert columns["test_accuracy"]["dataType"] == "sc:Float"
    assert columns["validation_accuracy"]["repeated"] is True
    assert "rai:dataLimitations" in content


def test_the_same_store_gives_the_same_bytes(tmp_path: Path) -> None:
    store = fill(tmp_path / "store")
    files = [write_dataset(store, tmp_path / name).parent for name in ("one", "two")]
    for name in ("runs.parquet", "effects.parquet", "croissant.json"):
        assert (files[0] / name).read_bytes() == (files[1] / name).read_bytes()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of rdflib, on which that rests
def test_croissants_own_library_reads_it(tmp_path: Path) -> None:
    mlcroissant = pytest.importorskip("mlcroissant", reason="validation needs mlcroissant")
    described = write_dataset(fill(tmp_path / "store"), tmp_path / "out")
    dataset = mlcroissant.Dataset(jsonld=str(described))
    assert not dataset.metadata.ctx.issues.errors
    assert not dataset.metadata.ctx.issues.warnings


def test_the_command(tricks: Any, tmp_path: Path) -> None:
    fill(tmp_path / "store")
    code, said = tricks("export", tmp_path / "store", "--out", tmp_path / "out")
    assert code == 0, said
    assert (tmp_path / "out" / "croissant.json").exists()
    code, said = tricks("export", tmp_path / "store", "--to", "xlsx")
    assert (code, "unknown format 'xlsx'" in said) == (2, True)

"""A store survives what happens to files."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
from builders import COST, RATE, changed, failed, record, study

from benchmark.errors import UsageError
from benchmark.store.lines import seal, unseal
from benchmark.store.records import SCHEMA, Calibration, RunRecord
from benchmark.store.store import Store

ARRAYS = {"losses": np.arange(3, dtype=np.float32), "logits": np.eye(2, dtype=np.float16)}


A, B, C, D, F = (record(name, 0, 0.5) for name in "abcdf")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "store", engine=1)
    with store.writing():
        for each in (A, B):
            store.add(each, ARRAYS)
    return store


def test_what_is_written_is_read(store: Store) -> None:
    again = Store(store.folder, engine=1)
    assert again.records == store.records
    found = again[A.key]
    assert isinstance(found, RunRecord)
    assert replace(found, digests={}) == A
    assert {name: array.tolist() for name, array in again.arrays(found).items()} == {
        name: array.tolist() for name, array in ARRAYS.items()
    }
    assert again.arrays(C) == {}


def test_a_line_cut_short_is_ignored_then_overwritten(store: Store) -> None:
    store.lines.write_bytes(store.lines.read_bytes()[:-2])
    again = Store(store.folder, engine=1)
    assert (A.key in again, B.key in again) == (True, False)
    with again.writing():
        again.add(C)
    assert [each.key in Store(store.folder, engine=1) for each in (A, B, C)] == [True, False, True]


def test_a_whole_last_line_without_its_newline_is_a_record(store: Store) -> None:
    store.lines.write_bytes(store.lines.read_bytes()[:-1])
    again = Store(store.folder, engine=1)
    assert B.key in again
    with again.writing():
        again.add(C)
    assert [each.key in Store(store.folder, engine=1) for each in (A, B, C)] == [True, True, True]


def test_a_second_writer_is_told(store: Store) -> None:
    other = Store(store.folder, engine=1)
    with store.writing(), pytest.raises(UsageError, match="another process"), other.writing():
        pass


def test_a_failed_run_is_tried_again_and_a_diverged_one_is_not(store: Store) -> None:
    with store.writing():
        store.add(failed("f", 0, "boom"))
        store.add(changed(D, status="diverged", test_accuracy=None))
    assert (F.key in store, D.key in store) == (False, True)


def test_a_later_line_of_a_key_counts(store: Store) -> None:
    with store.writing():
        store.add(failed("f", 0, "boom"))
        store.add(F)
    assert Store(store.folder, engine=1)[F.key].status == "done"


def test_another_engines_store_is_refused_and_left_as_it_is(store: Store) -> None:
    before = store.lines.read_bytes()
    with pytest.raises(UsageError, match=r"written by engine 1, and this is engine 2.*--store"):
        Store(store.folder, engine=2)
    assert store.lines.read_bytes() == before


@pytest.mark.parametrize("line", ["no json", '{"no": "key"}', "[]"])
def test_a_foreign_line_is_named(store: Store, line: str) -> None:
    with store.lines.open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(UsageError, match=r"line 3 of .*runs\.jsonl is no record"):
        Store(store.folder, engine=1)


def test_tables_replace_those_of_their_name_and_keep_the_others(store: Store) -> None:
    with store.writing():
        store.save_tables([study("a", "", ["x"]), study("b", "", ["x"])])
        store.save_tables([study("b", "", ["x", "y"])])
    found = Store(store.folder, engine=1).tables()
    assert [(each.ablation, len(each.arms)) for each in found] == [("a", 1), ("b", 2)]


def test_a_full_disk_is_told_and_loses_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(UsageError, match=r"No space left on device.*finished runs are kept"), store.writing():
        store.add(C, ARRAYS)
    again = Store(store.folder, engine=1)
    assert sorted(again.records) == sorted([A.key, B.key])
    assert {path.stem for path in (store.folder / "arrays").iterdir()} == {A.key, B.key}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_unwritable_folder_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(stat.S_IREAD | stat.S_IEXEC)
    with pytest.raises(UsageError, match="cannot write to"), Store(tmp_path / "store", engine=1).writing():
        pass


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("")
    with pytest.raises(UsageError, match="cannot write to"), Store(tmp_path / "store", engine=1).writing():
        pass


def test_lines_are_json_without_nan(store: Store) -> None:
    assert all(json.loads(line)["engine"] == 1 for line in store.lines.read_text().splitlines())
    with store.writing(), pytest.raises(ValueError, match=r"numbers that JSON does not know|Expected `float`"):
        store.add(changed(C, step_ms=float("nan")))
    assert C.key not in Store(store.folder, engine=1)


# --- damage: a sentence, or nothing changed; see also `fuzz` in speed/


def test_a_file_of_a_newer_schema_is_refused_with_the_remedy(store: Store) -> None:
    line = seal({"engine": 1, "schema": SCHEMA + 1, "kind": "run"})
    store.lines.write_bytes(store.lines.read_bytes() + line + b"\n")
    with pytest.raises(UsageError, match=rf"schema {SCHEMA + 1} .* reads up to {SCHEMA}; install a newer version"):
        Store(store.folder, engine=1)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"test_accuracy": 1.2}, "test_accuracy: Expected `float` <= 1"),
        ({"test_accuracy": "0.5"}, "test_accuracy: Expected `float \\| null`, got `str`"),
        ({"validation_accuracy": [0.1, -0.2]}, r"validation_accuracy\[1\]: Expected `float` >= 0"),
        ({"status": "finished"}, "status: Invalid enum value 'finished'"),
        ({"seed": -1}, "seed: Expected `int` >= 0"),
        ({"finished": "yesterday"}, "finished must be a moment in ISO 8601 with a time zone, got 'yesterday'"),
        ({"recipe": "another"}, "key: it does not fit the fingerprint, seed and recipe"),
        ({"surprise": 1}, "surprise: there is no such field"),
        ({"step_ms": None}, "step_ms: Expected `float`, got `null`"),
        ({"status": "diverged"}, "test_accuracy must be null of a run that diverged"),
    ],
)
def test_a_wrong_field_is_named_with_its_line(store: Store, changes: dict[str, object], sentence: str) -> None:
    first, second = store.lines.read_bytes().splitlines()
    content = unseal(second) | changes
    store.lines.write_bytes(first + b"\n" + seal(content) + b"\n")
    with pytest.raises(
        UsageError, match=rf"line 2 of .*runs\.jsonl is no record of a run \(.*{sentence}.*delete that"
    ):
        Store(store.folder, engine=1)


def test_every_flip_of_a_bit_in_a_line_is_noticed(store: Store) -> None:
    whole = store.lines.read_bytes()
    draw = Random(0)
    for _ in range(300):
        at, bit = (
            draw.randrange(len(whole) - 2),
            draw.randrange(8),
        )  # a last line that lost its end is a cut, not a flip
        flipped = bytearray(whole)
        flipped[at] ^= 1 << bit
        store.lines.write_bytes(flipped)
        with pytest.raises(UsageError, match=r"runs\.jsonl"):
            Store(store.folder, engine=1)


@pytest.mark.parametrize("name", ["studies.json", "costs.json", "calibration.json"])
def test_every_flip_of_a_bit_in_a_file_beside_is_noticed(store: Store, name: str) -> None:
    with store.writing():
        store.save_tables([study("a", "", ["x"])])
        store.save_cost(COST)
        store.save_calibration(Calibration(made_of="2 runs", rates=(RATE,)))
    path, draw = store.folder / name, Random(1)
    read = {"studies.json": store.tables, "costs.json": store.costs, "calibration.json": store.calibration}[name]
    whole = path.read_bytes()
    for _ in range(100):
        flipped = bytearray(whole)
        flipped[draw.randrange(len(whole) - 1)] ^= 1 << draw.randrange(8)
        path.write_bytes(flipped)
        with pytest.raises(UsageError, match=rf"{name} is damaged .*; delete it|install a newer version"):
            read()


def test_damaged_arrays_are_named(store: Store) -> None:
    (found,) = (each for each in store.finished if each.key == A.key)
    assert isinstance(found, RunRecord)
    path = store.folder / "arrays" / f"{A.key}.npz"
    whole, draw = path.read_bytes(), Random(2)
    damaged = [b"", whole[:100], whole[:-3]]
    for _ in range(50):
        flipped = bytearray(whole)
        flipped[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        damaged.append(bytes(flipped))
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(UsageError, match=r"npz is damaged .*; delete it"):
            store.arrays(found)
        with contextlib.suppress(UsageError):
            store.arrays(replace(found, digests={}))  # as of a record of schema 1, which has none


def test_damaged_weights_are_not_there(store: Store) -> None:
    with store.writing():
        store.add(C, weights={"w": np.ones(3, np.float32)})
    again = Store(store.folder, engine=1)
    assert again.weights_digest(C.key)
    path = store.folder / "weights" / f"{C.key}.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    assert not again.weights_digest(C.key)
    path.unlink()
    assert not again.weights_digest(C.key)


def test_what_cannot_be_read_is_named(store: Store) -> None:
    store.lines.unlink()
    store.lines.mkdir()
    with pytest.raises(UsageError, match=r"cannot read .*runs.jsonl: Is a directory"):
        Store(store.folder, engine=1)


def test_two_writers_of_costs_keep_all(store: Store) -> None:
    def save(part: int) -> None:
        for each in range(10):
            Store(store.folder, engine=1).save_cost(replace(COST, recipe=f"{part} {each}"))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(save, range(4)))
    assert len(store.costs()) == 40


def test_files_are_synced_before_the_line_that_names_them(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    sync = os.fsync
    names = {}

    def watched(descriptor: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)
        names[synced[-1]] = len(synced)
        sync(descriptor)

    if not Path("/proc/self/fd").exists():
        pytest.skip("no /proc to tell files by")
    monkeypatch.setattr(os, "fsync", watched)
    with store.writing():
        synced.clear()
        store.add(C, ARRAYS, {"w": np.ones(3, np.float32)})
    assert [name.split(".")[-1] if "." in name else name for name in synced if "lock" not in name][:6] == [
        store.folder.name,  # in which the folder of weights is new
        f"{os.getpid()}",
        "weights",
        f"{os.getpid()}",
        "arrays",
        "jsonl",
    ]

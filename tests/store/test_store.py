"""A store survives what happens to files."""

from __future__ import annotations

import json
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.errors import UsageError
from benchmark.store.store import Store

ARRAYS = {"losses": np.arange(3, dtype=np.float32), "logits": np.eye(2, dtype=np.float16)}


def after(moment: str, seconds: int) -> str:
    return (datetime.fromisoformat(moment).replace(tzinfo=UTC) + timedelta(seconds=seconds)).isoformat()


def record(key: str, status: str = "done") -> dict[str, Any]:
    return {"key": key, "status": status, "seed": 0}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "store", engine=1)
    with store.writing():
        for key in ("a", "b"):
            store.add(record(key), ARRAYS)
    return store


def test_what_is_written_is_read(store: Store) -> None:
    again = Store(store.folder, engine=1)
    assert again.records == store.records
    assert again["a"] == {"engine": 1, **record("a")}
    assert {name: array.tolist() for name, array in again.arrays("a").items()} == {
        name: array.tolist() for name, array in ARRAYS.items()
    }
    assert again.arrays("never run") == {}


def test_a_line_cut_short_is_ignored_then_overwritten(store: Store) -> None:
    store.lines.write_bytes(store.lines.read_bytes()[:-1])
    again = Store(store.folder, engine=1)
    assert ("a" in again, "b" in again) == (True, False)
    with again.writing():
        again.add(record("c"))
    assert [key in Store(store.folder, engine=1) for key in "abc"] == [True, False, True]


def test_a_second_writer_is_told(store: Store) -> None:
    other = Store(store.folder, engine=1)
    with store.writing(), pytest.raises(UsageError, match="another process"), other.writing():
        pass


def test_a_failed_run_is_tried_again_and_a_diverged_one_is_not(store: Store) -> None:
    with store.writing():
        store.add(record("f", "failed"))
        store.add(record("d", "diverged"))
    assert ("f" in store, "d" in store) == (False, True)


def test_a_later_line_of_a_key_counts(store: Store) -> None:
    with store.writing():
        store.add(record("f", "failed"))
        store.add(record("f"))
    assert Store(store.folder, engine=1)["f"]["status"] == "done"


def test_seconds_are_medians_of_what_is_done(tmp_path: Path) -> None:
    store = Store(tmp_path, engine=1)
    runs = [("r", "done", 4), ("r", "done", 6), ("r", "done", 9), ("r", "diverged", 1), ("s", "done", 2)]
    with store.writing():
        for number, (recipe, status, seconds) in enumerate(runs):
            lasted = {"started": "2026-01-01T23:59:58.000+00:00", "finished": after("2026-01-01T23:59:58", seconds)}
            store.add({**record(str(number), status), "recipe": recipe, **lasted})
    assert store.seconds() == {"r": 6, "s": 2}


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


def test_studies_replace_those_of_their_name_and_keep_the_others(store: Store) -> None:
    names = {"context": "", "data": "toy", "budget": "quick"}
    with store.writing():
        store.save_studies([{"ablation": "a", **names, "arms": 1}, {"ablation": "b", **names, "arms": 1}])
        store.save_studies([{"ablation": "b", **names, "arms": 2}])
    found = Store(store.folder, engine=1).studies()
    assert [(study["ablation"], study["arms"]) for study in found] == [("a", 1), ("b", 2)]


def test_damaged_studies_are_named(store: Store) -> None:
    (store.folder / "studies.json").write_text('{"studies": ')
    with pytest.raises(UsageError, match=r"studies.json is damaged; delete it"):
        store.studies()


def test_a_full_disk_is_told_and_loses_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(UsageError, match=r"No space left on device.*finished runs are kept"), store.writing():
        store.add(record("c"), ARRAYS)
    again = Store(store.folder, engine=1)
    assert sorted(again.records) == ["a", "b"]
    assert sorted(path.name for path in (store.folder / "arrays").iterdir()) == ["a.npz", "b.npz"]


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
    with store.writing(), pytest.raises(ValueError, match="not JSON compliant"):
        store.add({**record("n"), "loss": float("nan")})
    assert "n" not in Store(store.folder, engine=1)

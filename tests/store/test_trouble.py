"""File systems that refuse: nothing finished is lost, and what to do is said in one sentence."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import COST, record, study
from test_store import ARRAYS

from benchmark.errors import UsageError
from benchmark.store import files
from benchmark.store.records import later
from benchmark.store.store import Store

RUNS = [record("r", seed, 0.5) for seed in range(2)]


class Full:
    """A disk that is full from one of the calls of the system on."""

    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def refuse(*given: Any, **more: Any) -> Any:
            self.left -= 1
            if self.left < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return call(*given, **more)

        return refuse


def filled(store: Store, kept: list[str]) -> None:
    with store.writing():
        store.save_tables([study("a", "", ["b"])])
        for run in RUNS:
            store.add(run, ARRAYS, {"weight": ARRAYS["losses"]})
            kept.append(run.key)
        store.save_cost(COST)


def until_full(folder: Path, calls: int, monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], str]:
    """The keys that were stored until the disk was full, and what was said then."""
    kept: list[str] = []
    with monkeypatch.context() as patched:
        full = Full(calls)
        for name in ("fsync", "replace", "open", "truncate"):
            patched.setattr(files.os, name, full(getattr(os, name)))
        try:
            filled(Store(folder, 1), kept)
        except UsageError as reason:
            return kept, str(reason)
    return kept, ""


def test_a_disk_that_is_full_at_any_write_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for calls in range(1000):
        folder = tmp_path / str(calls)
        kept, said = until_full(folder, calls, monkeypatch)
        if not said:
            break
        assert said.startswith("cannot write to ")
        assert "No space left on device; free space or give a --store" in said
        again = Store(folder, 1)
        assert all(key in again for key in kept)
        filled(again, [])
        assert len(Store(folder, 1).records) == len(RUNS)
        assert not [path for path in folder.rglob(".*") if "lock" not in path.name]
    assert calls > 20
    assert len(kept) == len(RUNS)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP])
def test_where_there_are_no_locks_a_file_marks_the_writer(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    store, other, held = Store(tmp_path, 1), Store(tmp_path, 1), tmp_path / ".lock.held"
    with warnings.catch_warnings(record=True, action="always") as said, store.writing():
        assert held.exists()
        with pytest.raises(UsageError, match=f"another process; wait for it.*delete {held}"), other.writing():
            pass
        store.add(RUNS[0])
    assert ["has no locks: .lock.held shows other processes" in str(each.message) for each in said] == [True]
    assert not held.exists()
    held.write_text(f"{2**22 + 1}\n{socket.gethostname()}\n")  # left by a process of this machine that was killed
    with warnings.catch_warnings(record=True, action="always"), other.writing():
        other.add(RUNS[1])
    assert len(Store(tmp_path, 1).records) == 2


@pytest.mark.parametrize("name", ["runs.jsonl", "studies.json"])
@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO])
def test_a_file_that_cannot_be_read_is_named(
    name: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(Store(tmp_path, 1), [])
    opened = Path.open

    def refuse(path: Path, *given: Any, **more: Any) -> Any:
        if path.name == name:
            raise OSError(number, os.strerror(number))
        return opened(path, *given, **more)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UsageError, match=rf"cannot read .*{name}: .*; give another --store, or make it readable"):
        Store(tmp_path, 1).tables()


def test_a_store_that_cannot_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "runs.jsonl").mkdir()
    for folder, said in ((tmp_path, "Is a directory"), (tmp_path / ("x" * 300), "File name too long")):
        with pytest.raises(UsageError, match=f"cannot .*{said}"), Store(folder, 1).writing():
            pass


def test_a_clock_that_is_set_back_gives_no_negative_times() -> None:
    times = {"started": "2026-11-23T10:00:00.000+00:00", "finished": "2025-01-01T00:00:00.000+00:00"}
    assert record("r", 0, 0.5, **times).seconds == 3.0, "those of its training"
    assert later(times["started"], 1.5) == "2026-11-23T10:00:01.500+00:00"

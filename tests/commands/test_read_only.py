"""A store on a file system that is mounted read-only: what writes says so and loses nothing, what reads goes on."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from shlex import split
from typing import Any

import pytest
from builders import fill

from benchmark.commands import cost as cost_command


class ReadOnly:
    """Refuses each write below a folder, as a file system that is mounted read-only does, root included."""

    def __init__(self, folder: Path) -> None:
        self.folder: Path | None = folder
        sys.addaudithook(self)

    def __call__(self, event: str, given: tuple[Any, ...]) -> None:
        if self.folder is None or event not in ("open", "os.mkdir", "os.rename", "os.remove", "os.truncate"):
            return
        if event == "open" and not given[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return
        paths = [Path(os.fsdecode(each)) for each in given[:2] if isinstance(each, str | bytes | Path)]
        if any(path.is_relative_to(self.folder) for path in paths):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A store with runs in a folder that cannot be written to."""
    store = fill(tmp_path / "fixed" / "store", data="toy")
    (store.folder / "own.csv").write_text(
        "variant,seed,accuracy\n" + "".join(f"{v},{s},0.{s}\n" for v in "ab" for s in range(5))
    )
    fill(tmp_path / "other")
    hook = ReadOnly(tmp_path / "fixed")
    yield store.folder
    hook.folder = None


WRITING = [
    "run --data toy --data-dir DATA --budget quick --only label_smoothing --device cpu --jobs 1 --store STORE",
    "cost --data toy --data-dir DATA --budget quick --only label_smoothing --device cpu --store STORE",
    "report --store STORE",
    "merge OTHER --into STORE",
]
READING = [
    "list",
    "check STORE",
    "regress STORE --store STORE",
    "report --store STORE --out OUT",
    "merge STORE --into OUT",
    "judge STORE/own.csv --control a",
    "verify --store STORE --data-dir DATA --device cpu --jobs 1",
]


def given(words: str, store: Path, folder: Path) -> list[str]:
    """The words of a command, with the paths in their places."""
    out = store.parents[1]
    for name, path in {"STORE": store, "DATA": folder, "OUT": out / "out", "OTHER": out / "other"}.items():
        words = words.replace(name, str(path))
    return split(words)


@pytest.mark.parametrize("words", WRITING)
def test_what_writes_says_so_before_it_measures(
    words: str, read_only: Path, folder: Path, tricks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measured(*_: object) -> None:
        raise AssertionError("measured for nothing")

    monkeypatch.setattr(cost_command, "step_turns", measured)
    before = {path: path.read_bytes() for path in read_only.rglob("*") if path.is_file()}
    code, said = tricks(*given(words, read_only, folder))
    plain = " ".join(said.split())
    assert code == 2, said
    assert "Traceback" not in said
    assert f"error: cannot write to {read_only}" in plain
    assert "Read-only file system; give a" in plain
    assert {path: path.read_bytes() for path in read_only.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("words", READING)
def test_what_reads_goes_on(words: str, read_only: Path, folder: Path, tricks: Any) -> None:
    code, said = tricks(*given(words, read_only, folder))
    assert code == 0, said

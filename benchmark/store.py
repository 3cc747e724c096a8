"""Results on disk: a line per finished run in runs.jsonl, its arrays beside it, and the tables they belong to.

    <store>/runs.jsonl        one JSON object a line, appended; the line is the mark that a run is whole
    <store>/arrays/KEY.npz    loss of every step (float32), test and validation logits (float16 log-probabilities)
    <store>/costs.json        step times of variants over their controls', measured in turns; not every store has it
    <store>/studies.json      the tables planned so far: ablation, context, arms, what each changes, claims

A report needs nothing else: neither the ablations' code, nor the data, nor a GPU.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from filelock import FileLock, Timeout

from benchmark.errors import UsageError

Arrays = dict[str, npt.NDArray[Any]]
Record = dict[str, Any]  # one line of runs.jsonl; README.md lists the fields
SYNC_SECONDS = 1.0  # a power cut may cost the runs of the last second; a killed process costs none


class Store:
    """A folder of results. Reading needs no lock; `writing` admits one writer at a time."""

    def __init__(self, folder: Path, engine: int) -> None:
        """Raises UsageError if the folder holds results of another engine, or lines that are no records."""
        self.folder, self.engine = folder, engine
        self.lines = folder / "runs.jsonl"
        self._synced = 0.0
        self._read()

    def __contains__(self, key: str) -> bool:
        """Diverging is a result; a run that failed is tried again."""
        return key in self.records and self.records[key]["status"] != "failed"

    def __getitem__(self, key: str) -> Record:
        return self.records[key]

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Needed by `add` and `save_studies`: the only writer, on a file that ends in a whole line.

        Raises UsageError if another process writes here or the folder cannot be written to.
        """
        with told(self.folder):
            self.folder.joinpath("arrays").mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder / ".lock", timeout=0)
            try:
                lock.acquire()
            except Timeout:
                raise UsageError(
                    f"{self.folder} is being written to by another process; wait for it, or give another --store"
                ) from None
        try:
            with told(self.folder):
                self._read()
                self.lines.touch()
                os.truncate(self.lines, len(self._whole_lines()))
                self._file = self.lines.open("a", encoding="utf-8")
            try:
                yield
            finally:
                with told(self.folder):
                    self._file.close()
        finally:
            lock.release()

    def add(self, record: Record, arrays: Arrays | None = None) -> None:
        """Keep a finished run; its line comes last. Raises UsageError if the disk refuses."""
        with told(self.folder):
            if arrays:
                write_whole(self.folder / "arrays" / f"{record['key']}.npz", arrays)
            self._file.write(json.dumps({"engine": self.engine, **record}, allow_nan=False) + "\n")
            self._file.flush()
            if time.monotonic() - self._synced > SYNC_SECONDS:
                os.fsync(self._file.fileno())
                self._synced = time.monotonic()
        self.records[record["key"]] = {"engine": self.engine, **record}

    def arrays(self, key: str) -> Arrays:
        """`losses`, `logits`, `validation_logits` and snapshots of a run; empty where they were not kept."""
        path = self.folder / "arrays" / f"{key}.npz"
        if not path.exists():
            return {}
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}

    def studies(self) -> list[dict[str, Any]]:
        """The tables planned so far. Raises UsageError if the file is damaged."""
        path = self.folder / "studies.json"
        if not path.exists():
            return []
        try:
            found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["studies"]
        except (ValueError, KeyError, TypeError):
            raise UsageError(f"{path} is damaged; delete it, and the next run writes it anew") from None
        return found

    def costs(self) -> dict[tuple[str, str], float]:
        """Step time over the control's, by the texts of variant and control, where it was measured in turns."""
        path = self.folder / "costs.json"
        if not path.exists():
            return {}
        try:
            return {(each["recipe"], each["control"]): each["ratio"] for each in json.loads(path.read_text())["costs"]}
        except (ValueError, KeyError, TypeError):
            raise UsageError(f"{path} is damaged; delete it, and `python -m benchmark cost` measures again") from None

    def save_costs(self, measured: list[dict[str, Any]], environment: dict[str, Any]) -> None:
        """Replace the measured costs."""
        text = json.dumps({"environment": environment, "costs": measured}, indent=1)
        with told(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            replace_file(self.folder / "costs.json", text.encode())

    def save_studies(self, planned: Iterable[dict[str, Any]]) -> None:
        """Put the planned tables in the place of those of the same name, and keep the others."""
        merged = {table_name(each): each for each in [*self.studies(), *planned]}
        text = json.dumps({"engine": self.engine, "studies": list(merged.values())}, indent=1)
        with told(self.folder):
            replace_file(self.folder / "studies.json", text.encode())

    def _read(self) -> None:
        self.records: dict[str, Record] = {}
        for number, line in enumerate(self._whole_lines().splitlines(), start=1):
            try:
                record = json.loads(line)
                key, engine = record["key"], record["engine"]
            except (ValueError, KeyError, TypeError):
                raise UsageError(
                    f"line {number} of {self.lines} is no record of a run; delete that line, or give another --store"
                ) from None
            if engine != self.engine:
                raise UsageError(
                    f"{self.lines} was written by engine {engine}, and this is engine {self.engine}: their numbers "
                    "must not be mixed; give another --store, or use the version of the suite that wrote it"
                )
            self.records[key] = record

    def _whole_lines(self) -> bytes:
        """All but a last line that a crash cut short."""
        written = self.lines.read_bytes() if self.lines.exists() else b""
        return written[: written.rfind(b"\n") + 1]


def table_name(study: dict[str, Any]) -> tuple[str, str, str, str]:
    """What makes two plans of a table the same table."""
    return study["ablation"], study["context"], study["data"], study["budget"]


def write_whole(path: Path, arrays: Arrays) -> None:
    """An .npz file, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            np.savez(file, **cast(dict[str, Any], arrays))  # or mypy takes them for savez's own options
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def replace_file(path: Path, content: bytes) -> None:
    """A file, whole or as it was."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def told(folder: Path) -> Iterator[None]:
    """An error of the file system as a sentence that names the folder."""
    try:
        yield
    except OSError as reason:
        raise UsageError(
            f"cannot write to {folder}: {reason.strerror or reason}; free space or give a --store that can be "
            "written to (finished runs are kept)"
        ) from reason

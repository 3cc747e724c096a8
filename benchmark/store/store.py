"""Results on disk: a line per finished run in runs.jsonl, its arrays beside it, and the tables they belong to.

    <store>/runs.jsonl        one JSON object a line, appended; the line is the mark that a run is whole
    <store>/arrays/KEY.npz    loss of every step (float32), test and validation logits (float16 log-probabilities)
    <store>/weights/KEY.safetensors  trained weights, of the runs that others start from
    <store>/costs.json        step times of variants over their controls', measured in turns; not every store has it
    <store>/studies.json      the tables planned so far: ablation, context, arms, what each changes, claims

A report needs nothing else: neither the ablations' code, nor the data, nor a GPU. In memory there is a status for each
run and no more; records are read when they are asked for.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import safetensors.numpy
from filelock import FileLock, Timeout

from benchmark.errors import UsageError
from benchmark.store.files import Arrays, replace_file, told, weights_file, write_whole
from benchmark.store.records import Record, table_name

CALIBRATION = "calibration.json"  # beside the runs: what `calibrate` found
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
        return self._status.get(key, "failed") != "failed"

    def __getitem__(self, key: str) -> Record:
        return self.records[key]

    @property
    def records(self) -> dict[str, Record]:
        """All runs by key, read from the disk; of several lines of a key the last one counts."""
        return {record["key"]: record for record in self._records()}

    def seconds(self) -> dict[str, float]:
        """What a finished run takes on its worker, evaluation included, by recipe: the median of those there are."""
        spent: dict[str, list[float]] = {}
        for record in self._records():
            if record["status"] == "done":
                begin, end = (datetime.fromisoformat(record[moment]) for moment in ("started", "finished"))
                spent.setdefault(record["recipe"], []).append((end - begin).total_seconds())
        return {recipe: median(each) for recipe, each in spent.items()}

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
                os.truncate(self.lines, sum(map(len, self._whole_lines())))
                self._file = self.lines.open("a", encoding="utf-8")
            try:
                yield
            finally:
                with told(self.folder):
                    self._file.close()
        finally:
            lock.release()

    def add(self, record: Record, arrays: Arrays | None = None, weights: Arrays | None = None) -> None:
        """Keep a finished run; its line comes last. Raises UsageError if the disk refuses."""
        with told(self.folder):
            if weights:
                self.folder.joinpath("weights").mkdir(exist_ok=True)
                replace_file(weights_file(self.folder, record["key"]), safetensors.numpy.save(weights))
            if arrays:
                write_whole(self.folder / "arrays" / f"{record['key']}.npz", arrays)
            self._file.write(json.dumps({"engine": self.engine, **record}, allow_nan=False) + "\n")
            self._file.flush()
            if time.monotonic() - self._synced > SYNC_SECONDS:
                os.fsync(self._file.fileno())
                self._synced = time.monotonic()
        self._status[record["key"]] = record["status"]

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
        return {(each["recipe"], each["control"]): each["ratio"] for each in self.cost_entries()}

    def save_cost(self, measured: dict[str, Any]) -> None:
        """Put what was measured of a `recipe` against its `control` in the place of what is known of that pair."""
        merged = {(each["recipe"], each["control"]): each for each in [*self.cost_entries(), measured]}
        with told(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            replace_file(self.folder / "costs.json", json.dumps({"costs": list(merged.values())}, indent=1).encode())

    def save_studies(self, planned: Iterable[dict[str, Any]]) -> None:
        """Put the planned tables in the place of those of the same name, and keep the others."""
        merged = {table_name(each): each for each in [*self.studies(), *planned]}
        text = json.dumps({"engine": self.engine, "studies": list(merged.values())}, indent=1)
        with told(self.folder):
            replace_file(self.folder / "studies.json", text.encode())

    def save_text(self, name: str, text: str) -> None:
        """A file beside the results, whole or as it was."""
        with told(self.folder):
            replace_file(self.folder / name, text.encode())

    def cost_entries(self) -> list[dict[str, Any]]:
        """All that `save_cost` kept. Raises UsageError if the file is damaged."""
        found = self._json(
            "costs.json", "costs", {"recipe", "control", "ratio"}, "`python -m benchmark cost` measures"
        )
        return found["costs"] if found else []

    def calibration(self) -> dict[str, Any] | None:
        """What `calibrate` found. Raises UsageError if the file is damaged."""
        fields = {"what", "count", "of", "low", "high", "goal"}
        return self._json(CALIBRATION, "rates", fields, "`python -m benchmark calibrate` writes it", "made_of")

    def _json(self, name: str, entries: str, fields: set[str], remedy: str, *also: str) -> dict[str, Any] | None:
        """A file of `entries`, each with `fields`, and of what else it has to have; None if there is none."""
        path = self.folder / name
        if not path.exists():
            return None
        try:
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if found.keys() >= set(also) and all(fields <= each.keys() for each in found[entries]):
                return found
        except (ValueError, KeyError, TypeError, AttributeError):
            pass
        raise UsageError(f"{path} is damaged; delete it, and {remedy} again")

    def _read(self) -> None:
        self._status = {record["key"]: sys.intern(record["status"]) for record in self._records()}

    def _records(self) -> Iterator[Record]:
        for number, line in enumerate(self._whole_lines(), start=1):
            try:
                record = json.loads(line)
                engine, _ = record["engine"], (record["key"], record["status"])
            except (ValueError, KeyError, TypeError):
                raise UsageError(
                    f"line {number} of {self.lines} is no record of a run; delete that line, or give another --store"
                ) from None
            if engine != self.engine:
                raise UsageError(
                    f"{self.lines} was written by engine {engine}, and this is engine {self.engine}: their numbers "
                    "must not be mixed; give another --store, or use the version of the suite that wrote it"
                )
            yield record

    def _whole_lines(self) -> Iterator[bytes]:
        """All but a last line that a crash cut short."""
        if self.lines.exists():
            with self.lines.open("rb") as file:
                yield from (line for line in file if line.endswith(b"\n"))

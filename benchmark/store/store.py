"""Results on disk: a line per finished run in runs.jsonl, its arrays in files of their own, and the planned tables.

    <store>/runs.jsonl        one JSON object a line, appended; the line is the mark that a run is whole
    <store>/arrays/KEY.npz    loss of every step (float32), test and validation logits (float16 log-probabilities)
    <store>/weights/KEY.safetensors  trained weights, of the runs that others start from
    <store>/interrupted/KEY.state  states of long runs amid their training, each until its run is stored
    <store>/costs.json        step times of variants over their controls', measured alternately; not in every store
    <store>/studies.json      the tables planned so far: ablation, context, arms, what each changes, claims
    <store>/calibration.json  what `calibrate` found; not in every store
    <store>/measures.json     the measures that `--measure` asked for, and the test labels; not in every store

Every line and JSON file carries a checksum, and every line the digests of its arrays and weights. A report needs
nothing else: neither the ablations' code, nor the data, nor a GPU. In memory there is a status for each run and no
more; records are read when they are asked for.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TypeVar
from zipfile import BadZipFile
from zlib import error as ZlibError

import msgspec
import numpy as np
import safetensors.numpy

from benchmark.errors import UsageError
from benchmark.store.files import (
    Arrays,
    arrays_file,
    clear,
    interrupted_file,
    make_folder,
    npz,
    replace_file,
    reporting_read_errors,
    reporting_write_errors,
    sync_folder,
    weights_file,
)
from benchmark.store.keys import digest
from benchmark.store.lines import decode, encode, seal, unseal
from benchmark.store.locks import locked
from benchmark.store.older import Json, upgraded_table
from benchmark.store.records import (
    SCHEMA,
    Calibration,
    CostRecord,
    FailedRecord,
    Finished,
    Measures,
    Record,
    RunRecord,
    TableRecord,
    convert,
)

CALIBRATION = "calibration.json"
COSTS = "costs.json"
MEASURES = "measures.json"
TABLES = "studies.json"
COSTS_WAIT = 60.0  # seconds for another process that writes a few entries
DIGITS = 16  # hexadecimal, of a file's digest
T = TypeVar("T")


class Store:
    """A folder of results. Reading needs no lock; `writing` admits one writer at a time."""

    def __init__(self, folder: Path, engine: int) -> None:
        """Raises UsageError if the folder holds results of another engine, or lines that are no records."""
        self.folder, self.engine = folder, engine
        self.lines = folder / "runs.jsonl"
        self._read()

    def __contains__(self, key: str) -> bool:
        """Returns whether a run is stored. Diverging is a result; a run that failed is tried again."""
        return self._status.get(key, "failed") != "failed"

    def __getitem__(self, key: str) -> Record:
        return self.records[key]

    @property
    def records(self) -> dict[str, Record]:
        """Returns all runs by key, read from the disk; of several lines of a key the last one counts."""
        return {record.key: record for record in self._records()}

    @property
    def finished(self) -> list[Finished]:
        """Returns the runs that have measurements, diverged ones included, read from the disk, by key."""
        records = self.records
        return [r for key in sorted(records) if not isinstance(r := records[key], FailedRecord)]

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Makes this the only writer, as `add` and `save_tables` need, on a file that ends in a whole line.

        Raises UsageError if another process writes here or the folder cannot be written to.
        """
        busy = f"{self.folder} is being written to by another process; wait for it, or give another --store"
        with ExitStack() as held:
            with reporting_write_errors(self.folder):
                make_folder(self.folder / "arrays")
                held.enter_context(locked(self.folder / ".lock", 0, busy))
                self._read()
                for folder, name in (
                    ("arrays", "*"),
                    ("weights", "*"),
                    ("interrupted", "*"),
                    (".", "runs.jsonl"),
                    (".", TABLES),
                ):
                    clear(self.folder / folder, name)
                self.lines.touch()
                size, last = 0, b"\n"
                for last in self._whole_lines():
                    size += len(last)
                os.truncate(self.lines, size)
                sync_folder(self.folder)
                self._file = self.lines.open("ab")
                if not last.endswith(b"\n"):
                    self._file.write(b"\n")
            try:
                yield
            finally:
                with reporting_write_errors(self.folder):
                    self._file.close()

    def add(self, record: Record, arrays: Arrays | None = None, weights: Arrays | None = None) -> Record:
        """Keeps a finished run and returns its record, with the digests of its files; deletes the state amid it.

        Files are on the disk before the line that names them, and the line is on return. Raises UsageError if the disk
        refuses.
        """
        with reporting_write_errors(self.folder):
            digests = {}
            if weights:
                digests["weights"] = self._keep(weights_file(self.folder, record.key), safetensors.numpy.save(weights))
            if arrays:
                digests["arrays"] = self._keep(arrays_file(self.folder, record.key), npz(arrays))
            if isinstance(record, RunRecord):
                record = replace(record, digests=digests)
            self._file.write(encode(record, self.engine) + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
            if isinstance(record, RunRecord):
                interrupted_file(self.folder, record.key).unlink(missing_ok=True)
        self._note(record)
        return record

    def _keep(self, path: Path, content: bytes) -> str:
        make_folder(path.parent)
        replace_file(path, content)
        return digest(content, DIGITS)

    def arrays(self, record: RunRecord) -> Arrays:
        """Returns `losses`, `logits`, `validation_logits` and snapshots of a run; empty where they were not kept.

        Raises UsageError for a file that is damaged.
        """
        path = arrays_file(self.folder, record.key)
        if not path.exists():
            return {}
        with reporting_read_errors(path):
            content = path.read_bytes()
        known = record.digests.get("arrays")
        try:
            if known is not None and digest(content, DIGITS) != known:
                raise ValueError("it is not the file that the run wrote")
            with np.load(BytesIO(content), allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
        except (ValueError, OSError, EOFError, KeyError, NotImplementedError, BadZipFile, ZlibError) as reason:
            raise UsageError(f"{path} is damaged ({reason}); delete it, and curves of this run are left out") from None

    def weights_digest(self, key: str) -> str:
        """Returns the digest of a run's stored weights if the file is there and is what the run wrote; else ""."""
        path = weights_file(self.folder, key)
        if key not in self or not path.exists():
            return ""
        with reporting_read_errors(path):
            found = digest(path.read_bytes(), DIGITS)
        return found if found == self._weights.get(key, found) else ""

    def tables(self) -> list[TableRecord]:
        """Returns the tables planned so far. Raises UsageError if the file is damaged."""

        def read(content: Json) -> list[TableRecord]:
            if content.get("schema", 1) > 1:
                return [convert(TableRecord, each) for each in content["tables"]]
            return [convert(TableRecord, upgraded_table(each)) for each in content["studies"]]

        return self._file_of(TABLES, read, "the next run writes it anew") or []

    def save_tables(self, planned: Iterable[TableRecord]) -> None:
        """Puts the planned tables in the place of those of the same name, and keeps the others."""
        merged = {each.name: each for each in [*self.tables(), *planned]}
        self._save(TABLES, {"tables": list(merged.values())})

    def replace(self, records: Iterable[Record], tables: Iterable[TableRecord], costs: Iterable[CostRecord]) -> None:
        """Writes all files of the store anew; needs `writing`."""
        calibration = self.calibration()
        with reporting_write_errors(self.folder):
            self._file.close()
            replace_file(self.lines, b"".join(encode(record, self.engine) + b"\n" for record in records))
            self._file = self.lines.open("ab")
        self._save(TABLES, {"tables": list(tables)})
        if entries := list(costs):
            self._save(COSTS, {"costs": entries})
        if calibration is not None:
            self.save_calibration(calibration)
        self._read()

    def costs(self) -> list[CostRecord]:
        """Returns the step times measured alternately. Raises UsageError if the file is damaged."""

        def read(content: Json) -> list[CostRecord]:
            return [convert(CostRecord, each) for each in content["costs"]]

        return self._file_of(COSTS, read, "`python -m benchmark cost` measures again") or []

    def save_cost(self, measured: CostRecord) -> None:
        """Puts what was measured of a variant and control in the place of what is known of them; needs no lock."""
        with self._costs_locked():
            clear(self.folder, COSTS)
            merged = {(each.recipe, each.control): each for each in [*self.costs(), measured]}
            self._save(COSTS, {"costs": list(merged.values())})

    def expect_writing(self) -> None:
        """Raises UsageError if the folder cannot be written to: before something is measured for it, not after."""
        with self._costs_locked():
            pass

    @contextmanager
    def _costs_locked(self) -> Iterator[None]:
        with reporting_write_errors(self.folder):
            make_folder(self.folder)
            with locked(self.folder / f".{COSTS}.lock", COSTS_WAIT, f"{self.folder / COSTS} is being written to"):
                yield

    def calibration(self) -> Calibration | None:
        """Returns what `calibrate` found. Raises UsageError if the file is damaged."""

        def read(content: Json) -> Calibration:
            return convert(Calibration, {name: content[name] for name in ("made_of", "rates")})

        return self._file_of(CALIBRATION, read, "`python -m benchmark calibrate` writes it again")

    def save_calibration(self, found: Calibration) -> None:
        """Keeps what `calibrate` found."""
        self._save(CALIBRATION, {"made_of": found.made_of, "rates": found.rates})

    def measures(self) -> Measures | None:
        """Returns the measures besides accuracy that the report shows. Raises UsageError if the file is damaged."""

        def read(content: Json) -> Measures:
            return convert(Measures, {name: content[name] for name in ("names", "truths")})

        return self._file_of(MEASURES, read, "`python -m benchmark report --measure` writes it again")

    def save_measures(self, asked: Measures) -> None:
        """Keeps which measures the report shows."""
        with reporting_write_errors(self.folder):
            clear(self.folder, MEASURES)
        self._save(MEASURES, {"names": asked.names, "truths": asked.truths})

    def save_text(self, name: str, text: str) -> None:
        """Writes a file next to the results, whole or not at all."""
        with reporting_write_errors(self.folder):
            replace_file(self.folder / name, text.encode())

    def _save(self, name: str, content: Json) -> None:
        sealed = seal({"engine": self.engine, "schema": SCHEMA} | msgspec.to_builtins(content), indent=1)
        with reporting_write_errors(self.folder):
            replace_file(self.folder / name, sealed + b"\n")

    def _file_of(self, name: str, read: Callable[[Json], T], remedy: str) -> T | None:
        """Returns what `read` makes of a sealed file; None if there is none."""
        path = self.folder / name
        with reporting_read_errors(path):
            if not path.exists():
                return None
            text = path.read_bytes()
        try:
            return read(unseal(text))
        except KeyError as reason:
            why = f"it has no field {reason}"
        except (ValueError, TypeError, AttributeError) as reason:
            why = str(reason)
        raise UsageError(f"{path} is damaged ({why}); delete it, and {remedy}")

    def _read(self) -> None:
        self._status: dict[str, str] = {}
        self._weights: dict[str, str] = {}  # digests, of the runs that kept their weights
        for record in self._records():
            self._note(record)

    def _note(self, record: Record) -> None:
        self._status[record.key] = sys.intern(record.status)
        if isinstance(record, RunRecord) and "weights" in record.digests:
            self._weights[record.key] = record.digests["weights"]

    def _records(self) -> Iterator[Record]:
        for number, line in enumerate(self._whole_lines(), start=1):
            try:
                engine, record = decode(line)
            except ValueError as reason:
                raise UsageError(
                    f"line {number} of {self.lines} is no record of a run ({reason}); delete that line, and its run "
                    "is trained again, or give another --store"
                ) from None
            if engine != self.engine:
                raise UsageError(
                    f"{self.lines} was written by engine {engine}, and this is engine {self.engine}: their numbers "
                    "must not be mixed; give another --store, or use the version of the suite that wrote it"
                )
            yield record

    def _whole_lines(self) -> Iterator[bytes]:
        """Yields all lines but a last one that a crash cut short; a whole record without its newline counts."""
        with reporting_read_errors(self.lines):
            if not self.lines.exists():
                return
            with self.lines.open("rb") as file:
                for line in file:
                    if line.endswith(b"\n") or is_whole(line):
                        yield line


def is_whole(line: bytes) -> bool:
    """Returns whether a last line without its newline is a record all the same."""
    try:
        decode(line)
    except ValueError:
        return False
    return True

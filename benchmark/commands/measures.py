"""Measures besides accuracy that a command asks for, with the test labels of the store's data sets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from benchmark.errors import UsageError
from benchmark.evidence.measures import FORGET, MEASURES
from benchmark.store.records import Measures, TableRecord, Truth
from benchmark.store.store import Store

MeasureNames = Annotated[
    str,
    typer.Option(
        "--measure",
        help=f"Measures besides accuracy, separated by commas: {', '.join(MEASURES)}; or {FORGET}. [those asked for "
        "last]",
    ),
]


def with_labels(store: Store, names: Sequence[str], tables: Iterable[TableRecord], data_dir: Path) -> Measures:
    """Returns measures with the labels of the tables' data sets: as the store keeps them, else from the data folder.

    Raises UsageError where a data set is not the one that the runs were tested on.
    """
    kept = store.measures()
    known = {truth.fingerprint: truth for truth in kept.truths} if kept else {}
    for table in tables if names else ():
        if table.fingerprint not in known:
            known[table.fingerprint] = truth_of(table, data_dir, store.folder)
    return Measures(names=tuple(names), truths=tuple(known.values()))


def remember(store: Store, asked: Sequence[str] | None, tables: Iterable[TableRecord], data_dir: Path) -> None:
    """Keeps in the store the measures that were asked for, those of the last time if None, with the labels needed."""
    kept = store.measures()
    names = asked if asked is not None else kept.names if kept else None
    if names is not None:
        store.save_measures(with_labels(store, names, tables, data_dir))


def truth_of(table: TableRecord, data_dir: Path, folder: Path) -> Truth:
    """Returns the labels of the test images of a table's data set."""
    from benchmark.data.load import load  # only now, as it imports torch

    images = load(table.data, data_dir)
    if images.fingerprint != table.fingerprint:
        raise UsageError(f"{table.data} in {data_dir} is not what {folder} was tested on; name it by --data-dir")
    return Truth(
        fingerprint=table.fingerprint, classes=images.classes, labels=tuple(map(int, images.test.labels.tolist()))
    )

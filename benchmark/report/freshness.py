"""Whether the files of a report are what the records of its store give today."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from benchmark import report
from benchmark.evidence.measures import measured_tables
from benchmark.evidence.tables import tables
from benchmark.store.store import Store


def stale(store: Store, folder: Path, everything: bool = True) -> list[str]:
    """Returns the files of a report that differ from what the store gives, by their paths within it, sorted.

    Files that the folder lacks are not missed: a report may be kept in part. Without `everything`, only files of
    numbers are compared (effects.csv, tables/ and the like), which takes no drawing.
    """
    if not everything:
        named = report.by_name(tables(store))
        fresh = report.numbers(named, measured=measured_tables(named.values(), store, store.measures()))
        return sorted(path for path, text in fresh.items() if differs(folder / path, text.encode()))
    with TemporaryDirectory() as place:
        written = report.write(store, Path(place)).parent
        made = {str(path.relative_to(written)): path for path in written.rglob("*") if path.is_file()}
        left = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - made.keys()
        return sorted(left | {name for name, path in made.items() if differs(folder / name, path.read_bytes())})


def differs(path: Path, content: bytes) -> bool:
    """Returns whether a file is there and has another content."""
    return path.exists() and path.read_bytes() != content

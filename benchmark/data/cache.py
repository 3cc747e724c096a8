"""A copy of a data set in its canonical form, so that only the first start reads the source."""

from __future__ import annotations

import contextlib
import hashlib
import os
import uuid
from pathlib import Path

import numpy as np

from benchmark.budgets import asked_side
from benchmark.data.canonical import SIDE, SPLITS, Arrays, check, difference, splits_in
from benchmark.errors import UsageError

TREES = "2"  # raise it whenever pictures in folders are read in another way
DEPTH = 3  # of an image folder: split, class, file
CACHE_FORMAT = "1"  # raise it whenever what the cache holds changes its meaning


# Cache


def cache_file(name: str, folder: Path) -> Path:
    return folder / ".cache" / f"{name}.npz"


def signature(source: Path) -> str:
    """Changes when a file of the source is added, removed or written: sha256 of names, sizes and times.

    It also changes with TREES, the way that pictures are read.
    """
    files = [source] if source.is_file() else files_within(source, DEPTH)
    lines = [
        f"{path.relative_to(source.parent).as_posix()} {path.stat().st_size} {path.stat().st_mtime_ns}"
        for path in sorted(files)
    ]
    lines += [f"pictures {TREES}"] if any((source / split).is_dir() for split in SPLITS) else []
    return hashlib.sha256(os.fsencode("\n".join(lines))).hexdigest()


def files_within(place: Path, depth: int) -> list[Path]:
    """Returns the files in a folder and `depth` - 1 levels below, by links too: no further, as links may lead in a
    circle."""
    found = list(place.iterdir())
    inside = [path for path in found if depth > 1 and path.is_dir()]
    return [path for path in found if not path.is_dir()] + [
        file for path in inside for file in files_within(path, depth - 1)
    ]


def read_cache(path: Path, name: str, source: Path | None) -> Arrays | None:
    """Returns what put_in_order gave, or None if the cache is missing, stale, damaged or not ours."""
    try:
        # np.load compares the checksums of what it reads; opened here, as it leaves a damaged file open
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            if file["format"] != CACHE_FORMAT or (source and file["signature"] != signature(source)):
                return None
            arrays = {key: file[key] for key in file.files if key not in ("format", "signature")}
            check(arrays, path, asked_side(name) or SIDE)
            if not all(f"{split}_fingerprint" in arrays for split in splits_in(arrays)):
                return None
    except Exception:  # zipfile and numpy raise nearly anything on a damaged file, which is made anew
        return None
    return None if difference(name, arrays) else arrays


def write_cache(path: Path, arrays: Arrays) -> None:
    """Writes the cache whole or not at all; several processes may do so at once."""
    part = path.with_name(f".{path.stem}.{uuid.uuid4().hex}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("xb") as file:
            np.savez(file, allow_pickle=False, **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        remedy = "make room or name another folder with --data-dir"
        raise UsageError(f"cannot write {path}: {error.strerror or error}; {remedy}") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()

"""A copy of a data set in its canonical form, so that only the first start reads the source."""

from __future__ import annotations

import contextlib
import hashlib
import os
import uuid
from pathlib import Path

import numpy as np

from benchmark.data.canonical import ARRAYS, Arrays, check, difference
from benchmark.errors import UsageError

CACHE_FORMAT = "1"  # raise it whenever what the cache holds changes its meaning


# Cache


def cache_file(name: str, folder: Path) -> Path:
    return folder / ".cache" / f"{name}.npz"


def signature(source: Path) -> str:
    """Changes when a file of the source is added, removed or written: sha256 of names, sizes and times."""
    tree = os.walk(source, followlinks=True)
    files = [source] if source.is_file() else [Path(at, name) for at, _, names in tree for name in names]
    lines = [
        f"{path.relative_to(source.parent).as_posix()} {path.stat().st_size} {path.stat().st_mtime_ns}"
        for path in sorted(files)
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def read_cache(path: Path, name: str, source: Path | None) -> Arrays | None:
    """What put_in_order gave, or None if the cache is missing, stale, damaged or not ours."""
    try:
        # np.load compares the checksums of what it reads; opened here, as it leaves a damaged file open
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            if file["format"] != CACHE_FORMAT or (source and file["signature"] != signature(source)):
                return None
            arrays = {key: file[key] for key in (*ARRAYS, "train_fingerprint", "test_fingerprint")}
            check(arrays, path)
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

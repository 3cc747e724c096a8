"""Files that are written whole or not at all, and survive a power cut once a function here has returned."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from benchmark.errors import UsageError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # where space is the matter
Arrays = dict[str, npt.NDArray[Any]]


def weights_file(store: Path, key: str) -> Path:
    """Returns where a run's trained weights are, if they were kept."""
    return store / "weights" / f"{key}.safetensors"


def arrays_file(store: Path, key: str) -> Path:
    """Returns where a run's arrays are, if they were kept."""
    return store / "arrays" / f"{key}.npz"


def interrupted_file(store: Path, key: str) -> Path:
    """Returns where the state of a run is that was stopped amid its training."""
    return store / "interrupted" / f"{key}.state"


def npz(arrays: Arrays) -> bytes:
    """Returns the content of an .npz file."""
    content = io.BytesIO()
    np.savez(content, **cast(dict[str, Any], arrays))  # else mypy takes them for savez's own options
    return content.getvalue()


def replace_file(path: Path, content: bytes) -> None:
    """Writes a file so that it is whole or as it was, and is on the disk on return: synced, and so is its folder."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def clear(folder: Path, name: str = "*") -> None:
    """Deletes what `replace_file` left of files called `name` in a folder when its process was killed amid it."""
    for left in folder.glob(f".{name}.*"):
        if left.suffix[1:].isdigit():
            left.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Makes a folder and those above it, each of which is on the disk on return."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable, where the system can sync a folder."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows opens no folders
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def reporting_write_errors(folder: Path, remedy: str = "") -> Iterator[None]:
    """Raises UsageError, naming the folder and the remedy, where the file system refuses to write."""
    try:
        yield
    except OSError as reason:
        free = "free space or " if reason.errno in FULL else ""
        remedy = remedy or f"{free}give a --store that can be written to (finished runs are kept)"
        raise UsageError(f"cannot write to {folder}: {reason.strerror or reason}; {remedy}") from reason


@contextmanager
def reporting_read_errors(path: Path) -> Iterator[None]:
    """Raises UsageError, naming the file, where the file system refuses to read."""
    try:
        yield
    except OSError as reason:
        raise UsageError(
            f"cannot read {path}: {reason.strerror or reason}; give another --store, or make it readable"
        ) from reason

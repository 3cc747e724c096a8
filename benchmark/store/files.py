"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from benchmark.errors import UsageError

Arrays = dict[str, npt.NDArray[Any]]


def weights_file(store: Path, key: str) -> Path:
    """Where a run's trained weights are, if they were kept."""
    return store / "weights" / f"{key}.safetensors"


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

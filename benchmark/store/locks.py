"""Locks between processes, on file systems that have them and on those that have none."""

from __future__ import annotations

import errno
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from benchmark.errors import UsageError

WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)  # as of NFS without its lock daemon


@contextmanager
def locked(file: Path, seconds: float, busy: str) -> Iterator[None]:
    """Holds a lock, by the lock file FILE, or by FILE.held where the file system has no locks.

    Raises UsageError with the sentence `busy` if another process holds it for so many `seconds`.
    """
    lock: BaseFileLock = FileLock(file, timeout=seconds)
    held = file.with_name(f"{file.name}.held")
    try:
        lock.acquire()
    except Timeout:
        raise UsageError(busy) from None
    except OSError as reason:
        if reason.errno not in WITHOUT_LOCKS:
            raise
        lock = marked(held, seconds, busy)
    try:
        yield
    finally:
        lock.release()


def marked(held: Path, seconds: float, busy: str) -> BaseFileLock:
    """Returns a lock that is held by a file that is there. Raises UsageError if it is another's."""
    lock = SoftFileLock(held, timeout=seconds)
    try:
        lock.acquire()
    except Timeout:
        raise UsageError(f"{busy}; if that process is gone, as after a power cut, delete {held}") from None
    warnings.warn(
        f"the file system of {held.parent} has no locks: {held.name} shows other processes that this one writes there",
        stacklevel=4,
    )
    return lock

"""The process that workers are forked from: it imports what a worker needs, once for all of them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import forkserver
from pathlib import Path

from benchmark.signals import without_ctrl_c

MODULES = ["benchmark.running.worker", "torch._dynamo"]  # a worker imports the second ahead of its first run
ADDRESS = 107  # bytes that the name of a socket may have, see unix(7)
ADDED = len("/pymp-12345678/listener-12345678")  # what multiprocessing adds to the temporary folder
SHORT = Path("/tmp")


def preload() -> None:
    """Starts that process if there is none; it goes on by itself, and ends with this one."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy starts threads at once; such a process forks badly
    forkserver.set_forkserver_preload(MODULES)
    with without_ctrl_c(), short_names():
        forkserver.ensure_running()


@contextmanager
def short_names() -> Iterator[None]:
    """Has a short temporary folder while sockets get their names, where that of TMPDIR is too long for them."""
    before = tempfile.tempdir
    if len(os.fsencode(tempfile.gettempdir())) + ADDED > ADDRESS and SHORT.is_dir():
        tempfile.tempdir = str(SHORT)
    try:
        yield
    finally:
        tempfile.tempdir = before

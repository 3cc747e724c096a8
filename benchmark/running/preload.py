"""The process that workers are forked from: it imports what a worker needs, once for all of them."""

from __future__ import annotations

import os
import signal
from multiprocessing import forkserver

MODULES = ["benchmark.running.worker", "torch._dynamo"]  # a worker imports the second ahead of its first run


def preload() -> None:
    """Start that process, if it is not there; it goes on by itself, and ends with this one."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy starts threads at once; such a process forks badly
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # it inherits that: this process decides what Ctrl-C means
    try:
        forkserver.set_forkserver_preload(MODULES)
        forkserver.ensure_running()
    finally:
        signal.signal(signal.SIGINT, before)

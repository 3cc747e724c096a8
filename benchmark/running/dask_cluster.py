"""An executor on a Dask cluster: https://distributed.dask.org. The extra `dask` installs it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from importlib import import_module
from typing import Any

from benchmark.errors import UsageError

DAEMON = "distributed.worker.daemon"  # Dask's workers are daemons by default, which may start no processes


class DaskExecutor:
    """Calls functions as tasks of a Dask cluster, one at a time on each thread of its workers."""

    def __init__(self, address: str | None, workers: int) -> None:
        """Connects to a scheduler, or starts one with `workers` worker processes on this machine.

        Raises UsageError if Dask is not installed or the scheduler cannot be reached.
        """
        try:
            distributed, config = import_module("distributed"), import_module("dask.config")
        except ImportError:
            raise UsageError(
                "--executor dask needs dask.distributed, which is not installed; pip install 'tricks-on-trial[dask]'"
            ) from None
        here = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None}
        try:
            config.set({DAEMON: False})  # for good: a worker that is lost starts again
            self.client = distributed.Client(address) if address else distributed.Client(**here)
        except (OSError, ValueError, RuntimeError) as reason:
            raise UsageError(
                f"no Dask scheduler can be reached at {address or 'this machine'}: {str(reason).splitlines()[0]}; "
                "`dask scheduler` starts one, --address names it"
            ) from None
        self.calls = self.client.get_executor(pure=False, retries=0)

    def submit(self, function: Callable[..., Any], /, *given: Any) -> Future[Any]:
        """Returns what a task will give; it raises if its workers were lost several times, as Dask is set."""
        future: Future[Any] = self.calls.submit(function, *given)
        return future

    def places(self) -> int:
        """Returns how many tasks the workers that are there now can do at once."""
        return sum(self.client.nthreads().values())

    def shutdown(self, wait: bool = True) -> None:
        """Leaves the cluster, and ends it if it was started here."""
        self.calls.shutdown(wait)
        self.client.close()

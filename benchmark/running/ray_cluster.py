"""An executor on a Ray cluster: https://docs.ray.io. The extra `ray` installs it."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from importlib import import_module
from typing import Any

from benchmark.errors import UsageError

LOOK = 1.0  # seconds for which the number of places is taken as it was


class RayExecutor:
    """Calls functions as tasks of a Ray cluster, each with a core and, on GPUs, its share of one."""

    def __init__(self, address: str | None, gpus: float) -> None:
        """Connects to a cluster, or starts one on this machine. `gpus` is what a task takes.

        Raises UsageError if Ray is not installed or the cluster cannot be reached.
        """
        try:
            self.ray = import_module("ray")
        except ImportError:
            raise UsageError(
                "--executor ray needs Ray, which is not installed; pip install 'tricks-on-trial[ray]'"
            ) from None
        try:
            self.ray.init(address=address, log_to_driver=False, include_dashboard=None if address else False)
        except (ConnectionError, RuntimeError, ValueError, OSError) as reason:
            raise UsageError(
                f"no Ray cluster can be reached at {address or 'this machine'}: {str(reason).splitlines()[0]}; "
                "`ray start --head` starts one, --address names it"
            ) from None
        self.gpus, self._known, self._looked = gpus, 0, -LOOK

    def submit(self, function: Callable[..., Any], /, *given: Any) -> Future[Any]:
        """Returns what a task will give; it raises if its process or node is lost."""
        task = self.ray.remote(function).options(num_cpus=1, num_gpus=self.gpus, max_retries=0)
        future: Future[Any] = task.remote(*given).future()
        return future

    def places(self) -> int:
        """Returns how many tasks the nodes that are there now can do at once."""
        if time.monotonic() - self._looked >= LOOK:
            nodes = [each["Resources"] for each in self.ray.nodes() if each["Alive"]]
            self._known, self._looked = sum(self.tasks(node) for node in nodes), time.monotonic()
        return self._known

    def tasks(self, resources: dict[str, float]) -> int:
        """Returns how many tasks a node with such resources can do at once."""
        cores = int(resources.get("CPU", 0))
        return min(cores, int(resources.get("GPU", 0) / self.gpus + 1e-6)) if self.gpus else cores

    def put(self, content: Any) -> Any:
        """Returns a reference to a content that each node fetches once."""
        return self.ray.put(content)

    def shutdown(self, wait: bool = True) -> None:
        """Leaves the cluster, which ends the tasks of this process."""
        self.ray.shutdown()

"""Who trains the runs: worker processes here, a Ray or Dask cluster, or an executor of the user's own."""

from __future__ import annotations

from importlib import import_module

from benchmark.errors import UsageError
from benchmark.planning.requests import Request
from benchmark.running.dask_cluster import DaskExecutor
from benchmark.running.limits import Limits
from benchmark.running.ray_cluster import RayExecutor
from benchmark.running.remote import Executor, Place, RemoteTrainer
from benchmark.running.workers import Processes
from benchmark.store.store import Store

LOCAL, RAY, DASK = "local", "ray", "dask"


def trainer_on(
    name: str, address: str | None, request: Request, results: Store, limits: Limits
) -> Processes | RemoteTrainer:
    """Returns what trains: `local`, `ray`, `dask`, or MODULE:FACTORY, which returns a `concurrent.futures.Executor`.

    Raises UsageError if there is no such executor.
    """
    if address is not None and name not in (RAY, DASK):
        raise UsageError(f"--address goes with --executor ray or dask, got --executor {name}")
    if name == LOCAL:
        return Processes(
            *(request.devices, request.data, request.data_dir, results.folder),
            limits=limits,
            interrupted=results.folder,
        )
    first = request.devices[0]
    on_gpu = first.startswith("cuda")
    place = Place("cuda:0" if on_gpu else first, request.data_dir.resolve())
    if name == RAY:
        cluster = RayExecutor(address, 1 / request.devices.count(first) if on_gpu else 0.0)
        return RemoteTrainer(cluster, place, cluster.places, results.folder, limits, cluster.put)
    if name == DASK:
        scheduler = DaskExecutor(address, len(request.devices))
        return RemoteTrainer(scheduler, place, scheduler.places, results.folder, limits)
    return RemoteTrainer(made_by(name), place, lambda: len(request.devices), results.folder, limits)


def made_by(name: str) -> Executor:
    """Returns what a factory MODULE:FACTORY makes. Raises UsageError if it makes no executor."""
    module, colon, factory = name.partition(":")
    if not colon:
        raise UsageError(
            f"unknown executor {name!r}; there are: local, ray, dask, and MODULE:FACTORY, a function that returns "
            "a concurrent.futures.Executor"
        )
    try:
        made = getattr(import_module(module), factory)()
    except Exception as reason:  # whatever a user's code raises
        raise UsageError(f"--executor {name} cannot be made: {type(reason).__name__}: {reason}") from reason
    if not (hasattr(made, "submit") and hasattr(made, "shutdown")):
        raise UsageError(f"--executor {name} must make a concurrent.futures.Executor, got {type(made).__name__}")
    executor: Executor = made
    return executor

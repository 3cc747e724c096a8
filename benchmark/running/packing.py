"""How many workers a GPU takes: measured, by adding one after the other until that gains nothing.

A single run of a small network leaves most of a GPU idle. Several workers on it fill it, each with a run of its
own; their results are those of one alone. What counts is the time from the first step to the last answer: a run that
is evaluated leaves the GPU to one that trains. Two of `standard` on an H200 train at 0.93 of the pace of one, and end
1.16 times as many runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch

from benchmark.data.splits import DataSet
from benchmark.planning.identity import Run
from benchmark.recipe import Recipe
from benchmark.running.aside import aside
from benchmark.running.workers import Processes

GAIN = 0.05  # of throughput that one more worker must bring
# Of the GPU's memory that may be in use: a trick may take more than the baseline that is measured, and where there is
# little left cuDNN turns to algorithms that need less, which add in another order.
MEMORY = 0.8
PROBE_EPOCHS = 8  # of a probe: 2 seconds or so


@dataclass(frozen=True)
class Probe:
    """Workers on one GPU, all training at once."""

    workers: int
    rate: float  # images a second, of all together; 0 if one of them failed, as for lack of memory
    memory: float  # share of the GPU's that is in use, by whomever


def packing(measure: Callable[[int], Probe], most: int) -> list[Probe]:
    """Probes of 1, 2, 3, ... workers, up to `most`; the last one is the one to take.

    Ends where one more would bring less than GAIN, fail, or not fit into MEMORY.
    """
    taken = [measure(1)]
    while (n := len(taken)) < most and taken[-1].memory * (n + 1) / n <= MEMORY:
        following = measure(n + 1)
        if following.rate <= taken[-1].rate * (1 + GAIN) or following.memory > MEMORY:
            break
        taken.append(following)
    return taken


@contextmanager
def crew(processes: Processes, recipe: Recipe, data: DataSet) -> Iterator[Callable[[int], Probe]]:
    """Returns a `measure` for `packing`, on the first device of `processes`; its workers stay from probe to probe."""
    probe = replace(recipe, epochs=PROBE_EPOCHS)
    images = min(recipe.images or len(data.train.labels), len(data.train.labels))

    def finished(n: int, seed: int) -> int:
        """Trains n runs at once, and returns how many of them succeed."""
        runs = iter([Run(probe, seed, data.fingerprint)] * n)
        return sum(each.result is not None for each in processes.trained(runs, n, starved=[]))

    def measure(n: int) -> Probe:
        finished(n, 0)  # the newest starts up and warms up
        begin = time.perf_counter()
        all_did = finished(n, 1) == n
        rate = n * PROBE_EPOCHS * images / (time.perf_counter() - begin) if all_did else 0.0
        return Probe(n, rate, memory_in_use(processes.devices[0]))

    try:
        yield measure
    finally:
        processes.dismiss()


def memory_in_use(device: str) -> float:
    """Returns the share of a GPU's memory that is taken; 0 on a CPU, where cores are scarce and memory is not."""
    if not device.startswith("cuda"):
        return 0.0
    free, total = aside(f"asked {device} for its memory", torch.cuda.mem_get_info, device)  # a context takes memory
    return 1 - free / total

"""How much computing a plan takes, and how long."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import nan

from benchmark.commands.answers import Forecast
from benchmark.commands.say import duration
from benchmark.engine.machine import hardware
from benchmark.planning.identity import Run, describe
from benchmark.planning.requests import Request
from benchmark.planning.rounds import expected_seconds, images_seen
from benchmark.planning.times import stored_seconds
from benchmark.store.store import Store


@dataclass(frozen=True)
class GpuRate:
    """What one NVIDIA H200 was measured to do (torch 2.11, bf16, 2026-11-26: docs/notes/gpu.md)."""

    flops: float  # floating point operations a second, an image counted as one of the baseline
    source: str  # what it was measured with


STANDARD = GpuRate(160e12, "at the 160 TFLOP/s measured there with `standard`, without evaluation")
SMALL = GpuRate(19e12, "at the 19 TFLOP/s measured there with `small`, twelve workers and MPS")
QUICK = GpuRate(7.2e12, "at the 7.2 TFLOP/s measured there with `quick`, fifteen workers and MPS")
OTHER = GpuRate(
    STANDARD.flops, f"{STANDARD.source}; a lower bound, since smaller networks do less: 19 TFLOP/s with `small`"
)
# By budget; `long` has the network of `standard`.
RATES = {"quick": QUICK, "small": SMALL, "standard": STANDARD, "long": STANDARD}


def expected(asked: Request, left: Sequence[Run], results: Store) -> str:
    """Returns how long the runs that are left will take, if this hardware trained stored runs of the same recipes."""
    if not left:
        return "all of them are stored"
    known = stored_seconds(results, asked.about, hardware(asked.devices))
    timed = {describe(run.recipe) for run in left} & known.keys()
    if not timed:
        return "their time shows once one has run (`plan` times a step)"
    seconds = sum(expected_seconds(left, known, nan)) / len(asked.devices)
    return f"{duration(seconds)} ({from_runs(len(timed))})"


def forecast(
    asked: Request, left: Sequence[Run], results: Store, image_flops: float, image_seconds: Callable[[], float]
) -> Forecast | None:
    """Returns how much computing is left and how long it takes; None if nothing is left to train.

    `image_flops` are those of an image, of the baseline or on average; `image_seconds` measures its seconds, where no
    stored run of this hardware has the recipe of one that is left.
    """
    if not left:
        return None
    known, pace = stored_seconds(results, asked.about, hardware(asked.devices)), nan
    images = sum(images_seen(run.recipe) for run in left)
    if timed := {describe(run.recipe) for run in left} & known.keys():
        source = from_runs(len(timed))
    else:
        pace = image_seconds()
        source = f"from one step of the baseline: {image_flops / pace / 1e12:.2g} TFLOP/s a worker, without evaluation"
    flops = images * image_flops
    elsewhere = flops > 1e15 and not asked.devices[0].startswith("cuda")
    gpu = OTHER if asked.base else RATES.get(asked.budget, OTHER)
    return Forecast(
        images=images,
        flops_per_image=image_flops,
        seconds=sum(expected_seconds(left, known, pace)) / len(asked.devices),
        source=source,
        h200_seconds=flops / gpu.flops if elsewhere else None,
        h200_source=gpu.source if elsewhere else None,
    )


def sentences(found: Forecast | None) -> list[str]:
    """Returns a forecast in sentences."""
    if found is None:
        return ["expected: nothing is left to train"]
    size = f"{found.pflop:,.0f}" if found.pflop > 10 else f"{found.pflop:.2g}"
    said = [
        f"about {size} PFLOP: {found.images:,} images at {found.flops_per_image / 1e9:.2g} GFLOP each",
        f"expected: {duration(found.seconds)} ({found.source})",
    ]
    if found.h200_seconds is not None:
        said.append(f"on one NVIDIA H200: {duration(found.h200_seconds)}, {found.h200_source}")
    return said


def from_runs(count: int) -> str:
    """Returns what an expected time rests on, where stored runs have recipes that are left."""
    return f"from runs of {count} of these recipes"

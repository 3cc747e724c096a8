"""How much computing a plan takes, and how long."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import nan

from benchmark.commands.say import duration
from benchmark.planning.identity import Run, describe
from benchmark.planning.requests import Request
from benchmark.planning.rounds import expected_seconds, images_seen
from benchmark.store.store import Store

# Floating point operations a second. airbench94, a network of this kind, does 0.36 PFLOP in 3.83 s on an A100:
# https://github.com/KellerJordan/cifar10-airbench. Its own peak is a third of an H100's.
A_GPU = 94e12


def expected(asked: Request, left: Sequence[Run], results: Store) -> str:
    """How long the runs that are left will take, where stored runs tell."""
    known = results.seconds()
    timed = {describe(run.recipe) for run in left} & known.keys()
    if left and not timed:
        return "their time shows once one has run (`plan` times a step)"
    return in_time(asked, expected_seconds(left, known, nan), f"from runs of {len(timed)} of these recipes")


def forecast(
    asked: Request, left: Sequence[Run], results: Store, image_flops: float, image_seconds: Callable[[], float]
) -> list[str]:
    """Sentences: how much computing is left, how long it takes here, and how long on a GPU where there is none.

    `image_flops` are those of an image of the baseline; `image_seconds` measures its seconds, where no stored run
    tells.
    """
    if not left:
        return ["expected: nothing is left to train"]
    known = results.seconds()
    images = sum(images_seen(run.recipe) for run in left)
    flops = images * image_flops
    size = f"{flops / 1e15:,.0f}" if flops > 1e16 else f"{flops / 1e15:.2g}"
    said = [f"about {size} PFLOP: {images:,} images at the baseline's {image_flops / 1e9:.2g} GFLOP"]
    timed = {describe(run.recipe) for run in left} & known.keys()
    if timed:
        said.append(f"expected: {expected(asked, left, results)}")
    else:
        pace = image_seconds()
        source = f"from one step of the baseline: {image_flops / pace / 1e12:.2g} TFLOP/s a worker, without evaluation"
        said.append(f"expected: {in_time(asked, expected_seconds(left, known, pace), source)}")
    if flops > 1e15 and not asked.devices[0].startswith("cuda"):
        said.append(
            f"on one H100: {duration(flops / A_GPU)}, assumed that it does the {A_GPU / 1e12:.0f} TFLOP/s that"
            " airbench94 does on an A100; not measured"
        )
    return said


def in_time(asked: Request, seconds: Sequence[float], source: str) -> str:
    """The time of runs that the workers share, and where it comes from."""
    return f"{duration(sum(seconds) / len(asked.devices))} ({source})"

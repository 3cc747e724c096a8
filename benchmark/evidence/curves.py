"""Summaries of a loss curve that the engine stores and the diagnosis reads."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import isfinite, sqrt
from statistics import fmean

LEVEL_PARTS = 20  # of a training; levels of the loss are means over one of them


def levels(losses: Sequence[float]) -> list[float]:
    """Returns the mean loss of each of PARTS equal parts of the training; with fewer losses than that, the losses."""
    parts = min(LEVEL_PARTS, len(losses))
    edges = [round(len(losses) * at / parts) for at in range(parts + 1)] if parts else []
    return [sum(losses[start:end]) / (end - start) for start, end in pairwise(edges)]  # fmean fails on inf - inf


def band(losses: Sequence[float]) -> float | None:
    """Returns the relative width of the band of per-batch losses: their standard deviation about their course, over
    their mean.

    From the differences of neighbours, so that the course itself does not count: von Neumann 1941,
    https://doi.org/10.1214/aoms/1177731677. None for fewer than two losses, and where one is not finite.
    """
    if len(losses) < 2 or not all(map(isfinite, losses)) or not fmean(losses) > 0:
        return None
    return sqrt(fmean((after - before) ** 2 for before, after in pairwise(losses)) / 2) / fmean(losses)


def last_epoch(losses: Sequence[float], epochs: int | None) -> Sequence[float]:
    """Returns the losses of the last epoch; of the last tenth of the training if the number of epochs is not known."""
    return losses[len(losses) - len(losses) // (epochs or 10) :]

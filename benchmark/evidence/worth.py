"""What a variant is worth in training: the length at which the baseline is as good as it.

An effect of one point means little by itself: near the top it may take eight times the training, far from it a half
more. The currency is a ladder: the baseline trained for several lengths. Between these rungs its accuracy follows a
monotone cubic over the logarithm of the length: straight lines run below a curve that flattens, and made every length
between two rungs 5 % too long (`speed/lengths.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from statistics import fmean

import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator
from scipy.special import stdtrit

from benchmark.evidence.power import ALPHA
from benchmark.evidence.spread import Scores, variance

Floats = npt.NDArray[np.float64]
Rung = tuple[float, Scores]  # a length over the baseline's, accuracies in points of its runs
LADDER_STEPS = 64  # lengths tried between two rungs, each 1 % longer than the one before where a rung doubles
NUDGE = 1e-3  # points, of a rung's mean: how far the curve follows gives the rung's weight


@dataclass(frozen=True)
class Course:
    """The baseline's mean accuracy at the lengths that are tried, with its error."""

    lengths: Floats  # over the baseline's, rising
    mean: Floats  # points
    squared_error: Floats  # points²
    spread: Floats  # sum over the rungs of their squared part of that over their degrees of freedom


@dataclass(frozen=True)
class Worth:
    """Lengths over the baseline's; None where they are beyond the ladder's ends."""

    times: float | None
    low: float | None  # 95 % interval
    high: float | None


def course(ladder: Sequence[Rung]) -> Course:
    """Returns the curve through the means of a ladder (Fritsch & Carlson 1980, https://doi.org/10.1137/0717021).

    Its error is that of the rungs, each with the weight that the curve gives it there. Needs two rungs and two runs on
    each; `rises` says whether the curve is a currency.
    """
    rungs = sorted(ladder, key=lambda rung: rung[0])
    at = np.log2([length for length, _ in rungs])
    tried = np.concatenate(
        [*(np.linspace(low, high, LADDER_STEPS, endpoint=False) for low, high in pairwise(at)), at[-1:]]
    )
    means = np.array([fmean(scores) for _, scores in rungs])
    moved = NUDGE * np.eye(len(rungs))
    curves = PchipInterpolator(at, np.column_stack([means, means[:, None] + moved, means[:, None] - moved]))(tried)
    weights = (curves[:, 1 : len(rungs) + 1] - curves[:, len(rungs) + 1 :]) / (2 * NUDGE)
    parts = weights**2 * np.array([variance(scores) / len(scores) for _, scores in rungs])
    degrees = np.array([len(scores) - 1.0 for _, scores in rungs])
    return Course(2**tried, curves[:, 0], parts.sum(axis=1), (parts**2 / degrees).sum(axis=1))


def worth(variant: Scores, baseline: Course) -> Worth:
    """Returns the length at which the baseline reaches the mean of `variant`, which has two runs or more.

    The interval holds the lengths at which Welch's test does not tell the two apart, both errors counted (inversion
    of the test, as Fieller 1954, https://doi.org/10.1111/j.2517-6161.1954.tb00159.x).
    """
    mean, part = fmean(variant), variance(variant) / len(variant)
    total = baseline.squared_error + part
    spread = baseline.spread + part**2 / (len(variant) - 1)
    freedom = np.divide(total**2, spread, out=np.full_like(total, inf), where=spread > 0)
    half = stdtrit(np.minimum(freedom, 1e9), 1 - ALPHA / 2) * np.sqrt(total)
    alike = np.flatnonzero(np.abs(mean - baseline.mean) <= half)
    low, high = (alike[0], alike[-1]) if len(alike) else (0, len(total) - 1)
    return Worth(
        times=reached(mean, baseline),
        low=float(baseline.lengths[low]) if low > 0 else None,
        high=float(baseline.lengths[high]) if high < len(total) - 1 else None,
    )


def reached(mean: float, baseline: Course) -> float | None:
    """Returns the length at which the baseline is as good as `mean`, points; None beyond the ends."""
    if not baseline.mean[0] <= mean <= baseline.mean[-1]:
        return None
    return float(2 ** np.interp(mean, baseline.mean, np.log2(baseline.lengths)))


def rises(ladder: Sequence[Rung]) -> bool:
    """Returns whether longer is better from rung to rung, as a currency must be."""
    return not falls(ladder)


def falls(ladder: Sequence[Rung]) -> str:
    """Returns, as a sentence, where longer training is not better, so that effects cannot be expressed as lengths.

    Empty where the ladder rises from rung to rung.
    """
    rungs = sorted(ladder, key=lambda rung: rung[0])
    for (short, few), (long, more) in pairwise(rungs):
        if fmean(more) <= fmean(few):
            return (
                f"No effect is given as a length of training: of the baseline's trainings, that of ×{long:.3g} the "  # noqa: RUF001  times
                f"length ({fmean(more):.1f} %, {len(more)} runs) is no better than that of ×{short:.3g} "  # noqa: RUF001  times
                f"({fmean(few):.1f} %, {len(few)} runs). More seeds of these two may show the order."
            )
    return ""

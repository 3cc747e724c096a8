"""What a variant is worth in training: the length at which the baseline is as good as it.

An effect of one point means little by itself: near the top it may take eight times the training, far from it a half
more. The currency is a ladder: the baseline trained for several lengths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log2
from statistics import fmean

import numpy as np
from scipy.special import stdtrit

from benchmark.evidence.comparison import Difference, contrast
from benchmark.evidence.power import ALPHA
from benchmark.evidence.spread import Scores

Rung = tuple[float, Scores]  # a length over the baseline's, accuracies in points of its runs
STEPS = 32  # lengths tried between two rungs, each 2 % longer than the one before where a rung doubles


@dataclass(frozen=True)
class Worth:
    """Lengths over the baseline's; None where they are beyond the ladder's ends."""

    times: float | None
    low: float | None  # 95 % interval
    high: float | None


def worth(variant: Scores, ladder: Sequence[Rung]) -> Worth:
    """Returns the length at which the ladder reaches the mean of `variant`, by lines between the rungs over the log of
    length.

    The interval holds the lengths at which Welch's test does not tell the two apart, both errors counted (inversion
    of the test, as Fieller 1954, https://doi.org/10.1111/j.2517-6161.1954.tb00159.x). Needs two rungs and two runs on
    each and of the variant.
    """
    gaps = {length: gap(variant, ladder, length) for length in lengths(ladder)}
    reached = next((length for length, each in gaps.items() if each.mean <= 0), None)
    first, last = min(gaps), max(gaps)
    alike = [length for length, each in gaps.items() if abs(each.mean) <= half_width(each)]
    low = None if not alike or alike[0] == first else alike[0]
    high = None if not alike or alike[-1] == last else alike[-1]
    return Worth(None if reached == first and gaps[first].mean < 0 else reached, low, high)


def half_width(gap: Difference) -> float:
    """Returns half of a 95 % interval, points; nan without an error. The distribution of scipy.stats takes ten times
    as long for one number, and a report asks for 50,000."""
    return float(stdtrit(gap.freedom, 1 - ALPHA / 2)) * gap.error if gap.error else gap.error


def lengths(ladder: Sequence[Rung]) -> list[float]:
    """Returns the lengths that are tried: those of the rungs, and STEPS between each and the next."""
    rungs = [log2(length) for length, _ in sorted(ladder, key=lambda rung: rung[0])]
    between = [np.linspace(low, high, STEPS, endpoint=False) for low, high in pairwise(rungs)]
    return [float(2**each) for each in np.concatenate([*between, rungs[-1:]])]


def gap(variant: Scores, ladder: Sequence[Rung], length: float) -> Difference:
    """Returns the variant less the ladder at a length within it."""
    rungs = sorted(ladder, key=lambda rung: rung[0])
    above = next((n for n, (each, _) in enumerate(rungs) if each >= length * (1 - 1e-9)), len(rungs) - 1)
    (low, worse), (high, better) = rungs[max(0, above - 1)], rungs[above]
    share = log2(length / low) / log2(high / low) if above else 1.0
    terms = [(-(1 - share), worse), (-share, better)]
    return contrast([(1.0, variant), *((weight, scores) for weight, scores in terms if abs(weight) > 1e-9)])


def rises(ladder: Sequence[Rung]) -> bool:
    """Whether longer is better from rung to rung, as a currency must."""
    means = [fmean(scores) for _, scores in sorted(ladder, key=lambda rung: rung[0])]
    return all(low < high for low, high in pairwise(means))

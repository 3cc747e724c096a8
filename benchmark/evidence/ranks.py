"""Comparison by ranks, which decides nothing: P(variant > control), its interval and its test."""

from __future__ import annotations

from math import nan

import numpy as np
from scipy.optimize import brentq
from scipy.stats import brunnermunzel, norm

from benchmark.evidence.spread import Scores

LEVEL = 0.05
CLOSE = 1e-9  # to 0 and 1, which end the search for an interval there too
LEAST_RANKED = 5  # runs on a side: with four, even samples that hardly overlap are no surprise to a rank test


def superiority(variant: Scores, control: Scores) -> float:
    """Returns P(variant > control) of a run drawn from each, ties counted half: 0.5 of no difference."""
    ordered = np.sort(control)
    below = np.searchsorted(ordered, variant, "left") + np.searchsorted(ordered, variant, "right")
    return float(below.mean()) / (2 * len(ordered))


def superiority_interval(variant: Scores, control: Scores) -> tuple[float, float]:
    """Returns the 95 % interval of `superiority`: Newcombe 2006, https://doi.org/10.1002/sim.2324, method 5.

    It holds at 0 and 1 too, where the samples do not overlap.
    """
    here, there = len(variant), len(control)
    found, quantile = superiority(variant, control), float(norm.isf(LEVEL / 2))
    extra = (here + there) / 2 - 1

    def beyond(truth: float) -> float:
        """Returns how far the truth is beyond the ends of the interval, squared."""
        spread = truth * (1 - truth) * (1 + extra * ((1 - truth) / (2 - truth) + truth / (1 + truth)))
        return (found - truth) ** 2 - quantile**2 * spread / (here * there)

    low = brentq(beyond, 0.0, min(found, 1 - CLOSE)) if found > 0 else 0.0
    high = brentq(beyond, max(found, CLOSE), 1.0) if found < 1 else 1.0
    return float(low), float(high)


def rank_p(variant: Scores, control: Scores) -> float:
    """Returns p of P(variant > control) = 1/2, without correction: the test of Brunner & Munzel 2000,
    https://doi.org/10.1002/(SICI)1521-4036(200001)42:1%3C17::AID-BIMJ17%3E3.0.CO;2-U.

    It assumes neither equal spreads nor normal scores. nan with fewer than five runs on a side, where it is no test
    at all, and where the samples do not overlap, or all scores are the same, which leaves its error without an
    estimate.
    """
    if min(len(variant), len(control)) < LEAST_RANKED or superiority(variant, control) in (0.0, 1.0):
        return nan
    if len({*variant, *control}) == 1:
        return nan
    return float(brunnermunzel(variant, control).pvalue)

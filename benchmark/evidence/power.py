"""How many runs a difference takes to show, and how large one must be to show with so many."""

from __future__ import annotations

from bisect import bisect_left
from math import isnan, sqrt
from statistics import fmean

from scipy.optimize import brentq
from scipy.stats import norm, t
from statsmodels.stats.power import TTestIndPower

from benchmark.evidence.spread import ALONE, Background, Scores, variance

ALPHA, POWER = 0.05, 0.8
LEAST = 3  # runs on a side that a verdict takes: with two, up to 13 % of tables are wrong (docs/notes/statistics.md)
MOST = 100_000  # runs of a variant; more are never asked for


def seeds_needed(variant: Scores, control: Scores, margin: float, family: float, common: Background = ALONE) -> int:
    """Returns how many more runs the variant needs to show a difference of `margin` at Holm's strictest step.

    With 80 % power, if the control grows in proportion; at least 1, and as many as a verdict takes at all.
    """
    fewest = max(1, LEAST - len(variant))
    spreads = [max(common.typical, variance(scores)) for scores in (variant, control) if len(scores) > 1]
    if not spreads:
        return fewest
    deviation = sqrt(fmean(spreads))
    size = min(margin / deviation, 3.0) if deviation else 3.0  # what is larger shows with two runs all the same
    ratio = len(control) / len(variant)
    alpha = ALPHA / family

    def enough(n: int) -> bool:
        return power(size, n, ratio, alpha) >= POWER

    # Were the deviation known, so many would do: the t test takes a few more, and the search starts from there.
    least = (norm.isf(alpha / 2) + norm.ppf(POWER)) ** 2 * (1 + 1 / ratio) / size**2 if size else MOST
    low = min(MOST, max(2, int(least)))
    high = min(MOST, low + 64)
    among = range(low, high + 1) if enough(high) else range(high, MOST + 1)
    return max(fewest, among[0] + bisect_left(among, True, key=enough) - len(variant))


def smallest_effect(deviation: float, seeds: int, control_seeds: int, family: int) -> float:
    """Returns the smallest difference in points that so many runs show with 80 % power at Holm's strictest step.

    `deviation` is that of single runs, in points.
    """
    if not deviation:
        return 0.0
    ratio, alpha = control_seeds / seeds, ALPHA / family
    size: float = brentq(lambda effect: power(effect, seeds, ratio, alpha) - POWER, 1e-6, 30.0)
    return size * deviation


def power(size: float, seeds: int, ratio: float, alpha: float) -> float:
    """Returns the power of a two-sided t test for a difference of `size` deviations, with `ratio` times as many
    control runs."""
    found = float(TTestIndPower().power(size, seeds, alpha, ratio))
    if not isnan(found):
        return found
    # SciPy's non-central t gives up here and there: Johnson, Kotz & Balakrishnan 1995, eq. 31.26, is within 0.01.
    freedom = seeds * (1 + ratio) - 2
    edge, shift = float(t.isf(alpha / 2, freedom)), size * sqrt(seeds * ratio / (1 + ratio))
    spread = sqrt(1 + edge**2 / (2 * freedom))
    return float(norm.sf((edge * (1 - 1 / (4 * freedom)) - shift) / spread))

"""How single runs vary: what a table's samples tell together of their variance and of what equal seeds share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from statistics import fmean

import numpy as np
import numpy.typing as npt

STRONGEST = 0.9  # correlation that is ever believed
Scores = Sequence[float]  # accuracies in points, one per run
Seeds = Sequence[int]  # of the runs of a sample, in their order; none where they share nothing with other samples


@dataclass(frozen=True)
class Background:
    """What the samples of a table tell together of single runs."""

    typical: float = 0.0  # median variance, points²; the floor of intervals
    floor: float = 0.0  # the larger of that and the control's variance; the floor of tests
    samples: int = 1  # that these rest on
    correlation: float = 0.0  # of runs of two samples with the same seed, shrunk


ALONE = Background()  # of a comparison that stands alone: its samples' own variances count


def lifted(scores: Scores, floor: float, freedom: float) -> tuple[float, float]:
    """Returns a sample's variance and its degrees of freedom, or `floor` and `freedom` where that is larger."""
    own = variance(scores)
    return (floor, freedom) if own < floor else (own, len(scores) - 1)


def lifted_freedom(runs: int, samples: int) -> float:
    """Returns the degrees of freedom of a variance lifted to the floor of a table of so many samples."""
    return (runs - 1) * max(1.0, 2 - 3 / samples)


def shared(
    terms: Sequence[tuple[float, Scores]], seeds: Sequence[Seeds], correlation: float
) -> list[tuple[int, int, float]]:
    """Returns the pairs of terms with seeds in common, and the factor of their covariance in the sum's variance."""
    if not seeds or not correlation:
        return []
    found = []
    for i, j in combinations(range(len(terms)), 2):
        (ours, here), (theirs, there) = terms[i], terms[j]
        both = len(set(seeds[i]) & set(seeds[j]))
        if both:
            found.append((i, j, 2 * ours * theirs * correlation * both / (len(here) * len(there))))
    return found


def background(samples: Sequence[Scores], control: Scores, seeds: Sequence[Seeds] = ()) -> Background:
    """Returns what `samples`, the control among them, tell together; `seeds` of the runs of each."""
    known = [scores for scores in samples if len(scores) > 1]
    median = typical(known)
    own = variance(control) if len(control) > 1 else 0.0
    found = correlation(samples, seeds) if seeds else 0.0
    return Background(median, max(median, own), max(1, len(known)), found)


def correlation(samples: Sequence[Scores], seeds: Sequence[Seeds]) -> float:
    """Returns the correlation of runs of two samples with the same seed, over all samples, shrunk towards 0.

    Mean covariance over mean variance, both over the pairs of samples with seeds in common. It is as uncertain as its
    seeds are few, however many the samples: so it is multiplied by 1 - 1/N for N seeds, and by K / (K + 2) for K
    samples besides the control. Where spreads differ it is rather too small.
    """
    kept = [n for n, scores in enumerate(samples) if len(scores) > 1 and len(seeds[n]) == len(scores)]
    if len(kept) < 2:
        return 0.0
    numbers = sorted({seed for n in kept for seed in seeds[n]})
    place = {seed: column for column, seed in enumerate(numbers)}
    rest, there = np.zeros((len(kept), len(numbers))), np.zeros((len(kept), len(numbers)))
    for row, n in enumerate(kept):
        columns = [place[seed] for seed in seeds[n]]
        rest[row, columns] = np.asarray(samples[n], dtype=float) - fmean(samples[n])
        there[row, columns] = 1
    return shrunk(rest, there, np.array([variance(samples[n]) for n in kept]))


def shrunk(rest: npt.NDArray[np.float64], there: npt.NDArray[np.float64], own: npt.NDArray[np.float64]) -> float:
    """Returns what `correlation` does, from the deviations of (samples, seeds), which there are, and the variances."""
    runs, pairs = there.sum(axis=1), ~np.eye(len(rest), dtype=bool)
    both = there @ there.T
    weight = np.where(pairs, both * (1 - 1 / runs[:, None] - 1 / runs + both / np.outer(runs, runs)), 0.0)
    spread = float((weight * (own[:, None] + own) / 2).sum())
    if not spread:
        return 0.0
    raw = float(((rest @ rest.T) * pairs).sum()) / spread
    at_seed = there.sum(axis=0)
    pairs_at = at_seed * (at_seed - 1)
    effective = float(pairs_at.sum() ** 2 / (pairs_at**2).sum())
    others = len(rest) - 1
    return min(STRONGEST, max(0.0, raw)) * (1 - 1 / effective) * others / (others + 2)


def typical(samples: Iterable[Scores]) -> float:
    """Returns the median variance of samples that have one; 0 if none has."""
    known = [each for scores in samples if len(scores) > 1 and (each := variance(scores))]
    return float(np.median(known)) if known else 0.0


def variance(scores: Scores) -> float:
    """Returns the variance of single runs, estimated from two or more of them; exactly 0 of equal ones."""
    return cached_variance(tuple(scores))


@lru_cache(maxsize=4096)  # a report asks a hundred times for the same few hundred samples
def cached_variance(scores: tuple[float, ...]) -> float:
    """Returns what `variance` does."""
    return float(np.var(scores, ddof=1)) if min(scores) < max(scores) else 0.0

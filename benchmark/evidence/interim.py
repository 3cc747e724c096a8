"""Interim tests: how much of the error each may spend, and p values that count all tests made so far.

A row that is tested again while its runs are added gets as many chances to be wrong. So the error is spent by a
function of the runs alone, fixed before them (Lan & DeMets 1983, https://doi.org/10.1093/biomet/70.3.659), and the
level of each test follows exactly from the joint distribution of all of them: successive means share runs, which
Bonferroni's inequality ignores (recursive integration: Armitage, McPherson & Rowe 1969,
https://doi.org/10.2307/2343787).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import log, sqrt

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

Floats = npt.NDArray[np.float64]

FIRST_SHARE = 0.2  # of the error, spent by a row's first test
LONGEST = 20.0  # times the runs of a row's first test: with so many all of its error is spent
GRID = 121  # points of the numerical integration; with 481 the levels differ by less than two per mille
ERRORS = np.geomspace(1e-9, 0.5, 37)  # at which the levels are worked out; those between are interpolated
ENDS = -8.0, 8.5  # of the integration, standard deviations


def spent(growth: float) -> float:
    """Returns the share of the error that is spent when a row has `growth` times the runs of its first test."""
    done = min(1.0, log(growth) / log(LONGEST))
    return FIRST_SHARE + (1 - FIRST_SHARE) * done**2 * (3 - 2 * done)


def combined(tails: Sequence[float], information: Sequence[float], shares: Sequence[float]) -> float:
    """Returns the one-sided p value of a sequence of tests: the least total error at which any of them rejects.

    `tails`: the one-sided p value of each test by itself. `information`: of each, in any unit, rising. `shares`: the
    part of the error that each spends, not 0.
    """
    known = levels(tuple(round(each / information[0], 3) for each in information), tuple(shares))
    return min(1.0, *(total(tail, at) for tail, at in zip(tails, known, strict=True)))


def total(tail: float, levels_of_test: Floats) -> float:
    """Returns the total error at which a test's level is `tail`; beyond the ends of the grid in proportion."""
    if tail <= levels_of_test[0]:
        return float(tail / levels_of_test[0] * ERRORS[0])
    if tail >= levels_of_test[-1]:
        return 1.0
    return float(np.exp(np.interp(log(tail), np.log(levels_of_test), np.log(ERRORS))))


@lru_cache(maxsize=4096)
def levels(information: tuple[float, ...], shares: tuple[float, ...]) -> tuple[Floats, ...]:
    """Returns the one-sided level of each test at each of ERRORS, so that the tests spend their shares exactly."""
    edge = norm.isf(shares[0] * ERRORS)
    edges, at, weight = [edge], *grid(edge)
    density = norm.pdf(at)
    for before, now, share in zip(information, information[1:], shares[1:], strict=False):
        shared = sqrt(before / now)
        spread = sqrt(max(1e-12, 1 - shared**2))
        edge = crossing(density * weight, at * shared, spread, share * ERRORS)
        following, next_weight = grid(edge)
        moved = (following[:, None, :] - shared * at[:, :, None]) / spread
        density = np.einsum("ag,agv->av", density * weight, norm.pdf(moved) / spread)
        edges, at, weight = [*edges, edge], following, next_weight
    return tuple(norm.sf(edge) for edge in edges)


def grid(edge: Floats) -> tuple[Floats, Floats]:
    """Returns the points below each edge, (edges, GRID), and the weights of the trapezoid rule."""
    at = np.linspace(ENDS[0], edge, GRID).T
    weight = np.repeat((at[:, 1] - at[:, 0])[:, None], GRID, axis=1)
    weight[:, [0, -1]] /= 2
    return at, weight


def crossing(mass: Floats, mean: Floats, spread: float, wanted: Floats) -> Floats:
    """Returns, by bisection, the edges that the next statistic crosses with the `wanted` probabilities."""
    low, high = np.full(len(wanted), ENDS[0]), np.full(len(wanted), ENDS[1])
    for _ in range(48):
        middle = (low + high) / 2
        beyond = (mass * norm.sf((middle[:, None] - mean) / spread)).sum(axis=1) > wanted
        low, high = np.where(beyond, middle, low), np.where(beyond, high, middle)
    found: Floats = (low + high) / 2
    return found

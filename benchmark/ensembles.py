"""How networks decide together, and what that is worth: pure functions on log-probabilities.

Shapes: members (members, images, classes), the whole (images, classes), labels (images,).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import Bounds, LinearConstraint, minimize
from scipy.special import log_softmax, logsumexp

from benchmark.recipe import Labels, Scores

BINS = 15  # of the calibration error, as in Guo et al. 2017


def mean_probability(members: Scores, validation: Scores, labels: Labels) -> Scores:
    """Returns the arithmetic mean of the members' probabilities."""
    return np.asarray(logsumexp(members, axis=0) - np.log(len(members)))


def mean_logit(members: Scores, validation: Scores, labels: Labels) -> Scores:
    """Returns the geometric mean of the members' probabilities, made to sum to 1 again."""
    return np.asarray(log_softmax(members.mean(0), axis=-1))


def majority_vote(members: Scores, validation: Scores, labels: Labels) -> Scores:
    """Returns the shares of votes: one for each member, and half a vote shared out by mean probability, which only
    settles ties.

    A class without a vote thus has a probability above zero, and the loss is finite.
    """
    votes = np.eye(members.shape[-1])[members.argmax(-1)].sum(0)
    shared = np.exp(mean_probability(members, validation, labels)) / 2
    return np.asarray(np.log(votes + shared) - np.log(len(members) + 0.5))


def fitted_weights(members: Scores, validation: Scores, labels: Labels) -> Scores:
    """Returns the mean probability with the weights, 0 or more and 1 in all, of the least loss on validation images.

    Ju et al. 2018, https://arxiv.org/abs/1704.01664, fit theirs by cross-validation. Raises ValueError without
    validation images.
    """
    if not validation.shape[1]:
        raise ValueError("its weights are fitted on validation logits, which these runs were trained without")
    return weighted(members, simplex_weights(validation, labels))


def weighted(members: Scores, weights: npt.NDArray[np.float64]) -> Scores:
    """Returns the mean probability under `weights` (members,) that sum to 1."""
    return np.asarray(logsumexp(members, axis=0, b=weights[:, None, None]))


def simplex_weights(members: Scores, labels: Labels) -> npt.NDArray[np.float64]:
    """Returns weights (members,), 0 or more and 1 in all, of the mean probability with the least loss: a convex
    problem."""
    right = members[:, np.arange(len(labels)), labels]
    ahead = np.exp(right - right.max(0))  # of the best member: the logarithm's argument stays above zero

    def mixed(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray(np.maximum(weights @ ahead, 1e-12))

    def loss(weights: npt.NDArray[np.float64]) -> float:
        return float(-np.log(mixed(weights)).mean())

    def slope(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray(-(ahead / mixed(weights)).mean(1))

    count = len(members)
    even, whole = np.full(count, 1 / count), LinearConstraint(np.ones((1, count)), 1, 1)
    found = minimize(loss, even, jac=slope, method="SLSQP", bounds=Bounds(0, 1), constraints=whole, tol=1e-10)
    weights = np.clip(found.x, 0, None)
    return np.asarray(weights / weights.sum())


@dataclass(frozen=True)
class Top:
    """The members most accurate on the validation images; of equals the first."""

    k: int

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ValueError(f"Top.k must be at least 1, got {self.k!r}")

    def __call__(self, accuracies: Sequence[float]) -> Sequence[int]:
        best = sorted(range(len(accuracies)), key=lambda place: -accuracies[place])
        return sorted(best[: self.k])


def measures(members: Scores, whole: Scores, labels: Labels, best: int) -> dict[str, float | None]:
    """Returns what an ensemble is worth on test images; shares are 0 to 1.

    `best` is the place of the member that was best on the validation images. Disagreement and the correlation of
    errors are None where there are no two members, or one that makes no errors.
    """
    singles = [accuracy(member, labels) for member in members]
    mine = accuracy(whole, labels)
    guesses = members.argmax(-1)
    return {
        "test_accuracy": mine,
        "test_loss": loss(whole, labels),
        "calibration_error": calibration_error(whole, labels),
        "gain": mine - float(np.mean(singles)),
        "gain_over_best": mine - singles[best],
        "disagreement": over_pairs(guesses, disagreement),
        "error_correlation": over_pairs(guesses != labels, correlation),
    }


def accuracy(scores: Scores, labels: Labels) -> float:
    """Returns the share of rows whose highest score is at the label."""
    return float((scores.argmax(-1) == labels).mean())


def loss(scores: Scores, labels: Labels) -> float:
    """Returns the mean negative log-likelihood, nats."""
    return float(-scores[np.arange(len(labels)), labels].mean())


def calibration_error(scores: Scores, labels: Labels, bins: int = BINS) -> float:
    """Returns how far confidence is from accuracy, on average over the images, by bins of equal width of confidence.

    Expected calibration error, Guo et al. 2017, https://arxiv.org/abs/1706.04599, eq. 3; a bin holds its upper end.
    """
    confidence = np.exp(scores.max(-1))
    excess = confidence - (scores.argmax(-1) == labels)
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    return float(np.abs(np.bincount(place, excess, bins)).sum() / len(labels))


def over_pairs(rows: npt.NDArray[Any], between: Callable[[npt.NDArray[Any], npt.NDArray[Any]], float]) -> float | None:
    """Returns the mean of `between` over all pairs of rows; None without pairs, or where one of them has no value."""
    values = [between(first, second) for first, second in combinations(rows, 2)]
    return float(np.mean(values)) if values and np.isfinite(values).all() else None


def disagreement(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> float:
    """Returns the share of images on which two members give different classes."""
    return float((first != second).mean())


def correlation(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> float:
    """Pearson's, of two members' errors (images,), as numbers 0 and 1; nan if one of them has no spread."""
    apart = float(first.std() * second.std())
    return float(((first - first.mean()) * (second - second.mean())).mean()) / apart if apart else float("nan")

"""What the curves of one training tell: its learning rate, its batch, its fit; as a word, numbers and a remedy.

Pure functions on plain sequences. The words and remedies are those of Wei 2015,
http://lamda.nju.edu.cn/weixs/project/CNNTricks/CNNTricks.html, section 7, and of
https://cs231n.github.io/neural-networks-3/#baby; the numbers are ours. The thresholds that part learning rates are
fitted on 112 trainings of two networks with SGD and Adam under four schedules, and tested on 224 others: both by
speed/diagnosis_trainings.py. That of the batch lies midway between runs on CIFAR-10 at budget quick, of six sizes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, nan
from statistics import fmean

import numpy as np

from benchmark.evidence.curves import LEVEL_PARTS, band, last_epoch, levels
from benchmark.evidence.log import Log

NO_FALL = 0.05  # of the first level: a loss that falls by less has learned nothing
CLIMB = 0.1  # of the first level: a loss that rises by more has been thrown back; batches move levels by up to 0.04
STUCK = 0.46  # half-way share of the fall: fitted best from 0.43 to 0.49
SLOW = 0.725  # the same: 0.73 is one training worse, 0.72 too
EARLY = 1.10  # early rise: fitted best from 1.05 to 1.15
STALLED = 0.02  # late fall under a constant rate: below 0 at high rates that it shows, 0.045 and more at others
NOISY_BAND = 0.22  # relative width of the band: 0.18 with batches of 32 images, 0.26 with 16
GAP = 0.10  # of accuracy between training and validation
CLOSE = 0.05  # of accuracy: two that differ by less are close
LEARNT = 0.90  # of the training images: who knows fewer could have learned more
HUGE = 1e30  # a loss beyond it has diverged, though it is still a finite number
OFF_CHANCE = 0.97  # of ln(classes): a loss that ends above it is that of a network that knows nothing
RISEN = 0.10  # of its lowest value: a validation loss that ends by more above it has turned
REMEDIES = {
    "too high": "lower the learning rate, by a factor of 10 at first",
    "high": "lower the learning rate, by a factor of 2 to 5",
    "good or high": "keep the learning rate, or train with half of it and compare",
    "low": "raise the learning rate, by a factor of 2 to 5",
    "nothing learned": "try a tenth of the learning rate and ten times as much; check the labels and the inputs",
    "loss of zero": "check the labels (a single class? all masked?), and what the loss is multiplied with",
    "cannot tell": "train with half and with twice the learning rate and compare",
    "too small": "enlarge the batch (and the learning rate in proportion) if the loss is to stand out from its noise",
    "large enough": "keep the batch",
    "over-fitting": "regularise more: weight decay, dropout, augmentation, more images",
    "under-fitting": "give the network more capacity, or train it longer",
    "neither": "keep the capacity",
}
UNSURE = "good or high"  # what the curve of one training does not tell apart
RATES = ("too high", "high", UNSURE, "low", "nothing learned")  # what is said of a learning rate


@dataclass(frozen=True)
class Finding:
    """One thing that the curves tell."""

    word: str  # one of REMEDIES
    numbers: str  # what the word rests on
    remedy: str


def diagnose(log: Log) -> dict[str, Finding]:
    """Returns what a log tells, by what it is about."""
    losses = log.losses or log.train_loss
    of_rate = judge_rate(losses, log.constant_rate, learnt(log), early_rise(log.losses)) if losses else at_chance(log)
    found = {"learning rate": of_rate}
    if not (of_rate and of_rate.word in ("nothing learned", "loss of zero")):
        finite = [loss if abs(loss) < HUGE else nan for loss in log.losses]
        found |= {"batch": batch(band(last_epoch(finite, log.epochs))), "fit": fit_of(log)}
    return {about: finding for about, finding in found.items() if finding}


def learnt(log: Log) -> bool | None:
    """Returns whether the network knows more than the frequencies of the classes; None where the log does not tell.

    With the number of classes, the last validation accuracy decides, or else the last twentieth of the loss against
    ln(classes), the cross-entropy of equal probabilities. Without it, only what is better than any guess among two.
    """
    accuracy = next((each for each in reversed(log.validation_accuracy) if isfinite(each)), None)
    level = levels(log.losses or log.train_loss)
    if accuracy is not None:
        return accuracy > chance_accuracy(log.classes or 2) or (False if log.classes else None)
    if not level or not isfinite(level[-1]):
        return None
    if log.classes:
        return level[-1] < OFF_CHANCE * math.log(log.classes)
    return level[-1] < OFF_CHANCE * math.log(2) < level[0] or None


def chance_accuracy(classes: int) -> float:
    """Returns the accuracy up to which a network of so many classes may be guessing, 0 to 1."""
    return 1 / classes + min(0.05, 0.5 / classes)


def at_chance(log: Log) -> Finding | None:
    """Returns that nothing was learned, where the validation accuracy alone says so; None where it does not."""
    if learnt(log) is not False:
        return None
    return finding_of("nothing learned", f"the validation accuracy ends at chance among {log.classes} classes")


def judge_rate(
    losses: Sequence[float],
    constant: bool | None = False,
    learnt: bool | None = True,
    rise: float | None = None,
) -> Finding | None:
    """Returns what the losses tell of the learning rate: those of all steps in order, levels, or those of epochs.

    `constant` says whether the rate stays where it is rather than fall to zero, `learnt` whether the network is better
    than chance, `rise` is the `early_rise` of the losses of steps; None where that is not known. None is returned for
    no losses.

    What decides is `half_way`. Where the rate comes down to zero the curve of a good rate falls to the very end; a low
    one has done most of its fall half-way, since its rate only sinks from there, and a high one sticks until its rate
    has come down. But many a network falls to the end at a high rate too, as 17 of 23 did in the trainings that test
    the thresholds: so a curve that does is said to be that of a good or a high rate. Under a constant rate the curves
    are alike in shape, and only a high rate may show: the loss falls no more in the second half. A loss that rises at
    first shows a high rate under any schedule.
    """
    if broken := [step for step, loss in enumerate(losses, start=1) if not abs(loss) < HUGE]:
        return finding_of("too high", f"the loss left the finite numbers at loss {broken[0]} of {len(losses)}")
    level = levels(losses)
    if not level:
        return None
    part = "twentieth" if len(losses) >= LEVEL_PARTS else "epoch"
    numbers = f"the loss is {level[0]:.2f} in the first {part} and {level[-1]:.2f} in the last"
    if 0 in level:
        return finding_of("loss of zero", f"{numbers}, and exactly zero over a whole {part}")
    if min(level) < 0:
        remedy = "log the cross-entropy, or add a constant that puts the lowest possible loss at zero"
        return Finding("cannot tell", f"{numbers}; the rules need losses above zero, as cross-entropies are", remedy)
    climbed = climb(level)
    if learnt is False or 1 - level[-1] / level[0] < NO_FALL:
        if climbed > CLIMB:
            return finding_of("too high", f"{numbers}, and climbs by {climbed:.0%} on the way")
        if not learnt:
            return finding_of(
                "nothing learned", f"{numbers}{'' if learnt is None else ', and the network is at chance'}"
            )
        return finding_of(
            "cannot tell", f"{numbers}: the network is better than chance, but its loss did not fall in this training"
        )
    if learnt is None:
        remedy = "give the number of classes with --classes"
        return Finding("cannot tell", f"{numbers}, which may be chance: the number of classes is not known", remedy)
    if len(level) < LEVEL_PARTS:
        remedy = "log the loss of each step"
        return Finding(
            "cannot tell",
            f"{numbers}: it learns, but a verdict on its course takes {LEVEL_PARTS} losses or more",
            remedy,
        )
    return by_shape(level, numbers, constant, rise)


def by_shape(level: Sequence[float], numbers: str, constant: bool | None, rise: float | None) -> Finding:
    """Returns what PARTS levels of a network that learns tell of its rate; `numbers` are words to begin with."""
    if rise is not None and rise > EARLY:
        return finding_of("high", f"{numbers}; in the first fifth it rises to {rise:.2f} times its first values")
    if constant and late_fall(level) < STALLED:
        return finding_of("high", f"{numbers}; in the second half it falls by {late_fall(level):.1%}")
    share = half_way(level)
    numbers = f"{numbers}; half-way {share:.0%} of its later fall is done"
    if constant:
        return finding_of("cannot tell", f"{numbers}, which shows nothing under a constant rate")
    word = "high" if share < STUCK else "low" if share > SLOW else UNSURE
    if constant is None:
        remedy = "say with --schedule whether the rate falls, or log it in a column learning_rate"
        return Finding("cannot tell", f"{numbers}: {word}, if the rate falls to zero", remedy)
    return finding_of(word, numbers)


def early_rise(losses: Sequence[float]) -> float | None:
    """Returns the highest mean of five losses in the first fifth of the steps, over the mean of the first three.

    None for fewer than 5 PARTS losses, and for some that are not finite or not above zero.
    """
    early = np.array(losses[: len(losses) // 5], np.float64)
    if len(losses) < 5 * LEVEL_PARTS or not ((np.abs(early) < HUGE).all() and early[:3].mean() > 0):
        return None
    return float(np.convolve(early, np.full(5, 0.2), "valid").max() / early[:3].mean())


def late_fall(level: Sequence[float]) -> float:
    """Returns the fall from the middle to the end, as a share of the level at the end."""
    middle, end = fmean(level[len(level) // 2 - 2 : len(level) // 2 + 1]), fmean(level[-2:])
    return (middle - end) / end


def climb(level: Sequence[float]) -> float:
    """Returns the largest rise of the loss above the lowest level before it, as a share of that."""
    return max((after / min(level[:at]) for at, after in enumerate(level) if at), default=1.0) - 1


def half_way(level: Sequence[float]) -> float:
    """Returns the fall from the second level to the middle, as a share of that to the end; a straight line has about
    half.

    The first level is left out: it tells how far off the first weights were.
    """
    middle = len(level) // 2
    start, after, end = level[1], fmean(level[middle - 2 : middle + 1]), fmean(level[-2:])
    return (start - after) / (start - end) if start > end else 0.0


def batch(width: float | None) -> Finding | None:
    """Returns what the relative width of the band in the last epoch says of the batch size; None if that
    is not known."""
    if width is None:
        return None
    return finding_of(
        "too small" if width > NOISY_BAND else "large enough", f"single batches lie ±{width:.0%} about the loss"
    )


def fit_of(log: Log) -> Finding | None:
    """Returns over-fitting or under-fitting, from accuracies where there are any, else from losses."""
    both = [
        (train, validation)
        for train, validation in zip(log.train_accuracy, log.validation_accuracy, strict=False)
        if isfinite(train) and isfinite(validation)
    ]
    if both:
        return judge_fit(*both[-1])
    losses = [each for each in log.validation_loss if isfinite(each)]
    if len(losses) < 2 or min(losses) <= 0:
        return None
    least = min(losses)
    numbers = f"the validation loss is lowest, {least:.2f}, after epoch {losses.index(least) + 1} of {len(losses)}"
    numbers = f"{numbers}, and ends at {losses[-1]:.2f}"
    if losses[-1] > (1 + RISEN) * least:
        return finding_of("over-fitting", numbers)
    remedy = "log the accuracy in training and in validation"
    return Finding(
        "cannot tell", f"{numbers}: no over-fitting so far, and losses without accuracies say no more", remedy
    )


def judge_fit(train: float, validation: float) -> Finding:
    """Returns whether the network over-fits or under-fits, from the accuracies after the last epoch, 0 to 1."""
    gap = train - validation
    word = "over-fitting" if gap > GAP else "under-fitting" if gap < CLOSE and train < LEARNT else "neither"
    return finding_of(word, f"accuracy {train:.1%} in training and {validation:.1%} in validation")


def finding_of(word: str, numbers: str) -> Finding:
    """Returns a finding with its remedy."""
    return Finding(word, numbers, REMEDIES[word])

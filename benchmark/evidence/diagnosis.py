"""What the curves of one training tell: its learning rate, its batch, its fit; as a word, numbers and a remedy.

Pure functions on plain sequences. The words and remedies are those of Wei 2015,
http://lamda.nju.edu.cn/weixs/project/CNNTricks/CNNTricks.html, section 7, and of
https://cs231n.github.io/neural-networks-3/#baby; the numbers are ours. The thresholds that part learning rates and
batch sizes lie midway between what they part in runs of CHOSEN_ON (CIFAR-10, budget quick: 8 rates, 6 sizes). The
report of a sweep of learning rates counts how often the word is right, on that seed and on others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, nan
from statistics import fmean

from benchmark.evidence.curves import PARTS, band, last_epoch, levels
from benchmark.evidence.log import Log

CHOSEN_ON = 0  # the seed of the runs that the thresholds were chosen on
NO_FALL = 0.05  # of the first level: a loss that falls by less has learned nothing
CLIMB = 0.1  # of the first level: a loss that rises by more has been thrown back; batches move levels by up to 0.04
STUCK = 0.32  # half-way share of the fall: 0.14 at a rate of 3, 0.50 at 1
SLOW = 0.70  # half-way share of the fall: 0.65 at a rate of 0.1, 0.74 at 0.03
WIDE = 0.22  # relative width of the band: 0.18 with batches of 32 images, 0.26 with 16
GAP = 0.10  # of accuracy between training and validation
CLOSE = 0.05  # of accuracy: two that differ by less are close
LEARNT = 0.90  # of the training images: who knows fewer could have learned more
HUGE = 1e30  # a loss beyond it has diverged, though it is still a finite number
OFF_CHANCE = 0.97  # of ln(classes): a loss that ends above it is that of a network that knows nothing
RISEN = 0.10  # of its lowest value: a validation loss that ends by more above it has turned
REMEDIES = {
    "too high": "lower the learning rate, by a factor of 10 at first",
    "high": "lower the learning rate, by a factor of 2 to 5",
    "good": "keep the learning rate",
    "low": "raise the learning rate, by a factor of 2 to 5",
    "nothing learned": "try a tenth of the learning rate and ten times as much; check the labels and the inputs",
    "loss of zero": "check the labels (a single class? all masked?), and what the loss is multiplied with",
    "cannot tell": "train with half and with twice the learning rate and compare",
    "too small": "enlarge the batch (and the learning rate in proportion) if the loss is to be told from its noise",
    "large enough": "keep the batch",
    "over-fitting": "regularise more: weight decay, dropout, augmentation, more images",
    "under-fitting": "give the network more capacity, or train it longer",
    "neither": "keep the capacity",
}
RATES = ("too high", "high", "good", "low", "nothing learned")  # what a learning rate can be


@dataclass(frozen=True)
class Finding:
    """One thing that the curves tell."""

    word: str  # one of REMEDIES
    numbers: str  # what the word rests on
    remedy: str


def diagnose(log: Log) -> dict[str, Finding]:
    """Returns what a log tells, by what it is about."""
    losses = log.losses or log.train_loss
    of_rate = rate(losses, log.constant_rate, learnt(log)) if losses else chance_by_accuracy(log)
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
        return accuracy > chance(log.classes or 2) or (False if log.classes else None)
    if not level or not isfinite(level[-1]):
        return None
    if log.classes:
        return level[-1] < OFF_CHANCE * math.log(log.classes)
    return level[-1] < OFF_CHANCE * math.log(2) < level[0] or None


def chance(classes: int) -> float:
    """Returns the accuracy up to which a network of so many classes may be guessing, 0 to 1."""
    return 1 / classes + min(0.05, 0.5 / classes)


def chance_by_accuracy(log: Log) -> Finding | None:
    """Returns that nothing was learned, where the validation accuracy alone says so; None where it does not."""
    if learnt(log) is not False:
        return None
    return judged("nothing learned", f"the validation accuracy ends at chance among {log.classes} classes")


def rate(losses: Sequence[float], constant: bool | None = False, learnt: bool | None = True) -> Finding | None:
    """Returns what the losses tell of the learning rate: those of all steps in order, levels, or those of epochs.

    `constant` says whether the rate stays where it is rather than fall to zero, `learnt` whether the network is better
    than chance; None where that is not known. None is returned for no losses.

    What decides is `half_way`. Where the rate comes down to zero the curve of a good rate falls to the very end; a low
    one has done most of its fall half-way, since its rate only sinks from there, and a high one sticks until its rate
    has come down. Under a constant rate the curves of all rates that learn are alike in shape, and nothing is said.
    """
    if broken := [step for step, loss in enumerate(losses, start=1) if not abs(loss) < HUGE]:
        return judged("too high", f"the loss left the finite numbers at loss {broken[0]} of {len(losses)}")
    level = levels(losses)
    if not level:
        return None
    part = "twentieth" if len(losses) >= PARTS else "epoch"
    numbers = f"the loss is {level[0]:.2f} in the first {part} and {level[-1]:.2f} in the last"
    if 0 in level:
        return judged("loss of zero", f"{numbers}, and exactly zero over a whole {part}")
    if min(level) < 0:
        remedy = "log the cross-entropy, or add a constant that puts the lowest possible loss at zero"
        return Finding("cannot tell", f"{numbers}; the rules need losses above zero, as cross-entropies are", remedy)
    rise = climb(level)
    if learnt is False or 1 - level[-1] / level[0] < NO_FALL:
        if rise > CLIMB:
            return judged("too high", f"{numbers}, and climbs by {rise:.0%} on the way")
        if not learnt:
            return judged("nothing learned", f"{numbers}{'' if learnt is None else ', and the network is at chance'}")
        return judged("cannot tell", f"{numbers}: the network knows something, but did not learn it here")
    if learnt is None:
        remedy = "give the number of classes with --classes"
        return Finding("cannot tell", f"{numbers}, which may be chance: the number of classes is not known", remedy)
    if len(level) < PARTS:
        remedy = "log the loss of each step"
        return Finding("cannot tell", f"{numbers}: it learns, but its course takes {PARTS} losses or more", remedy)
    share = half_way(level)
    numbers = f"{numbers}; half-way {share:.0%} of its later fall is done"
    if constant:
        return judged("cannot tell", f"{numbers}, which tells nothing under a constant rate")
    word = "high" if share < STUCK else "low" if share > SLOW else "good"
    if constant is None:
        remedy = "say with --schedule whether the rate falls, or log it in a column learning_rate"
        return Finding("cannot tell", f"{numbers}: {word}, if the rate falls to zero", remedy)
    return judged(word, numbers)


def climb(level: Sequence[float]) -> float:
    """The largest rise of the loss above the lowest level before it, as a share of that."""
    return max(after / min(level[:at]) for at, after in enumerate(level) if at) - 1


def half_way(level: Sequence[float]) -> float:
    """The fall from the second level to the middle, as a share of that to the end; a straight line has about half.

    The first level is left out: it tells how far off the first weights were.
    """
    middle = len(level) // 2
    start, after, end = level[1], fmean(level[middle - 2 : middle + 1]), fmean(level[-2:])
    return (start - after) / (start - end) if start > end else 0.0


def batch(width: float | None) -> Finding | None:
    """The batch size, from the relative width of its band in the last epoch; None if that is not known."""
    if width is None:
        return None
    return judged("too small" if width > WIDE else "large enough", f"single batches lie ±{width:.0%} about the loss")


def fit_of(log: Log) -> Finding | None:
    """Returns over-fitting or under-fitting, from accuracies where there are any, else from losses."""
    both = [
        (train, validation)
        for train, validation in zip(log.train_accuracy, log.validation_accuracy, strict=False)
        if isfinite(train) and isfinite(validation)
    ]
    if both:
        return fit(*both[-1])
    losses = [each for each in log.validation_loss if isfinite(each)]
    if len(losses) < 2 or min(losses) <= 0:
        return None
    least = min(losses)
    numbers = f"the validation loss is lowest, {least:.2f}, after epoch {losses.index(least) + 1} of {len(losses)}"
    numbers = f"{numbers}, and ends at {losses[-1]:.2f}"
    if losses[-1] > (1 + RISEN) * least:
        return judged("over-fitting", numbers)
    remedy = "log the accuracy in training and in validation"
    return Finding("cannot tell", f"{numbers}: no over-fitting so far, and losses alone tell no more", remedy)


def fit(train: float, validation: float) -> Finding:
    """Over-fitting or under-fitting, from the accuracies after the last epoch, 0 to 1."""
    gap = train - validation
    word = "over-fitting" if gap > GAP else "under-fitting" if gap < CLOSE and train < LEARNT else "neither"
    return judged(word, f"accuracy {train:.1%} in training and {validation:.1%} in validation")


def judged(word: str, numbers: str) -> Finding:
    """A finding with its remedy."""
    return Finding(word, numbers, REMEDIES[word])

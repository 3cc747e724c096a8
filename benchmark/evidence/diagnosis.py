"""What the curves of one training tell: its learning rate, its batch, its fit; as a word, numbers and a remedy.

Pure functions on plain sequences. The words and remedies are those of Wei 2015,
http://lamda.nju.edu.cn/weixs/project/CNNTricks/CNNTricks.html, section 7, and of
https://cs231n.github.io/neural-networks-3/#baby; the numbers are ours. The thresholds that part learning rates and
batch sizes lie midway between what they part in runs of CHOSEN_ON (CIFAR-10, budget quick: 8 rates, 6 sizes). The
report of a sweep of learning rates counts how often the word is right, on that seed and on others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
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
REMEDIES = {
    "too high": "lower the learning rate, by a factor of 10 at first",
    "high": "lower the learning rate, by a factor of 2 to 5",
    "good": "keep the learning rate",
    "low": "raise the learning rate, by a factor of 2 to 5",
    "too small": "enlarge the batch (and the learning rate in proportion) if the loss is to be told from its noise",
    "large enough": "keep the batch",
    "over-fitting": "regularise more: weight decay, dropout, augmentation, more images",
    "under-fitting": "give the network more capacity, or train it longer",
    "neither": "keep the capacity",
}
RATES = ("too high", "high", "good", "low")  # what a learning rate can be


@dataclass(frozen=True)
class Finding:
    """One thing that the curves tell."""

    word: str  # one of REMEDIES
    numbers: str  # what the word rests on
    remedy: str


def diagnose(log: Log) -> dict[str, Finding]:
    """What a log tells, by what it is about."""
    epochs = len(log.validation_accuracy)
    found = {
        "learning rate": rate(log.losses, bool(log.constant_rate)),
        "batch": batch(band(last_epoch(log.losses, epochs or None))),
        "fit": fit(log.train_accuracy[-1], log.validation_accuracy[-1]) if epochs else None,
    }
    return {about: finding for about, finding in found.items() if finding}


def rate(losses: Sequence[float], constant: bool = False) -> Finding | None:
    """The learning rate, from the losses of all steps in order; None for fewer than PARTS, unless one is not finite.

    What decides is `half_way`. Where the rate comes down to zero, as in the recipes of this suite, the curve of a good
    rate falls to the very end; a low one has done most of its fall half-way, since its rate only sinks from there, and
    a high one sticks until its rate has come down. Under a constant rate it decides nothing, and nothing is said
    unless the loss does not fall: from 0.001 to 1 the curves were alike in shape then, 0.69 to 0.74 done half-way.
    """
    broken = [step for step, loss in enumerate(losses, start=1) if not isfinite(loss)]
    if broken:
        return judged("too high", f"the loss left the finite numbers at loss {broken[0]} of {len(losses)}")
    if len(losses) < PARTS:
        return None
    level = levels(losses)
    numbers = f"the loss is {level[0]:.2f} in the first twentieth and {level[-1]:.2f} in the last"
    if 1 - level[-1] / level[0] < NO_FALL:
        rise = climb(level)
        return judged("too high" if rise > CLIMB else "low", f"{numbers}, and climbs by {rise:.0%} on the way")
    if constant:
        return None
    share = half_way(level)
    word = "high" if share < STUCK else "low" if share > SLOW else "good"
    return judged(word, f"{numbers}; half-way {share:.0%} of its later fall is done")


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


def fit(train: float, validation: float) -> Finding:
    """Over-fitting or under-fitting, from the accuracies after the last epoch, 0 to 1."""
    gap = train - validation
    word = "over-fitting" if gap > GAP else "under-fitting" if gap < CLOSE and train < LEARNT else "neither"
    return judged(word, f"accuracy {train:.1%} in training and {validation:.1%} in validation")


def judged(word: str, numbers: str) -> Finding:
    """A finding with its remedy."""
    return Finding(word, numbers, REMEDIES[word])

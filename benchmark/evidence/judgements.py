"""Claims of the sources, judged from the stored runs: pure functions on a table.

The claims of a table are one family of tests of their own, whatever its rows say. A claim that two arms are alike, or
that one is no better, is contradicted only by a difference that is surely larger than the margin: one that is surely
there and smaller than the margin says nothing against it, however many runs show it. That an arm fails is supported if
its mean is surely no more than the margin above guessing, or most of its runs surely are, at 2.5 % each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil, isfinite, log2, nan
from statistics import fmean, median

from scipy.stats import binom

from benchmark.claim import CONTROL, Additive, Alike, Better, Claim, Diminishing, Fails, Holds, More, NotBetter
from benchmark.claim import Measure as MeasureName
from benchmark.evidence.comparison import TOO_FEW, Difference, contrast, holm, nearness
from benchmark.evidence.power import ALPHA, LEAST, seeds_needed
from benchmark.evidence.spread import Background, background
from benchmark.evidence.tables import Table, guessing, none_if_nan, points, scale, seeds_of
from benchmark.store.records import EnsembleRecord, Finished, RunRecord

SUPPORTED, CONTRADICTED, WITHIN = "supported", "contradicted", "within the margin"
WORDS = (SUPPORTED, CONTRADICTED, WITHIN, "unresolved", "not measured")
LEARNED = 0.75  # of the training images right, by which Krizhevsky et al. 2012 compare activations
Scores = list[float]  # accuracies in points, one per run
Term = tuple[float, Scores]  # of a sum of means


@dataclass(frozen=True)
class RecordedMeasure:
    """What else a claim may be about: a number of a run's or an ensemble's record."""

    unit: str
    of: Callable[[Finished], float | None]  # None where the record has no such number; it then stays out


def of_run(unit: str, take: Callable[[RunRecord], float | None], scale: float = 1.0) -> RecordedMeasure:
    """Returns a measure that only trainings have."""
    return RecordedMeasure(unit, lambda record: scaled(take(record), scale) if isinstance(record, RunRecord) else None)


def of_ensemble(unit: str, take: Callable[[EnsembleRecord], float | None], scale: float = 1.0) -> RecordedMeasure:
    """Returns a measure that only ensembles have."""
    return RecordedMeasure(
        unit, lambda record: scaled(take(record), scale) if isinstance(record, EnsembleRecord) else None
    )


def scaled(value: float | None, scale: float) -> float | None:
    """Returns a number in another unit; None of None."""
    return None if value is None else scale * value


def generalisation_gap(run: RunRecord) -> float | None:
    """Returns training accuracy less test accuracy, 0 to 1."""
    known = run.train_accuracy is not None and run.test_accuracy is not None
    return (run.train_accuracy or 0.0) - (run.test_accuracy or 0.0) if known else None


def early(run: RunRecord) -> float | None:
    """Returns the mean training loss of the first quarter of the training, in nats; None where that is not finite."""
    quarter = (run.levels or ())[: len(run.levels or ()) // 4]
    known = [level for level in quarter if level is not None and isfinite(level)]
    return fmean(known) if known and len(known) == len(quarter) else None


def epochs_to_75(run: RunRecord) -> float | None:
    """Returns the epochs until 75 % of an epoch's training batches are right, linear between two epochs.

    One more than were trained where that is never reached. The first epoch counts as begun from nothing right.
    """
    before = 0.0
    for done, accuracy in enumerate(run.epoch_train_accuracy):
        now = accuracy or 0.0
        if now >= LEARNED:
            return done + (LEARNED - before) / (now - before)
        before = now
    return float(len(run.epoch_train_accuracy) + 1)


CLAIM_MEASURES: dict[MeasureName, RecordedMeasure] = {  # claim.py says what each is
    "train accuracy": of_run("points", lambda run: run.train_accuracy, 100),
    "train loss": of_run("nats", lambda run: run.epoch_train_loss[-1] if run.epoch_train_loss else None),
    "early loss": of_run("nats", early),
    "test loss": RecordedMeasure("nats", lambda record: record.test_loss),
    "gap": of_run("points", generalisation_gap, 100),
    "band": of_run("points", lambda run: run.band, 100),
    "speed": of_run("points", lambda run: fmean(run.validation_accuracy or [0.0]), 100),
    "epochs to 75 %": of_run("epochs", epochs_to_75),
    "spread": RecordedMeasure(
        "points", lambda record: scaled(record.test_accuracy, 100)
    ),  # `scores` takes the distances
    "dead units": of_run("points", lambda run: run.dead_units, 100),
    "near-zero weights": of_run("points", lambda run: run.near_zero, 100),
    "largest norm": of_run("", lambda run: run.largest_norm),
    "first deviation": of_run("", lambda run: run.first_deviation),
    "parameters": of_run("", lambda run: run.parameters),
    "disagreement": of_ensemble("points", lambda ensemble: ensemble.disagreement, 100),
    "error correlation": of_ensemble("", lambda ensemble: ensemble.error_correlation),
    "gain": of_ensemble("points", lambda ensemble: ensemble.gain, 100),
    "calibration error": of_ensemble("points", lambda ensemble: ensemble.calibration_error, 100),
}


@dataclass(frozen=True)
class Judgement:
    """What the runs say of one claim."""

    name: str
    text: str
    comparison: str  # what was compared, such as "PReLU > ReLU"
    word: str  # one of WORDS
    note: str  # what the word by itself would hide
    unit: str  # of the three that follow
    effect: float | None  # left side less right side
    ci_low: float | None
    ci_high: float | None


@dataclass(frozen=True)
class Tested:
    """A claim's comparison: the left side less the right one, and p values without correction."""

    gap: Difference
    supports: float  # p against the claim's opposite
    contradicts: float  # p against the claim
    within: float  # of a difference of the margin or more, where a smaller one decides neither; else 1


def judgements(table: Table) -> list[Judgement]:
    """Returns one judgement for each claim about this table's context."""
    claims = [claim for claim in table.study.claims if claim.context in (None, table.study.context)]
    sides = [terms(claim.holds, table) for claim in claims]
    tested = [
        put_to_test(claim.holds, side, table) if all(there for _, there in side) else None
        for claim, side in zip(claims, sides, strict=True)
    ]
    ps = [(each.supports, each.contradicts, each.within) if each else (nan, nan, nan) for each in tested]
    families = [holm([each[n] for each in ps]) for n in range(3)]
    words = [claim_word(*each) for each in zip(*families, strict=True)]
    return [judgement(*each, table) for each in zip(claims, tested, words, sides, strict=True)]


def put_to_test(holds: Holds, side: list[Term], table: Table) -> Tested:
    """Returns the comparison that a claim stands or falls with, without correction over the table's claims."""
    margin = margin_of(holds, table)
    gap = contrast(side, common(holds, table), seeds_on(holds, table))
    if isinstance(holds, Fails):
        gap = replace(gap, mean=gap.mean - accuracy_of_guessing(table))
    if too_few(side) or scale(table.study).step > margin > 0:
        return Tested(gap, nan, nan, nan)
    match holds:
        case Alike() | Additive():
            return Tested(gap, nearness(gap, margin), min(1.0, 2 * gap.tail(abs(gap.mean) - margin)), 1.0)
        case NotBetter():
            return Tested(gap, gap.tail(margin - gap.mean), min(1.0, 2 * gap.tail(gap.mean - margin)), 1.0)
        case Fails():
            failing = min(gap.tail(margin - gap.mean), mostly_fails(side[0][1], table))
            return Tested(gap, min(1.0, 2 * failing), min(1.0, 2 * gap.tail(gap.mean - margin)), 1.0)
        case Better() | More() | Diminishing():
            better, worse = min(1.0, 2 * gap.tail(gap.mean)), min(1.0, 2 * gap.tail(-gap.mean))
            return Tested(gap, better, worse, nearness(gap, margin))


def mostly_fails(scores: Scores, table: Table) -> float:
    """Returns the p value of as many failing runs, were it even odds that a run does no better than guessing.

    A sign test: the spread of arms that learn, which a comparison of means takes into account, says little of an arm
    whose runs all guess.
    """
    return float(binom.sf(failing_runs(scores, table) - 1, len(scores), 0.5))


def failing_runs(scores: Scores, table: Table) -> int:
    """Returns how many runs do no better than guessing by more than the margin."""
    return sum(score <= accuracy_of_guessing(table) + table.study.margin for score in scores)


def claim_word(supports: float, contradicts: float, within: float) -> str:
    """Returns what corrected p values say; nan says nothing."""
    if within < ALPHA:
        return WITHIN
    if supports < ALPHA:
        return SUPPORTED
    return CONTRADICTED if contradicts < ALPHA else "unresolved"


def margin_of(holds: Holds, table: Table) -> float:
    """Returns the margin in points; other measures than test accuracy, and slopes, have none."""
    return 0.0 if holds.of_measure or isinstance(holds, Diminishing) else table.study.margin


def too_few(side: list[Term]) -> bool:
    """Returns whether a sample has fewer runs than a verdict takes."""
    return min(len(scores) for _, scores in side) < LEAST


def terms(holds: Holds, table: Table) -> list[Term]:
    """Returns the samples that a claim compares, with their signs; a sample without runs is empty."""
    return [(weight, claim_scores(arm, holds, table)) for weight, arm in weights(holds)]


def weights(holds: Holds) -> list[tuple[float, str]]:
    """Returns the arms that a claim compares, with their signs. Guessing, which is no arm, is left out."""
    match holds:
        case Diminishing():
            return slopes(holds)
        case Fails():
            return [(1, holds.arm)]
        case Additive():  # the two tricks' worth together, less what each is worth alone
            return [(1, holds.arm), (-1, holds.first), (-1, holds.second), (1, CONTROL)]
        case Better() | NotBetter() | More() | Alike():
            return [(1, holds.arm), (-1, holds.than)]


def common(holds: Holds, table: Table) -> Background:
    """Returns what the table's arms tell together of what the claim is about."""
    arms = (CONTROL, *table.arms)
    samples = [claim_scores(arm, holds, table) for arm in arms]
    return background(samples, samples[0], [seeds_of(runs_on(arm, holds, table)) for arm in arms])


def seeds_on(holds: Holds, table: Table) -> list[list[int]]:
    """Returns the seeds of the runs of each sample that a claim compares."""
    return [seeds_of(runs_on(arm, holds, table)) for _, arm in weights(holds)]


def slopes(holds: Diminishing) -> list[tuple[float, str]]:
    """Returns what a member more brings between the first two of three ensembles, less that between the last two."""
    few, some, many = holds.sizes
    first, second = 1 / (some - few), 1 / (many - some)
    return [(-first, holds.few), (first + second, holds.some), (-second, holds.many)]


def claim_scores(arm: str, holds: Holds, table: Table) -> Scores:
    """Returns what the claim is about, of the runs of an arm by the name it gives it; none of an unknown arm."""
    runs = runs_on(arm, holds, table)
    if measure := holds.of_measure:
        found = [float(value) for run in runs if (value := CLAIM_MEASURES[measure].of(run)) is not None]
        return distances(found) if measure == "spread" else found
    return points(runs, table.study)


def distances(found: Scores) -> Scores:
    """Returns how far each is from the median: a t test on these compares spreads, as Brown & Forsythe 1974 do,
    https://doi.org/10.1080/01621459.1974.10482955."""
    middle = median(found) if found else 0.0
    return [abs(each - middle) for each in found]


def runs_on(arm: str, holds: Holds, table: Table) -> list[Finished]:
    """Returns the runs of an arm that have what the claim is about."""
    measure = holds.of_measure
    return [run for run in table.runs(arm) if not measure or CLAIM_MEASURES[measure].of(run) is not None]


def accuracy_of_guessing(table: Table) -> float:
    """Returns the accuracy of guessing, points."""
    return guessing(table.study)


def outcome(holds: Holds, tested: Tested | None, said: str, side: list[Term], table: Table) -> tuple[str, str]:
    """Returns a word, and what it would hide."""
    margin = margin_of(holds, table)
    if tested is None:
        return "not measured", "runs are missing"
    if too_few(side):
        return said, TOO_FEW
    if scale(table.study).step > margin > 0:
        return said, "a single test image is worth more than the margin"
    if isinstance(holds, Fails) and (guessing := failing_runs(control(table), table)):
        return "unresolved", f"{guessing} of {len(control(table))} runs of the baseline hardly train either"
    if said == "unresolved":
        return said, needed(holds, side, table)
    if isinstance(holds, Alike) and said == SUPPORTED and any(surely_guesses(each, holds, table) for _, each in side):
        return CONTRADICTED, "alike only in that they guess"
    return said, "no difference that matters" if said == WITHIN else ""


def needed(holds: Holds, side: list[Term], table: Table) -> str:
    """Returns how many more seeds would decide a claim; empty where that is not worked out."""
    if holds.of_measure or len(side) > 2:
        return ""
    # Guessing is known as if by very many runs.
    other = side[1][1] if len(side) == 2 else list(side[0][1]) * 100
    family = len(table.study.claims)
    count = seeds_needed(side[0][1], other, table.study.margin, family, common(holds, table))
    if isinstance(holds, Fails) and failing_runs(side[0][1], table) == len(side[0][1]):
        count = min(count, ceil(log2(2 * family / ALPHA)) - len(side[0][1]))
    return more_seeds(max(1, count))


def control(table: Table) -> Scores:
    """Returns the accuracies of the control, points."""
    return points(table.control, table.study)


def more_seeds(count: int) -> str:
    """Returns a number of seeds in words; past a hundred the digits say nothing."""
    return "over 100 more seeds" if count > 100 else f"{count} more seed{'' if count == 1 else 's'}"


def surely_guesses(side: Scores, holds: Holds, table: Table) -> bool:
    """Returns whether it is sure that these runs do no better than guessing, by the margin."""
    gap = contrast([(1, side)], common(holds, table))
    return gap.tail(table.study.margin - gap.mean + accuracy_of_guessing(table)) < ALPHA


def judgement(claim: Claim, tested: Tested | None, said: str, side: list[Term], table: Table) -> Judgement:
    """Returns the claim's line; what cannot be said yet is None."""
    word, note = outcome(claim.holds, tested, said, side, table)
    low, high = tested.gap.interval if tested else (None, None)
    return Judgement(
        name=claim.name,
        text=claim.text,
        comparison=comparison(claim.holds),
        word=word,
        note=note,
        unit=CLAIM_MEASURES[claim.holds.of_measure].unit if claim.holds.of_measure else "points",
        effect=tested.gap.mean if tested else None,
        ci_low=none_if_nan(low),
        ci_high=none_if_nan(high),
    )


def comparison(holds: Holds) -> str:
    """Returns what is compared, in signs."""
    match holds:
        case Additive():
            return f"{holds.arm} ≈ sum of each"
        case Diminishing():
            return f"gain per member, {holds.few} to {holds.some} > {holds.some} to {holds.many}"
        case Fails():
            return f"{holds.arm} ≈ guessing"
        case Better():
            return f"{holds.arm} > {holds.than}"
        case NotBetter():
            return f"{holds.arm} ≤ {holds.than}"
        case Alike():
            return f"{holds.arm} ≈ {holds.than}"
        case More():
            return f"{holds.arm} > {holds.than}, {holds.of}"


def count_words(judged: Sequence[Judgement]) -> dict[str, int]:
    """Returns how many claims got each judgement; judgements that none got are left out."""
    counts = {word: sum(each.word == word for each in judged) for word in WORDS}
    return {word: count for word, count in counts.items() if count}

"""How to read a report: one text for the page and for Markdown, its numbers those that the tests use."""

from __future__ import annotations

import re
from collections.abc import Sequence

from markupsafe import Markup, escape

from benchmark.evidence.interim import LONGEST
from benchmark.evidence.power import ALPHA, LEAST, POWER
from benchmark.evidence.ranks import LEAST_RANKED

PERCENT = 100


def legend(margins: Sequence[str], guessing: Sequence[tuple[str, float]]) -> list[tuple[str, str]]:
    """Returns terms with what they mean; code stands between backticks.

    `margins` in points, as texts; `guessing` holds each data set with the accuracy of guessing, in percent.
    """
    margin = " or ±".join(margins)
    chance = ", ".join(f"{accuracy:g} % on {name}" for name, accuracy in guessing)
    alpha, power = f"{PERCENT * ALPHA:g} %", f"{PERCENT * POWER:g} %"
    return [
        (
            "variant, what changed",
            "A variant is the baseline with the named parts replaced and nothing else. The baseline's own line says "
            "which variants it stands for.",
        ),
        (
            "against",
            "What a variant is compared with. “baseline” is the main baseline, the control that most tables share; "
            "other tables have a baseline of their own, such as a network without normalisation, and what helps there "
            "may still end below the main baseline. The short lists and the counts are about the main baseline, and "
            "count a recipe once in however many tables it stands.",
        ),
        (
            "runs",
            "Finished trainings, one for each seed, diverged ones included. “3 of 5” says that two are still missing. "
            "A failed run raised an error; it enters no number.",
        ),
        (
            "accuracy",
            "On the test images after the last epoch, mean ± standard deviation over runs. The test images are used "
            "once in each run and choose nothing.",
        ),
        (
            "diverged",
            f"Runs whose loss left the finite numbers. A diverged run counts as guessing, which gets {chance}; "
            f"leaving "
            "it out would flatter the variant.",
        ),
        (
            "effect, interval",
            "The variant's mean accuracy less the baseline's, in points of accuracy, with a 95 % interval. "
            "The interval is not corrected for multiple tests and the verdict is, so it may exclude 0 where "
            "the verdict is “unresolved”. It is Welch's interval with two changes: no variance is taken as "
            "smaller than the median of the table, and the covariance of runs with equal seeds is counted. "
            "Effects that few runs resolve are rather too large, since the rows that show first are those "
            "that chance has favoured. All of this holds for this test set; how other images of the same kind"
            " would come out is a question that no number of seeds answers.",
        ),
        (
            "p (Holm)",
            "The chance of so large a difference if the variant had no effect: Welch's test, corrected by "
            "Holm's method for all rows of the table. Where seeds were added in stages (`--resolve`), p "
            "counts all interim tests: the share of the error that each may spend is fixed before the runs, "
            f"and all of it is spent when a row has {LONGEST:g} times the runs of its first test. A test takes"
            f" {LEAST} runs on each side.",
        ),
        (
            "margin",
            f"±{margin} points, fixed with the budget before the runs: a smaller difference does not matter here. It "
            "is the shaded band of the plots.",
        ),
        (
            "verdict",
            f"■ equivalent: two one-sided tests show, with an error of at most {alpha} over the table, that "
            f"the difference lies within the margin. ▲ helps, ▼ hurts: otherwise, if p is below {alpha}. ● "
            "unresolved: neither; the runs do not show it, which is not the same as “no effect”. ◇ no "
            "verdict: there can be none, since the baseline hardly trains, one test image is worth more than "
            "the margin, or no two runs differ. The tests take no variance as smaller than the median of the "
            "table or the baseline's own, and a variance lifted to that counts up to twice its degrees of "
            "freedom, since it rests on other runs too: a row recalculated from its own runs by textbook "
            "Welch and two one-sided tests may come out differently.",
        ),
        (
            "the whole report",
            f"The {alpha} are those of one table. In a report of some 300 rows about one is wrong on average, and "
            "two of three such reports have one that is (simulated, see docs/notes/statistics.md). "
            "The column `q` of effects.csv is "
            f"about all rows together: of the rows with a q of at most {ALPHA:g} about {alpha} are false discoveries "
            "(Benjamini and Hochberg).",
        ),
        (
            "more seeds",
            "About how many more runs of the variant would show a difference as large as the margin with a power of "
            f"{power}, if the spread stays as it is and the baseline's runs grow in proportion.",
        ),
        (
            "training time",
            "Time of all training steps over the baseline's: the time of a step, measured alternately with the "
            "baseline's on one core (`python -m benchmark cost`), times the number of steps. Of ensembles, the "
            "floating point operations of all runs they take over those of one run of the baseline. Marked ≈ where it "
            "is only a ratio of the runs' own seconds, which swing with whatever else the machine did. Training of "
            "the weights that a variant starts from is not counted.",
        ),
        (
            "step time",
            "Time of one training step over the baseline's, measured alternately, else (≈) from the median times of "
            "the runs.",
        ),
        (
            "part",
            "Part of the article (Wei 2015) that the first of the ablation's statements is from.",
        ),
        (
            "also known",
            "Length: how long the baseline would have to train to be as good, by a monotone curve through the "
            "lengths it was trained for (`training_length`), with a 95 % interval. Probability: that a run of the "
            "variant beats a run of the baseline, ties counted half; the rank test with it assumes neither normal "
            f"scores nor equal spreads, takes {LEAST_RANKED} runs on each side, and decides nothing. Memory: of the "
            "whole process on a CPU, of tensors on a GPU.",
        ),
        (
            "run again",
            "The command trains what its own store lacks; give it an empty one with `--store` to train "
            "everything anew.",
        ),
        (
            "ensembles",
            "Finished runs that decide together; “made” counts those that share no run, and numbers are means over "
            "these. Gain: over the mean test accuracy of its members, and over the member that is best on validation "
            "images. Calibration error: how far confidence is from accuracy, in 15 bins. Disagreement: share of test "
            "images on which two members differ. Costs are floating point operations over those of a run of the "
            "baseline; those of a search count all of its runs. Ensembles and the baseline share runs: their "
            "differences are a little more certain than the intervals say.",
        ),
        (
            "claims",
            "Each is one comparison, tested as above with all claims of its table as one family. “A > B” is "
            "supported if A is significantly better, contradicted if B is, and “within the margin” where the "
            "difference is shown to be too small to matter. “A ≤ B” is supported if A is shown not to be "
            "better by the margin, “A ≈ B” if the two are shown to differ by less than it; both are "
            "contradicted only by a difference shown to be larger than the margin, “A ≈ B” also if the two "
            "are alike only in that one guesses. “A ≈ guessing” is supported if A is shown not to be better "
            "than guessing by the margin, and every run of the baseline is; without that control it is "
            "unresolved. A claim about another measure than test accuracy names it and has no margin.",
        ),
    ]


def marked(text: str) -> Markup:
    """Returns a text of the legend as HTML."""
    return Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", str(escape(text))))

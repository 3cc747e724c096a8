"""The verdicts of many tables at once, with which their errors are measured, are those of the tables."""

from __future__ import annotations

from math import ceil, sqrt

import numpy as np
import pytest

from benchmark.evidence.comparison import judge_looks, judge_pairs
from benchmark.evidence.spread import correlation
from speed.adding_runs import by_hand
from speed.verdicts import EQUIVALENT, HELPS, HURTS, MARGIN, NOW, OPEN, cell, in_stages, judged, made, stages, sums

WORDS = {"helps": HELPS, "hurts": HURTS, "equivalent": EQUIVALENT, "unresolved": OPEN, "no verdict": OPEN}


@pytest.mark.parametrize("kind", ["normal", "fail 50", "images 100", "half x0.1"])
@pytest.mark.parametrize(("variants", "seeds"), [(1, 3), (2, 3), (7, 5), (3, 2)])
def test_words_and_intervals_are_those_of_the_tables(kind: str, variants: int, seeds: int) -> None:
    effects = np.linspace(-3, 3, variants)
    many = ceil(seeds * sqrt(variants))
    scores = made(kind, 12, effects, many, np.random.default_rng(1), correlation=0.4)
    found = judged(scores[:, :-1, :seeds], scores[:, -1])
    for number, table in enumerate(scores.tolist()):
        control = table[-1]
        pairs = [(arm[:seeds], control) for arm in table[:-1]]
        verdicts = judge_pairs(pairs, MARGIN, [(range(seeds), range(many))] * variants)
        assert [WORDS[each.word] for each in verdicts] == found.words[number].tolist()
        ends = [each.difference.interval[1] - each.difference.mean for each in verdicts]
        assert ends == pytest.approx(found.half[number].tolist())


def test_the_correlation_is_that_of_the_tables() -> None:
    scores = made("normal", 4, np.zeros(3), 9, np.random.default_rng(2), correlation=0.6)
    runs = np.tile([3, 5, 9, 9], (4, 1))
    found = sums(scores, runs, NOW).correlation[:, 0]
    for each, table in zip(found, scores.tolist(), strict=True):
        samples = [arm[:n] for arm, n in zip(table, runs[0], strict=True)]
        assert each == pytest.approx(correlation(samples, [range(n) for n in runs[0]]))


def test_interim_tests_are_those_of_the_tables() -> None:
    effects = np.array([0.0, 0.5, 1.5])
    scores = made("normal", 5, effects, ceil(8 * sqrt(3)), np.random.default_rng(3), correlation=0.3)
    ended = in_stages(scores, effects, 8, NOW)
    for number, table in enumerate(scores.tolist()):
        runs, control, looks, words = [3, 3, 3], ceil(3 * sqrt(3)), [], [OPEN] * 3
        for planned in stages(3, 8):
            runs = [planned if word == OPEN else n for n, word in zip(runs, words, strict=True)]
            control = max(control, ceil(planned * sqrt(words.count(OPEN))))
            looks.append([(n, control) for n in runs])
            pairs = [(arm[:n], table[-1][:control]) for arm, n in zip(table, runs, strict=False)]
            whole = [(pairs[n][0], pairs[0][1]) for n in range(3)]  # one control
            seeds = [(range(n), range(control)) for n in runs]
            words = [WORDS[each.word] for each in judge_looks(whole, looks, MARGIN, seeds)]
            if OPEN not in words:
                break
        assert words == ended.words[number].tolist()
        assert control + sum(runs) == ended.runs[number]


def test_a_cell_counts_tables_with_a_wrong_row() -> None:
    found = cell("normal", "none", 3, 3, 0.0, 100)
    assert found.wrong <= 12  # 99.9 % of Binomial(100, 0.05) are no more
    assert cell("normal", "none", 3, 2, 0.0, 10).wrong == 0  # two runs are refused a verdict


def test_runs_added_by_hand_are_tested_as_the_tables_test_them() -> None:
    effects = np.array([0.0, 0.6])
    scores = made("normal", 4, effects, ceil(12 * sqrt(2)), np.random.default_rng(4))
    words, bad = by_hand(scores, effects, lambda runs, p: np.full(len(p), runs + 4 if runs < 11 else 99))
    assert not bad[words == OPEN].any()
    for number, table in enumerate(scores.tolist()):
        counts = [(n, ceil(n * sqrt(2))) for n in (3, 7, 11)]
        for last, (runs, control) in enumerate(counts, 1):
            pairs = [(arm[:runs], table[-1][:control]) for arm in table[:-1]]
            looks = [[each] * 2 for each in counts[:last]]
            verdicts = judge_looks(
                [(arm, pairs[0][1]) for arm, _ in pairs], looks, MARGIN, [(range(runs), range(control))] * 2
            )
            found = [WORDS[each.word] for each in verdicts]
            if OPEN not in found:
                break
        assert found == words[number].tolist()

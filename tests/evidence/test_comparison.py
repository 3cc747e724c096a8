"""Statistics, against cases worked out by hand and against SciPy."""

from __future__ import annotations

from math import ceil, isnan, nan, sqrt
from random import Random
from statistics import fmean

import pytest
from scipy.stats import brunnermunzel, mannwhitneyu, multivariate_normal, norm, ttest_ind
from statsmodels.stats.multitest import multipletests

from benchmark.evidence.comparison import (
    BASELINE_GUESSES,
    NO_SPREAD,
    TOO_FEW,
    UNSEEN,
    Difference,
    Scale,
    compare,
    compare_in_looks,
    contrast,
    difference,
    false_discovery,
    guesses,
    holm,
    judge_looks,
    judge_pairs,
    taken,
)
from benchmark.evidence.interim import ERRORS, LONGEST, levels, spent
from benchmark.evidence.power import ALPHA, power, seeds_needed, smallest_effect
from benchmark.evidence.ranks import rank_p, superiority, superiority_interval
from benchmark.evidence.spread import Background, background, correlation, typical

LOW, HIGH, SAME = [70.0, 71.0, 72.0], [80.0, 81.0, 82.0], [70.99, 71.00, 71.01]


def test_difference_is_scipys_welch_test() -> None:
    variant, control = [81.0, 84.0, 80.0], [79.0, 80.0, 80.0, 82.0, 78.0]
    mine, theirs = difference(variant, control), ttest_ind(variant, control, equal_var=False)
    assert (mine.p, mine.freedom) == pytest.approx((theirs.pvalue, theirs.df))
    assert mine.interval == pytest.approx(tuple(theirs.confidence_interval()))


def test_two_one_sided_tests_are_scipys() -> None:
    variant, control, margin = [81.0, 84.0, 80.0], [79.0, 80.0, 80.0, 82.0], 5.0
    lower = ttest_ind([v + margin for v in variant], control, equal_var=False, alternative="greater").pvalue
    upper = ttest_ind([v - margin for v in variant], control, equal_var=False, alternative="less").pvalue
    gap = difference(variant, control)
    assert gap.tail(margin - abs(gap.mean)) == pytest.approx(max(lower, upper))


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []
    assert holm([0.01, nan, 0.03])[::2] == pytest.approx([0.02, 0.03])


@pytest.mark.parametrize(
    ("variant", "control", "margin", "word"),
    [
        (HIGH, LOW, 1.0, "helps"),
        (LOW, HIGH, 1.0, "hurts"),
        (SAME, LOW, 5.0, "equivalent"),
        (HIGH, LOW, 20.0, "equivalent"),  # surely there, surely too small to matter
        (SAME, LOW, 0.1, "unresolved"),
        ([10.0] * 3, [10.0] * 3, 1.0, "no verdict"),  # nothing is known of the spread
        ([10.0] * 3, HIGH, 1.0, "hurts"),  # a network that only guesses is lifted to the spread of the others
        ([80.0], [70.0, 71.0, 72.0], 1.0, "unresolved"),  # one run says nothing
        ([80.0, 81.0], LOW, 1.0, "unresolved"),  # two are refused
    ],
)
def test_verdicts(variant: list[float], control: list[float], margin: float, word: str) -> None:
    (verdict,) = compare([(variant, control)], margin)
    assert verdict.word == word
    assert (verdict.seeds_needed > 0) == (word == "unresolved")


def test_a_single_run_has_no_interval() -> None:
    (verdict,) = compare([([80.0], LOW)], 1.0)
    assert verdict.difference.mean == 9.0
    assert isnan(verdict.p)
    assert all(isnan(end) for end in verdict.difference.interval)


def test_a_larger_family_asks_for_more() -> None:
    pair = ([80.0, 84.0, 88.0], [70.0, 74.0, 72.0])
    assert [compare([pair] * family, 1.0)[0].word for family in (1, 50)] == ["helps", "unresolved"]


def test_seeds_needed_by_table() -> None:
    """Cohen 1988, table 2.4.1: effect 0.5, alpha 0.05 two-sided, power 0.8 take 64 in each group."""
    spread = [0.0, 2.0, 1.0]  # deviation 1
    assert seeds_needed(spread, spread, margin=0.5, family=1) == 64 - 3


PAIR = ([78.0, 84.0, 88.0, 80.0, 83.0], [70.0, 74.0, 72.0, 73.0, 71.0, 75.0])


def test_what_would_show_is_what_the_power_of_the_test_says() -> None:
    draw = Random(3)
    both = [[draw.gauss(0, 1) for _ in range(20)] for _ in range(2)]
    gap = difference(*both)
    deviation = gap.error * sqrt(10)
    for family in (1, 10):
        assert gap.visible(family) == pytest.approx(smallest_effect(deviation, 20, 20, family), rel=0.02)
    assert isnan(difference([80.0], LOW).visible(1))


def at(n: int, m: int) -> Difference:
    """Returns the difference of the first runs of PAIR."""
    seen = PAIR[0][:n], PAIR[1][:m]
    return difference(*seen, background(seen, seen[1]))


def test_the_first_interim_test_spends_its_share() -> None:
    (once,) = judge_looks([PAIR], [[(3, 4)]], 1.0)
    assert once.p == pytest.approx(min(1, at(3, 4).p / spent(1)), rel=1e-3)
    assert once.difference.mean == pytest.approx(fmean(PAIR[0]) - fmean(PAIR[1]))  # of all runs
    assert once.unseen == 2  # of its five runs


def test_interim_tests_together_are_stricter_than_one_and_milder_than_bonferroni() -> None:
    (both,) = judge_looks([PAIR], [[(3, 4)], [(5, 6)]], 1.0)
    share = spent(5 / 3) - spent(1)
    alone = [at(3, 4).p / spent(1), at(5, 6).p / share]
    assert at(5, 6).p < both.p < min(alone)
    later_nonsense = ([*PAIR[0], 0.0, 150.0, 60.0], PAIR[1])
    assert judge_looks([later_nonsense], [[(3, 4)], [(5, 6)], [(8, 6)]], 1.0)[0].p == both.p


def test_a_look_without_new_runs_of_a_variant_is_none_of_it() -> None:
    """The control grows for other rows; to test anew whenever it does would be to try one's luck again."""
    assert judge_looks([PAIR], [[(3, 4)], [(3, 6)]], 1.0)[0].p == judge_looks([PAIR], [[(3, 4)]], 1.0)[0].p
    never = judge_looks([PAIR], [[(0, 4)], [(0, 6)]], 1.0)[0]
    assert isnan(never.p)
    assert (never.word, never.reason) == ("unresolved", UNSEEN)


def test_when_the_error_is_spent_nobody_looks_again() -> None:
    looks = [[(3, 9)], [(ceil(3 * LONGEST), 9)], [(200, 9)]]
    assert [each.runs[0] for each in taken(looks, 0)] == [3, 3 * LONGEST]
    assert sum(each.share for each in taken(looks, 0)) == pytest.approx(1)


def test_runs_after_the_last_interim_test_may_be_tested_within_the_error_that_is_left() -> None:
    draw = Random(2)
    pair = ([draw.gauss(0.84, 0.7) for _ in range(200)], [draw.gauss(0, 0.7) for _ in range(200)])
    (before,) = judge_looks([pair], [[(3, 6)], [(5, 9)]], 1.0)
    (after,) = judge_looks([pair], [[(3, 6)], [(5, 9)], [(200, 200)]], 1.0)
    assert (before.word, before.unseen) == ("unresolved", 195)
    assert (after.word, after.unseen) == ("equivalent", 0)


def test_equivalence_is_looked_for_in_shares_too() -> None:
    close = ([70.0, 71.0, 72.0, 71.0, 70.0, 72.0], [70.0, 71.0, 72.0, 71.0, 70.5, 71.5])
    gap = judge_pairs([close], 1.0)[0].difference
    assert spent(1) * ALPHA < gap.tail(1.0 - abs(gap.mean)) < ALPHA
    assert judge_pairs([close], 1.0)[0].word == "equivalent"
    assert judge_looks([close], [[(6, 6)]], 1.0)[0].word == "unresolved"
    assert compare_in_looks([close], [[(6, 6)]], 1.0)[0].seeds_needed > compare([PAIR], 1.0)[0].seeds_needed


def test_who_looks_eight_times_is_wrong_no_more_often() -> None:
    """Without the shares one of four such trials would end in a false alarm."""
    draw, sizes = Random(1), (3, 5, 8, 13, 21, 34, 55, 88)
    trials = [([draw.gauss(0, 1) for _ in range(88)], [draw.gauss(0, 1) for _ in range(88)]) for _ in range(200)]
    looks = [[(n, n)] for n in sizes]
    alarms = sum(judge_looks([pair], looks, 0.0)[0].word != "unresolved" for pair in trials)
    naive = sum(any(difference(v[:n], c[:n]).p < ALPHA for n in sizes) for v, c in trials)
    assert alarms <= 15  # 99.9 % of Binomial(200, 0.05) are no more than 20
    assert naive >= 30


def test_the_levels_of_interim_tests_spend_the_error_exactly() -> None:
    """For two tests against the bivariate normal distribution of SciPy."""
    information, shares = (1.0, 2.5), (0.3, 0.7)
    first, second = levels(information, shares)
    number = 30
    edges = [norm.isf(first[number]), norm.isf(second[number])]
    joint = multivariate_normal([0, 0], [[1, sqrt(1 / 2.5)], [sqrt(1 / 2.5), 1]])
    assert norm.sf(edges[0]) == pytest.approx(0.3 * ERRORS[number])
    assert 1 - joint.cdf(edges) == pytest.approx(ERRORS[number], rel=1e-3)


def test_a_sample_without_spread_is_not_believed() -> None:
    """Networks that stalled by luck at exactly 10.0 once made tables of a single truth differ."""
    stalled, mixed = [10.0] * 3, [61.0, 60.5, 10.0, 60.0, 61.5, 10.0]
    assert compare([(stalled, mixed)], 1.0)[0].word == "unresolved"
    assert compare([([65.0] * 3, [65.0] * 3)], 1.0)[0].reason == NO_SPREAD


def test_where_the_control_guesses_or_the_images_are_too_few_there_is_no_verdict() -> None:
    guessing, trained = [10.0, 10.2, 9.9, 10.0], [65.0, 65.4, 65.2]
    assert (guesses(guessing, 10.0), guesses(trained, 10.0)) == (True, False)
    assert guesses([65.0, 65.0, 10.0], 10.0)  # not surely better: two of three are no proof
    (verdict,) = compare([(trained, guessing)], 1.0, scale=Scale(chance=10.0))
    assert (verdict.word, verdict.reason, isnan(verdict.p)) == ("no verdict", BASELINE_GUESSES, True)
    (verdict,) = compare([(trained, LOW)], 1.0, scale=Scale(chance=10.0, step=12.5))
    assert verdict.word == "no verdict"
    assert "one test image is worth 12.5 points" in verdict.reason
    assert compare([(HIGH, LOW)], 1.0, scale=Scale(chance=10.0, step=0.01))[0].word == "helps"


def test_two_runs_are_refused_a_verdict_and_told_how_many_it_takes() -> None:
    (verdict,) = compare([([80.0, 80.1], LOW)], 1.0)
    assert (verdict.word, verdict.reason) == ("unresolved", TOO_FEW)
    assert verdict.seeds_needed >= 1


def test_the_floors_of_tests_and_of_intervals() -> None:
    """Variances 1, 4, 9 and the control's 16: median 6.5; tests take the control's, intervals the median."""
    samples = [[0.0, 1.0, 2.0], [0.0, 2.0, 4.0], [0.0, 3.0, 6.0]]
    control = [0.0, 4.0, 8.0, 4.0, 4.0, 0.0, 8.0]
    common = background([*samples, control], control)
    assert common.typical == pytest.approx((4 + 9) / 2 if typical([control]) > 9 else 0)
    assert common.floor == pytest.approx(typical([control]))
    gap = contrast([(1, samples[0]), (-1, control)], common)
    assert gap.error == pytest.approx(sqrt(common.typical / 3 + common.floor / 7))
    assert gap.tested is not None
    assert gap.tested[0] == pytest.approx(sqrt(common.floor / 3 + common.floor / 7))


def test_a_table_of_one_variant_counts_no_more_degrees_than_welch() -> None:
    """Its floor is made of the very variances that it lifts: with three runs 7 % of tables were wrong."""
    variant, control = [60.0, 65.0, 70.0], [64.0, 65.0, 66.0]
    gap = judge_pairs([(variant, control)], 1.0)[0].difference
    assert gap.tested is not None
    assert gap.tested[0] == pytest.approx(sqrt((25 + 13) / 3))
    assert gap.tested[1] == pytest.approx(ttest_ind(variant, control, equal_var=False).df)
    two = judge_pairs([(variant, control), ([64.0, 66.0, 65.5], control)], 1.0)[0].difference
    assert two.tested is not None
    assert two.tested[1] > gap.tested[1]


def test_the_correlation_of_equal_seeds_by_hand() -> None:
    """Two samples that move together: covariance 1, variances 1 and 1; two samples and three seeds shrink it."""
    seeds = [[0, 1, 2], [0, 1, 2]]
    assert correlation([[0.0, 1.0, 2.0], [5.0, 6.0, 7.0]], seeds) == pytest.approx(0.9 * (1 - 1 / 3) * (1 / 3))
    assert correlation([[0.0, 1.0, 2.0], [7.0, 6.0, 5.0]], seeds) == 0
    assert correlation([[0.0, 1.0, 2.0], [5.0, 6.0, 7.0]], [[0, 1, 2], [3, 4, 5]]) == 0
    assert correlation([[0.0, 1.0, 2.0], [5.0, 6.0, 7.0]], [[0, 1, 2], []]) == 0  # replicates share no seeds


def test_the_correlation_is_found_whatever_the_numbers_of_runs() -> None:
    draw = Random(4)
    shared = [draw.gauss(0, sqrt(0.4)) for _ in range(40)]
    sizes = (40, 20, 30, 40, 25)
    samples = [[shared[n] + draw.gauss(0, sqrt(0.6)) for n in range(size)] for size in sizes]
    found = correlation(samples, [range(size) for size in sizes])
    assert found == pytest.approx(0.4 * 4 / 6, abs=0.08)


def test_seeds_in_common_take_their_covariance_off_the_error() -> None:
    variant, control = [1.0, 2.0, 3.0], [0.0, 1.0, 2.0, 3.0]
    common = Background(correlation=0.5)
    plain = contrast([(1, variant), (-1, control)], common)
    counted = contrast([(1, variant), (-1, control)], common, [[0, 1, 2], [0, 1, 2, 3]])
    # The covariance of the means: correlation, times the smaller variance, times 3 seeds in common, over 3 x 4 runs.
    assert plain.error**2 - counted.error**2 == pytest.approx(2 * 0.5 * 1.0 * 3 / (3 * 4))
    other = contrast([(1, variant), (-1, control)], common, [[0, 1, 2], [7, 8, 9, 10]])
    assert other.error == plain.error


def test_holm_and_false_discovery_rates_are_those_of_statsmodels() -> None:
    draw = Random(0)
    for count in (1, 2, 7, 40):
        ps = [round(draw.random() ** 3, 2) for _ in range(count)]  # rounded, so that some are equal
        assert holm(ps) == pytest.approx(list(multipletests(ps, method="holm")[1]))
        assert false_discovery(ps) == pytest.approx(list(multipletests(ps, method="fdr_bh")[1]))
    assert holm([nan, 0.02]) == pytest.approx([nan, 0.02], nan_ok=True)
    assert holm([]) == []


def test_false_discovery_rates_by_hand() -> None:
    """Benjamini and Hochberg: p times the number of tests over its rank, made monotone."""
    assert false_discovery([0.01, 0.04, 0.03, nan, 0.5])[:3] == pytest.approx([0.04, 0.16 / 3, 0.16 / 3])


def test_the_interval_of_superiority_holds_it_and_is_wider_of_fewer_runs() -> None:
    low, high = superiority_interval([1.0, 2.0, 3.0], [0.0, 2.0, 9.0])
    assert low < 0.5 < high
    few, many = superiority_interval([2.0] * 3, [1.0] * 3), superiority_interval([2.0] * 30, [1.0] * 30)
    assert few[1] == many[1] == 1
    assert 0.3 < few[0] < many[0] < 1
    assert superiority_interval([1.0] * 3, [2.0] * 3) == pytest.approx((0, 1 - few[0]))


def test_superiority_by_hand_and_by_mann_and_whitney() -> None:
    """Of the nine pairs of 1, 2, 3 with 0, 2, 9: 1 > 0, 2 > 0, 3 > 0, 3 > 2, and 2 = 2."""
    variant, control = [1.0, 2.0, 3.0], [0.0, 2.0, 9.0]
    assert superiority(variant, control) == 4.5 / 9
    assert superiority(variant, control) == mannwhitneyu(variant, control).statistic / 9
    assert (superiority(HIGH, LOW), superiority(LOW, HIGH)) == (1, 0)


def test_ranks_are_scipys_and_need_an_overlap() -> None:
    variant, control = [1.0, 2.0, 3.0, 4.0, 9.0], [0.0, 2.5, 2.7, 3.5, 3.6, 5.0]
    assert rank_p(variant, control) == brunnermunzel(variant, control).pvalue
    assert isnan(rank_p(variant[:4], control))
    assert isnan(rank_p(variant, [10.0] * 5))
    assert isnan(rank_p([0.01] * 5, [0.01] * 9))  # all at chance


def test_power_rises_where_scipy_gives_up_too() -> None:
    """Of these 30 numbers of seeds SciPy 1.18 has no answer for about ten, which once counted as certainty."""
    found = [power(0.333, seeds, 0.9, 1e-4) for seeds in range(360, 420, 2)]
    assert found == sorted(found)
    assert (found[0], found[-1]) == pytest.approx((0.668, 0.780), abs=0.002)


def test_power_by_table() -> None:
    """Cohen 1988, table 2.3.5: effect 0.5, alpha 0.05 two-sided, 64 in each group: 0.80."""
    assert power(0.5, 64, 1.0, 0.05) == pytest.approx(0.80, abs=0.005)
    assert power(50.0, 2, 1.0, 0.05) == pytest.approx(1.0)

"""Effects in lengths of training, on ladders whose truth is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
from builders import arm, record, study
from scipy.interpolate import PchipInterpolator
from scipy.stats import t, ttest_ind

from benchmark import report
from benchmark.evidence.spread import variance
from benchmark.evidence.tables import tables
from benchmark.evidence.worth import Worth, course, falls, rises, worth
from benchmark.store.records import Facts
from benchmark.store.store import Store

EVEN = [(0.5, [60.0, 60.2]), (1.0, [65.0, 65.2]), (2.0, [68.0, 68.2]), (4.0, [70.0, 70.2])]


def test_the_worth_of_a_rung_is_its_length() -> None:
    for length, scores in EVEN:
        assert (
            worth([scores[0], scores[1] - 1e-9], course(EVEN)).times == pytest.approx(length, rel=1e-6)
            or length == 0.5
        )


def test_between_rungs_a_monotone_cubic_over_the_log_of_length() -> None:
    """The curve of SciPy, which is Fritsch and Carlson's."""
    curve = PchipInterpolator([-1, 0, 1, 2], [60.1, 65.1, 68.1, 70.1])
    for place in (-0.5, 0.3, 1.6):
        mean = float(curve(place))
        assert worth([mean - 0.1, mean + 0.1], course(EVEN)).times == pytest.approx(2**place, rel=1e-3)


def test_a_flattening_course_is_met_to_one_per_cent() -> None:
    """Lines between the rungs made these lengths 3 to 5 % too long."""

    def accuracy(length: float) -> float:
        return 76.5 - 11.3 * length**-0.75

    ladder = [(length, [accuracy(length)] * 2) for length in (0.5, 1.0, 2.0, 4.0, 8.0)]
    for length in (0.6, 0.7, 0.85, 1.2, 1.4, 1.7, 2.4, 2.8, 3.4, 4.8, 5.6, 6.8):
        assert worth([accuracy(length)] * 2, course(ladder)).times == pytest.approx(length, rel=0.011)


def test_beyond_the_ladder_nothing_is_claimed() -> None:
    for scores in ([75.0, 75.1], [50.0, 50.1]):
        assert worth(scores, course(EVEN)) == Worth(None, None, None)


def test_at_a_rung_the_interval_ends_where_welchs_test_does() -> None:
    variant = [64.0, 66.0, 65.5]
    found, baseline = worth(variant, course(EVEN)), course(EVEN)
    theirs = ttest_ind(variant, EVEN[2][1], equal_var=False)
    at = list(baseline.lengths).index(2.0)
    part = variance(variant) / 3
    total = baseline.squared_error[at] + part
    assert total == pytest.approx(
        (theirs.confidence_interval().high - theirs.confidence_interval().low) ** 2 / 4 / t.isf(0.025, theirs.df) ** 2
    )
    assert total**2 / (baseline.spread[at] + part**2 / 2) == pytest.approx(theirs.df)
    assert (found.high or 9) >= 2.0 or theirs.pvalue < 0.05


def test_the_rungs_are_among_the_lengths_and_their_errors_their_own() -> None:
    baseline = course(EVEN)
    assert list(baseline.lengths) == sorted(baseline.lengths)
    for length, scores in EVEN:
        at = int(np.abs(baseline.lengths - length).argmin())
        assert baseline.lengths[at] == pytest.approx(length)
        assert baseline.squared_error[at] == pytest.approx(variance(scores) / 2)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    """The mean at length L is 65 + 3 log2 L, so that 66.5 is worth the square root of 2."""
    draw = Random(0)

    def runs(mean: float, count: int = 4) -> list[float]:
        return [draw.gauss(mean, 0.5) for _ in range(count)]

    held = 0
    for _ in range(200):
        ladder = [(length, runs(65 + 3 * place)) for place, length in ((-1, 0.5), (0, 1.0), (1, 2.0), (2, 4.0))]
        found = worth(runs(66.5), course(ladder))
        held += (found.low or 0.0) <= 2**0.5 <= (found.high or 9.0)
    assert 0.91 <= held / 200 <= 0.99


def test_a_ladder_that_does_not_rise_says_so() -> None:
    assert (rises(EVEN), falls(EVEN), falls([])) == (True, "", "")
    flat = [*EVEN, (8.0, [69.0, 69.1, 69.2])]
    assert not rises(flat)
    assert "that of ×8 the length (69.1 %, 3 runs) is no better than that of ×4 (70.1 %, 2 runs)" in falls(flat)  # noqa: RUF001


def facts(epochs: int) -> Facts:
    return Facts(learning_rate=0.1, batch_size=64, epochs=epochs, steps=100.0 * epochs, constant_rate=False)


def test_a_store_with_a_ladder_tells_every_effect_in_it(tmp_path: Path) -> None:
    rungs = {"half": 5, "twice": 20, "four times": 40}
    control = arm("baseline", "-baseline", changes={}, seeds=2, facts=facts(10))
    flip = arm("flip", "-flip", changes={"augment": "flip"}, seeds=2, facts=facts(10))
    ladder = [
        arm(name, f"-{name}", changes={"epochs": str(epochs)}, seeds=2, facts=facts(epochs))
        for name, epochs in rungs.items()
    ]
    means = {"baseline": 65.0, "half": 60.0, "twice": 68.0, "four times": 70.0, "flip": 66.5}
    store = Store(tmp_path, 1)
    with store.writing():
        for ablation, arms in (("tricks", [flip]), ("length", ladder)):
            planned = study(ablation, "", [""], control=control, claims=())
            store.save_tables([replace(planned, arms=tuple(arms))])
        for name, mean in means.items():
            for seed in (0, 1):
                store.add(record(f"-{name}", seed, (mean + 0.2 * seed) / 100))
    (trick,), lengths_ = (table.rows for table in tables(store))
    curve = PchipInterpolator([-1, 0, 1, 2], [60.1, 65.1, 68.1, 70.1])
    assert curve(np.log2(trick.worth or 0)) == pytest.approx(66.6, abs=0.01)
    assert (trick.worth_low or 9.0) < 2**0.5 < (trick.worth_high or 0.0)
    assert {row.variant: row.worth for row in lengths_} == pytest.approx(
        {"half": 0.5, "twice": 2.0, "four times": 4.0}, rel=1e-6
    )
    assert trick.memory_ratio == 1.0


def test_a_flat_ladder_is_named_in_the_report(tmp_path: Path) -> None:
    rungs = {"half": 5, "twice": 20}
    control = arm("baseline", "-baseline", changes={}, seeds=2, facts=facts(10))
    arms = [
        arm(name, f"-{name}", changes={"epochs": str(epochs)}, seeds=2, facts=facts(epochs))
        for name, epochs in rungs.items()
    ]
    store = Store(tmp_path, 1)
    with store.writing():
        store.save_tables([replace(study("length", "", [""], control=control, claims=()), arms=tuple(arms))])
        for name, mean in {"baseline": 65.0, "half": 60.0, "twice": 64.8}.items():
            for seed in (0, 1):
                store.add(record(f"-{name}", seed, (mean + 0.2 * seed) / 100))
    (table,) = tables(store)
    assert {row.worth for row in table.rows} == {None}
    folder = report.write(store, tmp_path / "report").parent
    for page in ("index.md", "index.html"):
        assert "No effect is given as a length of training" in (folder / page).read_text()

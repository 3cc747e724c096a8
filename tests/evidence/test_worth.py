"""Effects in lengths of training, on ladders whose truth is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from builders import arm, record, study
from scipy.stats import ttest_ind

from benchmark.evidence.tables import tables
from benchmark.evidence.worth import gap, lengths, rises, worth
from benchmark.store.records import Facts
from benchmark.store.store import Store

EVEN = [(0.5, [60.0, 60.2]), (1.0, [65.0, 65.2]), (2.0, [68.0, 68.2]), (4.0, [70.0, 70.2])]


def test_the_worth_of_a_rung_is_its_length() -> None:
    for length, scores in EVEN[1:]:
        assert worth(scores, EVEN).times == pytest.approx(length)


def test_between_rungs_lines_over_the_log_of_length() -> None:
    """Two thirds of the way from 65.1 to 68.1 are 2^(2/3) times the training."""
    assert worth([67.0, 67.2], EVEN).times == pytest.approx(2 ** (2 / 3), rel=0.02)


def test_beyond_the_ladder_nothing_is_claimed() -> None:
    assert worth([75.0, 75.1], EVEN).times is None
    assert worth([50.0, 50.1], EVEN).times is None


def test_at_a_rung_the_gap_is_welchs() -> None:
    variant = [64.0, 66.0, 65.5]
    theirs = ttest_ind(variant, EVEN[2][1], equal_var=False)
    mine = gap(variant, EVEN, 2.0)
    assert mine.p == pytest.approx(theirs.pvalue)
    assert mine.interval == pytest.approx(tuple(theirs.confidence_interval()))


def test_lengths_hold_the_rungs_in_order() -> None:
    tried = lengths(EVEN)
    assert tried == sorted(tried)
    assert all(min(abs(each - length) for each in tried) < 1e-9 for length, _ in EVEN)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    """The mean at length L is 65 + 3 log2 L, so that 66.5 is worth the square root of 2."""
    draw = Random(0)

    def runs(mean: float, count: int = 4) -> list[float]:
        return [draw.gauss(mean, 0.5) for _ in range(count)]

    held = 0
    for _ in range(200):
        ladder = [(length, runs(65 + 3 * place)) for place, length in ((-1, 0.5), (0, 1.0), (1, 2.0), (2, 4.0))]
        found = worth(runs(66.5), ladder)
        held += (found.low or 0.0) <= 2**0.5 <= (found.high or 9.0)
    assert 0.91 <= held / 200 <= 0.99


def test_a_ladder_must_rise() -> None:
    assert rises(EVEN)
    assert not rises([*EVEN, (8.0, [69.0, 69.1])])


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
    assert trick.worth == pytest.approx(2**0.5, rel=0.02)
    assert (trick.worth_low or 9.0) < 2**0.5 < (trick.worth_high or 0.0)
    assert {row.variant: row.worth for row in lengths_} == pytest.approx(
        {"half": 0.5, "twice": 2.0, "four times": 4.0}, rel=1e-6
    )
    assert trick.memory_ratio == 1.0

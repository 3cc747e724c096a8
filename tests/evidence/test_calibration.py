"""Planted truths: the verdicts are wrong as seldom as they say."""

from __future__ import annotations

import html
from pathlib import Path
from random import Random
from typing import Any

import pytest
from builders import fill, record
from scipy.stats import ttest_ind_from_stats

from benchmark.errors import UsageError
from benchmark.evidence.calibration import calibrated, count_rate, planted, splits
from benchmark.evidence.power import smallest_effect
from benchmark.report import write
from benchmark.store.store import CALIBRATION


def pool(count: int = 400, spread: float = 0.5) -> list[float]:
    draw = Random(1)
    return [draw.gauss(65.0, spread) for _ in range(count)]


def test_splits_use_every_run_once() -> None:
    for table in splits(pool(20), 3, 4, 10, Random(0)):
        control = table[0][1]
        assert all(other is control or other == control for _, other in table)
        used = [score for arm, _ in table for score in arm] + control
        assert sorted(used) == sorted(pool(20))


def test_planted_arms_differ_from_the_control_by_their_effect() -> None:
    tables = list(planted(pool(), [0.0, 2.0], 50, 200, Random(0)))
    means = [sum(sum(arms) / 50 for arms in (table[i][0] for table in tables)) / 200 for i in (0, 1)]
    assert means[1] - means[0] == pytest.approx(2.0, abs=0.05)
    assert len(tables[0][0][1]) == 71  # ceil(50 * sqrt(2))


def test_a_rate_has_exact_bounds() -> None:
    """0 of 20: the upper bound p solves (1 - p)^20 = 0.025."""
    found = count_rate("never", [False] * 20, "")
    assert (found.share, found.low) == (0, 0)
    assert found.high == pytest.approx(1 - 0.025 ** (1 / 20))


def test_the_suite_is_honest_on_planted_truths() -> None:
    """The command simulates thousands of tables; these are a few."""
    alarms, apart, alike, coverage, power = calibrated(pool(), margin=1.0, trials=120, arms=3)
    assert max(alarms.low, apart.low, alike.low) <= 0.05
    assert max(alarms.high, apart.high, alike.high) <= 0.15
    assert 0.93 <= coverage.share <= 0.97
    assert power.share >= 0.95


def test_a_comparison_that_lies_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Holm's correction a family of ten raises false alarms far more often than 5 %."""
    monkeypatch.setattr("benchmark.evidence.comparison.holm", list)
    alarms, *_ = calibrated(pool(), margin=0.0, trials=60)
    assert alarms.low > 0.1


def test_the_smallest_effect_is_found_in_four_of_five() -> None:
    effect = smallest_effect(0.5, 5, 16, 10)
    draw = Random(0)
    found = 0
    for _ in range(2000):
        arm, control = ([draw.gauss(mean, 0.5) for _ in range(n)] for mean, n in ((effect, 5), (0.0, 16)))
        stats = [
            (sum(x) / len(x), (sum((y - sum(x) / len(x)) ** 2 for y in x) / (len(x) - 1)) ** 0.5, len(x))
            for x in (arm, control)
        ]
        found += ttest_ind_from_stats(*stats[0], *stats[1]).pvalue < 0.05 / 10
    assert found / 2000 == pytest.approx(0.8, abs=0.03)
    assert smallest_effect(0.0, 5, 16, 10) == 0


def test_too_few_runs_to_draw_apart() -> None:
    with pytest.raises(ValueError, match="takes 6 runs"):
        calibrated([65.0] * 5, 1.0, 10)


def test_what_is_found_is_kept_and_shown(tmp_path: Path, tricks: Any) -> None:
    store = fill(tmp_path / "store")
    with store.writing():
        for seed in range(5, 12):
            store.add(record("-baseline", seed, 0.65 + seed / 1000))
    code, said = tricks("calibrate", "--store", store.folder, "--simulations", 20)
    assert code == 0, said
    kept = store.calibration()
    assert kept
    assert [rate.of for rate in kept.rates] == [20, 20, 20, 400, 200]
    assert "20 tables of 10 arms of 5 runs, made of 12 runs of the baseline" in said
    page = write(store, tmp_path / "report")
    for text in (page.read_text(), page.with_name("index.md").read_text()):
        assert "The suite, on trial" in text
        assert kept.made_of in text
        assert kept.rates[0].what in html.unescape(text)
    (store.folder / CALIBRATION).write_text("{}")
    with pytest.raises(UsageError, match=r"calibration\.json is damaged \(it has no field 'made_of'\); delete it"):
        write(store, tmp_path / "report")

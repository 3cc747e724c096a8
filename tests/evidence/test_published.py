"""A paper's table beside ours: signs, order and the word for the whole, on made-up runs."""

from __future__ import annotations

from math import factorial
from pathlib import Path

import pytest
from builders import record, study
from scipy.stats import kendalltau

from benchmark.claim import Better, Claim, Fails, More, Published
from benchmark.evidence.judgements import CLAIM_MEASURES, epochs_to_75, judgements
from benchmark.evidence.published import fate, order, published_rows, tells
from benchmark.evidence.tables import Table, tables
from benchmark.report.published import with_published
from benchmark.store.store import Store

NOISE = (-0.3, -0.1, 0.0, 0.1, 0.3)
READ = {name: Published(value, "read", runs=1) for name, value in {"ReLU": 58.5, "a": 60.4, "b": 75.1}.items()}


def table(folder: Path, means: dict[str, float], published: dict[str, Published], *claims: Claim) -> Table:
    """A table of five runs an arm whose control is ReLU."""
    store = Store(folder, 1)
    names = [name for name in means if name != "ReLU"]
    with store.writing():
        store.save_tables([study("activation", "", names, published=published, claims=claims)])
        for name, mean in means.items():
            for seed, noise in enumerate(NOISE):
                store.add(record(f"-{'baseline' if name == 'ReLU' else name}", seed, (mean + noise) / 100))
    return tables(store)[0]


def test_signs_of_differences_from_the_control(tmp_path: Path) -> None:
    published = READ | {"c": Published(58.8, "read", runs=1), "d": Published(40.0, "recalled")}
    found = published_rows(table(tmp_path, {"ReLU": 38.0, "a": 30.0, "b": 48.0, "c": 45.0, "d": 30.0}, published))
    assert [each.arm for each in found] == ["ReLU", "a", "b", "c", "d"]
    assert [each.sign for each in found] == [
        "",
        "contradicted",
        "supported",
        "not judged: within the paper's noise",
        "not judged: from memory",
    ]
    assert found[2].published_effect == pytest.approx(16.6)
    assert found[2].effect == pytest.approx(10.0)
    low, high = found[2].ci_low, found[2].ci_high
    assert low is not None
    assert high is not None
    assert low < 10 < high


def test_a_difference_that_does_not_show_is_unresolved(tmp_path: Path) -> None:
    (_, row, far) = published_rows(table(tmp_path, {"ReLU": 38.0, "a": 38.05, "b": 48.0}, READ))
    assert (row.sign, far.sign) == ("unresolved", "supported")


def test_rows_without_runs_are_not_measured(tmp_path: Path) -> None:
    published = READ | {"baseline": Published(58.5, "read")}
    made = table(tmp_path, {"ReLU": 38.0, "a": 39.0}, {**published, "b": READ["b"]})
    assert {each.arm: each.sign for each in published_rows(made)}["b"] == "not measured"


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        (Published(90.0, "read", runs=1), Published(90.56, "read", runs=1), True),
        (Published(90.0, "read", runs=1), Published(90.55, "read", runs=1), False),  # 1.96 * 0.2 * sqrt(2) = 0.554
        (Published(90.0, "read", runs=5), Published(90.26, "read", runs=5), True),  # a fifth of the variance: 0.248
        (Published(90.0, "read", 0.04, 1), Published(90.12, "read", 0.04, 1), True),
        (Published(90.0, "read", 0.04, 1), Published(90.11, "read", 0.04, 1), False),
        (Published(90.0, "read"), Published(99.0, "recalled"), False),
    ],
)
def test_published_differences_within_their_noise_have_no_sign(one: Published, other: Published, told: bool) -> None:
    assert tells(one, other) is told


def test_order_of_the_rows_against_scipy(tmp_path: Path) -> None:
    published = READ | {"c": Published(76.2, "read"), "d": Published(99.0, "recalled")}
    means = {"ReLU": 38.0, "a": 37.0, "b": 48.0, "c": 52.0, "d": 1.0}
    found = order(table(tmp_path, means, published))
    assert found is not None
    assert found.rows == 4
    assert found.tau == pytest.approx(kendalltau([1, 2, 3, 4], [2, 1, 3, 4]).statistic)
    assert found.chance == pytest.approx(4 / factorial(4))  # all right in one way of 24, one pair wrong in three
    assert found.pairs == {"supported": 5, "contradicted": 1, "unresolved": 0}


def test_two_rows_have_no_order(tmp_path: Path) -> None:
    assert order(table(tmp_path, {"ReLU": 38.0, "a": 39.0}, {n: READ[n] for n in ("ReLU", "a")})) is None


@pytest.mark.parametrize(
    ("means", "word", "supported"),
    [
        ({"ReLU": 38.0, "a": 39.0, "b": 48.0}, "reproduced", 2),
        ({"ReLU": 38.0, "a": 38.0, "b": 48.0}, "unresolved", 1),
        ({"ReLU": 38.0, "a": 30.0, "b": 48.0}, "contradicted", 1),
        ({"ReLU": 9.9, "a": 39.0, "b": 48.0}, "unresolved", 2),  # the control guesses: no positive control
    ],
)
def test_a_paper_is_reproduced_if_all_claims_hold(
    tmp_path: Path, means: dict[str, float], word: str, supported: int
) -> None:
    claims = (Claim("1", "", Better("a", "ReLU")), Claim("2", "", Better("b", "a")))
    found = fate([table(tmp_path, means, READ, *claims)])
    assert (found.word, found.supported, found.claims) == (word, supported, 2)
    assert found.hours == pytest.approx(15 * 1.0)  # 15 runs of an hour each


def test_a_failure_counts_only_beside_what_trains(tmp_path: Path) -> None:
    claim = Claim("1", "", Fails("a"))
    assert judgements(table(tmp_path / "1", {"ReLU": 50.0, "a": 10.0}, {}, claim))[0].word == "supported"
    assert judgements(table(tmp_path / "2", {"ReLU": 10.0, "a": 10.0}, {}, claim))[0].word == "unresolved"


@pytest.mark.parametrize(
    ("accuracies", "epochs"),
    [((0.5, 0.7, 0.8), 2.5), ((0.8,), 0.75 / 0.8), ((0.5, 0.75), 2.0), ((0.1, 0.2), 3.0), ((0.5, None), 3.0)],
)
def test_epochs_until_three_quarters_are_right(accuracies: tuple[float | None, ...], epochs: float) -> None:
    assert epochs_to_75(record("x", 0, 0.5, epoch_train_accuracy=accuracies)) == pytest.approx(epochs)


def test_spreads_are_compared_by_distances_from_the_median(tmp_path: Path) -> None:
    """As SciPy's test of Brown & Forsythe, which is Levene's about the median, on equally many runs."""
    store = Store(tmp_path, 1)
    with store.writing():
        claim = Claim("1", "", More("wide", "narrow", of="spread"))
        store.save_tables([study("activation", "", ["wide", "narrow"], claims=(claim,))])
        for name, factor in {"baseline": 1.0, "wide": 9.0, "narrow": 1.0}.items():
            for seed in range(12):
                store.add(record(f"-{name}", seed, (50 + factor * ((seed * 7) % 12 - 5.5) / 10) / 100))
    (judged,) = judgements(tables(store)[0])
    assert judged.word == "supported"
    assert judged.effect == pytest.approx(8 * 0.3)  # of 0.05, 0.15, ... 0.55, twice each
    assert judged.unit == "points"
    assert CLAIM_MEASURES["spread"].unit == "points"


def test_what_was_stored_before_its_paper_was_stated_is_shown_beside_it(tmp_path: Path) -> None:
    made = table(tmp_path, {"ReLU": 38.0, "a": 39.0}, {})
    known = {("cifar10", ""): READ, ("cifar100", ""): {}}
    assert list(with_published(made, known).study.published) == ["ReLU", "a"]  # b has no arm
    stated = table(tmp_path / "2", {"ReLU": 38.0, "a": 39.0}, {"a": READ["a"]})
    assert with_published(stated, known) == stated

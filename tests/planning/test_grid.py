"""Discovery, the contract's sentences, and the order of runs."""

from __future__ import annotations

import importlib
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from math import ceil, sqrt
from pathlib import Path

import pytest
from conftest import TINY

import ablations
from benchmark.claim import CONTROL
from benchmark.errors import UsageError
from benchmark.planning.discovery import choose_ablations, discover
from benchmark.planning.identity import Run, describe, module_mark
from benchmark.planning.rounds import expected_seconds, longest_first, pairs, plan
from benchmark.planning.studies import studies
from benchmark.recipe import Ensemble, Recipe, Scaled

GOOD = '''"""Does half the rate help?

Source: https://example.org/paper.
"""

from dataclasses import replace

from benchmark.recipe import Recipe


def variants(base: Recipe) -> dict[str, Recipe]:
    return {"half": replace(base, learning_rate=base.learning_rate / 2), "same": base}
'''


@pytest.fixture
def extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A second folder of ablations, so that tests need not write into the first."""
    monkeypatch.setattr(ablations, "__path__", [*ablations.__path__, str(tmp_path)])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield tmp_path
    forget()


def forget() -> None:
    """Leaves this process as one that has imported none of the second folder's modules yet."""
    for name in [name for name in sys.modules if name.startswith("ablations.extra")]:
        del sys.modules[name]
        vars(ablations).pop(name.removeprefix("ablations."), None)
    module_mark.cache_clear()
    importlib.invalidate_caches()


def test_a_new_file_is_found_and_planned(extra: Path) -> None:
    (extra / "extra_rate.py").write_text(GOOD)
    found, broken = discover()
    assert broken == {}
    (ablation,) = choose_ablations(found, broken, ["extra_rate"])
    assert ablation.sources == ("https://example.org/paper",)
    (table,), failing = studies([ablation], TINY)
    assert failing == {}
    assert (list(table.arms), table.same) == (["half"], ("same",))
    rounds = plan([table], 2, "f")
    assert [[(run.recipe.learning_rate, run.seed) for run in each] for each in rounds] == [
        [(0.05, 0), (0.025, 0)],
        [(0.05, 1), (0.025, 1)],
    ]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("Does half the rate help?", "Half the rate."), "must begin with the question"),
        (("https://example.org/paper", "a paper"), "must name a source by a link"),
        (("def variants", "def other"), "needs a function variants"),
        (("from dataclasses", "from datacases"), "No module named 'datacases'"),
        (("def variants", "def variants(:"), "SyntaxError"),
        (('"half": replace(base, learning_rate=base.learning_rate / 2)', '"half": 3'), "'half' is 3"),
        (('"half"', '"baseline"'), "is the name of the control"),
        (("learning_rate=base.learning_rate / 2", "speed=3"), "unexpected keyword argument 'speed'"),
        (("learning_rate=base.learning_rate / 2", "schedule=lambda p, h: 0.5"), "has no name of its own"),
        (("learning_rate=base.learning_rate / 2", "epochs=0"), "epochs must be at least 1, got 0"),
        (('return {"half"', 'return {} and {"half"'), "must give a dictionary of recipes"),
    ],
)
def test_a_broken_module_is_one_sentence_and_stops_no_other(
    extra: Path, change: tuple[str, str], sentence: str
) -> None:
    (extra / "extra_rate.py").write_text(GOOD.replace(*change))
    found, broken = discover()
    tables, failing = studies(found, TINY)
    ((name, said),) = (broken | failing).items()
    assert name == "extra_rate"
    assert sentence in said
    assert "\n" not in said
    assert {table.ablation.name for table in tables} >= {"activation", "augmentation", "initialisation", "schedule"}


def described_anew(extra: Path, **sources: str) -> str:
    """The text of `extra_user.half` by a process that starts with these modules."""
    for name, source in sources.items():
        (extra / f"{name}.py").write_text(source)
    forget()
    return describe(importlib.import_module("ablations.extra_user").half)


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("from ablations.extra_helper import FACTOR", "FACTOR"),
        ("from .extra_helper import FACTOR", "FACTOR"),
        ("from ablations import extra_helper", "extra_helper.FACTOR"),
        ("import ablations.extra_helper", "ablations.extra_helper.FACTOR"),
    ],
)
def test_code_that_an_ablation_imports_from_beside_it_is_part_of_its_mark(extra: Path, line: str, name: str) -> None:
    user = f"{line}\ndef half(progress, history): return {name}\n"
    helper = "from ablations.extra_deeper import SHARE\nFACTOR = SHARE / 2\n"
    before = described_anew(extra, extra_user=user, extra_helper=helper, extra_deeper="SHARE = 1.0\n")
    assert described_anew(extra, extra_helper=f"{helper}# a comment\n") == before
    assert described_anew(extra, extra_helper=helper.replace("/ 2", "/ 3")) != before
    assert described_anew(extra, extra_helper=helper) == before
    assert described_anew(extra, extra_deeper="SHARE = 1.01\n") != before


def test_an_unknown_ablation_is_told_with_the_nearest() -> None:
    found, broken = discover()
    with pytest.raises(UsageError, match=r"unknown ablation 'activations'; did you mean activation"):
        choose_ablations(found, broken, ["activations"])


@pytest.mark.parametrize("seeds", [1, 3, 5])
def test_rounds_hold_every_run_once_the_first_seeds_first(seeds: int) -> None:
    tables, _ = studies(discover()[0], TINY)
    rounds = plan(tables, seeds, "f", {"cifar10": "c", "fractal10": "d", "toy": "t"})
    counts = Counter(describe(run.recipe) for planned in rounds for run in planned)
    assert len({run.key for planned in rounds for run in planned}) == counts.total()
    most = max(len(table.arms) for table in tables if table.base == TINY)
    largest = 10 * seeds  # copies of the baseline in ensembles of ten
    made = [arm for table in tables for arm in table.arms.values() if isinstance(arm, Ensemble)]
    members = {describe(recipe) for arm in made for recipe in arm.seeds(seeds)}  # some take more seeds of a variant
    assert counts[describe(TINY)] == max(ceil(seeds * sqrt(most)), largest)
    for n, planned in enumerate(rounds, start=1):
        seen = Counter(describe(run.recipe) for each in rounds[:n] for run in each)
        assert set(seen) == set(counts)
        variants = {describe(arm) for arm, _ in pairs(tables)}
        controls = {describe(table.base) for table in tables}
        assert all(seen[text] == n for text in variants - controls - members), planned


def test_the_control_is_shared_by_all_tables_without_a_context() -> None:
    tables, _ = studies(discover()[0], TINY)
    plain = [table for table in tables if not table.context]
    assert len(plain) >= 3
    assert {describe(table.base) for table in plain} == {describe(TINY)}
    assert all(table.seeds_of(CONTROL, 4) == ceil(4 * sqrt(len(table.arms))) for table in tables)


def test_doses_are_amounts_and_the_first_trains_what_other_tables_train() -> None:
    """So that effects by length begin with runs that are there."""
    tables, _ = studies(discover()[0], TINY)
    doses = {table.context: table for table in tables if table.ablation.name == "dose"}
    (ablation,) = {id(table.ablation): table.ablation for table in doses.values()}.values()
    assert [(each.of, each.times) for each in ablation.doses.values()] == [("epochs", n) for n in (1, 2, 4, 8)]
    assert [table.base.epochs for table in doses.values()] == [n * TINY.epochs for n in (1, 2, 4, 8)]
    elsewhere = {
        describe(arm)
        for t in tables
        if t.ablation.name != "dose" and not t.context
        for arm in [t.base, *t.arms.values()]
    }
    assert {describe(arm) for arm in doses["epochs x1"].arms.values()} <= elsewhere
    assert {describe(table.base) for table in doses.values()} <= elsewhere, "training_length has the longer baselines"


@pytest.mark.parametrize("times", [0, -1, float("inf"), float("nan")])
def test_a_dose_that_is_none_is_refused(times: float) -> None:
    with pytest.raises(ValueError, match=r"Scaled\.times must be above 0 and finite, got"):
        Scaled("epochs", times)


def test_doses_of_whole_numbers_are_whole() -> None:
    assert Scaled("epochs", 0.01)(TINY).epochs == 1
    assert Scaled("batch_size", 0.5)(replace(TINY, batch_size=5)).batch_size == 2
    assert Scaled("learning_rate", 0.5)(replace(TINY, learning_rate=0.3)).learning_rate == 0.15


def test_arms_are_compared_with_the_base_of_their_context() -> None:
    tables, _ = studies(discover()[0], replace(TINY, learning_rate=0.4))
    (table,) = [t for t in tables if (t.ablation.name, t.context) == ("initialisation", "no norm")]
    assert table.base.learning_rate == 0.1
    assert all(arm.learning_rate == 0.1 for arm in table.arms.values())


def test_pairs_hold_every_variant_once_with_its_control() -> None:
    tables, _ = studies(discover()[0], TINY)
    found = pairs([*tables, *tables])
    assert len(found) == len(set(found))
    assert {(describe(arm), describe(base)) for arm, base in found} == {
        (describe(arm), describe(table.base))
        for table in tables
        for arm in table.arms.values()
        if isinstance(arm, Recipe)
    }


A = replace(TINY, images=100, epochs=2)  # sees 200 images
B = replace(TINY, images=300, epochs=1)  # sees 300
C = replace(TINY, images=100, epochs=5)  # sees 500
RUNS = [Run(recipe, seed, "f") for recipe in (A, B, C) for seed in range(2)]


def test_without_records_a_run_takes_as_long_as_its_images() -> None:
    assert expected_seconds(RUNS, {}, image_seconds=0.1) == pytest.approx([20, 20, 30, 30, 50, 50])


def test_known_seconds_count_and_give_the_pace_of_the_others() -> None:
    known = {describe(A): 10.0, describe(C): 15.0, "a recipe of another grid": 1e9}  # 0.05 and 0.03 s an image
    assert expected_seconds(RUNS, known, image_seconds=1.0) == pytest.approx([10, 10, 300 * 0.04, 300 * 0.04, 15, 15])


def test_the_longest_come_first_and_equals_keep_their_order() -> None:
    expected = [(C, 0), (C, 1), (B, 0), (B, 1), (A, 0), (A, 1)]
    assert [(run.recipe, run.seed) for run in longest_first(RUNS, {})] == expected
    expected = [(A, 0), (A, 1), (C, 0), (C, 1), (B, 0), (B, 1)]
    known = {describe(A): 9.0, describe(B): 1.0, describe(C): 2.0}
    assert [(run.recipe, run.seed) for run in longest_first(RUNS, known)] == expected
    assert longest_first([], {}) == []

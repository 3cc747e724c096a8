"""What `--only` selects, the tour, and tables planned in part."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import arm, study
from conftest import TINY

from benchmark.claim import Better, Claim
from benchmark.errors import UsageError
from benchmark.planning.discovery import discover
from benchmark.planning.identity import describe
from benchmark.planning.rounds import by_variant
from benchmark.planning.selection import selected, the_tour
from benchmark.planning.studies import Study, studies, toured
from benchmark.planning.study_record import join_plans
from benchmark.recipe import Recipe
from benchmark.store.records import TableRecord


@pytest.fixture(scope="module")
def tables() -> list[Study]:
    found, broken = discover()
    assert not broken
    made, failing = studies(found, TINY)
    assert not failing
    return made


def rows(text: str, tables: list[Study]) -> list[str]:
    return [f"{table.name}: {name}" for table in selected(text, tables).of(tables) for name in table.arms]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("whitening: ZCA 1e-1", ["whitening: ZCA 1e-1"]),
        ("whitening:zca 1E-1", ["whitening: ZCA 1e-1"]),
        ("Activation (No Norm) : gelu", ["activation (no norm): GELU"]),
        ("activation: GELU", ["activation (batch norm): GELU", "activation (no norm): GELU"]),
        ("averaging: SWA, rate held, muon", ["averaging: SWA, rate held", "muon: Muon"]),
        ("fine_tuning (2,000 images): similar: linear, lower", ["fine_tuning (2,000 images): similar: linear, lower"]),
        ("label smoothing: 0.1,", ["label_smoothing: 0.1"]),
        ("augmentation: none, augmentation: crop + flip", ["augmentation: none"]),  # the second is the baseline
    ],
)
def test_names_are_given_back_as_they_are_printed(text: str, found: list[str], tables: list[Study]) -> None:
    assert rows(text, tables) == found


def test_every_name_of_every_table_selects_what_it_names(tables: list[Study]) -> None:
    for table in tables:
        assert {row.rpartition(": ")[0] for row in rows(table.name, [table])} <= {table.name, *names_within(table)}
        for name in table.arms:
            assert rows(f"{table.name}: {name}".upper(), [table]) == [f"{table.name}: {name}"]


def names_within(table: Study) -> set[str]:
    return {f"{table.name}: {name.rpartition(': ')[0]}" for name in table.arms if ": " in name}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "--only is empty"),
        (" , ", "--only is empty"),
        ("activatoin", "unknown ablation 'activatoin'; did you mean activation"),
        ("activation: gelo", "unknown variant 'gelo' of activation; did you mean GELU"),
        (
            "activation (no nrm): GELU",
            "unknown table 'activation (no nrm)' in 'activation (no nrm): GELU'; did you mean",
        ),
        ("GELU", "'GELU' is a variant; did you mean activation: GELU?"),
        ("pairs (a, b): c", "train it with --design pairs"),
        ("augmentation: crop + flip", "selects only the baseline"),
    ],
)
def test_a_mistaken_name_is_one_sentence_with_a_remedy(text: str, sentence: str, tables: list[Study]) -> None:
    with pytest.raises(UsageError) as said:
        selected(text, tables)
    assert sentence in str(said.value)


def test_all_and_nothing_at_all(tables: list[Study]) -> None:
    assert selected("all", tables).of(tables) == tables
    assert selected("muon, ALL", tables).of(tables) == tables
    assert selected(None, tables) == selected("tour", tables) == the_tour(tables)


def test_the_tour_is_small_and_has_every_part_of_the_article(tables: list[Study]) -> None:
    """Some 35 rows whose runs two workers train in ten minutes, at 9 seconds each."""
    tour = the_tour(tables).of(tables)
    assert 30 <= sum(len(table.arms) for table in tour) <= 40
    parts = {claim.part for table in tour for claim in table.ablation.claims}
    assert {1, 2, 3, 4, 5, 6, 7, 8} <= parts
    assert {"muon", "whitening", "first_layer", "test_time"} <= {table.ablation.name for table in tour}
    runs = [run for each in by_variant(tour, 3, "f") for run in each]
    assert 90 <= len(runs) <= 115
    assert not any(run.start for run in runs)  # no pre-training


def test_the_tour_trains_an_effect_first(tables: list[Study]) -> None:
    tour = the_tour(tables).of(tables)
    rounds = by_variant(tour, 3, "f")
    first = {describe(run.recipe) for run in rounds[0]}
    arm = next(iter(tour[0].arms.values()))
    assert isinstance(arm, Recipe)
    assert first == {describe(tour[0].base), describe(arm)}
    keys = [run.key for each in rounds for run in each]
    assert len(keys) == len(set(keys))
    for table in tour:
        wanted = {(text, seed) for text, each in table.runs_of(3).items() for seed in each.seeds}
        assert wanted <= {(describe(run.recipe), run.seed) for each in rounds for run in each}


def test_an_ablation_whose_tour_names_no_variant_is_left_out_with_the_reason(tables: list[Study]) -> None:
    name = next(iter(tables[0].arms))
    ablation = replace(tables[0].ablation, tour=(f"{name}s",))
    good, broken = studies([ablation], TINY)
    assert good == []
    assert f"TOUR names {name + 's'!r}, which is no variant; did you mean {name}?" in broken[ablation.name]
    context = next(iter(tables[0].ablation.contexts))
    assert toured(replace(ablation, tour=(f"{context}: a: b", "c: d"))) == [(context, "a: b"), (None, "c: d")]


def claimed(names: list[str], **changes: object) -> TableRecord:
    claims = tuple(Claim("S1", f"{name} helps.", Better(name)) for name in names)
    return study("tricks", "", names, **({"claims": claims} | changes))


def test_a_table_planned_in_part_keeps_the_arms_that_were_planned_before() -> None:
    whole = claimed(["flip", "tanh", "EMA"])
    part = claimed(["tanh"], control=arm("baseline", "-baseline", seeds=3, changes={}), trained={"-tanh": 3})
    before = claimed(["EMA", "lost"], trained={"-EMA": 4, "-baseline": 5, "-lost": 4})
    found = join_plans(part, whole, before)
    assert [each.variant for each in found.arms] == ["tanh", "EMA"]  # in today's order; one is no more
    assert found.control.seeds == 5
    assert found.trained["-EMA"] == 4
    assert "-lost" not in found.trained
    assert [claim.holds.arms for claim in found.claims] == [("tanh", "baseline"), ("EMA", "baseline")]


def test_an_arm_that_has_another_recipe_by_now_is_not_kept() -> None:
    whole = claimed(["flip", "tanh"])
    before = replace(claimed(["flip"]), arms=(arm("flip", "another recipe"),))
    assert [each.variant for each in join_plans(claimed(["tanh"]), whole, before).arms] == ["tanh"]
    assert join_plans(claimed(["tanh"]), whole, replace(claimed(["flip"]), fingerprint="g")) == claimed(["tanh"])

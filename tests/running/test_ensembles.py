"""Ensembles: how networks decide together, which runs an ensemble is made of, and when it cannot be made."""

from __future__ import annotations

from dataclasses import replace
from math import log
from pathlib import Path
from typing import Any

import builders
import numpy as np
import pytest
import torch
from builders import ABOUT
from conftest import TINY

from benchmark.claim import CONTROL, Claim, Diminishing
from benchmark.data.splits import DataSet
from benchmark.engine.training import train
from benchmark.ensembles import (
    Top,
    calibration_error,
    correlation,
    disagreement,
    fitted_weights,
    loss,
    majority_vote,
    mean_logit,
    mean_probability,
    measures,
    simplex_weights,
)
from benchmark.errors import UsageError
from benchmark.evidence import regression
from benchmark.evidence.judgements import judgements
from benchmark.evidence.sweeps import log_of, sweep
from benchmark.evidence.tables import decisions, table, tables
from benchmark.planning.discovery import Ablation, unadapted
from benchmark.planning.identity import Combination, describe
from benchmark.planning.requests import Request
from benchmark.planning.rounds import combinations, origins, plan
from benchmark.planning.studies import Study, Wanted, old_data
from benchmark.planning.study_record import as_record
from benchmark.recipe import Arm, Ensemble, Labels, Member, Recipe, Scores
from benchmark.running.combining import check_ensembles, combine, record
from benchmark.running.execution import keep
from benchmark.running.executor import Outcome
from benchmark.store.records import EnsembleOf, EnsembleRecord, Facts, Record, RunRecord, timestamp
from benchmark.store.store import Store

NONE = np.empty((3, 0, 2)), np.empty(0, np.int64)  # no validation images
MEMBERS = np.log([[[0.6, 0.4], [0.5, 0.5]], [[0.6, 0.4], [0.1, 0.9]], [[0.1, 0.9], [0.9, 0.1]]])


def copies(recipe: Recipe, count: int) -> Ensemble:
    return Ensemble(tuple(Member(recipe, offset) for offset in range(count)), mean_probability)


# --- how they decide


def test_means_by_hand() -> None:
    assert np.exp(mean_probability(MEMBERS, *NONE)) == pytest.approx(np.array([[1.3, 1.7], [1.5, 1.5]]) / 3)
    geometric = np.array([[0.6 * 0.6 * 0.1, 0.4 * 0.4 * 0.9], [0.5 * 0.1 * 0.9, 0.5 * 0.9 * 0.1]]) ** (1 / 3)
    assert np.exp(mean_logit(MEMBERS, *NONE)) == pytest.approx(geometric / geometric.sum(1, keepdims=True))


def test_a_majority_outvotes_a_surer_minority_and_a_tie_goes_to_the_surer() -> None:
    votes = np.exp(majority_vote(MEMBERS, *NONE))
    assert votes[0] == pytest.approx([(2 + 1.3 / 6) / 3.5, (1 + 1.7 / 6) / 3.5])  # the mean alone would say the other
    tie = np.log([[[0.6, 0.4]], [[0.1, 0.9]]])
    assert np.exp(majority_vote(tie, *NONE)) == pytest.approx(np.array([[1 + 0.7 / 4, 1 + 1.3 / 4]]) / 2.5)


def test_weights_are_those_of_the_least_validation_loss() -> None:
    """Members right with 0.8 and 0.3 in n images, 0.2 and 0.6 in the others: on a grid of weights none is better."""
    right = np.array([[0.8] * 7 + [0.2] * 5, [0.3] * 7 + [0.6] * 5])
    validation, labels = np.log(np.stack([right, 1 - right], axis=2)), np.zeros(12, np.int64)
    weights = simplex_weights(validation, labels)
    grid = np.linspace(0, 1, 1001)
    losses = [-np.log(np.array([w, 1 - w]) @ right).mean() for w in grid]
    assert weights == pytest.approx([grid[np.argmin(losses)], 1 - grid[np.argmin(losses)]], abs=2e-3)
    test = np.log([[[0.9, 0.1]], [[0.5, 0.5]]])
    mixed = np.exp(fitted_weights(test, validation, labels))
    assert mixed == pytest.approx(np.array([[weights @ [0.9, 0.5], weights @ [0.1, 0.5]]]))


def test_a_member_that_is_always_better_gets_all_the_weight() -> None:
    validation = np.log([[[0.9, 0.1]] * 4, [[0.6, 0.4]] * 4, [[0.2, 0.8]] * 4])
    assert simplex_weights(validation, np.zeros(4, np.int64)) == pytest.approx([1, 0, 0], abs=1e-6)


@pytest.mark.parametrize("combine", [mean_probability, mean_logit, majority_vote, fitted_weights])
def test_probabilities_sum_to_one_and_equals_decide_as_each_of_them(combine: Any) -> None:
    rng = np.random.default_rng(0)
    one = np.log(rng.dirichlet(np.ones(4), 30))
    several = np.log(rng.dirichlet(np.ones(4), (3, 30)))
    labels = rng.integers(0, 4, 30)
    assert np.exp(combine(several, several, labels)).sum(1) == pytest.approx(np.ones(30))
    alike = np.stack([one] * 3)
    assert np.array_equal(combine(alike, alike, labels).argmax(1), one.argmax(1))


def test_the_best_on_validation_are_chosen_and_of_equals_the_first() -> None:
    assert Top(3)([0.5, 0.7, 0.6, 0.7, 0.6]) == [1, 2, 3]
    assert Top(1)([0.5, 0.7, 0.6, 0.7]) == [1]
    with pytest.raises(ValueError, match=r"Top.k must be at least 1, got 0"):
        Top(0)


# --- what that is worth


def test_calibration_error_by_hand() -> None:
    """Confidences 0.9 and 0.95 share the last bin of five, 0.6 is alone in its own: (0.85 + 0.4) / 3."""
    scores = np.log([[0.9, 0.1], [0.95, 0.05], [0.4, 0.6]])
    assert calibration_error(scores, np.array([0, 1, 1]), bins=5) == pytest.approx((0.85 + 0.4) / 3)
    assert calibration_error(np.log([[0.5, 0.5]]), np.array([0]), bins=2) == pytest.approx(0.5)
    assert loss(scores, np.array([0, 1, 1])) == pytest.approx(-(log(0.9) + log(0.05) + log(0.6)) / 3)


def test_disagreement_and_correlation_of_errors_by_hand() -> None:
    first, second = np.array([1, 1, 0, 0]), np.array([1, 0, 0, 0])
    assert disagreement(first, second) == 0.25
    assert correlation(first, second) == pytest.approx(np.corrcoef(first, second)[0, 1])
    assert np.isnan(correlation(first, np.zeros(4)))


def test_gains_are_over_the_mean_and_over_the_best_on_validation() -> None:
    """Members right on 3, 2 and 1 of 4 images; together on 3."""
    labels = np.array([0, 0, 1, 1])
    guesses = np.array([[0, 0, 1, 0], [0, 1, 1, 0], [1, 0, 0, 0]])
    members = np.log(np.where(guesses[..., None] == [0, 1], 0.9, 0.1))
    found = measures(members, mean_probability(members, *NONE), labels, best=1)
    assert found["test_accuracy"] == 0.75
    assert found["gain"] == pytest.approx(0.75 - 0.5)
    assert found["gain_over_best"] == pytest.approx(0.75 - 0.5)
    assert found["disagreement"] == pytest.approx((1 / 4 + 2 / 4 + 3 / 4) / 3)
    alone = measures(members[:1], members[0], labels, best=0)
    assert alone["disagreement"] is None
    assert alone["error_correlation"] is None
    assert measures(members[:0:-1], members[0], np.array([1, 0, 0, 0]), 0)["error_correlation"] is None


# --- which runs it is made of


def test_replicates_share_no_run_and_sizes_share_them() -> None:
    seeds = {
        size: [{run.seed for run in Combination(copies(TINY, size), each, "f").runs} for each in range(3)]
        for size in (2, 3, 5, 10)
    }
    assert seeds[3] == [{0, 1, 2}, {3, 4, 5}, {6, 7, 8}]
    for size, replicates in seeds.items():
        assert len(set().union(*replicates)) == 3 * size
        assert set().union(*replicates) <= set(range(30))


def test_members_of_several_recipes_have_seeds_of_their_own() -> None:
    """An offset moves a recipe's seeds on, and costs no run more."""
    several = Ensemble((Member(TINY), Member(replace(TINY, epochs=1), 1)), mean_probability)
    assert [[run.seed for run in Combination(several, each, "f").runs] for each in range(3)] == [
        [0, 1],
        [1, 2],
        [2, 3],
    ]
    assert study(mixed=several).runs_of(3) == wanted({TINY: {0, 1, 2}, replace(TINY, epochs=1): {1, 2, 3}})


def test_members_that_differ_only_in_time_are_one_run() -> None:
    recipe = replace(TINY, snapshots=(0.5,))
    shots = Ensemble((Member(recipe, at=0.5), Member(recipe), Member(TINY)), mean_probability)
    assert [(run.recipe == TINY, run.seed) for run in Combination(shots, 2, "f").runs] == [
        (False, 2),
        (False, 2),
        (True, 2),
    ]


def test_the_text_holds_members_and_ways() -> None:
    plain = copies(TINY, 2)
    others = [
        copies(TINY, 3),
        copies(replace(TINY, epochs=3), 2),
        replace(plain, combine=mean_logit),
        replace(plain, choose=Top(1)),
    ]
    texts = {describe(each) for each in (plain, *others)}
    assert len(texts) == 5
    assert "choose" not in describe(plain)
    assert len(describe(copies(TINY, 10))) < 600
    assert describe(plain) == describe(copies(TINY, 2))
    assert Combination(plain, 0, "f").key != Combination(plain, 1, "f").key


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Member(TINY, -1), "seed_offset must be 0 or more, got -1"),
        (lambda: Member(TINY, at=0.5), r"at must be 1 or one of its recipe's snapshots \(\), got 0.5"),
        (lambda: Member(replace(TINY, start_from=TINY)), "must start from scratch or a file"),
        (lambda: Ensemble((), mean_probability), "needs members"),
        (lambda: Ensemble((Member(TINY), Member(TINY)), mean_probability), "each another seed_offset or at, got 2"),
        (lambda: replace(TINY, snapshots=(0.0,)), r"snapshots must be shares in \(0, 1\]"),
    ],
)
def test_what_is_no_ensemble_is_refused(make: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        make()


# --- from a store


def study(**arms: Arm) -> Study:
    ablation = Ablation("votes", "Do votes help?", ("https://example.org",), {"": unadapted}, lambda *_: arms, ())
    return Study(ablation, "", TINY, arms, ())


def wanted(seeds: dict[Recipe, set[int]]) -> dict[str, Wanted]:
    """Seeds by recipe, as a table names them."""
    return {describe(recipe): Wanted(recipe, each) for recipe, each in seeds.items()}


def test_an_ensemble_is_made_as_often_as_the_runs_suffice() -> None:
    votes = study(two=copies(TINY, 2), five=copies(TINY, 5), other=replace(TINY, epochs=1))
    assert {name: votes.seeds_of(name, 3) for name in votes.arms} == {"two": 7, "five": 3, "other": 3}
    assert votes.runs_of(3) == wanted({TINY: set(range(15)), replace(TINY, epochs=1): {0, 1, 2}})
    rounds = plan([votes], 3, "f")
    assert [sorted(run.seed for run in each if run.recipe == TINY) for each in rounds] == [
        list(range(start, start + 5)) for start in (0, 5, 10)
    ]


def filled(folder: Path, toy: DataSet, runs: Any, lacking: tuple[str, ...] = ()) -> Store:
    """A store of `runs`, without the arrays named in `lacking`."""
    store = Store(folder, 1)
    with store.writing():
        for run in runs:
            result = train(run.recipe, run.seed, toy, torch.device("cpu"))
            keep(
                Outcome(run, replace(result, **dict.fromkeys(lacking)), "", {}, timestamp(), timestamp()), store, ABOUT
            )
    return store


def test_a_record_is_what_the_stored_answers_say(toy: DataSet, tmp_path: Path) -> None:
    recipe = replace(TINY, snapshots=(0.5,))
    shots = Ensemble((Member(recipe, at=0.5), Member(recipe), Member(recipe, 1)), mean_probability, Top(2))
    each = Combination(shots, 0, toy.fingerprint)
    store = filled(tmp_path, toy, dict.fromkeys(each.runs))
    made = record(each, store.records, store, toy, ABOUT)
    runs = [found for run in each.runs if isinstance(found := store[run.key], RunRecord)]
    validated = [run.validation_accuracy[epoch] for run, epoch in zip(runs, (0, 1, 1), strict=True)]
    names = ["snapshot_1", "logits", "logits"]
    chosen = Top(2)(validated)
    answers = np.stack([store.arrays(runs[i])[names[i]].astype(float) for i in chosen])
    whole = np.log(np.exp(answers).mean(0))
    labels = toy.test.labels.numpy()
    assert made.members == tuple(runs[i].key for i in chosen)
    assert made.test_accuracy == pytest.approx((whole.argmax(1) == labels).mean())
    assert made.test_loss == pytest.approx(loss(whole, labels), rel=1e-4)
    assert made.train_seconds == pytest.approx(runs[0].train_seconds + runs[2].train_seconds)  # two runs
    assert made.evaluations == 2
    assert isinstance(made, EnsembleRecord)


def lowest_half(members: Scores, validation: Scores, labels: Labels) -> Scores:
    return np.asarray(np.log(np.exp(np.sort(members, axis=0)[: (len(members) + 1) // 2]).mean(0)))


def test_what_is_missing_is_said_and_the_rest_is_made(toy: DataSet, tmp_path: Path) -> None:
    wild = replace(TINY, learning_rate=1e30)
    votes = study(
        two=copies(TINY, 2),
        fitted=replace(copies(TINY, 2), combine=fitted_weights),
        own=replace(copies(TINY, 2), combine=lowest_half),
        wild=copies(wild, 2),
    )
    planned = combinations([votes], 2, toy.fingerprint)
    assert list(planned) == ["votes: two", "votes: fitted", "votes: own", "votes: wild"]
    runs = [run for each in plan([votes], 2, toy.fingerprint) for run in each]
    store = filled(tmp_path, toy, [r for r in runs if r.seed < 3], lacking=("validation_logits",))
    with store.writing():
        said = combine(planned, store, toy, ABOUT)
    assert said == [
        "votes: two: 1 of 2 ensembles made; not replicate 1: of its 2 runs 1 are stored",
        "votes: fitted: 0 of 2 ensembles made; not replicate 0: its weights are fitted on validation logits, which "
        "these runs were trained without",
        "votes: own: 1 of 2 ensembles made; not replicate 1: of its 2 runs 1 are stored",
        f"votes: wild: 0 of 2 ensembles made; not replicate 0: its run {planned['votes: wild'][0].runs[0].key} (seed "
        "0) diverged",
    ]
    reread = Store(tmp_path, 1)
    assert sum(isinstance(each, EnsembleRecord) for each in reread.records.values()) == 2
    for file in (tmp_path / "arrays").iterdir():
        file.unlink()
    bare = combinations([study(three=copies(TINY, 3))], 1, toy.fingerprint)
    with reread.writing():
        (sentence,) = combine(bare, reread, toy, ABOUT)
    assert "a store without its arrays can be reported, but makes no new ensemble" in sentence


def test_ensembles_stand_beside_arms_that_start_from_other_runs(toy: DataSet) -> None:
    """Both are planned, with their members and their beginnings; an ensemble begins with none."""
    tuned = replace(TINY, start_from=replace(TINY, data="old"))
    both = study(two=copies(TINY, 2), tuned=tuned)
    old = {"old": "print of old"}
    rounds = plan([both], 2, toy.fingerprint, old)
    assert [old_data(arm) for arm in both.arms.values()] == [None, "old"]
    assert {run.start for each in rounds for run in each if run.recipe == tuned} == {
        run.key for run in origins(rounds, old)
    }
    planned = {run.key for each in rounds for run in each}
    ensembles = combinations([both], 2, toy.fingerprint)
    assert {run.key for each in ensembles["votes: two"] for run in each.runs} <= planned


def test_what_reads_a_store_knows_ensembles(toy: DataSet, tmp_path: Path) -> None:
    """Effects of theirs are compared with a reference's; they are in no sweep and have no curves."""
    votes = study(two=copies(TINY, 2), half=replace(TINY, learning_rate=TINY.learning_rate / 2))
    store = filled(tmp_path, toy, [run for each in plan([votes], 2, toy.fingerprint) for run in each])
    asked = Request("toy", "", tmp_path, "quick", ("cpu",), tmp_path, 2)
    with store.writing():
        store.save_tables([as_record(votes, asked, toy)])
        assert combine(combinations([votes], 2, toy.fingerprint), store, toy, ABOUT) == []
    found = regression.compare_stores(store, store)
    assert [(change.variant, change.word == "better") for change in found.changes] == [
        (CONTROL, False),
        ("two", False),
        ("half", False),
    ]
    assert (found.matching.untrained, found.costs) == ([], [])
    (whole,) = tables(store)
    assert sweep(whole, store) is None
    assert whole.rows[0].n == 2
    with pytest.raises(UsageError, match=r"is an ensemble, which has no curves"):
        log_of(whole.arms["two"][0], store)


def test_nothing_to_combine_is_an_error(tmp_path: Path) -> None:
    store = Store(tmp_path, 1)
    with pytest.raises(UsageError, match="these ablations have no ensembles"):
        check_ensembles({}, store)
    with pytest.raises(
        UsageError, match="holds none of the 6 runs that these ensembles are made of; `run` trains them"
    ):
        check_ensembles(combinations([study(two=copies(TINY, 2))], 3, "f"), store)


# --- in a report


def made(recipe: str, replicate: int, accuracy: float) -> EnsembleRecord:
    """An ensemble's record."""
    return builders.keyed(
        EnsembleRecord(
            key="",
            status="done",
            reason="",
            data="toy",
            data_choice="",
            budget="quick",
            fingerprint="f",
            seed=replicate,
            recipe=recipe,
            environment=builders.CPU,
            started=timestamp(),
            finished=timestamp(),
            members=("a", "b"),
            test_accuracy=accuracy,
            gain=0.02,
            gain_over_best=None,
            test_loss=1.0,
            calibration_error=0.1,
            disagreement=0.3,
            error_correlation=None,
            evaluations=2,
            train_seconds=2.0,
            train_flops=2000.0,
            test_flops=4.0,
        )
    )


@pytest.mark.parametrize(("ten", "word"), [(0.75, "supported"), (0.95, "contradicted")])
def test_smaller_gains_are_judged_per_member(ten: float, word: str) -> None:
    """65 alone, 69 with 3 (2 points a member), 75 with 10 (6/7 a member) or 95 (26/7)."""
    noise = (-0.001, 0.0, 0.001)
    found: dict[tuple[str, str], list[Record]] = {
        ("f", "base"): [builders.record("base", at, 0.65 + each, step_flops=100) for at, each in enumerate(noise)],
        ("f", "3"): [made("3", at, 0.69 + each) for at, each in enumerate(noise)],
        ("f", "10"): [made("10", at, ten + each) for at, each in enumerate(noise)],
    }
    facts = Facts(learning_rate=0.1, batch_size=50, epochs=1, steps=10.0, constant_rate=False)
    several = {size: EnsembleOf(copies=int(size), combine="mean_probability") for size in ("3", "10")}
    planned = builders.study(
        "votes",
        "",
        list(several),
        control=builders.arm(CONTROL, "base", seeds=3, changes={}, facts=facts),
        arms=tuple(builders.arm(size, size, seeds=3, ensemble=of) for size, of in several.items()),
        claims=(Claim("S", "", Diminishing(CONTROL, "3", "10", sizes=(1, 3, 10))),),
    )
    whole = table(planned, found, {})
    (judged,) = judgements(whole)
    assert judged.effect == pytest.approx(4 / 2 - (100 * ten - 69) / 7)
    assert judged.word == word
    assert judged.comparison == "gain per member, baseline to 3 > 3 to 10"
    three = decisions(whole)[0]
    assert (three.n, three.members, three.gain_over_best, three.error_correlation) == (3, 2, None, None)
    assert (three.training_cost, three.test_cost) == pytest.approx((2000 / (100 * 10), 4 / (100 / 50)))
    assert whole.rows[0].step_ms_ratio is None

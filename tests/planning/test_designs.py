"""Several tricks at once: put together, left out in turn, in pairs."""

from __future__ import annotations

from dataclasses import replace

import builders
import pytest
from conftest import TINY
from torch import nn

from benchmark.baseline import SGD, InTurn, flip
from benchmark.claim import CONTROL, Better
from benchmark.engine.network import assembled
from benchmark.errors import UsageError
from benchmark.evidence.comparison import contrast
from benchmark.evidence.judgements import judgements
from benchmark.evidence.tables import table
from benchmark.planning.designs import Trick, find_tricks, ladder_table, leave_one_out, pairs_table, together
from benchmark.planning.discovery import Ablation, discover, unadapted, with_original
from benchmark.planning.identity import changes, describe
from benchmark.recipe import Recipe
from benchmark.store.records import Record


def rates(base: Recipe) -> dict[str, Recipe]:
    return {"high": replace(base, learning_rate=1.0), "low": replace(base, learning_rate=0.01)}


def decays(base: Recipe) -> dict[str, Recipe]:
    return {"none": replace(base, weight_decay=0.0)}


def flips(base: Recipe) -> dict[str, Recipe]:
    return {"twice": replace(base, augment=InTurn((base.augment, flip, flip)))}


def plain(base: Recipe) -> dict[str, Recipe]:
    return {"flip alone": replace(base, augment=flip)}


def ablation(name: str, variants: object) -> Ablation:
    return Ablation(name, "Is it?", (f"https://example.org/{name}",), {"": unadapted}, with_original(variants), ())  # type: ignore[arg-type]


KNOWN = [ablation("rate", rates), ablation("decay", decays), ablation("flips", flips), ablation("plain", plain)]
RATE, DECAY, FLIPS = (Trick(KNOWN[i], name) for i, name in enumerate(["high", "none", "twice"]))


def test_together_has_all_of_them() -> None:
    full = together(TINY, [RATE, DECAY, FLIPS])
    assert changes(full, TINY) == {
        "learning_rate": 1.0,
        "weight_decay": 0.0,
        "augment": InTurn((TINY.augment, flip, flip)),
    }


def test_tricks_that_build_on_one_another_go_together_and_those_that_undo_do_not() -> None:
    alone, on_top = Trick(KNOWN[3], "flip alone"), FLIPS
    assert together(TINY, [alone, on_top]).augment == InTurn((flip, flip, flip))
    with pytest.raises(UsageError, match="flips: twice and plain: flip alone both set 'augment'"):
        together(TINY, [on_top, alone])
    with pytest.raises(UsageError, match="rate: high and rate: low both set 'learning_rate'"):
        together(TINY, [RATE, Trick(KNOWN[0], "low")])
    digits = ablation("digits", lambda base: {"one": replace(base, learning_rate=1.01)})  # no number holds another
    with pytest.raises(UsageError, match="rate: high and digits: one both set 'learning_rate'"):
        together(TINY, [RATE, Trick(digits, "one")])
    with pytest.raises(UsageError, match="decay: none changes nothing together with rate: high"):
        together(replace(TINY, weight_decay=0.0), [RATE, DECAY])


def test_leave_one_out_drops_each_in_turn() -> None:
    study = leave_one_out([RATE, DECAY], TINY)
    assert study.base == replace(TINY, learning_rate=1.0, weight_decay=0.0)
    assert study.same == ("all",)
    assert study.arms == {
        "without rate: high": replace(TINY, weight_decay=0.0),
        "without decay: none": replace(TINY, learning_rate=1.0),
        "none": TINY,
    }
    assert study.context == "rate: high, decay: none"
    assert study.ablation.sources == ("https://example.org/rate", "https://example.org/decay")


def test_pairs_have_each_alone_and_each_two() -> None:
    study = pairs_table([RATE, DECAY, FLIPS], TINY)
    assert study.base == TINY
    assert set(study.arms) == {
        "rate: high",
        "decay: none",
        "flips: twice",
        "rate: high + decay: none",
        "rate: high + flips: twice",
        "decay: none + flips: twice",
    }
    assert len(study.ablation.claims) == 3


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (["rate:high"], "two or more different tricks"),
        (["rate:high", "rate: high"], "two or more different tricks"),
        (["rate", "decay:none"], "must be ABLATION:VARIANT"),
        (["rat:high", "decay:none"], "unknown ablation 'rat'.*rate"),
    ],
)
def test_tricks_that_are_not_there(asked: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        find_tricks(asked, KNOWN)
    with pytest.raises(UsageError, match=r"unknown variant 'hihg' of rate; did you mean high"):
        together(TINY, find_tricks(["rate:hihg", "decay:none"], KNOWN))


@pytest.mark.parametrize(
    ("both", "word", "interaction"),
    [([74.0, 74.2, 73.8], "contradicted", -2.0), ([76.0, 76.2, 75.8], "supported", 0.0)],
)
def test_the_interaction_is_what_the_sum_of_both_lacks(both: list[float], word: str, interaction: float) -> None:
    """Baseline 70, one trick 72, the other 74: together 76 if they add up."""
    study = pairs_table([RATE, DECAY], TINY)
    scores = {"": [70.0, 70.2, 69.8], "rate: high": [72.0, 72.2, 71.8], "decay: none": [74.0, 74.2, 73.8]}
    scores["rate: high + decay: none"] = both
    planned = builders.study(
        "pairs",
        study.context,
        list(study.arms),
        data="toy",
        control=builders.arm(CONTROL, describe(TINY), seeds=3, changes={}),
        arms=tuple(builders.arm(name, describe(arm), seeds=3) for name, arm in study.arms.items()),
        claims=study.ablation.claims,
    )
    texts = {"": describe(TINY)} | {name: describe(arm) for name, arm in study.arms.items()}
    found: dict[tuple[str, str], list[Record]] = {
        ("f", texts[name]): [builders.record(texts[name], at, each / 100) for at, each in enumerate(accuracies)]
        for name, accuracies in scores.items()
    }
    (judged,) = judgements(table(planned, found, {}))
    assert judged.effect == pytest.approx(interaction)
    assert judged.word == word
    assert judged.comparison == "rate: high + decay: none ≈ sum of each"


def test_a_contrast_by_hand() -> None:
    """Variances of the means 1/3, 1/3 and 4/3 of 4 numbers each: error sqrt(2); Welch and Satterthwaite's freedom."""
    low, middle, high = [0.0, 1.0, 2.0], [3.0, 4.0, 5.0], [6.0, 8.0, 10.0]
    found = contrast([(1, high), (-1, middle), (-1, low)])
    assert found.mean == pytest.approx(3)
    assert found.error == pytest.approx(2**0.5)
    assert found.freedom == pytest.approx(2**2 / ((1 / 3) ** 2 / 2 + (1 / 3) ** 2 / 2 + (4 / 3) ** 2 / 2))


def test_wrapping_tells_a_part_by_its_text() -> None:
    """SGD with another momentum is another part, not one built on the first."""
    first = ablation("sgd", lambda base: {"0": replace(base, optimiser=SGD(0.0, False))})
    second = ablation("heavy", lambda base: {"1": replace(base, optimiser=SGD(0.99, True))})
    with pytest.raises(UsageError, match="both set 'optimiser'"):
        together(TINY, [Trick(first, "0"), Trick(second, "1")])


def catalogue(name: str) -> Trick:
    module, _, variant = name.partition(": ")
    return Trick(next(each for each in discover()[0] if each.name == module), variant)


@pytest.mark.parametrize("pool", ["pooling: average", "blur_pooling: blur 3"])
@pytest.mark.parametrize("order", [1, -1])
def test_a_trick_that_another_swallows_is_refused(pool: str, order: int) -> None:
    """Stride 2 takes the poolings away: nothing is left of a trick that changes them."""
    several = [catalogue(pool), catalogue("filters: stride 2")][::order]
    with pytest.raises(UsageError, match=f"{pool} changes nothing together with filters: stride 2"):
        together(TINY, several)
    assert together(TINY, [catalogue(pool), catalogue("activation: GELU")])


def test_a_trick_whose_layers_read_the_same_is_no_trick_that_changes_nothing() -> None:
    """Whether batch norm's scale learns is not among what a layer prints of itself."""
    several = [catalogue("batch_norm_settings: scale fixed"), catalogue("activation: GELU")]
    frozen = assembled(together(TINY, several), 10, []).get_submodule("features.2")
    assert isinstance(frozen, nn.BatchNorm2d)
    assert not frozen.weight.requires_grad


def test_two_tricks_in_time_go_together() -> None:
    several = [catalogue("progressive_resizing: from 24"), catalogue("alternating_flip: alternating flip")]
    both = [together(TINY, each) for each in (several, several[::-1])]
    assert {type(recipe.timed).__name__ for recipe in both} == {"Timely"}


def test_a_ladder_puts_each_trick_on_those_below() -> None:
    study = ladder_table([RATE, DECAY, FLIPS], TINY)
    assert study.base == TINY
    assert study.arms == {
        "1. + rate: high": together(TINY, [RATE]),
        "2. + decay: none": together(TINY, [RATE, DECAY]),
        "3. + flips: twice": together(TINY, [RATE, DECAY, FLIPS]),
    }
    steps = [(claim.holds.arm, claim.holds.than) for claim in study.ablation.claims if isinstance(claim.holds, Better)]
    names = ["baseline", *study.arms]
    assert steps == list(zip(names[1:], names, strict=False))

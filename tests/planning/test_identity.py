"""When a stored result is still the result of a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial
from typing import Any

import pytest
from conftest import TINY
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ablations.clipping import ClipNorm
from benchmark.baseline import SGD, Crop
from benchmark.claim import CONTROL
from benchmark.ensembles import mean_probability
from benchmark.planning.identity import Run, changes, code_mark, describe, module_mark
from benchmark.recipe import Ensemble, Member, Recipe

SOURCE = '"""Why?"""\nfrom benchmark.recipe import Recipe\nSLOPE = 0.25\ndef variants(base): return {}\n'


def test_a_known_run_has_the_key_it_had() -> None:
    """If this fails, all stored results lose their names: rename nothing that a recipe's text holds."""
    assert Run(TINY, 0, "fingerprint").key == "a6a01d9ced7c3567"


def test_seed_data_and_recipe_make_the_key() -> None:
    runs = [Run(TINY, 0, "a"), Run(TINY, 1, "a"), Run(TINY, 0, "b"), Run(replace(TINY, epochs=3), 0, "a")]
    assert len({run.key for run in runs}) == len(runs)


def test_the_last_digit_of_a_number_changes_the_key() -> None:
    rates = (0.1, 0.1000001, 0.1 + 1e-16)
    assert len({Run(replace(TINY, learning_rate=rate), 0, "a").key for rate in rates}) == 3


def test_fields_that_do_nothing_are_not_in_the_text() -> None:
    plain = replace(TINY, weight_decay=0.0)
    assert "weight_decay" not in describe(plain)
    assert "weight_decay=0.0005" in describe(TINY)


@dataclass(frozen=True)
class Part:
    size: int = 3

    def __call__(self, progress: float, history: object) -> float:
        return 1.0


def test_a_parts_default_is_in_the_text() -> None:
    """A default of a part may do much: were it left out, changing it would re-label old results."""
    assert f"Part@{module_mark(__name__)}(size=3)" in describe(replace(TINY, schedule=Part()))


@pytest.mark.parametrize("part", [lambda p, h: 1.0, partial(max, 1), object()], ids=["lambda", "partial", "object"])
def test_parts_without_a_stable_text_are_refused(part: object) -> None:
    with pytest.raises(TypeError, match=r"name of its own|no stable text"):
        describe(replace(TINY, schedule=part))  # type: ignore[arg-type]  # the point of the test


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("Why?", "Why not?", True),
        ("SLOPE = 0.25", "SLOPE  =  0.25  # per channel", True),
        ("return {}", "return {'a': base}", True),
        ("\nSLOPE", "\nfrom benchmark.recipe import Claim\nCLAIMS: list = [Claim()]\nSLOPE", True),
        ("import Recipe", "import Recipe, absent\nCONTEXTS = {'': absent}", True),
        ("\nSLOPE", "\nREMARKS = 'The slope was not tuned.'\nSLOPE", True),
        ("SLOPE = 0.25", "from math import pi\nSLOPE = pi", False),
        ("0.25", "0.2", False),
    ],
)
def test_mark_follows_the_code_of_parts_alone(old: str, new: str, same: bool) -> None:
    assert (code_mark(SOURCE.replace(old, new)) == code_mark(SOURCE)) is same


@pytest.mark.parametrize(
    ("field", "value"),
    [("epochs", 0), ("batch_size", 0), ("images", -1), ("learning_rate", float("nan")), ("weight_decay", -1.0)],
)
def test_a_recipe_out_of_range_names_field_and_value(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{field} must be .*{value}"):
        replace(TINY, **{field: value})


def test_changes_are_the_fields_that_differ() -> None:
    assert changes(replace(TINY, epochs=7), TINY) == {"epochs": 7}
    assert isinstance(TINY, Recipe)
    assert CONTROL == "baseline"


# --- equal values, equal texts


@dataclass(frozen=True)
class Declared:
    """A part whose fields say what they hold."""

    rate: float
    count: int
    flag: bool
    pair: tuple[float, int]
    many: tuple[float, ...]
    nested: tuple[tuple[int, float], ...]
    perhaps: float | None


@dataclass(frozen=True)
class Undeclared:
    """A part whose field may hold anything."""

    value: Any


NUMBERS = st.integers(-2, 3) | st.floats(-4, 4)
NESTED = st.recursive(NUMBERS | st.none() | st.sampled_from(["", "1"]), lambda each: st.lists(each).map(tuple))
PARTS = st.builds(Undeclared, NESTED) | st.builds(
    Declared,
    rate=NUMBERS,
    count=st.integers(-2, 3) | st.integers(-2, 3).map(float),
    flag=NUMBERS,
    pair=st.tuples(NUMBERS, NUMBERS),
    many=st.lists(NUMBERS, max_size=3).map(tuple),
    nested=st.lists(st.tuples(NUMBERS, NUMBERS), max_size=3).map(tuple),
    perhaps=NUMBERS | st.none(),
)
RECIPES = st.builds(
    partial(replace, TINY),
    learning_rate=st.sampled_from([0.0, 0.5, 1.0]),
    weight_decay=st.sampled_from([0.0, 1.0]),
    epochs=st.sampled_from([1, 2]),
    snapshots=st.sampled_from([(), (0.5,), (0.5, 1.0)]),
    fold=st.sampled_from([None, (0, 2), (1, 2)]),
    schedule=PARTS,
    penalise=PARTS,
)
ENSEMBLES = st.builds(
    lambda recipe, offset: Ensemble((Member(recipe, offset), Member(recipe, offset + 1)), mean_probability),
    RECIPES,
    st.integers(0, 1),
)


def respelled(value: Any, choose: Callable[[list[Any]], Any]) -> Any:
    """An equal value that is written otherwise: each of its numbers as one of the types that have it."""
    match value:
        case bool() | int() | float():
            whole = [int(value)] if float(value).is_integer() else []
            return choose([float(value), *whole, *([bool(value)] if value in (0, 1) else []), *([-0.0] * (not value))])
        case tuple():
            return tuple(respelled(each, choose) for each in value)
        case _ if is_dataclass(value) and not isinstance(value, type):
            return replace(value, **{f.name: respelled(getattr(value, f.name), choose) for f in fields(value)})
    return value


@settings(max_examples=60, derandomize=True, deadline=None, phases=[Phase.generate])  # to shrink takes minutes
@given(st.data())
def test_equal_values_have_equal_texts_in_any_order_of_describing(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from([PARTS, RECIPES, ENSEMBLES]))
    one, other = data.draw(kind), data.draw(kind)
    forms = [respelled(one, lambda ways: data.draw(st.sampled_from(ways))) for _ in range(2)]
    assert forms == [one, one]
    (text,) = {describe(each) for each in data.draw(st.permutations([one, *forms]))}
    assert (describe(other) == text) is (other == one)


def test_a_number_is_written_as_its_field_declares_it() -> None:
    whole = Declared(rate=1, count=True, flag=1, pair=(2, 2.0), many=(0, 1), nested=((1.0, 1),), perhaps=3)  # type: ignore[arg-type]
    expected = "rate=1.0, count=1, flag=True, pair=(2.0, 2), many=(0.0, 1.0), nested=((1, 1.0)), perhaps=3.0"
    assert describe(whole).endswith(f"Declared@{module_mark(__name__)}({expected})")
    assert describe(Undeclared((1.0, True, -0.0, 0.5))).endswith("(value=(1, 1, 0, 0.5))")
    assert "learning_rate=1.0" in describe(replace(TINY, learning_rate=1))


@pytest.mark.parametrize(
    ("part", "says"),
    [
        (ClipNorm(float("inf")), "ClipNorm.bound must be a finite number, got inf"),
        (Crop(2.5), "Crop.padding must be a whole number, got 2.5"),  # type: ignore[arg-type]  # which a user may write
        (Crop(float("inf")), "Crop.padding must be a finite number, got inf"),  # type: ignore[arg-type]
    ],
)
def test_numbers_that_no_training_can_use_are_refused(part: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        describe(part)


@pytest.mark.parametrize("momentum", [-0.1, 1.0, float("nan")])
def test_a_momentum_that_cannot_be_is_refused(momentum: float) -> None:
    with pytest.raises(ValueError, match=r"SGD.momentum must be in \[0, 1\)"):
        SGD(momentum, nesterov=False)

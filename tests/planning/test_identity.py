"""When a stored result is still the result of a run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import pytest
from conftest import TINY

from benchmark.claim import CONTROL
from benchmark.planning.identity import Run, describe, mark
from benchmark.recipe import Recipe

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
    assert "Part(size=3)" in describe(replace(TINY, schedule=Part()))


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
        ("SLOPE = 0.25", "from math import pi\nSLOPE = pi", False),
        ("0.25", "0.2", False),
    ],
)
def test_mark_follows_the_code_of_parts_alone(old: str, new: str, same: bool) -> None:
    assert (mark(SOURCE.replace(old, new)) == mark(SOURCE)) is same


@pytest.mark.parametrize(
    ("field", "value"),
    [("epochs", 0), ("batch_size", 0), ("images", -1), ("learning_rate", float("nan")), ("weight_decay", -1.0)],
)
def test_a_recipe_out_of_range_names_field_and_value(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{field} must be .*{value}"):
        replace(TINY, **{field: value})


def test_changes_are_the_fields_that_differ() -> None:
    assert replace(TINY, epochs=7).changes(TINY) == {"epochs": 7}
    assert isinstance(TINY, Recipe)
    assert CONTROL == "baseline"

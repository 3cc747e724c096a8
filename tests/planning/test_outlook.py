"""Where no verdict is possible, that is said before training."""

from __future__ import annotations

from dataclasses import replace

from benchmark.planning.outlook import no_verdicts
from tests.builders import study

MANY = replace(study("a", "", ["x"]), test_images=10_000)


def test_too_few_seeds() -> None:
    assert no_verdicts([MANY], 3) == []
    (said,) = no_verdicts([MANY], 2)
    assert said.startswith("with 2 seeds no row can have a verdict")
    assert said.endswith("ask for --seeds 3 or more")


def test_too_few_test_images() -> None:
    (said,) = no_verdicts([MANY, replace(MANY, data="mine", test_images=8), replace(MANY, test_images=None)], 3)
    assert said.startswith("mine has 8 test images, each worth 12.5 points")
    assert said.endswith("a verdict takes 100 test images or more")

"""The article's statements, judged over tables, on a small made-up store."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import record, study

from benchmark.claim import Better, Claim
from benchmark.evidence.statements import Place, counts, statements, verdict
from benchmark.evidence.tables import Table, tables
from benchmark.store.store import Store

POINTS = {"baseline": 60.0, "up": 65.0, "down": 55.0}
UP, DOWN = (Better(name, than="baseline") for name in ("up", "down"))


def found(folder: Path, *claims: Claim) -> list[Table]:
    store = Store(folder, 1)
    with store.writing():
        store.save_tables([study("activation", "", [*POINTS, "later"][1:], same=(), claims=claims)])
        for name, mean in POINTS.items():
            for seed in range(4):
                store.add(record(f"-{name}", seed, (mean + (seed - 1.5) / 5) / 100))
    return tables(store)


def test_statements_are_in_order_with_their_runs(tmp_path: Path) -> None:
    claims = [
        Claim("S5.10", "", UP),
        Claim("S5.2", "", UP),
        Claim("cutout", "", UP),
        Claim("S1.1", "", Better("later")),
    ]
    judged = statements(found(tmp_path, *claims))
    assert list(judged) == ["S5.2", "S5.10"], "no statement without runs, and none of another source"
    ((place, (comparison,)),) = judged["S5.2"].items()
    assert place == Place("cifar10", "quick")
    assert comparison.runs == {"up": 4, "baseline": 4}
    assert comparison.judgement.effect == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("holds", "word", "numbers"),
    [
        ([UP], "supported", (1, 0, 0)),
        ([DOWN], "contradicted", (0, 1, 0)),
        ([UP, DOWN], "both ways", (1, 1, 0)),
        ([Better("up", than="up")], "unresolved", (0, 0, 1)),
    ],
)
def test_a_statement_has_one_word_if_its_comparisons_agree(
    tmp_path: Path, holds: list[Better], word: str, numbers: tuple[int, int, int]
) -> None:
    ((comparisons,),) = (
        each.values() for each in statements(found(tmp_path, *(Claim("S1.1", "", h) for h in holds))).values()
    )
    assert verdict(comparisons) == word
    assert counts(comparisons) == numbers

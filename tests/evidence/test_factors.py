"""Tables of two factors, on made-up runs whose margins are worked out by hand."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from builders import Page, arm, record, study
from scipy.stats import t

from benchmark import report
from benchmark.claim import Claim, NotBetter
from benchmark.evidence.factors import FactorCell, Factors, factors
from benchmark.evidence.tables import tables
from benchmark.store.records import ArmRecord, TableRecord
from benchmark.store.store import Store

LITTLE, MUCH = "500 images", "all images"
WAYS = ["linear", "slow", "all"]
KINDS = ["similar", "different"]
DIVERGED = None
SCORES: dict[tuple[str, str], list[float | None]] = {  # percent; no line, no run
    (LITTLE, "baseline"): [41, 43],
    (LITTLE, "similar: linear"): [50, 52],
    (LITTLE, "similar: slow"): [46, 48],
    (LITTLE, "similar: all"): [47, 49],
    (LITTLE, "different: all"): [45],
    (MUCH, "baseline"): [65, 67],
    (MUCH, "similar: linear"): [60, 60],
    (MUCH, "similar: slow"): [55, 55],
    (MUCH, "similar: all"): [70, 70],
    (MUCH, "different: linear"): [30, 32],
    (MUCH, "different: slow"): [28, 30],
    (MUCH, "different: all"): [DIVERGED, DIVERGED],
}
ADVICE = {
    (LITTLE, "similar"): "linear",
    (LITTLE, "different"): "linear",
    (MUCH, "similar"): "linear",
    (MUCH, "different"): "all",
}
CLAIMS = tuple(
    Claim("S4.5", "Best.", NotBetter(f"{kind}: {other}", than=f"{kind}: {way}"), context=size)
    for (size, kind), way in ADVICE.items()
    for other in WAYS
    if other != way
)


def plan(context: str, changed: str = "part") -> TableRecord:
    """A table whose arms change this one field."""

    def of(kind: str, way: str) -> ArmRecord:
        name = f"{kind}: {way}"
        return arm(name, f"{context}-{name}", changes={changed: name}, seeds=2, kind=kind, way=way)

    made = study("transfer", context, [""], claims=CLAIMS)
    arms = tuple(of(kind, way) for kind in KINDS for way in WAYS)
    return replace(made, control=replace(made.control, seeds=2), arms=arms)


def fill(folder: Path, *planned: TableRecord) -> Store:
    store = Store(folder, 1)
    with store.writing():
        store.save_tables(planned)
        for (context, arm), scores in SCORES.items():
            for seed, score in enumerate(scores):
                store.add(record(f"{context}-{arm}", seed, None if score is None else score / 100))
    return store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return fill(tmp_path_factory.mktemp("factors"), plan(LITTLE), plan(MUCH))


@pytest.fixture(scope="module")
def crossed(store: Store) -> Factors:
    (found,) = factors(tables(store))
    return found


@pytest.fixture(scope="module")
def cells(crossed: Factors) -> dict[tuple[str, str], FactorCell]:
    return {(cell.context, cell.kind): cell for cell in crossed.cells}


def test_contexts_are_the_rows_and_kinds_the_columns(crossed: Factors) -> None:
    assert (crossed.contexts, crossed.kinds) == ([LITTLE, MUCH], ["similar", "different"])
    assert [(cell.context, cell.kind) for cell in crossed.cells] == [
        (size, kind) for size in (LITTLE, MUCH) for kind in ("similar", "different")
    ]


def test_the_best_way_has_its_margins_with_welchs_intervals(cells: dict[tuple[str, str], FactorCell]) -> None:
    """Two runs of variance 2 on each side: error sqrt(2/2 + 2/2), 2 degrees of freedom, t = 4.302653.

    Over the control t = 7.648804, since the best was chosen of three ways (Bonferroni).
    """
    cell = cells[LITTLE, "similar"]
    assert (cell.best, cell.n, cell.accuracy) == ("linear", 2, pytest.approx(51))
    assert cell.second is not None
    assert cell.control is not None
    half, wide = 4.302653 * 2**0.5, 7.648804 * 2**0.5
    assert (cell.second.over, cell.second.n) == ("all", 2)
    assert [cell.second.mean, cell.second.ci_low, cell.second.ci_high] == pytest.approx([3, 3 - half, 3 + half])
    assert [cell.control.mean, cell.control.ci_low, cell.control.ci_high] == pytest.approx([9, 9 - wide, 9 + wide])
    assert (cell.second.resolved, cell.control.resolved) == (False, False)
    assert (cell.source, cell.advised, cell.behind, cell.missing) == ("S4.5", "linear", None, 0)


def test_runs_without_spread_are_lifted_to_the_median_of_the_table(cells: dict[tuple[str, str], FactorCell]) -> None:
    """Which is 2: error sqrt(2/2 + 2/2), with the 2 degrees of both samples on each side 4 together, t = 2.776445."""
    cell = cells[MUCH, "similar"]
    assert cell.best == "all"
    assert cell.second is not None
    assert cell.behind is not None
    assert (cell.second.over, cell.second.mean) == (cell.behind.over, cell.behind.mean)  # the advised is the next best
    half = 2.776445 * 2**0.5
    assert [cell.second.ci_low, cell.second.mean, cell.second.ci_high] == pytest.approx([10 - half, 10, 10 + half])
    assert cell.second.resolved


def test_a_single_run_resolves_nothing_and_what_is_missing_is_counted(
    cells: dict[tuple[str, str], FactorCell],
) -> None:
    cell = cells[LITTLE, "different"]
    assert (cell.best, cell.n, cell.second, cell.advised, cell.behind) == ("all", 1, None, "linear", None)
    assert cell.control is not None
    assert (cell.control.mean, cell.control.ci_low, cell.control.resolved) == (pytest.approx(3), None, False)
    assert cell.missing == 5


def test_what_diverged_guesses_and_is_compared_where_it_was_advised(cells: dict[tuple[str, str], FactorCell]) -> None:
    """Against runs without spread, lifted to a variance of 2: 1 and 2 degrees of freedom, 8/3 together; 2 choices."""
    cell = cells[MUCH, "different"]
    assert (cell.best, cell.advised) == ("linear", "all")
    assert cell.behind is not None
    half = float(t.isf(0.05 / 2 / 2, 8 / 3)) * 2**0.5
    expected = [21, 21 - half, 21 + half]
    assert [cell.behind.mean, cell.behind.ci_low, cell.behind.ci_high] == pytest.approx(expected, abs=1e-4)


def test_other_tables_are_no_tables_of_two_factors(tmp_path: Path) -> None:
    lesser = replace(plan(MUCH), arms=plan(MUCH).arms[:-1])  # not the same variants
    assert factors(tables(fill(tmp_path / "a", plan(LITTLE), lesser))) == []
    assert factors(tables(fill(tmp_path / "b", plan(MUCH)))) == []  # a single context
    one = [replace(plan(size), arms=plan(size).arms[:3]) for size in (LITTLE, MUCH)]  # a single kind
    assert factors(tables(fill(tmp_path / "c", *one))) == []
    assert factors(tables(fill(tmp_path / "d", study("x", LITTLE, ["a", "b"]), study("x", MUCH, ["a", "b"])))) == []


def test_the_control_is_called_what_it_is(tmp_path: Path, crossed: Factors) -> None:
    assert not crossed.scratch
    store = fill(tmp_path / "store", *(plan(size, "start_from") for size in (LITTLE, MUCH)))
    page = (report.write(store, tmp_path / "report").parent / "index.md").read_text(encoding="utf-8")
    assert "over training from scratch (2 runs)" in page


def test_the_report_shows_them(store: Store, tmp_path: Path) -> None:
    folder = report.write(store, tmp_path).parent
    html, markdown = (folder / "index.html").read_text(), (folder / "index.md").read_text()
    parsed = Page(html)
    for text in (" ".join(parsed.text.split()), markdown.replace("**", "").replace("\\", "")):
        for expected in (
            "linear 51.0 % (2 runs)",
            "+3.0 [−3.1, +9.1] over all, the next best (2 runs)",  # noqa: RUF001  the sign of the numbers
            "+9.0 [−1.8, +19.8] over the baseline (2 runs)",  # noqa: RUF001  the same
            "S4.5 advises this way",
            "S4.5 advises the next best",
            "+21.0 [+14.5, +27.5] over all, which S4.5 advises (2 runs)",
            "S4.5 advises linear",
            "5 runs missing",
        ):
            assert expected in text
    assert html.count('class="factor"') == 4
    lines = [line for line in markdown.splitlines() if line.startswith("| **")]
    rows = [line for line in lines if line.startswith((f"| **{LITTLE}", f"| **{MUCH}"))]
    assert [line.count(" | ") for line in rows] == [2, 2]
    assert [line.count("not resolved") for line in rows] == [3, 2]


def test_the_file_has_a_line_for_each_cell(store: Store, tmp_path: Path) -> None:
    with (report.write(store, tmp_path).parent / "factors.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["context"], row["kind"], row["best"], row["n"]) for row in rows] == [
        (LITTLE, "similar", "linear", "2"),
        (LITTLE, "different", "all", "1"),
        (MUCH, "similar", "all", "2"),
        (MUCH, "different", "linear", "2"),
    ]
    first, second = rows[0], rows[1]
    assert (first["second"], first["second_margin"], first["second_ci_low"]) == ("all", "3", "-3.08487")
    assert (first["control_n"], first["control_resolved"], first["advised_margin"]) == ("2", "False", "")
    assert (second["second"], second["control_ci_low"], second["missing"]) == ("", "", "5")

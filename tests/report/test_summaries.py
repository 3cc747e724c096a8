"""The list of every variant, and the figures beyond one table's runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from builders import CPU, arm, fill, record, study

from benchmark import report
from benchmark.claim import Additive, Better, Claim
from benchmark.errors import UsageError
from benchmark.evidence.tables import Table, table, tables
from benchmark.report import elsewhere, interactions, shortlists, time_plot, variants, view
from benchmark.report import history as pasts
from benchmark.report.style import Gallery
from benchmark.store.records import RunRecord
from benchmark.store.store import Store

TRICKS = ["activation: GELU", "mixing: CutMix", "sam: SAM"]
WORTH = {"baseline": 65.0, TRICKS[0]: 67.0, TRICKS[1]: 61.0, TRICKS[2]: 65.0}


def pairs() -> Table:
    """A table of the design `pairs`: two of the tricks undo each other, the others add up or were not run."""
    both = {f"{TRICKS[0]} + {TRICKS[1]}": 57.0, f"{TRICKS[0]} + {TRICKS[2]}": 67.0, f"{TRICKS[1]} + {TRICKS[2]}": None}
    scores = WORTH | both
    claims = tuple(Claim("interaction", "", Additive(arm, *arm.split(" + "))) for arm in both)
    context = ", ".join(TRICKS)
    arms = [arm for arm in scores if arm != "baseline"]
    planned = study("pairs", context, arms, claims=claims, design="pairs", tricks=tuple(TRICKS))
    runs = {
        ("f", f"{context}-{arm}"): [record(arm, at, (mean + 0.1 * (at - 2)) / 100) for at in range(5)]
        for arm, mean in scores.items()
        if mean
    }
    return table(planned, runs, {})


def listed(store: Store) -> list[variants.Variant]:
    named = dict(zip("ab", tables(store), strict=True))
    return variants.every(
        shortlists.candidates(named), named, view.overview(store, store.records, named, {}, {}).ablations
    )


def test_the_best_news_comes_first(tmp_path: Path) -> None:
    found = listed(fill(tmp_path))
    assert [each.line.variant for each in found if each.line.verdict != "unresolved"] == [
        "a|b <i>x_$",
        "tanh",
        "zeros",
    ]
    assert [each.against for each in found if each.line.variant in ("tanh", "zeros")] == ["baseline", "batch norm"]


def test_what_is_missing_or_mixed_is_known_of_every_variant(tmp_path: Path) -> None:
    def alter(run: RunRecord) -> RunRecord | None:
        if (run.recipe, run.seed) in (("-tanh", 1), ("-tanh", 3)):
            return None
        return replace(run, environment=CPU | {"device": "a GPU"}) if run.recipe == "-leaky" else run

    found = {each.line.variant: each for each in listed(fill(tmp_path, alter))}
    assert (found["tanh"].seeds, found["tanh"].missing, found["tanh"].mixed) == ([0, 2], [1, 3], False)
    assert (found["leaky"].missing, found["leaky"].mixed) == ([], True)


@pytest.mark.parametrize(
    ("names", "part"),
    [
        (["S5.1", "S4.2"], "5 activation functions"),
        (["batch", "S7.2"], "7 insights from figures"),
        (["4.1"], "4 during training"),
        (["SAM", "1cycle"], "after the article"),
        ([], "after the article"),
    ],
)
def test_the_part_of_the_article_is_that_of_the_first_statement(names: list[str], part: str) -> None:
    assert variants.part([Claim(name, "", Better("x")) for name in names]) == part


def test_the_command_trains_the_variant_again() -> None:
    assert variants.run_command(study("sam", "", ["x"]), "x") == (
        "python -m benchmark run --data cifar10 --budget quick --only 'sam: x' --seeds 4"
    )
    designed = "python -m benchmark run --data cifar10 --budget quick --design {} {} --seeds 4"
    asked = " ".join(f"--trick '{trick}'" for trick in TRICKS)
    assert variants.run_command(pairs().study, "x") == designed.format("pairs", asked)
    arms = ["all", *(f"without {trick}" for trick in TRICKS), "none"]
    design = "leave-one-out"
    dropped = study(design, ", ".join(TRICKS), arms, design=design, tricks=tuple(TRICKS))
    assert variants.run_command(dropped, "x") == designed.format("leave-one-out", asked)


def test_interactions_are_drawn_with_what_the_runs_do_not_say(tmp_path: Path) -> None:
    (picture,) = interactions.interactions(pairs(), Gallery(tmp_path, ("png", "pdf")), "pairs").values()
    drawn = picture.svg
    assert {path.suffix for path in tmp_path.iterdir() if path.stat().st_size > 1000} == {".svg", ".png", ".pdf"}
    words = {word: len(re.findall(f">{word}<", drawn)) for word in ("less than the sum", "the sum", "not measured")}
    assert words == {"less than the sum": 1, "the sum": 1, "not measured": 1}
    assert ">\N{MINUS SIGN}6.0<" in drawn  # 57 - 67 - 61 + 65
    assert ">\N{MINUS SIGN}4.0<" in drawn  # CutMix alone


def test_other_tables_have_no_heat_map(tmp_path: Path) -> None:
    assert [interactions.interactions(each, Gallery(tmp_path), "x") for each in tables(fill(tmp_path / "store"))] == [
        {},
        {},
    ]


def test_effects_are_drawn_against_training_times_with_the_names_of_those_that_have_an_answer(tmp_path: Path) -> None:
    found = shortlists.candidates(dict(zip("ab", tables(fill(tmp_path / "store")), strict=True)))
    untimed = [replace(each, row=replace(each.row, time_ratio=None)) for each in found]
    assert time_plot.draw(untimed, Gallery(tmp_path)) == {}
    estimated = [replace(each, row=replace(each.row, time_ratio=2.0, time_measured=False)) for each in found]
    ((_, hollow),) = time_plot.draw(estimated, Gallery(tmp_path)).values()
    assert time_plot.HOLLOW.replace("'", "&#x27;") in hollow.svg or time_plot.HOLLOW in hollow.svg
    measured = [replace(each, row=replace(each.row, time_ratio=2.0, time_measured=True)) for each in found]
    ((name, picture),) = time_plot.draw(measured, Gallery(tmp_path)).values()
    assert "hollow" not in picture.svg
    assert name == "time--cifar10-quick"
    assert ">Activation: tanh<" in picture.svg
    assert "leaky" not in picture.svg  # unresolved
    assert "zeros" not in picture.svg  # another baseline


def test_names_of_points_do_not_lie_on_each_other() -> None:
    taken: list[time_plot.Box] = []
    while box := time_plot.free(3.0, 2.0, 1.0, taken):
        assert not any(time_plot.overlap(box, other) for other in taken)
        taken.append(box)
    assert len(taken) >= 4
    assert all(abs((bottom + top) / 2 - 2.0) < 0.5 for _, bottom, _, top in taken)  # beside the point, or not at all
    assert time_plot.free(3.0, 2.0, time_plot.ACROSS + 1, []) is None


def history(folder: Path, *entries: tuple[str, str, float, str]) -> Path:
    """A history of these variants, dates, effects and changes of the ablation `activation`."""
    lines = [
        dict(zip(pasts.HISTORY, (date, date[-2:] * 4, "cifar10", "quick", "activation", "", *rest), strict=True))
        for variant, date, effect, change in entries
        for rest in [(variant, effect, change)]
    ]
    folder.mkdir(exist_ok=True)
    pd.DataFrame(lines).to_csv(folder / "history.csv", index=False)
    return folder / "history.csv"


ENTRIES = [
    ("tanh", "2026-11-01", -4.0, "unchanged"),
    ("leaky", "2026-11-01", 0.0, "unresolved"),
    ("tanh", "2026-11-20", 1.0, "better"),
    ("baseline", "2026-11-01", 65.0, "unchanged"),
    ("baseline", "2026-11-20", 66.0, "better"),
]


def test_effects_with_two_entries_are_drawn_over_time(tmp_path: Path) -> None:
    store = fill(tmp_path / "store")
    noted = pasts.read_history(history(tmp_path / "other", *ENTRIES), store)
    first, second = tables(store)
    (picture,) = pasts.over_time(first, noted, Gallery(tmp_path), "activation").values()
    svg = picture.svg
    assert ">tanh<" in svg
    assert not {">leaky<", ">baseline<"} & set(re.findall(r">[^<]+<", svg))
    assert svg.count(">2026-11-") == 2
    assert pasts.over_time(second, noted, Gallery(tmp_path), "x") == {}
    assert pasts.over_time(first, noted[:2], Gallery(tmp_path), "x") == {}


def test_a_history_beside_the_store_is_taken_by_itself(tmp_path: Path) -> None:
    store = fill(tmp_path / "store")
    assert pasts.read_history(None, store).empty
    history(tmp_path, *ENTRIES)
    assert len(pasts.read_history(None, store)) == len(ENTRIES)
    text = report.write(store, tmp_path / "report").read_text(encoding="utf-8")
    assert "plots/activation-history.svg" in text
    assert (tmp_path / "report" / "plots" / "activation-history.svg").exists()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: None, "cannot read"),
        (lambda path: path.write_text("date,effect\n1,2\n"), "lacks commit, data"),
        (lambda path: path.write_text(""), "no history"),
    ],
)
def test_what_is_no_history_is_refused(make: Callable[[Path], Any], says: str, tmp_path: Path) -> None:
    make(tmp_path / "history.csv")
    with pytest.raises(UsageError, match=says):
        pasts.read_history(tmp_path / "history.csv", Store(tmp_path / "store", 1))


@pytest.mark.parametrize(
    ("verdicts", "ps", "word"),
    [
        (["helps", "hurts", "unresolved"], [(0.5, 0.5)] * 3, "changes sign"),
        (["helps", "equivalent"], [(0.2, 0.3)], "not resolved"),  # one verdict is no proof against another
        (["helps", "equivalent"], [(0.01, 0.3)], "not the same"),
        (["hurts", "hurts"], [(0.001, 0.9)], "not the same"),  # -3.3 and -43.8
        (["hurts", "hurts"], [(0.2, 0.3)], "same verdict"),
        (["hurts", "hurts"], [(0.01, 0.01)], "the same"),
        (["hurts", "hurts"], [], "same verdict"),  # too few runs to test
        (["unresolved", "unresolved"], [(0.5, 0.5)], "not resolved"),
    ],
)
def test_what_several_places_say_together(verdicts: list[str], ps: list[tuple[float, float]], word: str) -> None:
    assert elsewhere.joint_word(verdicts, ps) == word


def test_contexts_with_equal_recipes_are_one_place(tmp_path: Path) -> None:
    store = Store(tmp_path, 1)
    with store.writing():
        for context in ("10,000 images", "all images"):
            recipes = {"control": arm("baseline", "-baseline", changes={}), "arms": (arm("tanh", "-tanh"),)}
            store.save_tables([study("activation", context, ["tanh"], **recipes)])
        for name in ("baseline", "tanh"):
            for seed in range(4):
                store.add(record(f"-{name}", seed, 0.6 + 0.001 * seed))
    assert elsewhere.tricks_elsewhere(tables(store)) == []


def test_the_same_trick_is_shown_side_by_side(tmp_path: Path) -> None:
    """A second table of the same ablation on another data set, in which tanh helps."""
    store = Store(tmp_path, 1)
    with store.writing():
        for data, worth in (("cifar10", -3.0), ("cifar100", 4.0)):
            store.save_tables([study("activation", "", ["tanh"], data=data, fingerprint=data)])
            for name, effect in {"baseline": 0.0, "tanh": worth}.items():
                for seed in range(4):
                    accuracy = 0.6 + (effect + 0.1 * seed) / 100
                    store.add(record(f"-{name}", seed, accuracy, data=data, fingerprint=data))
    (found,) = elsewhere.tricks_elsewhere(tables(store))
    assert (found.name, found.word) == ("activation: tanh", "changes sign")
    assert [(place.name, place.verdict) for place in found.places] == [("cifar10", "hurts"), ("cifar100", "helps")]
    text = (report.write(store, tmp_path / "report").parent / "index.md").read_text()
    assert "**changes sign**" in text
    assert elsewhere.tricks_elsewhere(tables(store)[:1]) == []

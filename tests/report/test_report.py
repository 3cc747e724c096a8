"""The report and the claims, on a small made-up store: nothing is trained here."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from dataclasses import astuple, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import get_args

import pandas as pd
import pytest
from builders import CPU, EFFECTS, SOURCE, Page, failed, fill, record, study

from benchmark import recipe, report
from benchmark.claim import CONTROL, Alike, Better, Claim, Fails, Holds, Measure, More, NotBetter
from benchmark.errors import UsageError
from benchmark.evidence.judgements import CLAIM_MEASURES, Judgement, judgements
from benchmark.evidence.tables import COLUMNS, Table, table, tables
from benchmark.report import style
from benchmark.report.view import parts_of
from benchmark.store.records import EnsembleRecord, Header, Record, RunRecord
from benchmark.store.store import Store


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Path]:
    """A complete store and its report."""
    folder = tmp_path_factory.mktemp("whole")
    store = fill(folder / "store")
    return store, report.write(store, folder / "report").parent


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a store with everything that can be amiss."""

    def trouble(run: RunRecord) -> Record | None:
        match run.recipe, run.seed:
            case "-tanh", 0:
                return None
            case "-tanh", 1:
                return failed("-tanh", 1, "RuntimeError: <boom> (x.py, line 3)")
            case "-leaky", 0:
                return record("-leaky", 0, None)
            case "-baseline", 0:
                return replace(run, environment=CPU | {"device": "a GPU"})
            case "batch norm-normal", _:
                return None
        return run

    folder = tmp_path_factory.mktemp("troubled")
    store = fill(folder / "store", trouble, data="fractal10", data_choice="auto: no other")
    return report.write(store, folder / "report").parent


def read(folder: Path) -> Page:
    return Page((folder / "index.html").read_text(encoding="utf-8"))


def test_effects_are_those_of_the_tables(whole: tuple[Store, Path]) -> None:
    store, folder = whole
    written = pd.read_csv(folder / "effects.csv", keep_default_na=False, na_values={"effect": [""]})
    rows = [row for each in tables(store) for row in each.rows]
    assert list(written.columns) == COLUMNS
    assert list(written["variant"]) == ["tanh", "a|b <i>x_$", "leaky", "zeros", "normal"]
    assert list(written["effect"]) == pytest.approx([row.effect for row in rows], rel=1e-5)
    assert [str(number) for number in written["seeds_needed"]] == [str(row.seeds_needed) for row in rows]


def test_what_is_not_known_is_empty(troubled: Path) -> None:
    last = (troubled / "effects.csv").read_text().splitlines()[-1].split(",")
    assert [name for name, cell in zip(COLUMNS, last, strict=True) if not cell] == [
        "accuracy",
        "effect",
        "ci_low",
        "ci_high",
        "p",
        "p_adjusted",
        "q",
        "superiority",
        "superiority_low",
        "superiority_high",
        "p_rank",
        "caution",
        "seeds_needed",
        "step_ms_ratio",
        "time_ratio",
        "memory_ratio",
        "worth",
        "worth_low",
        "worth_high",
    ]
    assert last[COLUMNS.index("verdict")] == "not run"


def test_a_report_is_the_same_bytes_again(whole: tuple[Store, Path], tmp_path: Path) -> None:
    store, folder = whole
    report.write(Store(store.folder, 1), tmp_path)
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    plotted = [f"plots/{name}" for name in ("activation", "initialisation-batch-norm")]
    kinds = [f"{name}{curves}.svg" for name in plotted for curves in ("", "-curves")]
    kinds += [f"{name.replace('plots', 'tables')}.{kind}" for name in plotted for kind in ("csv", "md", "tex")]
    kinds += ["effects.csv", "index.html", "index.md", "main.tex", "plots/time--cifar10-quick.svg"]
    assert sorted(map(str, files)) == sorted(kinds)
    assert [path for path in files if (folder / path).read_bytes() != (tmp_path / path).read_bytes()] == []


def test_the_page_links_to_sources_and_to_its_own_files(whole: tuple[Store, Path]) -> None:
    found = read(whole[1])
    text = (whole[1] / "index.html").read_text(encoding="utf-8")
    outside = {link for link in found.links if not link.startswith(("#", "?")) and not (whole[1] / link).is_file()}
    assert outside == {SOURCE}
    assert {link for link in found.links if link.endswith((".svg", ".tex", ".csv"))} == {
        str(path.relative_to(whole[1]))
        for path in whole[1].rglob("*")
        if path.suffix in (".svg", ".tex", ".csv") and not path.name.startswith("time--")  # it stands in the page
    }
    assert {link[1:] for link in found.links if link.startswith("#")} <= set(found.ids)
    assert [each for each, count in Counter(found.ids).items() if count > 1] == []
    assert set(re.findall(r"url\((.)", text)) <= {"#"}
    assert not found.tags & {"link", "iframe", "object", "embed"}
    assert "@import" not in text
    assert "a|b <i>x_$" in found.text  # as text: no element i
    assert "i" not in found.tags


def test_both_pages_say_what_was_found(whole: tuple[Store, Path]) -> None:
    for text in (read(whole[1]).text, (whole[1] / "index.md").read_text(encoding="utf-8")):
        for expected in (
            "▼ hurts",
            "▲ helps",
            "unresolved (",
            "baseline = ReLU",
            "30 of 30 done, 0 missing, 0 failed, 0 diverged",
            "auto: found in data",
            "2026-11-23 10:00 and 2026-11-23 11:04 UTC",
            "2 contradicted",
        ):
            assert expected in text
        for absent in ("preliminary", "Mixed environments", "fractal10"):
            assert absent not in text


def test_runs_that_are_too_few_for_any_verdict_are_said(whole: tuple[Store, Path], tmp_path: Path) -> None:
    said = "No row can have a verdict yet: it takes 3 runs of the variant and of the baseline"
    store = fill(tmp_path / "store", lambda run: run if run.seed == 0 else None)
    page = report.write(store, tmp_path / "out")
    for path, expected in ((page, True), (page.parent / "index.md", True), (whole[1] / "index.md", False)):
        assert (said in path.read_text(encoding="utf-8")) is expected


def test_what_is_amiss_is_marked(troubled: Path) -> None:
    for text in (read(troubled).text, (troubled / "index.md").read_text(encoding="utf-8").replace("\\", "")):
        for expected in (
            "6 of 30 runs still missing: every number here is preliminary",
            "24 of 30 done, 6 missing, 1 failed, 1 diverged",
            "activation: tanh, seed 1: RuntimeError: <boom>",
            "2 of 4, 1 failed",
            "No run yet: normal",
            "Mixed environments in this table",
            "These are not results on CIFAR-10",
        ):
            assert expected in text
    drawn = (troubled / "plots" / "activation.svg").read_text(encoding="utf-8")
    assert "synthetic images" in drawn
    assert "preliminary: 2 runs missing" in drawn


def test_one_huge_effect_leaves_the_others_legible(whole: tuple[Store, Path]) -> None:
    small, huge = tables(whole[0])
    assert (style.is_logarithmic(small.rows, 1.0), style.is_logarithmic(huge.rows, 1.0)) == (False, True)
    assert "logarithmic beyond" not in (whole[1] / "plots" / "activation.svg").read_text(encoding="utf-8")
    assert "logarithmic beyond" in (whole[1] / "plots" / "initialisation-batch-norm.svg").read_text(encoding="utf-8")


def test_names_at_the_ends_of_lines_keep_apart() -> None:
    values, rooms = [1.0, 5.0, 5.1, 5.2, 9.9, 10.0], [1.0, 1.0, 2.0, 1.0, 1.0, 1.0]
    places = style.spread_labels(values, rooms, 0.0, 10.0)
    gaps = [after - before for before, after in pairwise(places)]
    assert all(gap >= (a + b) / 2 - 1e-9 for gap, (a, b) in zip(gaps, pairwise(rooms), strict=True))
    assert places[0] == 1.0
    assert places[-1] <= 9.5
    assert style.spread_labels([], [], 0.0, 10.0) == []  # as of a sweep none of whose runs has a course


def test_file_names_tell_tables_apart() -> None:
    plans = [study("a", "", ["x"]), study("a", "No norm!", ["x"]), study("a", "no-norm", ["x"])]
    assert report.file_names(plans) == ["a", "a-no-norm", "a-no-norm--2"]
    plans = [study("a", "", ["x"]), study("a", "", ["x"], budget="small")]
    assert report.file_names(plans) == ["a-cifar10-quick", "a-cifar10-small"]


def test_an_empty_store_is_the_users_to_fill(tmp_path: Path) -> None:
    store = Store(tmp_path / "store", 1)
    with pytest.raises(UsageError, match=r"no tables.*make ablate"):
        report.write(store, tmp_path / "report")
    with store.writing():
        store.save_tables([study("a", "", ["x"])])
    with pytest.raises(UsageError, match=r"no runs.*make ablate"):
        report.write(store, tmp_path / "report")


def test_a_store_of_nothing_but_a_failure(tmp_path: Path) -> None:
    store = Store(tmp_path / "store", 1)
    with store.writing():
        store.save_tables([study("a", "", ["x"])])
        store.add(failed("-x", 0, "boom", environment={}))
    found = read(report.write(store, tmp_path / "report").parent)
    assert "9 of 9 runs still missing" in found.text
    assert "a: x, seed 0: boom" in found.text
    assert "No run yet: A" in found.text


def test_a_folder_that_cannot_be_written_to(whole: tuple[Store, Path], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="--out"):
        report.write(whole[0], tmp_path / "file" / "report")


def test_a_report_imports_neither_torch_nor_ahead() -> None:
    script = (
        "import sys; from benchmark import report; assert 'seaborn' not in sys.modules; "
        "from benchmark.report import view, table_plots; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[2])
    assert CONTROL == recipe.CONTROL


SCORES = {  # accuracies in percent
    "baseline": [65.0, 65.2, 64.8, 65.1, 64.9],
    "good": [70.0, 70.1, 69.9, 70.2],
    "same": [65.1, 64.9, 65.0, 65.1],
    "vague": [66.0, 60.0, 70.0, 64.0],
    "guess": [10.0, 10.0, 10.0, 10.0],
    "guess too": [10.1, 9.9, 10.0, 10.0],
    "absent": [],
}


def made(holds: Holds, context: str = "", somewhere: str | None = None) -> Table:
    """A table of SCORES in a context with one claim, about the context `somewhere`."""
    said = Claim("S1", "So it is.", holds, somewhere)
    planned = study("activation", context, [arm for arm in SCORES if arm != "baseline"], claims=(said,))
    found = {
        ("f", f"{context}-{arm}"): [record(arm, seed, score / 100) for seed, score in enumerate(scores)]
        for arm, scores in SCORES.items()
    }
    return table(planned, found, {})


@pytest.mark.parametrize(
    ("guessing", "learning", "word", "note"),
    [
        (6, 0, "supported", ""),  # 2 * 0.5 ** 6 is 3.1 %
        (4, 0, "unresolved", "2 more seeds"),
        (7, 1, "unresolved", None),  # 2 * 9 * 0.5 ** 8 is 7.0 %
        (9, 1, "supported", ""),  # 2 * 11 * 0.5 ** 10 is 2.1 %
    ],
)
def test_that_an_arm_fails_is_shown_by_its_runs_where_the_others_vary(
    guessing: int, learning: int, word: str, note: str | None
) -> None:
    """By the mean it would take dozens: the other arms vary by ten points."""
    wide = [30.0, 50.0, 40.0, 35.0, 45.0, 30.0, 50.0]
    scores = {"baseline": wide, "wide": wide, "fails": [10.0] * guessing + [40.0] * learning}
    planned = study("activation", "", ["wide", "fails"], claims=(Claim("S1", "So it is.", Fails("fails")),))
    found = {
        ("f", f"-{arm}"): [record(arm, n, each / 100) for n, each in enumerate(runs)] for arm, runs in scores.items()
    }
    (judged,) = judgements(table(planned, found, {}))
    assert judged.word == word
    assert note is None or judged.note == note


@pytest.mark.parametrize(
    ("holds", "word"),
    [
        (Better("good", "baseline"), "supported"),
        (Better("ReLU", "good"), "contradicted"),  # ReLU is the baseline
        (Better("same", "ReLU"), "within the margin"),
        (Better("vague", "baseline"), "unresolved"),
        (Better("good", "guess"), "supported"),
        (Better("absent", "baseline"), "not measured"),
        (Better("unheard of", "baseline"), "not measured"),
        (Alike("same", "baseline"), "supported"),
        (Alike("good", "baseline"), "contradicted"),
        (Alike("guess", "baseline"), "contradicted"),
        (Alike("guess", "guess too"), "contradicted"),
        (Alike("vague", "baseline"), "unresolved"),
        (Fails("guess"), "supported"),
        (Fails("guess too"), "supported"),
        (Fails("good"), "contradicted"),
        (Fails("absent"), "not measured"),
        (NotBetter("same", "ReLU"), "supported"),
        (NotBetter("guess", "ReLU"), "supported"),
        (NotBetter("good", "ReLU"), "contradicted"),
        (NotBetter("vague", "ReLU"), "unresolved"),
    ],
    ids=str,
)
def test_claims(holds: Holds, word: str) -> None:
    (judged,) = judgements(made(holds))
    assert judged.word == word


def test_a_claim_about_another_measure() -> None:
    (judged,) = judgements(made(More("good", "guess", "speed")))
    assert (judged.word, judged.comparison, judged.unit) == ("supported", "good > guess, speed", "points")
    assert judged.effect == pytest.approx((70.05 - 10) / 3)  # of three epochs, the last differs
    (judged,) = judgements(made(More("same", "ReLU", "speed")))
    assert (judged.word, judged.note) == ("unresolved", "")  # never alike: no margin is known
    (judged,) = judgements(made(More("good", "guess", "near-zero weights")))
    assert judged.word == "not measured"  # these records are older than the measure


def ensemble(run: RunRecord, **measured: float) -> EnsembleRecord:
    """An ensemble of a run with itself."""
    return EnsembleRecord(
        **{field.name: getattr(run, field.name) for field in fields(Header)},
        members=(run.key, run.key),
        test_accuracy=0.5,
        test_loss=1.25,
        gain_over_best=0.0,
        train_seconds=6.0,
        train_flops=2e9,
        test_flops=2e6,
        evaluations=2,
        **measured,
    )


def test_every_measure_of_a_claim_is_worked_out() -> None:
    run = replace(
        record("any", 0, 0.5, train_accuracy=0.75, epoch_train_loss=(2.0, 1.0), test_loss=1.5, dead_units=0.25),
        near_zero=0.125,
        largest_norm=3.0,
        first_deviation=0.5,
        parameters=1000,
        band=0.125,
        levels=(2.5, *(1.0,) * 3),
    )
    made_of_runs = ensemble(run, disagreement=0.25, error_correlation=0.5, gain=0.02, calibration_error=0.01)
    worked_out = {
        name: [value for each in (run, made_of_runs) if (value := measure.of(each)) is not None]
        for name, measure in CLAIM_MEASURES.items()
    }
    assert set(worked_out) == set(get_args(Measure))
    assert {name: len(values) for name, values in worked_out.items()} == dict.fromkeys(CLAIM_MEASURES, 1) | {
        "test loss": 2,
        "spread": 2,
    }
    assert {name: values[0] for name, values in worked_out.items()} == pytest.approx(
        {
            "train accuracy": 75,
            "train loss": 1,
            "test loss": 1.5,
            "gap": 25,
            "speed": 100 / 3,
            "epochs to 75 %": 4,  # one more than were trained
            "spread": 50,
            "band": 12.5,
            "early loss": 2.5,
            "dead units": 25,
            "near-zero weights": 12.5,
            "largest norm": 3,
            "first deviation": 0.5,
            "parameters": 1000,
            "disagreement": 25,
            "error correlation": 0.5,
            "gain": 2,
            "calibration error": 1,
        }
    )


def test_what_a_judgement_would_hide_is_said() -> None:
    def only(holds: Holds) -> Judgement:
        return judgements(made(holds))[0]

    assert only(Better("same", "ReLU")).note == "no difference that matters"
    assert only(Alike("guess", "guess too")).note == "alike only in that they guess"
    assert "more seeds" in only(Better("vague", "baseline")).note
    assert astuple(only(Better("good", "baseline")))[2] == "good > baseline"
    assert only(Better("good", "baseline")).effect == pytest.approx(5.05)
    assert only(Fails("guess")).comparison == "guess ≈ guessing"


def test_a_claim_about_a_context_is_judged_there_alone() -> None:
    assert judgements(made(Better("good"), "batch norm", somewhere="no norm")) == []
    assert len(judgements(made(Better("good"), "no norm", somewhere="no norm"))) == 1


def test_statements_stand_in_the_order_of_the_article() -> None:
    names = ["whitening", "S5.10", "4.1", "S5.2", "S1.1", "SAM"]
    ordered = sorted(names, key=lambda name: (not re.match(r"S?\d", name), parts_of(name)))
    assert ordered == ["S1.1", "S5.2", "S5.10", "4.1", "SAM", "whitening"]


def test_every_claim_is_on_trial_at_the_top_of_the_report(whole: tuple[Store, Path]) -> None:
    text = (whole[1] / "index.md").read_text(encoding="utf-8")
    trial = text[text.index("## The statements of the sources, on trial") :]
    trial = trial[: trial.index("\n## ", 5)]
    assert trial.count("**S1**") == text.count("**S1**") / 2


def test_a_table_says_how_often_it_was_looked_at(tmp_path: Path) -> None:
    then = {"baseline": 5} | {arm: 3 for arms in EFFECTS.values() for arm in arms}
    page = report.write(fill(tmp_path / "store", interims=(then, dict.fromkeys(then, 4))), tmp_path / "report")
    assert "Tested 2 times while runs were added" in page.read_text()
    assert "Tested 2 times while runs were added" in page.with_name("index.md").read_text()
    plain = report.write(fill(tmp_path / "plain"), tmp_path / "other")
    assert "while runs were added." not in plain.read_text()


def test_what_readers_of_a_table_have_to_know_stands_above_it(tmp_path: Path) -> None:
    remarks = "The rate was tuned at quick."
    page = report.write(fill(tmp_path / "store", remarks=remarks), tmp_path / "report")
    for text in (page.read_text(), page.with_name("index.md").read_text()):
        about = text[text.rindex("What is it worth?") :]
        assert about.index(remarks) < about.index(SOURCE)


def test_a_report_reads_the_runs_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables and counts are of the same moment, where runs are added meanwhile."""
    store, reads = fill(tmp_path / "store"), []
    records = store._records
    monkeypatch.setattr(store, "_records", lambda: reads.append(1) or records())
    report.write(store, tmp_path / "report")
    assert len(reads) == 1

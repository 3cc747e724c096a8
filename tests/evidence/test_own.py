"""Results that other programs wrote: read, judged as SciPy does, compared with a reference, or refused."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import fmean

import numpy as np
import pandas as pd
import pytest
from builders import Page
from scipy import stats
from typer.testing import CliRunner

import benchmark
from benchmark.commands.app import app
from benchmark.errors import UsageError
from benchmark.evidence.comparison import holm
from benchmark.evidence.own import against, judge_results
from benchmark.evidence.own_files import Asked, results
from benchmark.report.own import write as write_files

SHIFTS = {"baseline": 0.0, "mixup": 1.5, "no cutout": -2.0, "mish": 0.02, "swish": 0.3}
Write = Callable[..., Path]


def scores(worse: str = "", by: float = 0.0) -> dict[str, list[float]]:
    """Returns five runs of five variants, whose spreads are alike."""
    draw = random.Random(3)
    return {
        name: [round(93 + shift - (by if name == worse else 0) + draw.gauss(0, 0.15), 3) for _ in range(5)]
        for name, shift in SHIFTS.items()
    }


def long(found: dict[str, list[float]], header: str = "variant,seed,accuracy", seeds: int = 0) -> str:
    """Returns a table with a row for each run; the seeds of each variant start `seeds` after those of the last."""
    rows = [
        f"{name},{seed + seeds * at},{score!r}"
        for at, (name, runs) in enumerate(found.items())
        for seed, score in enumerate(runs)
    ]
    return "\n".join([header, *rows]) + "\n"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a file."""

    def to(text: str, name: str = "own.csv") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return to


def command(*words: object) -> tuple[int, str]:
    """Returns the exit code and the output of `judge`."""
    result = CliRunner().invoke(app, ["judge", *map(str, words)])
    if isinstance(result.exception, UsageError):
        raise result.exception
    return result.exit_code, result.output


def test_verdicts_are_those_of_welch_and_holm_by_hand(write: Write) -> None:
    """Without shared seeds, and with every variance lifted to the floor that the table gives."""
    found = scores()
    frame = benchmark.judge(write(long(found, seeds=10))).set_index("variant")
    variances = {name: float(np.var(runs, ddof=1)) for name, runs in found.items()}
    median = float(np.median(list(variances.values())))
    floor, freedom = max(median, variances["baseline"]), 4 * (2 - 3 / 5)
    apart, close = {}, {}
    for name in list(SHIFTS)[1:]:
        effect = fmean(found[name]) - fmean(found["baseline"])
        sides = [(floor, freedom) if variances[each] < floor else (variances[each], 4) for each in (name, "baseline")]
        parts = [variance / 5 for variance, _ in sides]
        error = sum(parts) ** 0.5
        degrees = sum(parts) ** 2 / sum(p**2 / f for p, (_, f) in zip(parts, sides, strict=True))
        apart[name] = 2 * stats.t.sf(abs(effect) / error, degrees)
        close[name] = stats.t.sf((0.5 - abs(effect)) / error, degrees)
        assert frame.loc[name, "effect"] == pytest.approx(effect)
    far, near = (dict(zip(ps, holm(list(ps.values())), strict=True)) for ps in (apart, close))
    for name in apart:
        assert frame.loc[name, "p"] == pytest.approx(apart[name])
        assert frame.loc[name, "p_adjusted"] == pytest.approx(far[name])
        side = "helps" if frame.loc[name, "effect"] > 0 else "hurts"
        word = "equivalent" if near[name] < 0.05 else side if far[name] < 0.05 else "unresolved"
        assert frame.loc[name, "verdict"] == word
    assert {"helps", "hurts", "equivalent"} <= set(frame["verdict"])


def test_textbook_welch_agrees_where_no_variance_is_lifted() -> None:
    """Both have the same variance, so that the floor changes nothing."""
    runs = {"baseline": [90.0, 91.0, 92.0], "other": [94.0, 95.0, 96.0]}
    frame = pd.DataFrame([(name, score) for name, each in runs.items() for score in each], columns=["variant", "acc"])
    row = benchmark.judge(frame).iloc[0]
    interval = stats.ttest_ind(runs["other"], runs["baseline"], equal_var=False)
    assert row["p"] == pytest.approx(interval.pvalue)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx(tuple(interval.confidence_interval()))


def test_shared_seeds_narrow_the_interval() -> None:
    seeds = [(seed, 0.3 * seed) for seed in range(6)]
    noise = iter([0.01, -0.02, 0.03, 0.0, -0.01, 0.02] * 3)
    rows = [(name, seed, 90 + shift + next(noise)) for name in "abc" for seed, shift in seeds]
    frame = pd.DataFrame(rows, columns=["variant", "seed", "accuracy"])
    paired = benchmark.judge(frame, "a").iloc[0]
    apart = benchmark.judge(frame.drop(columns="seed"), "a").iloc[0]
    assert paired["ci_high"] - paired["ci_low"] < 0.8 * (apart["ci_high"] - apart["ci_low"])
    assert paired["effect"] == apart["effect"]


def test_lower_is_better_turns_the_verdict_and_not_the_effect() -> None:
    rows = [("baseline", 1.0 + 0.01 * n) for n in range(5)] + [("better", 0.5 + 0.01 * n) for n in range(5)]
    row = benchmark.judge(pd.DataFrame(rows, columns=["method", "val_loss"])).iloc[0]
    assert row["verdict"] == "helps"
    assert row["effect"] == pytest.approx(-0.5)
    assert row["ci_low"] < -0.5 < row["ci_high"] < 0
    assert pd.isna(row["seeds_needed"])


@pytest.mark.parametrize("form", ["tsv", "jsonl", "json", "wide", "wandb", "mlflow", "shares"])
def test_other_forms_give_the_same_verdicts(form: str, write: Write) -> None:
    found = scores()
    rows = [(name, seed, score) for name, runs in found.items() for seed, score in enumerate(runs)]
    expected = benchmark.judge(write(long(found)))
    options: dict[str, object] = {}
    match form:
        case "tsv":
            path = write(long(found).replace(",", "\t"), "own.tsv")
        case "jsonl" | "json":
            objects = [json.dumps({"variant": v, "seed": s, "accuracy": a}) for v, s, a in rows]
            path = write("\n".join(objects) if form == "jsonl" else f"[{','.join(objects)}]", f"own.{form}")
        case "wide":
            lines = [f"{seed}," + ",".join(str(runs[seed]) for runs in found.values()) for seed in range(5)]
            path, options = write("\n".join(["seed," + ",".join(found), *lines])), {"percent": True}
        case "wandb":
            header = '"Name","State","trick","seed","test/acc","loss"'
            lines = [f'"run-{at}","finished","{v}","{s}","{a}","0.1"' for at, (v, s, a) in enumerate(rows)]
            path = write("\n".join([header, *lines]))
            options = {"variant_column": "trick", "score_column": "test/acc"}
        case "mlflow":
            lines = [f"{at},{v},{s},{a}" for at, (v, s, a) in enumerate(rows)]
            path = write("\n".join(["Run ID,params.variant,params.seed,metrics.accuracy", *lines]))
        case _:
            path = write(long({name: [score / 100 for score in runs] for name, runs in found.items()}))
    pd.testing.assert_frame_equal(benchmark.judge(path, **options), expected)


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("experiment,seed,accuracy", "{v},{s},{a}"),
        ("Methode;Seed;accuracy", "{v};{s};{a}"),
        ("variant,random_state,Acc@1 accuracy", "{v},{s},{a}"),
        ("timestamp,variant,seed,accuracy,seconds", "2026-11-25T10:00:00,{v},{s},{a},12.5"),
        (
            "Start Time,Duration,Run ID,Source Type,params.seed,params.variant,metrics.accuracy",
            "2026-11-25 10:00:00,12.3s,ab{s}{v},LOCAL,{s},{v},{a}",
        ),
        ("| variant | seed | accuracy |\n|---|--:|--:|", "| {v} | {s} | {a} |"),
        ("Results of Tuesday\n\nvariant,seed,top-1", "{v},{s},{a}"),
    ],
    ids=range(7),
)
def test_other_names_and_columns_beside_give_the_same_verdicts(header: str, row: str, write: Write) -> None:
    found = scores()
    rows = [row.format(v=v, s=s, a=a) for v, runs in found.items() for s, a in enumerate(runs)]
    again = [header.splitlines()[-1].upper()] if header[0].islower() else []
    path = write("\n".join([header, *rows[:7], *again, *rows[7:], header.count(",") * ","]))
    pd.testing.assert_frame_equal(benchmark.judge(path), benchmark.judge(write(long(found), "plain.csv")))


def test_tables_with_a_column_for_each_run_or_with_times_beside_the_variants(write: Write) -> None:
    found = scores()
    expected = benchmark.judge(write(long(found), "plain.csv"))
    rows = [f"{name},{','.join(map(str, runs))}" for name, runs in found.items()]
    path = write("\n".join(["variant,seed 0,seed 1,seed 2,seed 3,seed 4", *rows]))
    pd.testing.assert_frame_equal(benchmark.judge(path, percent=True), expected)
    rows = [f"{s},17000{s},{','.join(str(runs[s]) for runs in found.values())}" for s in range(5)]
    path = write("\n".join(["seed,timestamp," + ",".join(found), *rows]))
    pd.testing.assert_frame_equal(benchmark.judge(path, percent=True), expected)


def test_groups_are_tables_of_their_own(write: Write) -> None:
    lines = long(scores()).splitlines()
    text = "\n".join([f"{lines[0]},data", *(f"{line},{data}" for data in ("cifar10", "svhn") for line in lines[1:])])
    frame = benchmark.judge(write(text), group=["data"])
    alone = benchmark.judge(write(long(scores()), "alone.csv"))
    assert list(frame["group"]) == ["cifar10"] * 4 + ["svhn"] * 4
    assert list(frame["p_adjusted"]) == pytest.approx([*alone["p_adjusted"], *alone["p_adjusted"]])


def test_a_planted_regression_fails(write: Write) -> None:
    then, now = write(long(scores())), write(long(scores(worse="mixup", by=1.0)), "new.csv")
    assert command(then, "--against", then)[0] == 0
    code, output = command(now, "--against", then, "--json")
    told = json.loads(output)["compared"]
    assert code == 1
    assert told["verdict"] == "worse"
    assert [each["variant"] for each in told["variants"] if each["word"] == "worse"] == ["mixup"]
    assert command(then, "--against", now)[0] == 0


def test_a_planted_rise_of_a_loss_is_worse(write: Write) -> None:
    losses = {"a": [0.5, 0.51, 0.52, 0.5], "b": [0.7, 0.71, 0.7, 0.72]}
    then = results(write(long(losses, "variant,seed,loss")), Asked())
    more = {"a": [0.6 + score for score in losses["a"]], "b": losses["b"]}
    now = results(write(long(more, "variant,seed,loss"), "new.csv"), Asked())
    changes = against(now, then)
    assert [each.word for each in changes] == ["worse", "equal within the margin"]
    assert changes[0].change == pytest.approx(0.6)


def test_too_few_runs_are_told_how_many_more(write: Write) -> None:
    then = results(write("variant,accuracy\na,90\na,91.5\na,89\n"), Asked())
    now = results(write("variant,accuracy\na,90.5\na,91\na,89\n", "new.csv"), Asked())
    (change,) = against(now, then)
    assert change.word == "not enough runs"
    assert (change.more or 0) > 3


def test_equal_runs_tell_nothing_of_chance(write: Write) -> None:
    then = results(write("variant,accuracy\na,90\na,90\na,90\n"), Asked())
    now = results(write("variant,accuracy\na,91\na,91\na,91\n", "new.csv"), Asked())
    assert [each.word for each in against(now, then)] == ["not enough runs"]


def test_files_are_written(write: Write, tmp_path: Path) -> None:
    code, output = command(write(long(scores())), "--store", tmp_path / "out")
    assert code == 0
    assert "no cutout" in output
    names = {path.name for path in (tmp_path / "out").iterdir()}
    pictures = {f"{kind}.{end}" for kind in ("forest", "runs") for end in ("svg", "pdf")}
    assert names == {"index.html", "effects.csv", "table.md", "table.tex", "paragraph.md", *pictures}
    paragraph = (tmp_path / "out" / "paragraph.md").read_text()
    assert "mixup is better than baseline" in paragraph
    frame = pd.read_csv(tmp_path / "out" / "effects.csv")
    assert list(frame["verdict"]) == list(benchmark.judge(write(long(scores())))["verdict"])


def test_the_page_has_what_the_file_has_and_nothing_else(write: Write, tmp_path: Path) -> None:
    lines = long(scores()).splitlines()
    text = "\n".join([f"{lines[0]},data", *(f"{line},{data}" for data in ("cifar10", "svhn") for line in lines[1:])])
    judged = judge_results(results(write(text), Asked(group=("data",))))
    names = write_files(judged, tmp_path / "out")
    page = Page((tmp_path / "out" / "index.html").read_text())
    assert names[0] == "index.html"
    assert len(set(page.ids)) == len(page.ids)
    assert "script" not in page.tags
    assert {link for link in page.links if not link.startswith("#")} == set(names[1:])
    assert all((tmp_path / "out" / name).stat().st_size for name in names)
    for part in ("cifar10", "svhn", "mixup is better than baseline", "equivalent", "Welch's t-test", "Shaded"):
        assert part in page.text
    for unknown in ("curve", "training time", "step time", "PyTorch", "None", "nan"):
        assert unknown not in page.text


def test_hostile_names_are_text_in_page_and_tables(write: Write, tmp_path: Path) -> None:
    """A name that a page would run, a spreadsheet compute or TeX expand."""
    names = ["<script>alert(1)</script>", "=HYPERLINK(0)", "\\input{x}", '"><img src=x onerror=alert(1)>']
    rows = [("variant", "seed", "accuracy")] + [
        (name, str(seed), str(90 + at + 0.1 * seed))
        for at, name in enumerate(["baseline", *names])
        for seed in range(3)
    ]
    pd.DataFrame(rows[1:], columns=rows[0]).to_csv(tmp_path / "own.csv", index=False)
    write_files(judge_results(results(tmp_path / "own.csv", Asked())), tmp_path / "out")
    page = Page((tmp_path / "out" / "index.html").read_text())
    assert not page.tags & {"script", "img"}
    assert all(name in page.text for name in names)
    variants = list(pd.read_csv(tmp_path / "out" / "effects.csv")["variant"])
    assert variants[1] == "'=HYPERLINK(0)"
    assert variants[0] == names[0]
    assert "\\input" not in (tmp_path / "out" / "table.tex").read_text()


@pytest.mark.parametrize("score", ["loss", "accuracy"])
def test_runs_without_spread_and_scores_without_margin_have_a_page(score: str, write: Write, tmp_path: Path) -> None:
    text = f"variant,{score}\nbaseline,0.5\nbaseline,0.5\nbaseline,0.5\nmish,0.5\nmish,0.5\nonce,0.4\n"
    write_files(judge_results(results(write(text), Asked())), tmp_path / "out")
    page = Page((tmp_path / "out" / "index.html").read_text())
    assert ("No margin is known" in page.text) == (score == "loss")


def test_a_parquet_file(write: Write, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
    frame = pd.read_csv(write(long(scores())))
    frame.to_parquet(tmp_path / "own.parquet")
    pd.testing.assert_frame_equal(benchmark.judge(tmp_path / "own.parquet"), benchmark.judge(write(long(scores()))))
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(UsageError, match="is no Parquet file"):
        benchmark.judge(tmp_path / "bad.parquet")


def test_parquet_without_its_reader_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own.parquet").write_bytes(b"PAR1")
    for name in ("pyarrow", "fastparquet"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UsageError, match=r"pip install 'tricks-on-trial\[parquet\]'"):
        benchmark.judge(tmp_path / "own.parquet")


BAD: Sequence[tuple[str, dict[str, object], str]] = [
    ("", {}, "is empty"),
    ("variant,seed,accuracy\n", {}, "is empty"),
    (long(scores()), {"score": "acuracy"}, "did you mean accuracy"),
    ("what,where,accuracy\na,x,90\nb,x,91\n", {}, "--variant-column"),
    ("variant,goodness,merit\nbaseline,90,1\nmish,91,2\n", {}, "--score-column"),
    (long(scores()) + "mish,mean,93.1\n", {}, "line 27: 'mish' has the seed 'mean'"),
    (long(scores()).replace("baseline", "plain"), {}, "--control"),
    (long(scores()) + "mish,0,93.1\n", {}, "'mish' has seed 0 twice"),
    (long(scores()) + "mish,9,good\n", {}, "line 27, column accuracy: 'good' is no finite number"),
    (long(scores()) + "mish,9,nan\n", {}, "is no finite number"),
    ("variant,loss\nbaseline,1e308\nmish,-1.1e308\n", {}, "is too large"),
    ("variant,accuracy\nbaseline,90\nmish,91\n", {}, "single run"),
    ("variant,accuracy\nbaseline,90\nbaseline,0.91\nmish,91\n", {}, "shares and percentages"),
    ("variant,accuracy\nbaseline,90\nbaseline,91\n", {}, "no variant besides the control"),
    ("variant,val_accuracy,val_loss\nbaseline,90,1\n", {}, "choose one"),
    (long(scores()), {"group": ("data",)}, "--group"),
]


@pytest.mark.parametrize(("text", "asked", "sentence"), BAD, ids=[sentence for *_, sentence in BAD])
def test_bad_input_is_one_sentence(text: str, asked: dict[str, object], sentence: str, write: Write) -> None:
    with pytest.raises(UsageError) as reason:
        judge_results(results(write(text), Asked(**asked)))  # type: ignore[arg-type]  # what a user may say
    assert sentence in str(reason.value)
    assert "\n" not in str(reason.value)


def test_an_unknown_control_is_named_with_its_neighbours(write: Write) -> None:
    with pytest.raises(UsageError, match="did you mean baseline"):
        benchmark.judge(write(long(scores())), "baselin")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('[{"variant": "\\ud800", "accuracy": 1}]', "has '\\ud800', which is half of a character"),
        ('{"\\udfff": 1}', "has '\\udfff', which is half of a character"),
        ("[" * 100_000, "is no JSON: maximum recursion depth"),
    ],
    ids=["half in a value", "half in a name", "deep"],
)
def test_json_that_is_no_table_is_told(content: str, said: str, tmp_path: Path) -> None:
    (file := tmp_path / "own.jsonl").write_text(content)
    with pytest.raises(UsageError) as reason:
        results(file, Asked())
    assert said in str(reason.value)


def test_objects_within_objects_are_read_or_told(tmp_path: Path) -> None:
    """However deep, the recursion ends in the parser, in pandas or not at all."""
    for depth in (900, 940, 960, 970, 980, 990, 1000):
        (file := tmp_path / "own.jsonl").write_text('{"score":' * depth + "1" + "}" * depth)
        with suppress(UsageError):
            results(file, Asked())

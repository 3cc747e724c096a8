"""What `run` shows while it trains, on made-up runs: nothing is trained here."""

from __future__ import annotations

import io
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders import CPU, arm, changed, failed, record, study, took
from conftest import TINY
from rich.console import Console

from benchmark.commands import live
from benchmark.commands import run as run_command
from benchmark.commands.console import Ascii, console, is_plain, letters
from benchmark.commands.live import Clock, Rewriter, Watch, time_left
from benchmark.commands.results import groups, result, result_line, summary_table, time_ratio
from benchmark.engine.machine import hardware
from benchmark.evidence.tables import tables
from benchmark.planning.discovery import Ablation, unadapted
from benchmark.planning.grid import Grid
from benchmark.planning.identity import Run, describe
from benchmark.planning.requests import Request
from benchmark.planning.studies import Study
from benchmark.planning.times import TimedRun
from benchmark.store.records import RunRecord
from benchmark.store.store import Store

TIMES = "\N{MULTIPLICATION SIGN}"
WORTH = {"baseline": 0.0, "flip": 5.0, "tanh": -5.0}
RECIPES = {name: replace(TINY, learning_rate=rate) for name, rate in zip(WORTH, (0.1, 0.2, 0.3), strict=True)}


def run(name: str, seed: int) -> RunRecord:
    accuracy = (65 + WORTH[name] + 0.1 * (seed % 3)) / 100
    return record(describe(RECIPES[name]), seed, accuracy, train_seconds=6.0 if name == "flip" else 3.0)


def grid() -> Grid:
    ablation = Ablation("tricks", "What?", ("https://example.org",), {"": unadapted}, lambda _, __: {}, ())
    arms = {name: recipe for name, recipe in RECIPES.items() if name != "baseline"}
    record_of = study(
        "tricks",
        "",
        [""],
        control=arm("baseline", describe(RECIPES["baseline"]), seeds=4, changes={}),
        claims=(),
    )
    planned = replace(record_of, arms=tuple(arm(name, describe(each), seeds=3) for name, each in arms.items()))
    table = Study(ablation, "", RECIPES["baseline"], dict(arms), ())
    return Grid([table], [], [], [planned], {}, [])


class Report(Rewriter):
    def __init__(self) -> None:
        self.asked = 0

    def rewrite(self) -> None:
        self.asked += 1

    def end(self) -> None:
        pass


@pytest.fixture
def watched(tmp_path: Path) -> Any:
    store = Store(tmp_path, 1)
    with store.writing():
        store.save_tables(grid().studies)
    screen, report = io.StringIO(), Report()
    shown = Console(file=screen, width=100, color_system=None)
    return Watch(grid(), store, Clock(2), shown, lambda: [], report), screen, report, store


def test_a_row_is_shown_as_soon_as_it_has_its_runs(watched: Any) -> None:
    watch, screen, report, _ = watched
    runs = [Run(RECIPES[name], seed, "f") for name in WORTH for seed in range(4)]
    with watch:
        watch.expect(runs)
        for seed in range(4):
            watch.begin(runs[seed])
            watch.end(run("baseline", seed))
        for seed in range(2):
            watch.end(run("flip", seed))
        watch.end_round()
        assert screen.getvalue() == ""
        watch.end(run("flip", 2))
        (head, shown) = screen.getvalue().splitlines()
        assert head.split() == ["verdict", "effect,", "points", "accuracy", "training", "trick"]
        assert shown.split() == [
            "▲",
            "helps",
            "+5.0",
            "[+4.8,",
            "+5.2]",
            "70.1",
            "%",
            f"{TIMES}2.00",
            "tricks:",
            "flip",
        ]
        watch.end_round()
        assert report.asked == 1
        for seed in range(3):
            watch.end(run("tanh", seed))
    assert screen.getvalue().splitlines()[2].startswith("▼ hurts")
    watch.table("results")
    text = screen.getvalue()
    assert "results: 1 help, 1 are not worth it, 0 are open" in text
    assert text.rindex("tricks: flip") < text.rindex("tricks: tanh")


def test_contexts_with_equal_recipes_are_shown_once(tmp_path: Path) -> None:
    plain = grid()
    contexts = ("10,000", "all")
    both = replace(
        plain,
        tables=[replace(plain.tables[0], context=each) for each in contexts],
        studies=[replace(plain.studies[0], context=each) for each in contexts],
    )
    store, screen = Store(tmp_path, 1), io.StringIO()
    watch = Watch(both, store, Clock(2), Console(file=screen, width=100), lambda: [], Report())
    with watch:
        for name in ("baseline", "flip", "tanh"):
            for seed in range(4):
                watch.end(run(name, seed))
    names = ["tricks (10,000 = all): flip", "tricks (10,000 = all): tanh"]
    assert [line.partition("tricks")[1:] for line in screen.getvalue().splitlines()[1:]] == [
        ("tricks", name.removeprefix("tricks")) for name in names
    ]
    assert [each.name for each in watch.results_now()] == names


def test_what_was_stored_before_is_not_shown_again(tmp_path: Path) -> None:
    store = Store(tmp_path, 1)
    with store.writing():
        store.save_tables(grid().studies)
        for name in ("baseline", "flip"):
            for seed in range(4):
                store.add(run(name, seed))
    screen = io.StringIO()
    watch = Watch(grid(), store, Clock(2), Console(file=screen, width=100), lambda: [], Report())
    with watch:
        watch.end(run("tanh", 0))
    assert screen.getvalue() == ""
    assert {each.name for each in watch.complete(watch.grid.studies)} == {"tricks: flip"}


def test_the_bar_says_what_trains_and_how_long_it_takes(watched: Any) -> None:
    watch, _, _, _ = watched
    runs = [Run(RECIPES["baseline"], 0, "f"), Run(RECIPES["flip"], 0, "f"), Run(RECIPES["tanh"], 0, "f")]
    watch.expect(runs)
    watch.begin(runs[0])
    watch.begin(runs[1])
    (task,) = watch.bar.tasks
    assert task.description == "training the baseline, tricks: flip"
    assert (task.completed, task.total) == (0, 3)
    assert task.fields["left"] == "time left: not known yet"


def test_the_time_left_is_that_of_the_runs_that_were_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    runs = [took("x", seed, 5.0) for seed in range(2)]
    a, b = (each.key for each in runs)
    clock = Clock(2, [], {a: ("x", 200), b: ("x", 200), "c": ("y", 400)})
    assert clock.seconds() is None
    clock.runs += [TimedRun("x", seconds, 200, 1e12) for seconds in (4.0, 5.0, 6.0)]  # 5 s: 0.025 s an image
    assert clock.seconds() == pytest.approx((5 + 5 + 10) / 2)
    clock.running["c"] = 92.0
    assert clock.seconds() == pytest.approx((5 + 5 + 2) / 2)
    clock.running["c"] = 100.0
    clock.end(runs[1])
    clock.end(failed("x", 0, "no memory"))
    assert clock.seconds() == 10  # by what was seen of another recipe; the longest has the last word
    assert [run.seconds for run in clock.runs] == [4.0, 5.0, 6.0, 5.0]
    assert Clock(2).seconds() == 0


def test_the_time_left_does_not_follow_one_run_that_took_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    runs = [took(recipe, seed, 1300.0 if (recipe, seed) == ("y", 0) else 50.0) for recipe in "xyz" for seed in (0, 1)]
    clock = Clock(1, left={each.key: (each.recipe, 200) for each in runs})
    for each in (runs[0], runs[4], runs[2]):
        clock.end(each)
    assert clock.seconds() == pytest.approx(150)


def test_the_clock_of_a_run_knows_the_stored_runs_of_its_hardware(tmp_path: Path) -> None:
    asked = Request("cifar10", "", tmp_path, "quick", ("cpu",), tmp_path, 3)
    (here,) = hardware(asked.devices)
    store = Store(tmp_path, 1)
    with store.writing():
        store.add(took("x", 0, 1.0, environment=CPU | {"device": "NVIDIA H200", "cpu": here}))
        store.add(took("x", 1, 1.0, environment=CPU | {"cpu": "another CPU"}))
        assert run_command.clock(asked, store).runs == []
        store.add(took("x", 2, 45.0, environment=CPU | {"cpu": here}))
    assert [run.seconds for run in run_command.clock(asked, store).runs] == [45.0]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(2, "about 5 s left"), (52, "about 50 s left"), (600, "about 10 min left"), (9000, "about 2.5 h left")],
)
def test_time_is_told_no_more_exactly_than_it_is_known(seconds: float, text: str) -> None:
    assert time_left(seconds) == text


def test_the_table_has_three_groups_and_leaves_out_what_has_no_run(tmp_path: Path) -> None:
    store = Store(tmp_path, 1)
    with store.writing():
        store.save_tables(grid().studies)
        for seed in range(4):
            store.add(run("baseline", seed))
            store.add(run("flip", seed))
    (table,) = tables(store)
    found = [result(table, row) for row in table.rows]
    assert {group: [each.row.variant for each in rows] for group, rows in groups(found).items()} == {
        "helps": ["flip"],
        "not worth it": [],
        "open": [],
    }
    screen = io.StringIO()
    Console(file=screen, width=100).print(summary_table(found, "results"))
    assert "tricks: tanh" not in screen.getvalue()
    assert time_ratio([], table.control) is None


def test_there_is_colour_on_a_terminal_and_none_where_it_is_not_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path, 1)
    with store.writing():
        store.save_tables(grid().studies)
        for seed in range(4):
            store.add(run("baseline", seed))
            store.add(run("flip", seed))
    (table,) = tables(store)
    text = result_line(result(table, table.rows[0]))
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    coloured, plain = io.StringIO(), io.StringIO()
    Console(file=coloured, force_terminal=True).print(text)
    monkeypatch.setenv("NO_COLOR", "1")
    Console(file=plain, force_terminal=True).print(text)
    assert "\x1b[32m" in coloured.getvalue()
    assert "\x1b[32m" not in plain.getvalue()


@pytest.mark.parametrize(
    ("locale", "plain"), [("C", True), ("POSIX", True), ("C.UTF-8", False), ("de_DE.UTF-8", False)]
)
def test_the_c_locale_gets_ascii(locale: str, plain: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", locale)
    assert is_plain() is plain
    assert isinstance(console(), Ascii) is plain
    shown = letters(f"▲ helps {TIMES}1.10 …")
    assert shown.isascii() is plain
    assert shown == ("+ helps x1.10 ..." if plain else f"▲ helps {TIMES}1.10 …")


@pytest.mark.parametrize(
    ("takes", "times", "expected"),
    [
        (1, (0, 100, 239, 241, 300, 482), [0, 241, 482]),  # every four minutes
        (60, (0, 50, 61, 300, 900, 1010, 1100), [0, 1010]),  # seen at work for 50 s, a twentieth of 1,000
        (900, (0, 300, 600, 1200), [0]),
    ],
)
def test_reports_take_a_twentieth_of_the_time_at_a_low_priority(
    takes: float, times: tuple[float, ...], expected: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[float] = []
    priorities: list[tuple[int, int, int]] = []
    now = [0.0]

    class Process:
        pid = 4711

        def __init__(self, words: list[str], **_: object) -> None:
            assert words[2:4] == ["benchmark", "report"]
            begun.append(now[0])
            self.ends = now[0] + takes
            self.killed = False

        def poll(self) -> int | None:
            return 0 if now[0] >= self.ends else None

        def kill(self) -> None:
            self.killed = True

        def wait(self) -> int:
            return 0

    monkeypatch.setattr(live.subprocess, "Popen", Process)
    monkeypatch.setattr(live.os, "setpriority", lambda *which: priorities.append(which))
    monkeypatch.setattr(live.time, "monotonic", lambda: now[0])
    rewriter = Rewriter(tmp_path, tmp_path / "report")
    for now[0] in times:
        rewriter.rewrite()
    assert begun == expected
    assert priorities == [(os.PRIO_PROCESS, 4711, live.LOW)] * len(begun)
    rewriter.end()
    assert rewriter.process is not None
    assert rewriter.process.killed


def test_too_few_runs_for_any_verdict_are_said_under_the_table(watched: Any) -> None:
    watch, screen, _, _ = watched
    with watch:
        for name in WORTH:
            watch.end(run(name, 0))
        watch.table("results")
        assert "no row can have a verdict yet: it takes 3 runs" in screen.getvalue()
        for name in WORTH:
            for seed in range(1, 4):
                watch.end(run(name, seed))
        watch.table("results")
    assert screen.getvalue().count("no row can have") == 1


def test_other_runs_than_planned_do_no_harm(watched: Any) -> None:
    watch, screen, _, _ = watched
    with watch:
        watch.end(changed(run("flip", 0), recipe="of another grid"))
    assert screen.getvalue() == ""

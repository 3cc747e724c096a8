"""How long a run takes by those that are stored: of the same hardware, and robustly."""

from __future__ import annotations

from pathlib import Path

from builders import ABOUT, CPU, changed, failed, took

from benchmark.planning.times import OUT_OF_LINE, TimedRun, timed, timed_runs, usual_seconds
from benchmark.store.records import Record
from benchmark.store.store import Store


def run(recipe: str, seconds: float, operations: float = 1e12) -> TimedRun:
    return TimedRun(recipe, seconds, 200, operations)


def test_a_recipe_takes_the_median_of_its_runs_and_of_two_the_shorter() -> None:
    runs = [run("r", 4), run("r", 1309), run("r", 6), run("s", 900), run("s", 5), run("t", 7)]
    assert usual_seconds(runs) == {"r": 6, "s": 5, "t": 7}
    assert usual_seconds([]) == {}


def test_a_single_run_counts_unless_it_is_out_of_line_with_its_operations() -> None:
    others = [run("a", 10), run("b", 20), run("c", 30)]  # the one in the middle: 20 s for 10^12 operations
    assert usual_seconds([*others, run("d", 19.9 * OUT_OF_LINE)])["d"] == 19.9 * OUT_OF_LINE
    assert usual_seconds([*others, run("d", 20.1 * OUT_OF_LINE)])["d"] == 20
    assert usual_seconds([*others, run("d", 2000, operations=1.5e13)])["d"] == 2000
    assert usual_seconds([*others, run("d", 2000, operations=2e12)])["d"] == 40
    assert usual_seconds([*others, run("d", 2000, operations=0)])["d"] == 2000  # nothing to compare it by
    assert usual_seconds([*others, run("d", 2000), run("d", 2100)])["d"] == 2000
    assert usual_seconds([run("a", 50), run("d", 1309)]) == {"a": 50, "d": 50}
    assert usual_seconds([run("d", 1309)]) == {"d": 1309}


def test_a_run_counts_where_it_ended_well_and_its_time_is_known() -> None:
    good = took("r", 0, 4.0)
    assert timed(good) == TimedRun("r", 4.0, images=200, operations=2e6)
    assert timed(changed(good, facts=None)) == TimedRun("r", 4.0, images=0, operations=0)
    others: list[Record] = [
        changed(good, finished=good.started, train_seconds=0.0),
        changed(good, status="diverged", test_accuracy=None),
        failed("r", 0, "no memory"),
    ]
    assert [timed(each) for each in others] == [None] * 3


def test_only_runs_of_the_same_hardware_data_and_budget_are_taken(tmp_path: Path) -> None:
    gpu = CPU | {"device": "NVIDIA H200"}
    runs = [
        took("r", 0, 1.0, environment=gpu),
        took("r", 1, 2.0),
        took("r", 2, 3.0, environment=CPU | {"cpu": "another CPU"}),
        took("r", 3, 4.0, budget="small"),
        took("r", 4, 5.0, data="cifar100"),
        took("r", 5, 6.0, environment={}),
    ]
    store = Store(tmp_path, 1)
    with store.writing():
        for each in runs:
            store.add(each if each.data == "cifar100" else changed(each, data=ABOUT.data))

    def seconds(*hardware: str) -> list[float]:
        return [run.seconds for run in timed_runs(store, ABOUT, hardware)]

    assert seconds("NVIDIA H200") == [1.0]
    assert seconds("a CPU") == [2.0]
    assert seconds("a CPU", "another CPU") == [2.0, 3.0]
    assert seconds("NVIDIA H100") == []

"""Effects against a reference, on made-up stores: nothing is trained here."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from builders import arm, changed, record, study

from benchmark.commands.app import main
from benchmark.errors import UsageError
from benchmark.evidence.acceptance import accept, note
from benchmark.evidence.matching import matched
from benchmark.evidence.regression import Regression, compare_stores
from benchmark.evidence.regression_text import escaped, regression_markdown
from benchmark.evidence.tables import tables
from benchmark.store.records import CostRecord, RunRecord
from benchmark.store.store import Store

TRICKS = {"flip": 3.0, "dropout": -1.0, "tanh": -5.0, "EMA": 0.0}
ENVIRONMENT: dict[str, str | int] = {"torch": "2.14.1", "device": "cpu", "cpu": "A"}


def made(
    folder: Path,
    seed: int,
    effects: dict[str, float] | None = None,
    runs: int = 5,
    baseline: float = 65.0,
    spread: float = 0.5,
    same: tuple[str, ...] = (),
    costs: dict[str, tuple[float, float, float]] | None = None,
) -> Store:
    """A store of one table, in which each trick has `runs` runs and is worth what `effects` says, in points."""
    draw = np.random.default_rng(seed)
    effects = TRICKS if effects is None else effects
    arms = {name: effect for name, effect in effects.items() if name not in same}
    trained = [
        record(f"-{name}", run, (baseline + effect + draw.normal(0, spread)) / 100, environment=ENVIRONMENT)
        for name, effect in {"baseline": 0.0, **arms}.items()
        for run in range(2 * runs if name == "baseline" else runs)
    ]
    control = arm("baseline", "-baseline", changes={}, seeds=2 * runs)
    planned = replace(
        study("tricks", "", [""], control=control, same=same, claims=()),
        arms=tuple(arm(name, f"-{name}", seeds=runs) for name in arms),
    )
    measured = [cost(name, *times) for name, times in (costs or {}).items()]
    store = Store(folder, 1)
    with store.writing():
        store.replace(trained, [planned], measured)
    return store


def cost(name: str, ratio: float, low: float, high: float) -> CostRecord:
    return CostRecord(
        recipe=f"-{name}",
        control="-baseline",
        ratio=ratio,
        low=low,
        high=high,
        step_ms=10.0 * ratio,
        control_step_ms=10.0,
        environment=ENVIRONMENT,
    )


def resolved(found: Regression) -> list[tuple[str, str]]:
    return [(change.variant, change.word) for change in found.resolved]


def test_a_store_against_itself_has_not_changed(tmp_path: Path) -> None:
    store = made(tmp_path / "a", 0)
    found = compare_stores(store, store)
    assert resolved(found) == []
    assert [change.variant for change in found.changes] == ["baseline", *TRICKS]
    assert all(change.before == change.after for change in found.changes)


def test_the_same_numbers_again_are_no_change_however_few_the_runs(tmp_path: Path) -> None:
    before, after = (made(tmp_path / name, 0, runs=2, spread=3.0) for name in "ab")
    runs = list(before.records)
    found = compare_stores(before, after)
    assert {change.word for change in found.changes} == {"unchanged"}
    assert found.again == (len(runs), len(runs))
    assert f"{len(runs)} of the {len(runs)} runs that both sides have reproduced exactly." in regression_markdown(
        found
    )
    flip = next(run for run in after.finished if (run.recipe, run.seed) == ("-flip", 0))
    assert isinstance(flip, RunRecord)
    with after.writing():
        after.add(replace(flip, test_accuracy=(flip.test_accuracy or 0.0) + 0.0001))
    found = compare_stores(before, Store(after.folder, 1))
    assert found.again == (len(runs) - 1, len(runs))
    assert [change.variant for change in found.changes if change.word != "unchanged"] == ["flip"]


def test_other_seeds_of_the_same_code_have_not_changed(tmp_path: Path) -> None:
    """At most one false alarm in 20, at a family-wise level of 5 %."""
    reference = made(tmp_path / "reference", 1000)
    alarms = [bool(compare_stores(reference, made(tmp_path / str(seed), seed)).resolved) for seed in range(20)]
    assert sum(alarms) <= 1


def test_a_trick_broken_in_silence_is_named(tmp_path: Path) -> None:
    reference = made(tmp_path / "reference", 0)
    broken = made(tmp_path / "broken", 1, TRICKS | {"tanh": 0.0})
    assert resolved(compare_stores(reference, broken)) == [("tanh", "better")]
    lost = made(tmp_path / "lost", 2, TRICKS | {"flip": 0.0})
    assert resolved(compare_stores(reference, lost)) == [("flip", "worse")]


def test_a_trick_that_became_the_baseline_is_worth_nothing_now(tmp_path: Path) -> None:
    reference = made(tmp_path / "reference", 0)
    found = compare_stores(reference, made(tmp_path / "now", 1, same=("flip",)))
    assert resolved(found) == [("flip", "worse")]
    assert next(change.after for change in found.changes if change.variant == "flip") == 0


def test_a_baseline_that_moved_with_all_its_variants_is_one_change(tmp_path: Path) -> None:
    found = compare_stores(made(tmp_path / "reference", 0), made(tmp_path / "now", 1, baseline=60.0))
    assert resolved(found) == [("baseline", "worse")]


def test_surely_unchanged_and_unknown_are_told_apart(tmp_path: Path) -> None:
    sharp = compare_stores(made(tmp_path / "a", 0, spread=0.1), made(tmp_path / "b", 1, spread=0.1))
    assert {change.word for change in sharp.changes} == {"unchanged"}
    blunt = compare_stores(made(tmp_path / "c", 0, spread=3.0), made(tmp_path / "d", 1, spread=3.0))
    assert {change.word for change in blunt.changes} == {"unresolved"}


def test_the_change_of_an_effect_by_hand(tmp_path: Path) -> None:
    before, after = made(tmp_path / "a", 0), made(tmp_path / "b", 1)
    change = next(change for change in compare_stores(before, after).changes if change.variant == "flip")

    def mean(store: Store, name: str) -> float:
        return 100 * float(np.mean([run.test_accuracy for run in store.finished if run.recipe == f"-{name}"]))

    effects = [mean(store, "flip") - mean(store, "baseline") for store in (before, after)]
    assert [change.before, change.after] == pytest.approx(effects)
    assert change.low is not None
    assert change.high is not None
    assert (change.low + change.high) / 2 == pytest.approx(effects[1] - effects[0])


def test_what_has_no_runs_is_listed_and_not_judged(tmp_path: Path) -> None:
    some = {name: worth for name, worth in TRICKS.items() if name != "EMA"}
    found = compare_stores(made(tmp_path / "a", 0), made(tmp_path / "b", 1, some))
    assert found.matching.lacking == []  # nobody asked for it
    assert found.matching.others == 1
    assert "1 further rows of the reference were not asked for." in regression_markdown(found)
    asked = compare_stores(made(tmp_path / "c", 0), Store(tmp_path / "b", 1), only="tricks: EMA, tricks: flip")
    assert asked.matching.untrained == ["tricks: EMA"]
    assert {change.variant for change in asked.changes} == {"baseline", "flip"}
    head, _, first = regression_markdown(asked).split("\n")[:3]
    assert head.startswith("### Effects")
    assert first == "**Not compared, as not trained.** The store has no runs of"
    with pytest.raises(UsageError, match="unknown variant 'EMMA' of tricks; did you mean EMA"):
        compare_stores(Store(tmp_path / "a", 1), Store(tmp_path / "b", 1), only="tricks: EMMA")


def test_rows_are_matched_by_recipe_first_and_by_name_second(tmp_path: Path) -> None:
    reference = made(tmp_path / "a", 0)
    renamed = made(tmp_path / "b", 1)
    (table,) = renamed.tables()
    arms = tuple(replace(each, variant="mirror") if each.variant == "flip" else each for each in table.arms)
    recoded = tuple(replace(each, recipe="new EMA") if each.variant == "EMA" else each for each in arms)
    runs = [changed(run, recipe="new EMA") if run.recipe == "-EMA" else run for run in renamed.records.values()]
    with renamed.writing():
        renamed.replace(runs, [replace(table, arms=recoded)], [])
    found = compare_stores(reference, renamed)
    assert [(pair.variant, pair.now) for pair in found.matching.pairs if pair.variant != pair.now] == [
        ("flip", "mirror")
    ]
    assert [pair.variant for pair in found.matching.pairs if pair.recoded] == ["EMA"]
    assert found.matching.lacking == []
    assert "Compared by name, since their code changed:\n\n- tricks: EMA\n" in regression_markdown(found)


def test_renamed_and_untrained_are_told_apart(tmp_path: Path) -> None:
    reference, store = made(tmp_path / "a", 0), made(tmp_path / "b", 1)
    (table,) = store.tables()
    arms = [replace(each, variant="mirror", recipe="m") if each.variant == "flip" else each for each in table.arms]
    runs = [changed(run, recipe="m") if run.recipe == "-flip" else run for run in store.records.values()]
    with store.writing():
        store.replace([run for run in runs if run.recipe != "-tanh"], [replace(table, arms=tuple(arms))], [])
    found = matched(tables(reference), tables(store))
    assert (found.untrained, found.unknown, found.gone) == (["tricks: tanh"], ["tricks: mirror"], ["tricks: flip"])
    assert found.others == 0


def test_runs_that_gave_other_numbers_are_named_with_the_commits_of_both_sides(tmp_path: Path) -> None:
    before, after = made(tmp_path / "a", 0), made(tmp_path / "b", 0)
    runs = list(after.records.values())
    flip = next(run for run in runs if (run.recipe, run.seed) == ("-flip", 1))
    assert isinstance(flip, RunRecord)
    other = replace(flip, test_accuracy=0.5, environment=ENVIRONMENT | {"git_commit": "0123456789abcdef"})
    with after.writing():
        after.replace([other if run is flip else run for run in runs], after.tables(), [])
    found = compare_stores(before, after)
    then = 100 * (flip.test_accuracy or 0.0)
    assert found.differing == [f"tricks: flip, seed 1: {then:.2f} % then, 50.00 % now"]
    assert found.commits == ([], ["012345678"])
    assert "now: torch 2.14.1 on A by commit 012345678" in regression_markdown(found)
    assert "These gave other numbers:\n\n- tricks: flip, seed 1:" in regression_markdown(found)


def test_names_are_shown_as_they_are_in_markdown() -> None:
    assert escaped("a|b <i>x_$ [1] `c`") == r"a\|b \<i\>x\_$ \[1\] \`c\`"


def test_the_same_numbers_again_are_no_change_only_where_there_are_no_other_runs(tmp_path: Path) -> None:
    """Five old runs kept and more that are ten points lower: the new ones count."""
    reference = made(tmp_path / "a", 0)
    assert {change.word for change in compare_stores(reference, made(tmp_path / "b", 0)).changes} == {"unchanged"}
    store = made(tmp_path / "c", 0)
    old = [run for run in store.finished if isinstance(run, RunRecord) and run.recipe == "-flip"]
    with store.writing():
        for number, run in enumerate(old * 3):
            lower = (run.test_accuracy or 0.0) - 0.1 + number / 1000
            store.add(changed(run, seed=50 + number, test_accuracy=lower))
    found = compare_stores(reference, Store(store.folder, 1))
    assert resolved(found) == [("flip", "worse")]


def test_some_of_the_references_runs_with_the_same_numbers_are_repeated(tmp_path: Path) -> None:
    reference, few = made(tmp_path / "a", 0, runs=12, spread=3.0), made(tmp_path / "b", 0, runs=2, spread=3.0)
    first = [run for run in reference.finished if run.seed < 2]
    with few.writing():
        few.replace(first, few.tables(), [])
    found = compare_stores(reference, few)
    assert {change.word for change in found.changes} == {"repeated"}
    assert f"0 changed, 0 unchanged, {len(found.changes)} repeated, 0 unresolved" in regression_markdown(found)
    flip = next(run for run in few.finished if (run.recipe, run.seed) == ("-flip", 0))
    assert isinstance(flip, RunRecord)
    with few.writing():
        few.add(replace(flip, test_accuracy=(flip.test_accuracy or 0.0) + 0.0001))
    words = {change.variant: change.word for change in compare_stores(reference, Store(few.folder, 1)).changes}
    assert words.pop("flip") == "unresolved"
    assert set(words.values()) == {"repeated"}


def test_single_runs_compare_to_nothing_sure(tmp_path: Path) -> None:
    found = compare_stores(made(tmp_path / "a", 0, runs=1), made(tmp_path / "b", 1, runs=1))
    by_name = {change.variant: change for change in found.changes}
    assert (by_name["flip"].p, by_name["flip"].word) == (None, "unresolved")
    assert by_name["baseline"].p is None  # two runs are no more than none


def test_costs_are_compared_by_their_ranges(tmp_path: Path) -> None:
    before = made(tmp_path / "a", 0, costs={"flip": (1.0, 0.9, 1.1), "EMA": (1.2, 1.1, 1.3), "tanh": (2.0, 1.9, 2.1)})
    after = made(tmp_path / "b", 0, costs={"flip": (1.5, 1.4, 1.6), "EMA": (1.28, 1.2, 1.4), "tanh": (2.0, 1.9, 2.1)})
    assert [(c.variant, c.before, c.after) for c in compare_stores(before, after).costs] == [
        ("tricks: flip", 1.0, 1.5)
    ]


def test_the_summary_is_a_table_for_a_pull_request(tmp_path: Path) -> None:
    text = regression_markdown(
        compare_stores(made(tmp_path / "a", 0), made(tmp_path / "b", 1, TRICKS | {"tanh": 0.0}))
    )
    assert re.search(r"Smallest change likely to be seen with these runs: \d\.\d points\.", text)
    assert text.startswith("### Effects: 1 changed")
    assert "| tricks: tanh | -" in text
    assert text.count("\n| ") == 2  # head and one line
    assert "torch 2.14.1 on A" in text


def test_accepting_makes_the_store_the_reference_and_notes_its_effects(tmp_path: Path) -> None:
    reference, history = made(tmp_path / "a", 0), tmp_path / "history.csv"
    for seed in (1, 2):
        store = made(tmp_path / f"now {seed}", seed, TRICKS | {"tanh": 0.0}, costs={"flip": (1.0, 0.9, 1.1)})
        accept(store, reference.folder, compare_stores(reference, store), history, "abc")
    assert resolved(compare_stores(Store(tmp_path / "a", 1), store)) == []
    assert (tmp_path / "a" / "costs.json").exists()
    assert json.loads((tmp_path / "a" / "accepted.json").read_text())["commit"] == "abc"
    noted = pd.read_csv(history, keep_default_na=False)
    assert list(noted.variant) == ["baseline", *TRICKS] * 2
    assert noted.change[noted.variant == "tanh"].iloc[0] == "better"


def test_noting_adds_every_effect_and_leaves_the_reference(tmp_path: Path) -> None:
    """Also of rows that the reference lacks; the date and the commit are those of the last run."""
    reference, history = made(tmp_path / "a", 0), tmp_path / "history.csv"
    before = {path.name: path.read_bytes() for path in reference.folder.iterdir() if path.is_file()}
    store = made(tmp_path / "now", 1, TRICKS | {"tanh": 0.0, "new": 1.0})
    for other in (reference, store):
        note(other, compare_stores(reference, other), history)
    assert {path.name: path.read_bytes() for path in reference.folder.iterdir() if path.is_file()} == before
    noted = pd.read_csv(history, keep_default_na=False)
    assert list(noted.variant) == [*TRICKS, *TRICKS, "new"]
    words = dict(zip(noted.variant[len(TRICKS) :], noted.change[len(TRICKS) :], strict=True))
    assert (words["tanh"], words["new"]) == ("better", "")
    last = max(store.finished, key=lambda run: run.finished)
    assert set(noted.date) == {last.finished[:10]}
    assert set(noted.commit) == {last.environment.get("git_commit", "")}


def test_accepting_is_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reference, store, history = made(tmp_path / "a", 0), made(tmp_path / "b", 1), tmp_path / "history.csv"
    (reference.folder / "report").mkdir()
    (reference.folder / "report" / "index.md").write_text("kept")
    before = {path.name: path.read_bytes() for path in reference.folder.iterdir() if path.is_file()}

    def full(path: Path, content: bytes) -> None:
        if path == history:
            raise OSError(28, "No space left on device")
        path.write_bytes(content)

    monkeypatch.setattr("benchmark.evidence.acceptance.replace_file", full)
    with pytest.raises(UsageError, match="No space left on device"):
        accept(store, reference.folder, compare_stores(reference, store), history, "abc")
    assert {path.name: path.read_bytes() for path in reference.folder.iterdir() if path.is_file()} == before
    assert (reference.folder / "report" / "index.md").read_text() == "kept"
    assert not history.exists()
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b"} | (
        {".a.new"} & {p.name for p in tmp_path.iterdir()}
    )


def test_the_command_says_what_changed_and_exits_accordingly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def regress(*options: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["benchmark", "regress", str(tmp_path / "a"), *options])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(str(ended.value.code)), said.out + said.err

    made(tmp_path / "a", 0)
    made(tmp_path / "fresh", 1)
    made(tmp_path / "broken", 2, TRICKS | {"tanh": 0.0})
    fresh, broken = (f"--store={tmp_path / name}" for name in ("fresh", "broken"))
    assert regress(fresh)[0] == 0
    code, said = regress(broken, f"--summary={tmp_path / 'summary.md'}")
    assert code == 1
    assert "tricks: tanh" in said
    assert (tmp_path / "summary.md").read_text() in said
    assert regress(f"--store={tmp_path / 'nowhere'}")[0] == 2
    made(tmp_path / "more", 1, TRICKS | {"new": 0.0})
    code, said = regress(f"--store={tmp_path / 'more'}")
    assert (code, "new or renamed.** The reference has no runs of\n\n- tricks: new" in said) == (1, True)
    assert regress(f"--store={tmp_path / 'more'}", "--allow-missing")[0] == 0
    assert regress(f"--store={tmp_path / 'more'}", "--only=tricks: flip")[0] == 0
    made(tmp_path / "less", 1, {"flip": 3.0})
    assert regress(f"--store={tmp_path / 'less'}")[0] == 0
    code, said = regress(f"--store={tmp_path / 'less'}", "--accept")
    assert (code, "not accepted: 3 rows of the reference have no runs in" in said) == (2, True)
    code, said = regress(broken, "--note", f"--history={tmp_path / 'noted.csv'}")
    assert (code, f"{len(TRICKS)} effects are noted in {tmp_path / 'noted.csv'}" in said) == (1, True)
    assert regress(broken, "--note", "--accept")[0] == 2
    assert regress(broken, "--accept", f"--history={tmp_path / 'history.csv'}")[0] == 0
    assert regress(broken)[0] == 0

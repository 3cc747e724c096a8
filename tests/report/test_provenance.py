"""The report says which code and which software made the runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from builders import CPU, fill, record

from benchmark import report
from benchmark.report.counts import changed_since, commits, software
from benchmark.store.records import RunRecord


def made_by(commit: str, **more: str) -> RunRecord:
    return record("r", 0, 0.5, environment=CPU | {"git_commit": commit} | more)


def test_commits_are_counted_and_changes_named() -> None:
    runs = [made_by("aaa"), made_by("aaa"), made_by("bbb-dirty"), made_by(""), *(made_by(f"c{n}") for n in range(4))]
    found = commits(runs, most=3)
    assert found == [
        "aaa (2 runs)",
        "bbb with changes that are in no commit (1 run)",
        "no commit known (1 run)",
        "4 more commits (4 runs)",
    ]
    assert changed_since(runs) == 1


def test_software_is_shown_where_it_was_recorded() -> None:
    runs = [made_by("a"), made_by("a", numpy="2.4.6", os="Linux", cpu_capability="AVX512")]
    assert software(runs) == ["not recorded (1 run)", "Linux; NumPy 2.4.6; instructions AVX512 (1 run)"]


def test_mixed_commits_are_shown_in_page_and_markdown(tmp_path: Path) -> None:
    def alter(run: RunRecord) -> RunRecord:
        return replace(run, environment=run.environment | {"git_commit": f"abc{'-dirty' * (run.seed == 1)}"})

    store = fill(tmp_path / "store", alter)
    report.write(store, tmp_path / "out")
    for name in ("index.html", "index.md"):
        text = (tmp_path / "out" / name).read_text()
        assert "abc with changes that are in no commit (7 runs)" in text
        assert "Several commits" in text
        assert "7 runs" in text.partition("Several commits")[2][:300]

"""The commit that a run's record names."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from benchmark.store import provenance

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A repository of one commit that holds the suite and results."""
    for name in ("benchmark/store/provenance.py", "ablations/muon.py", "results/runs.jsonl"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("first\n")
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "first"]):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    provenance.commit.cache_clear()
    return tmp_path


def test_changed_results_leave_a_commit_clean_and_changed_code_does_not(clone: Path) -> None:
    (clone / "results/runs.jsonl").write_text("second\n")
    clean = provenance.commit(clone)
    assert len(clean) == 12
    (clone / "ablations/muon.py").write_text("second\n")
    provenance.commit.cache_clear()
    assert provenance.commit(clone) == clean + "-dirty"


def test_a_suite_that_is_installed_in_another_repository_has_no_commit_of_it(clone: Path) -> None:
    subprocess.run(["git", "-C", str(clone), "rm", "-q", "--cached", "benchmark/store/provenance.py"], check=True)
    assert provenance.commit(clone) == ""


def test_without_a_repository_there_is_no_commit(tmp_path: Path) -> None:
    assert provenance.commit(tmp_path) == ""

"""An ablation that is edited while its grid trains: no result of the new code under the name of the old."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import TINY

import ablations
from benchmark.data.splits import DataSet
from benchmark.engine.training import Result, train
from benchmark.planning.discovery import choose_ablations, discover
from benchmark.planning.identity import Run, module_mark
from benchmark.planning.rounds import plan
from benchmark.planning.studies import studies
from benchmark.running.execution import complete
from benchmark.running.workers import Processes
from benchmark.store.records import About, FailedRecord, RunRecord
from benchmark.store.store import Store

ABOUT = About("toy", "asked for by name", "quick")
SOURCE = '''"""Does half the rate help?

Source: https://example.org/paper.
"""

from dataclasses import replace


def half(progress, history):
    return 0.5


def variants(base):
    return {"half": replace(base, schedule=half)}
'''


@dataclass(frozen=True)
class Finding:
    """Trains; a process that is sent it finds the ablations of a folder too."""

    folder: Path

    def __call__(self, *given: Any, **more: Any) -> Result:
        return train(*given, **more)

    def __reduce__(self) -> tuple[Any, ...]:
        return finding, (self.folder,)


def finding(folder: Path) -> Finding:
    ablations.__path__.append(str(folder))
    return Finding(folder)


def forget() -> None:
    """Leaves this process as one that has not imported the module yet."""
    sys.modules.pop("ablations.extra_half", None)
    vars(ablations).pop("extra_half", None)
    module_mark.cache_clear()


@pytest.fixture
def extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A second folder of ablations."""
    folder = tmp_path / "more ablations"
    folder.mkdir()
    monkeypatch.setattr(ablations, "__path__", [*ablations.__path__, str(folder)])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield folder
    forget()


def planned(toy: DataSet) -> tuple[Run, Run]:
    """The control's run and the variant's, as a command plans them."""
    forget()
    tables, failing = studies(choose_ablations(*discover(), ["extra_half"]), TINY)
    assert failing == {}
    (control, variant), *_ = plan(tables, 1, toy.fingerprint)
    return control, variant


def test_a_run_whose_code_changed_after_planning_fails_and_says_so(
    toy: DataSet, folder: Path, tmp_path: Path, extra: Path
) -> None:
    (extra / "extra_half.py").write_text(SOURCE)
    control, old = planned(toy)
    key = old.key  # it is worked out anew from the code there is
    store = Store(tmp_path / "store", 1)
    with store.writing(), Processes(["cpu"], "toy", folder, training=Finding(extra)) as workers:
        assert complete([[control]], store, workers, ABOUT).failed == []
        (extra / "extra_half.py").write_text(SOURCE.replace("0.5", "0.25"))
        (failed,) = complete([[old]], store, workers, ABOUT).failed
        assert failed.key == key
        assert key not in store
        _, new = planned(toy)
        assert new.key != key
        assert complete([[new]], store, workers, ABOUT).failed == []
    assert failed.reason.startswith(
        "RuntimeError: ablations.extra_half changed after the grid was planned; start the same command again, which "
        "plans it with the code as it is now"
    )
    kinds = {key: type(each) for key, each in Store(tmp_path / "store", 1).records.items()}
    assert kinds == {control.key: RunRecord, key: FailedRecord, new.key: RunRecord}

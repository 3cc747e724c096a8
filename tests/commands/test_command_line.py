"""The command line as a user meets it: whole runs on toy data, and every sentence about bad input."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders import toy
from conftest import TINY

import ablations
from benchmark.engine import machine
from benchmark.evidence.tables import COLUMNS
from benchmark.planning.study_record import short
from benchmark.store.keys import run_key
from benchmark.store.lines import decode, encode

ROOT = Path(__file__).resolve().parents[2]
PROMISED_COLUMNS = {"ablation", "context", "variant", "data", "budget", "n", "n_control", "accuracy", "effect"} | {
    "ci_low",
    "ci_high",
    "p_adjusted",
    "verdict",
    "seeds_needed",
    "step_ms_ratio",
    "diverged",
}


def rows(store: Path) -> list[dict[str, str]]:
    with (store / "report" / "effects.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def ran(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store filled by one whole command."""
    store = tmp_path_factory.mktemp("ran") / "store"
    code, said = ended(process(folder, store))
    assert code == 0, said
    return store


def ended(process: subprocess.Popen[str], seconds: float = 180) -> tuple[int, str]:
    """Exit code, and what it printed."""
    said, _ = process.communicate(timeout=seconds)
    return process.returncode, said


def process(folder: Path, store: Path) -> subprocess.Popen[str]:
    arguments = ["run", *toy(folder, store), "--only", "schedule", "--seeds", "2", "--jobs", "2"]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # it would inherit that Ctrl-C is ignored
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "benchmark", *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    finally:
        signal.signal(signal.SIGINT, before)


def finished(store: Path) -> int:
    lines = store / "runs.jsonl"
    return lines.read_bytes().count(b"\n") if lines.exists() else 0


def wait_for(store: Path, count: int) -> None:
    for _ in range(1200):
        if finished(store) >= count:
            return
        time.sleep(0.05)
    raise AssertionError(f"{store} has {finished(store)} runs, not {count}")


MEASURED = ("step_ms_ratio", "time_ratio", "memory_ratio")


def without_times(table: list[dict[str, str]]) -> list[dict[str, str]]:
    return [{name: value for name, value in row.items() if name not in MEASURED} for row in table]


def test_a_run_leaves_records_and_a_report(ran: Path) -> None:
    assert finished(ran) == 11 * 2 + 7  # variants, and ceil(2 * sqrt(11)) of the control
    table = rows(ran)
    assert set(COLUMNS) >= PROMISED_COLUMNS
    assert list(table[0]) == COLUMNS
    assert {row["variant"] for row in table} >= {"constant", "step /10", "linear", "cosine", "plateau /2 on loss"}
    assert {(row["n"], row["n_control"]) for row in table} == {("2", "7")}
    assert all((ran / "report" / name).stat().st_size > 1000 for name in ("index.html", "index.md"))
    record = json.loads((ran / "runs.jsonl").read_text().splitlines()[0])
    assert record["data_choice"] == "asked for by name"
    assert record["environment"]["torch"]


def test_the_same_command_again_trains_nothing(ran: Path, folder: Path, tricks: Any) -> None:
    before = (ran / "runs.jsonl").read_bytes()
    code, said = tricks("run", *toy(folder, ran), "--only", "schedule", "--seeds", 2)
    assert code == 0
    assert "29 runs, 0 to train" in said
    assert (ran / "runs.jsonl").read_bytes() == before


def test_kill_9_of_everything_then_the_same_command_gives_the_same_table(
    ran: Path, folder: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    victim = process(folder, store)
    wait_for(store, 5)
    os.killpg(victim.pid, signal.SIGKILL)  # parent and workers
    ended(victim)
    kept = (store / "runs.jsonl").read_text().splitlines()
    assert 5 <= len(kept) < 20
    with (store / "runs.jsonl").open("a") as file:
        file.write('{"key": "half a li')  # as a crash of the machine may leave it
    assert ended(process(folder, store))[0] == 0
    assert (store / "runs.jsonl").read_text().splitlines()[: len(kept)] == kept
    assert without_times(rows(store)) == without_times(rows(ran))


def test_killing_the_parent_alone_ends_its_workers(folder: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    victim = process(folder, store)
    wait_for(store, 1)
    if not Path(f"/proc/{victim.pid}/task/{victim.pid}/children").exists():
        pytest.skip("this system does not list a process's children")
    (server,) = (pid for pid in children_of(str(victim.pid)) if "forkserver" in command_of(pid))
    workers = children_of(server)
    assert len(workers) == 2
    victim.kill()
    ended(victim)
    deadline = time.monotonic() + 5
    while any("forkserver" in command_of(pid) for pid in (server, *workers)):
        assert time.monotonic() < deadline, "workers outlive their parent"
        time.sleep(0.05)


def children_of(pid: str) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def command_of(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode()
    except OSError:
        return ""


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_the_training_and_loses_no_finished_run(
    folder: Path, tmp_path: Path, sent: signal.Signals
) -> None:
    store = tmp_path / "store"
    victim = process(folder, store)
    wait_for(store, 2)
    before = finished(store)
    if sent == signal.SIGINT:
        os.killpg(victim.pid, sent)  # as a terminal does
    else:
        victim.send_signal(sent)
    code, said = ended(victim)
    assert code == 130
    assert finished(store) <= before + 2 < 29  # those at most that were ending just then, of all that were planned
    assert "Traceback" not in said
    assert f"stopped; {finished(store)} runs finished and kept" in said


def test_ctrl_c_before_anything_has_begun_leaves_no_traceback(folder: Path, tmp_path: Path) -> None:
    victim = process(folder, tmp_path / "store")
    time.sleep(1)  # torch is being imported, by two processes
    os.killpg(victim.pid, signal.SIGINT)
    code, said = ended(victim)
    assert code in (130, -signal.SIGINT)  # a shell shows 130 for both
    assert "Traceback" not in said


def test_minutes_0_reports_what_is_there(ran: Path, folder: Path, tricks: Any) -> None:
    code, said = tricks("run", *toy(folder, ran), "--only", "schedule", "--seeds", 3, "--minutes", 0)
    assert code == 0
    assert "14 runs left" in said
    assert "report: " in said


def test_combine_makes_what_the_runs_suffice_for(ran: Path, folder: Path, tmp_path: Path, tricks: Any) -> None:
    """More than five runs of the baseline are there: three ensembles of two, one of five, none of ten."""
    store = shutil.copytree(ran, tmp_path / "store")
    code, said = tricks("combine", *toy(folder, store), "--only", "ensemble", "--seeds", 1)
    assert code == 1
    assert "ensemble: 10 seeds: 0 of 1 ensembles made; not replicate 0: of its 10 runs" in said
    assert "ensemble: 2 seeds: 3 of 5 ensembles made" in said
    assert "9 ensembles of stored runs" in said  # two sizes and three ways to combine besides
    with (store / "report" / "ensembles.csv").open() as file:
        made = {row["variant"]: row for row in csv.DictReader(file)}
    assert [made[f"{size} seeds"]["n"] for size in (2, 3, 5)] == ["3", "2", "1"]
    assert made["5 seeds"]["training_cost"] == "5"
    assert (store / "report" / "plots" / "ensemble-size.svg").stat().st_size > 1000
    assert "accuracy by size" in (store / "report" / "index.html").read_text()


def test_combine_without_anything_to_combine(ran: Path, folder: Path, tmp_path: Path, tricks: Any) -> None:
    code, said = tricks("combine", *toy(folder, tmp_path / "none"), "--only", "ensemble")
    assert (code, "no results in" in said) == (2, True)
    code, said = tricks("combine", *toy(folder, ran), "--only", "precision")
    assert (code, "these ablations have no ensembles" in said) == (2, True)


def test_plan_tells_what_is_stored_and_trains_nothing(ran: Path, folder: Path, tricks: Any) -> None:
    before = (ran / "runs.jsonl").read_bytes()
    code, said = tricks("plan", *toy(folder, ran), "--only", "schedule", "--seeds", 3, "--jobs", 2)
    assert code == 0
    assert "43 distinct runs, 29 stored, 14 to train" in said
    assert "of these recipes)" in said
    assert (ran / "runs.jsonl").read_bytes() == before


def test_plan_without_runs_says_where_its_expectation_comes_from(folder: Path, tmp_path: Path, tricks: Any) -> None:
    code, said = tricks("plan", *toy(folder, tmp_path / "none"))
    assert code == 0
    assert "GFLOP" in said
    assert "from one step of the baseline: " in said
    assert not (tmp_path / "none").exists()


def test_report_needs_the_store_alone(ran: Path, tmp_path: Path, tricks: Any) -> None:
    shutil.copytree(ran, tmp_path / "copy", ignore=shutil.ignore_patterns("report", "arrays"))
    code, _ = tricks("report", "--store", tmp_path / "copy", "--out", tmp_path / "out")
    assert code == 0
    with (tmp_path / "out" / "effects.csv").open() as file:
        assert list(csv.DictReader(file)) == rows(ran)


def test_list_is_readable_by_people_and_programs(tricks: Any) -> None:
    code, said = tricks("list")
    assert code == 0
    assert "activation: " in said
    code, said = tricks("list", "--variants", "--json")
    listed = {entry["name"]: entry for entry in json.loads(said)["ablations"]}
    assert {"activation", "augmentation", "initialisation", "schedule"} <= set(listed)
    assert {"question", "variants", "contexts", "sources"} <= set(listed["activation"])
    assert "PReLU" in listed["activation"]["variants"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--data", "cifar11"], "unknown data set 'cifar11'; did you mean cifar10"),
        (["--budget", "quik"], "unknown budget 'quik'; did you mean quick"),
        (["--only", "activatoin"], "unknown ablation 'activatoin'; did you mean activation"),
        (["--device", "cude"], "unknown device 'cude'; there are: auto, cpu, cuda"),
        (["--seeds", "0"], "--seeds"),
        (["--jobs", "0"], "--jobs"),
        (["--jobs-per-gpu", "0"], "--jobs-per-gpu must be auto, or a whole number from 1 on, got '0'"),
        (["--jobs-per-gpu", "all"], "--jobs-per-gpu must be auto, or a whole number from 1 on, got 'all'"),
        (["--sides", "3"], "--sides"),
    ],
)
@pytest.mark.parametrize("command", ["run", "plan"])
def test_bad_input_is_one_clear_sentence_and_exit_2(
    command: str, arguments: list[str], sentence: str, folder: Path, tmp_path: Path, tricks: Any
) -> None:
    code, said = tricks(command, *toy(folder, tmp_path / "store"), *arguments)
    assert code == 2
    assert sentence in said
    assert "Traceback" not in said
    assert not (tmp_path / "store").exists()


def test_a_gpu_asked_for_where_there_is_none(
    folder: Path, tmp_path: Path, tricks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine.torch.cuda, "is_available", lambda: False)
    code, said = tricks("run", *toy(folder, tmp_path / "store"), "--device", "cuda")
    assert code == 2
    assert "device 'cuda' is not available" in said
    assert "try --device cpu" in said


def test_a_truncated_file_in_the_data_folder(folder: Path, tmp_path: Path, tricks: Any) -> None:
    whole = (folder / "toy.npz").read_bytes()
    (tmp_path / "toy.npz").write_bytes(whole[: len(whole) // 2])
    code, said = tricks("run", *toy(tmp_path, tmp_path / "store"))
    assert code == 2
    assert "toy.npz" in said
    assert "Traceback" not in said


def test_a_report_of_nothing_says_what_to_do(tmp_path: Path, tricks: Any) -> None:
    code, said = tricks("report", "--store", tmp_path)
    assert code == 2
    assert "make ablate" in said


def by_engine_0(line: bytes) -> bytes:
    """The line of the same run as engine 0 would have written it, key and checksum included."""
    engine, run = decode(line)
    assert engine == 1
    return encode(replace(run, key=run_key(run.fingerprint, run.seed, run.recipe, engine=0)), 0)


def test_a_store_of_another_engine_is_refused(ran: Path, folder: Path, tmp_path: Path, tricks: Any) -> None:
    shutil.copytree(ran, tmp_path / "store")
    lines = tmp_path / "store" / "runs.jsonl"
    lines.write_bytes(b"".join(by_engine_0(line) + b"\n" for line in lines.read_bytes().splitlines()))
    for command in (["run", *toy(folder, tmp_path / "store")], ["report", "--store", tmp_path / "store"]):
        code, said = tricks(*command)
        assert code == 2
        assert "written by engine 0, and this is engine 1" in said


def test_a_broken_ablation_is_told_and_the_others_still_run(
    ran: Path, folder: Path, tmp_path: Path, tricks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.py").write_text("import no_such_package")
    monkeypatch.setattr(ablations, "__path__", [*ablations.__path__, str(tmp_path)])
    code, said = tricks("run", *toy(folder, ran), "--only", "schedule,broken", "--seeds", 2)
    assert code == 1
    assert "ablations/broken.py is left out: ModuleNotFoundError: No module named 'no_such_package'" in said
    assert "report: " in said


def test_changes_are_told_in_short() -> None:
    assert short(0.2 * 0.1) == "0.02"
    assert short(1 / 3) == "0.333333"
    assert short(replace(TINY, data="cifar100")) == "a training of 2 epochs on all images of cifar100"

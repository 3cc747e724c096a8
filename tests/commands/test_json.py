"""What commands print with --json, and what a store holds, is what docs/schemas/ says."""

from __future__ import annotations

import json
import shutil
import sys
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
from builders import SCHEMAS, fill, record, toy, validator
from jsonschema import ValidationError

from benchmark.commands.answers import ANSWER_TYPES
from benchmark.commands.app import COMMANDS, main
from benchmark.evidence.tables import COLUMNS
from benchmark.running.cost import Turns

ROOT = Path(__file__).resolve().parents[2]
REFERENCES = ROOT / "results" / "reference"
RUNS = "variant,seed,accuracy\n" + "".join(
    f"{name},{seed},{base + seed / 10}\n" for name, base in (("baseline", 90), ("mixup", 91)) for seed in range(4)
)
LOG = "step,loss\n" + "".join(f"{step},{2.3 - step / 100}\n" for step in range(100))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of two tables, with runs enough to calibrate."""
    made = fill(tmp_path_factory.mktemp("json") / "store")
    with made.writing():
        for seed in range(5, 12):
            made.add(record("-baseline", seed, 0.65 + seed / 1000))
    return made.folder


@pytest.fixture
def places(store: Path, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Files that the commands read, by the names that stand for them."""
    (tmp_path / "runs.csv").write_text(RUNS)
    (tmp_path / "worse.csv").write_text(RUNS.replace(",91", ",80"))
    (tmp_path / "log.csv").write_text(LOG)
    shutil.copytree(store, tmp_path / "copy")
    monkeypatch.setattr("benchmark.running.cost.step_turns", lambda *_: Turns((2.0, 2.1), (1.0, 1.1, 1.0)))
    monkeypatch.setattr("benchmark.running.pace.image_seconds", lambda *_: 0.001)
    for name in ("cost", "plan"):  # imported anew, with what was put in the place of measurements
        monkeypatch.delitem(sys.modules, f"benchmark.commands.{name}", raising=False)
    return {"TMP": str(tmp_path), "STORE": str(tmp_path / "copy"), "TOY": " ".join(toy(folder, tmp_path / "toy"))}


def called(
    words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> tuple[int, str, str]:
    """The exit code, and what went to the standard output and to the standard error."""
    monkeypatch.setattr(sys, "argv", ["benchmark", *words])
    try:
        main()
        ended = 0
    except SystemExit as reason:
        ended = int(reason.code or 0)
    return ended, *capsys.readouterr()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("list", 0),
        ("list --variants", 0),
        ("plan TOY --only muon", 0),
        ("plan TOY --only muon --seeds 1", 0),
        ("cost TOY --only muon", 0),
        ("report --store STORE --out TMP/report", 0),
        ("judge TMP/runs.csv", 0),
        ("judge TMP/runs.csv --out TMP/own", 0),
        ("judge TMP/worse.csv --against TMP/runs.csv", 1),
        ("check STORE", 0),
        ("regress STORE --store STORE", 0),
        ("calibrate --store STORE --simulations 5", 0),
        ("diagnose TMP/log.csv --classes 10", 0),
    ],
)
def test_an_answer_is_one_object_and_fits_its_schema(
    words: str, code: int, places: dict[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = [part for word in words.split() for part in (places["TOY"].split() if word == "TOY" else [word])]
    for name in ("TMP", "STORE"):
        given = [word.replace(name, places[name]) for word in given]
    ended, printed, errors = called([*given, "--json"], capsys, monkeypatch)
    assert ended == code, errors
    validator(f"commands/{given[0]}").validate(json.loads(printed))


def test_a_request_that_cannot_be_carried_out_prints_no_object(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, printed, errors = called(["check", "nowhere", "--json"], capsys, monkeypatch)
    assert (code, printed, errors.count("\n")) == (2, "", 1)
    assert errors.startswith("error: no results in nowhere")


def test_every_command_that_answers_has_a_schema() -> None:
    """The others write a store or files, which are their answer."""
    modules = {name: import_module(f"benchmark.commands.{name}") for name in COMMANDS}
    answering = {name for name, module in modules.items() if "as_json" in signature(module.command).parameters}
    assert answering == set(ANSWER_TYPES)
    assert {path.stem for path in (SCHEMAS / "commands").iterdir()} == set(ANSWER_TYPES)


@pytest.mark.parametrize("folder", sorted(REFERENCES.iterdir()), ids=lambda path: path.name)
def test_committed_records_fit_their_schemas(folder: Path) -> None:
    """All lines are checked when a store is opened; here some of each kind, as a validator is slow."""
    lines = [json.loads(line) for line in (folder / "runs.jsonl").read_text(encoding="utf-8").splitlines()]
    kinds = {(line["kind"], line["status"], bool(line.get("fold"))): line for line in lines}
    whole = validator("store/runs-line")
    for line in [*kinds.values(), *lines[:10]]:
        whole.validate(line)
    with pytest.raises(ValidationError):
        whole.validate(lines[0] | {"unheard_of": 1})
    for name in ("studies", "costs", "calibration"):
        if (folder / f"{name}.json").exists():
            content = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
            for part in ("tables", "costs"):
                content |= {part: content[part][:10]} if part in content else {}
            validator(f"store/{name}").validate(content)


def test_a_wrong_answer_is_refused() -> None:
    answer: dict[str, Any] = {"store": "s", "records": 1, "tables": 1, "report": None, "stale": []}
    validator("commands/check").validate(answer)
    for wrong in ({"records": "1"}, {"stale": None}):
        with pytest.raises(ValidationError):
            validator("commands/check").validate(answer | wrong)
    with pytest.raises(ValidationError):
        validator("commands/check").validate({name: value for name, value in answer.items() if name != "stale"})


def test_effects_have_a_schema() -> None:
    schema = validator("effect").schema
    assert list(schema["$defs"]["Row"]["properties"]) == COLUMNS

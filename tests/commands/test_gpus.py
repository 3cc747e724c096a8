"""What commands say and choose where there are GPUs: stand-ins, on any machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from builders import CPU, record

from benchmark.commands import cost
from benchmark.commands.options import settle_request
from benchmark.commands.run import on_other_gpus
from benchmark.commands.say import opening
from benchmark.engine import machine
from benchmark.engine.capture import CaptureError
from benchmark.errors import UsageError
from benchmark.planning.grid import base_of
from benchmark.planning.requests import Request
from benchmark.store.store import Store

CAPABILITY = {"cuda:0": (9, 0), "cuda:1": (7, 5)}  # such as an H100 and a T4
NAMES = {"cuda:0": "NVIDIA H100 80GB HBM3", "cuda:1": "Tesla T4"}


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: CAPABILITY[device])
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: NAMES[device])


def asked(folder: Path, device: str) -> Request:
    return settle_request("toy", folder, "auto", None, None, "1", device, 3)


@pytest.mark.usefixtures("two_gpus", "toy")
def test_bfloat16_and_the_large_budget_are_for_gpus_that_all_have_it(folder: Path) -> None:
    assert asked(folder, "cuda:0").budget == "standard"
    assert base_of(asked(folder, "cuda:0")).precision == "bf16"
    for device in ("cuda:1", "auto"):
        assert asked(folder, device).budget == "small"
        assert base_of(asked(folder, device)).precision == "fp32"


@pytest.mark.usefixtures("two_gpus")
def test_runs_of_another_model_of_gpu_are_told(tmp_path: Path) -> None:
    store = Store(tmp_path, 1)
    with store.writing():
        for n, device in enumerate(("NVIDIA H100 80GB HBM3", "cpu")):
            store.add(record("a", n, 0.5, environment=CPU | {"device": device}), {})
    assert on_other_gpus(store, ["cuda:0", "cuda:0"]) == []
    assert on_other_gpus(store, ["cpu"]) == []
    (said,) = on_other_gpus(store, ["cuda:1"])
    assert said.startswith(
        "the store has runs of NVIDIA H100 80GB HBM3: on Tesla T4 the same seed gives other numbers"
    )


def test_a_gpu_that_is_not_used_is_told_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    request = Request("toy", "asked for by name", tmp_path, "quick", ("cpu",), tmp_path, 3)
    monkeypatch.setattr(machine, "unused_gpu", lambda: "an NVIDIA GPU is there, but torch cannot use it: too old")
    assert opening(request).endswith("; no GPU is used: an NVIDIA GPU is there, but torch cannot use it: too old")
    monkeypatch.setattr(machine, "unused_gpu", lambda: "")
    assert "no GPU" not in opening(replace(request, budget="small"))


def test_a_step_that_cannot_be_captured_is_named(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise CaptureError("operation not permitted when stream is capturing (my_trick.py, line 12)")

    monkeypatch.setattr(cost, "step_turns", fails)
    with pytest.raises(UsageError, match=r"label_smoothing: 0.1 cannot be captured .*line 12\); .*are kept; --only"):
        cost.command("toy", folder, None, "quick", "label_smoothing", tmp_path, "cpu")

"""The command `cost`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from rich.progress import track

from benchmark.commands.answers import CostAnswer, show_answer
from benchmark.commands.console import console
from benchmark.commands.options import (
    BudgetName,
    Data,
    DataDir,
    DesignName,
    DeviceName,
    ImageSize,
    Only,
    StoreDir,
    TrickNames,
    settle_request,
)
from benchmark.commands.say import AsJson, leave_out, say
from benchmark.data.load import load
from benchmark.engine.capture import CaptureError
from benchmark.engine.machine import prepare_device as prepare
from benchmark.errors import UsageError
from benchmark.planning.grid import check_names, planned, table_name
from benchmark.planning.requests import ADD_ONE, Request
from benchmark.planning.rounds import pairs
from benchmark.planning.studies import Study
from benchmark.recipe import Recipe
from benchmark.running.cost import cost_record, step_turns
from benchmark.store.store import Store
from benchmark.store.version import ENGINE


def command(
    data: Data = "auto",
    data_dir: DataDir = Path("data"),
    image_size: ImageSize = None,
    budget: BudgetName = "auto",
    only: Only = None,
    store: StoreDir = None,
    device: DeviceName = "auto",
    design: DesignName = ADD_ONE,
    trick: TrickNames = None,
    as_json: AsJson = False,
) -> None:
    """Measure each variant's training step and the baseline's alternately, for the report's column of step times.

    Example: python -m benchmark cost --store results/cifar10-quick
    """
    check_names(only, design, trick or ())
    asked = settle_request(data, data_dir, budget, store, 1, "1", device, 1, image_size)
    if not as_json:
        say(f"data {asked.data} ({asked.data_choice}); budget {asked.budget}; one thread on {asked.devices[0]}")
    grid = planned(asked, only, design, trick or ())
    prepare(asked.devices[0])
    images, place = load(asked.data, asked.data_dir), torch.device(asked.devices[0])
    found, results, costs = pairs(grid.tables), Store(asked.store, ENGINE), []
    results.expect_writing()
    for arm, base in track(found, "measuring", console=console(as_json)):
        try:
            turns = step_turns(arm, base, images, place)
        except CaptureError as reason:
            raise UsageError(
                f"the step of {name_of(arm, grid.tables, asked)} cannot be captured as a CUDA graph: {reason}; the "
                "costs measured before it are kept; --only measures others, and --device cpu this one"
            ) from reason
        costs.append(cost_record(arm, base, turns.cost(), asked.devices[0]))
        results.save_cost(costs[-1])
    answer = CostAnswer(
        data=asked.data,
        data_choice=asked.data_choice,
        budget=asked.budget,
        store=str(asked.store),
        device=asked.devices[0],
        costs=tuple(costs),
        left_out=grid.broken,
    )
    show_answer(answer, as_json, lambda: f"{len(costs)} costs in {asked.store / 'costs.json'}; `report` shows them")
    leave_out(grid.broken, as_json)


def name_of(arm: Recipe, tables: Sequence[Study], asked: Request) -> str:
    """Returns the name of a variant, as --only takes it."""
    return next(
        table_name(table, asked).row(name) for table in tables for name, each in table.arms.items() if each == arm
    )

"""The command `plan`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from benchmark.budgets import BUDGETS
from benchmark.claim import CONTROL
from benchmark.commands.answers import PlanAnswer, PlannedTable, show_answer
from benchmark.commands.forecast import forecast, sentences
from benchmark.commands.options import (
    BaseFile,
    BudgetName,
    Data,
    DataDir,
    DesignName,
    DeviceName,
    ImageSize,
    Jobs,
    JobsPerGpu,
    Only,
    SeedCount,
    ShardName,
    StoreDir,
    TrickNames,
    WeightsFile,
    settle_request,
    with_base,
)
from benchmark.commands.say import AsJson, leave_out, opening, say
from benchmark.data.load import load
from benchmark.planning.contract import PAPERS
from benchmark.planning.grid import base_of, check_names, planned, runs_to_train
from benchmark.planning.identity import Run
from benchmark.planning.outlook import no_verdicts
from benchmark.planning.requests import ADD_ONE, Request, stages_of
from benchmark.planning.shards import shard as shard_of
from benchmark.running.pace import image_flops, image_seconds, mean_image_flops
from benchmark.store.store import Store
from benchmark.store.version import ENGINE


def command(
    data: Data = "auto",
    data_dir: DataDir = Path("data"),
    image_size: ImageSize = None,
    budget: BudgetName = "auto",
    base: BaseFile = None,
    only: Only = None,
    design: DesignName = ADD_ONE,
    trick: TrickNames = None,
    weights: WeightsFile = None,
    seeds: SeedCount = 3,
    store: StoreDir = None,
    shard: ShardName = None,
    jobs: Jobs = None,
    jobs_per_gpu: JobsPerGpu = "1",
    device: DeviceName = "auto",
    as_json: AsJson = False,
) -> None:
    """Print the runs, how many are stored, and the time the others will take. Trains nothing.

    Example: python -m benchmark plan --seeds 10
    """
    part = shard_of(shard) if shard else None
    check_names(only, design, trick or (), budget)
    asked = settle_request(data, data_dir, budget, store, jobs, jobs_per_gpu, device, seeds, image_size)
    asked = with_base(asked, base, store)
    if part and not store:
        asked = replace(asked, store=part.store_of(asked.store))
    if not as_json:
        say(opening(asked))
    results = Store(asked.store, ENGINE)
    grid = planned(asked, only, design, trick or (), weights, stages_of(stored := results.tables()), stored)
    grid = part.part_of(grid) if part else grid
    left = runs_to_train(grid, results)
    flops, seconds = image_cost(asked, left)
    answer = PlanAnswer(
        data=asked.data,
        data_choice=asked.data_choice,
        budget=asked.label,
        store=str(asked.store),
        shard=str(part) if part else None,
        workers=dict(Counter(asked.devices)),
        tables=tuple(
            PlannedTable(
                ablation=table.ablation.name,
                context=table.context,
                runs={name: table.seeds_of(name, seeds) for name in (CONTROL, *table.arms)},
            )
            for table in grid.tables
        ),
        runs=len(grid.before) + sum(map(len, grid.rounds)),
        to_train=len(left),
        forecast=forecast(
            asked,
            left,
            results,
            flops,
            seconds,
        ),
        notes=(*grid.unavailable, *no_verdicts(grid.studies, seeds)),
        left_out=grid.broken,
    )
    show_answer(answer, as_json, lambda: in_words(answer))
    leave_out(grid.broken, as_json)


def image_cost(asked: Request, left: Sequence[Run]) -> tuple[float, Callable[[], float]]:
    """Returns the operations of an image of the runs that are left, and how to measure its seconds, from one step.

    Of the catalogue, an image of the baseline stands for all; papers' networks are as many as papers.
    """
    data = load(asked.data, asked.data_dir)
    own = BUDGETS[asked.budget].package == PAPERS and left
    recipe = left[0].recipe if own else base_of(asked)
    one = image_flops(recipe, data)
    mean = mean_image_flops(left, data) if own else one
    return mean, lambda: mean / one * image_seconds(recipe, asked.data, asked.data_dir, asked.devices[0])


def in_words(answer: PlanAnswer) -> str:
    """Returns the answer in sentences."""
    lines = []
    for table in answer.tables:
        context = f" ({table.context})" if table.context else ""
        lines.append(f"{table.ablation}{context}: {', '.join(f'{name} x{n}' for name, n in table.runs.items())}")
    part = f"part {answer.shard}: " if answer.shard else ""
    stored = answer.runs - answer.to_train
    lines.append(f"{part}{answer.runs} distinct runs, {stored} stored, {answer.to_train} to train")
    return "\n".join([*lines, *sentences(answer.forecast), *answer.notes])

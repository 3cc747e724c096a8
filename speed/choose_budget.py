"""Tries learning rates, batch sizes and lengths of a budget's baseline, by validation accuracy alone.

    python -m speed.choose_budget standard --rates 0.2,0.4,0.8 --batches 512,1024 --epochs 11 --out choice.json

A tenth of the training images validates; the test images are not evaluated. The file is written after each training
and says which candidates are done: the same command goes on from there. One process, on a GPU or on all cores.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmark.budgets import BUDGETS
from benchmark.data.load import load
from benchmark.data.splits import DataSet
from benchmark.engine.machine import environment
from benchmark.engine.training import train
from benchmark.recipe import Recipe
from benchmark.store.files import replace_file
from speed.whole_machine import prepared

FOLD = (0, 10)  # the first of ten parts of the training images validates


def candidates(base: Recipe, rates: list[float], batches: list[int], epochs: list[int]) -> list[Recipe]:
    """Returns the baseline with each combination of the values given."""
    ways = itertools.product(epochs, batches, rates)
    return [replace(base, fold=FOLD, epochs=e, batch_size=b, learning_rate=r) for e, b, r in ways]


def tried(recipe: Recipe, seed: int, data: DataSet, device: torch.device) -> dict[str, Any]:
    """Trains a candidate; what it came to on the validating part."""
    begin = time.perf_counter()
    result = train(recipe, seed, data, device)
    return named(recipe, seed) | {
        "validation_accuracy": result.validation_accuracy,
        "train_accuracy": result.train_accuracy,
        "train_seconds": round(result.train_seconds, 1),
        "seconds": round(time.perf_counter() - begin, 1),
        "pflop": round(result.train_flops / 1e15, 3),
    }


def named(recipe: Recipe, seed: int) -> dict[str, Any]:
    """Returns what tells one training of a search from another."""
    return {
        "epochs": recipe.epochs,
        "batch_size": recipe.batch_size,
        "learning_rate": recipe.learning_rate,
        "seed": seed,
    }


def numbers(text: str) -> list[float]:
    """Numbers separated by commas."""
    return [float(each) for each in text.split(",")]


def main() -> None:
    """Tries what is not in the file yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("budget", choices=BUDGETS)
    parser.add_argument("--data", default="cifar10")
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--rates", type=numbers, help="of learning; the budget's own if not given")
    parser.add_argument("--batches", type=numbers)
    parser.add_argument("--epochs", type=numbers)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()

    device, base = prepared(asked.device, asked.data, asked.budget)
    ways = candidates(
        base,
        asked.rates or [base.learning_rate],
        [int(each) for each in asked.batches or [base.batch_size]],
        [int(each) for each in asked.epochs or [base.epochs]],
    )
    data = load(asked.data, asked.data_dir)
    done = json.loads(asked.out.read_text())["tried"] if asked.out.exists() else []
    for seed, recipe in itertools.product(range(asked.seeds), ways):
        if any(named(recipe, seed).items() <= each.items() for each in done):
            continue
        done.append(tried(recipe, seed, data, torch.device(device)))
        found = {"budget": asked.budget, "data": asked.data, "environment": environment(device), "tried": done}
        replace_file(asked.out, json.dumps(found, indent=1).encode())
        print(json.dumps(done[-1] | {"validation_accuracy": done[-1]["validation_accuracy"][-1:]}), flush=True)


if __name__ == "__main__":
    main()

"""Training throughput against the usual ways to train, in one run: the same network, batch, augmentation and images.

    python -m speed.peers --data-dir data --repeats 5 [--budget quick|small] [--json FILE]

Each measurement is a process of its own, given all cores of the machine, warmed up by a tenth of an epoch; the peers
take turns, so that a machine that swings swings for all of them. Images a second of training alone: the clock starts
behind the warm-up and stops ahead of any evaluation. Needs the optional dependencies `peers`.

MosaicML Composer is not among them: its newest release, 0.32.1, asks for torch below 2.7.1.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.baseline import baseline
from benchmark.data.load import choose, load
from benchmark.data.splits import DataSet
from benchmark.engine.machine import cores, environment, has_fast_bf16, prepare_device
from benchmark.engine.network import build
from benchmark.engine.training import train
from benchmark.recipe import Recipe

CPU = torch.device("cpu")
WARM_UP_STEPS = 10


def recipe_for(budget: str, images: int, folder: Path) -> Recipe:
    """Returns one epoch of the baseline on so many images, in the fastest precision that the processor has."""
    base = baseline(choose("auto", folder)[0], budget, "bf16" if has_fast_bf16("cpu") else "fp32")
    return replace(base, images=images, epochs=1, validation_images=10)


# --- ours


def on_all_cores(worker: Callable[[Recipe, Path, Any, Any], None], recipe: Recipe, folder: Path) -> float:
    """Returns the images a second of one `worker` process for each core, summed; a barrier starts their clocks
    together."""
    context = multiprocessing.get_context("spawn")
    barrier, queue = context.Barrier(cores()), context.Queue()
    processes = [context.Process(target=worker, args=(recipe, folder, barrier, queue)) for _ in range(cores())]
    for process in processes:
        process.start()
    rates: list[float] = [queue.get() for _ in processes]
    for process in processes:
        process.join()
    return sum(rates)


def ours(recipe: Recipe, folder: Path) -> float:
    """Times the suite's own loop, one thread and one run for each core, as its runner has it."""
    return on_all_cores(our_worker, recipe, folder)


def our_worker(recipe: Recipe, folder: Path, barrier: Any, queue: Any) -> None:
    """Trains a short run first, then the one that counts."""
    prepare_device("cpu")
    data = load(recipe.data, folder)
    train(replace(recipe, images=WARM_UP_STEPS * recipe.batch_size), 0, data, CPU)
    barrier.wait()
    result = train(recipe, 0, data, CPU)
    queue.put(len(result.losses) * recipe.batch_size / result.train_seconds)


def bare(recipe: Recipe, folder: Path) -> float:
    """Times forward, backward and step on one fixed batch, over and over; one thread for each core."""
    return on_all_cores(bare_worker, recipe, folder)


def bare_worker(recipe: Recipe, folder: Path, barrier: Any, queue: Any) -> None:
    """Does only what every loop must do."""
    prepare_device("cpu")
    seconds = bare_steps(recipe, load(recipe.data, folder))
    seconds(WARM_UP_STEPS)
    barrier.wait()
    queue.put(recipe.batch_size / seconds((recipe.images or 45000) // recipe.batch_size))


def bare_steps(recipe: Recipe, data: DataSet) -> Callable[[int], float]:
    """Returns a function that takes so many steps on the first batch, and gives the seconds of one."""
    network = build(recipe, 0, data, CPU)
    optimiser = recipe.optimiser([{"params": network.module.parameters(), "weight_decay": recipe.weight_decay}])
    images = network.preprocess(data.train.images[: recipe.batch_size].permute(0, 3, 1, 2) / 255)
    targets = F.one_hot(data.train.labels[: recipe.batch_size], len(data.classes)).float()
    network.module.train()

    def seconds(steps: int) -> float:
        start = time.perf_counter()
        for _ in range(steps):
            with torch.autocast("cpu", torch.bfloat16, enabled=recipe.precision == "bf16"):
                logits = network.module(images)
            loss = recipe.loss(logits.float(), targets)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        return (time.perf_counter() - start) / steps

    return seconds


# --- the usual ways


def usual_data(recipe: Recipe, data: DataSet, workers: int) -> Any:
    """Returns torchvision's transforms in a DataLoader, as tutorials have it: pad and crop by 4, flip, normalise."""
    from torch.utils.data import DataLoader, Dataset
    from torchvision import transforms

    transform = transforms.Compose(
        [
            transforms.ToPILImage(),
            transforms.RandomCrop(32, padding=4, padding_mode="reflect"),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
        ]
    )

    class Images(Dataset[tuple[Tensor, int]]):
        def __len__(self) -> int:
            return recipe.images or len(data.train.labels)

        def __getitem__(self, i: int) -> tuple[Tensor, int]:
            return transform(data.train.images[i].numpy()), int(data.train.labels[i])

    return DataLoader(
        Images(), recipe.batch_size, shuffle=True, drop_last=True, num_workers=workers, persistent_workers=workers > 0
    )


def usual_network(recipe: Recipe, data: DataSet) -> nn.Module:
    """Returns the baseline's network and first weights, in memory as torch has them by default."""
    return build(recipe, 0, data, CPU).module.to(memory_format=torch.contiguous_format)


def usual_optimiser(recipe: Recipe, network: nn.Module) -> torch.optim.Optimizer:
    """Returns the baseline's optimiser, without the suite's choice of kernel."""
    rate, decay = recipe.learning_rate / 10, recipe.weight_decay
    return torch.optim.SGD(network.parameters(), lr=rate, momentum=0.9, nesterov=True, weight_decay=decay)


def plain(recipe: Recipe, folder: Path, workers: int) -> float:
    """Times the usual loop: DataLoader, fp32, all cores."""
    torch.set_num_threads(cores())
    data = load(recipe.data, folder)
    network, loader = usual_network(recipe, data), usual_data(recipe, data, workers)
    optimiser = usual_optimiser(recipe, network)
    usual_epoch(network, optimiser, loader)  # warms up, and starts the loader's processes
    start = time.perf_counter()
    seen = usual_epoch(network, optimiser, loader)
    return seen / (time.perf_counter() - start)


def usual_epoch(network: nn.Module, optimiser: torch.optim.Optimizer, loader: Any) -> int:
    """Train on all that the loader gives; how many images that was."""
    network.train()
    seen = 0
    for images, labels in loader:
        loss = F.cross_entropy(network(images), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        seen += len(labels)
    return seen


def lightning(recipe: Recipe, folder: Path, workers: int, precision: str) -> float:
    """Returns the images a second of PyTorch Lightning's Trainer in its second epoch; the first warms up."""
    torch.set_num_threads(cores())
    data = load(recipe.data, folder)
    seen, seconds = lightning_run(recipe, data, usual_data(recipe, data, workers), precision, epochs=2)
    return seen / seconds


def lightning_run(recipe: Recipe, data: DataSet, loader: Any, precision: str, epochs: int) -> tuple[int, float]:
    """Train with Lightning, its logging, checkpoints and progress bar switched off; images and seconds of the last
    epoch."""
    import lightning.pytorch as pl

    class Module(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network = usual_network(recipe, data)
            self.start, self.seconds, self.seen = 0.0, 0.0, 0

        def training_step(self, batch: tuple[Tensor, Tensor], i: int) -> Tensor:
            images, labels = batch
            self.seen += len(labels)
            return F.cross_entropy(self.network(images), labels)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return usual_optimiser(recipe, self.network)

        def on_train_epoch_start(self) -> None:
            self.start, self.seen = time.perf_counter(), 0

        def on_train_epoch_end(self) -> None:
            self.seconds = time.perf_counter() - self.start

    module = Module()
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        precision=precision,  # type: ignore[arg-type]  # one of Lightning's literals
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, loader)
    return module.seen, module.seconds


PEERS: dict[str, Callable[[Recipe, Path], float]] = {
    "this suite": ours,
    "bare step on one fixed batch": bare,
    "usual loop, fp32, 0 loader workers": lambda r, f: plain(r, f, 0),
    "usual loop, fp32, 2 loader workers": lambda r, f: plain(r, f, 2),
    "Lightning, fp32": lambda r, f: lightning(r, f, 2, "32-true"),
    "Lightning, bf16-mixed, 0 loader workers": lambda r, f: lightning(r, f, 0, "bf16-mixed"),
    "Lightning, bf16-mixed, 2 loader workers": lambda r, f: lightning(r, f, 2, "bf16-mixed"),
}


def measured(peer: str, budget: str, images: int, folder: Path) -> float:
    """Returns the images a second of one peer, in a process of its own."""
    arguments = ["--one", peer, "--budget", budget, "--images", str(images), "--data-dir", str(folder)]
    command = [sys.executable, "-W", "ignore", "-m", "speed.peers", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{peer}: {done.stderr[-2000:]}")
    return float(done.stdout.split()[-1])


def main() -> None:
    """Measure all peers in turn and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--budget", default="quick")
    parser.add_argument("--images", type=int, default=9000, help="images of the epoch that is timed")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(PEERS[given.one](recipe_for(given.budget, given.images, given.data_dir), given.data_dir))
        return
    rates: dict[str, list[float]] = {peer: [] for peer in PEERS}
    for _ in range(given.repeats):
        for peer, found in rates.items():
            found.append(measured(peer, given.budget, given.images, given.data_dir))
    ours_rate = median(rates["this suite"])
    print(f"{given.budget}, {given.images} images, medians of {given.repeats}; {environment('cpu')}")
    for peer, found in rates.items():
        spread = f"{min(found):,.0f} to {max(found):,.0f}"
        print(f"{peer:42} {median(found):8,.0f} images/s ({spread})  this suite is {ours_rate / median(found):.2f} x")
    if given.json:
        given.json.write_text(json.dumps({"environment": environment("cpu"), "images_per_second": rates}, indent=1))


if __name__ == "__main__":
    main()

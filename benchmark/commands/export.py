"""The command `export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.commands.options import opened
from benchmark.commands.say import say
from benchmark.errors import unknown

FORMATS = ("parquet",)


def command(
    store: Annotated[Path, typer.Argument(help="Folder of the results.")],
    to: Annotated[str, typer.Option("--to", help=f"{', '.join(FORMATS)}.")] = FORMATS[0],
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the files. [STORE/dataset]")] = None,
) -> None:
    """Write the records and effects of a store as Parquet, with a description in Croissant, for others to use.

    Example: python -m benchmark export results/reference/cifar10-catalogue --to parquet --out dataset
    """
    from benchmark.report.dataset import write_dataset  # only now: pandas takes a second to import

    if to not in FORMATS:
        raise unknown("format", to, FORMATS)
    say(f"data set: {write_dataset(opened(store), out or store / 'dataset')}")

"""A grid in parts, each for a machine of its own: `run --shard 3/8`, and `merge` joins their stores.

Which part a run belongs to is decided by its key only, so that it does not change when more is planned. A run that
starts from another's weights goes with that one: no pre-training is trained in two parts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from benchmark.errors import UsageError
from benchmark.planning.grid import Grid
from benchmark.planning.identity import Run


@dataclass(frozen=True)
class Shard:
    """One of several parts of a grid."""

    number: int  # from 1 on
    of: int

    def has(self, run: Run) -> bool:
        """Returns whether a run belongs to this part: by its key, or by that of the run that it starts from."""
        return int(run.start or run.key, 16) % self.of == self.number - 1

    def part_of(self, grid: Grid) -> Grid:
        """Returns a grid with this part's runs; its tables are whole. Ensembles are left to the joined store."""
        rounds = [[run for run in planned if self.has(run)] for planned in grid.rounds]
        return replace(grid, before=[run for run in grid.before if self.has(run)], rounds=rounds, ensembles={})

    def store_of(self, whole: Path) -> Path:
        """Returns the store of this part, for that of the whole grid: each part has its own writer."""
        return whole.with_name(f"{whole.name}-{self.number}of{self.of}")

    def __str__(self) -> str:
        """Returns the part as it is given."""
        return f"{self.number}/{self.of}"


def shard(text: str) -> Shard:
    """Returns the part that a text such as 3/8 names. Raises UsageError for another text."""
    found = re.fullmatch(r"\s*(\d{1,6})\s*/\s*(\d{1,6})\s*", text)
    number, of = map(int, found.groups()) if found else (0, 0)
    if not 1 <= number <= of:
        raise UsageError(
            f"--shard must be a part and the number of parts, such as 3/8 for the third of eight, got {text!r}"
        )
    return Shard(number, of)

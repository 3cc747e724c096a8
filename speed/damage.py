"""Damages a store in random ways and counts what its reader says.

    python -m speed.damage [--records 3000] [--flips 1000] [--files 1000] [--seed 0]

A damaged record, line or file must end in one sentence (UsageError) or change nothing; a traceback, or a table that
changed without a word, is a fault. Records are damaged behind a right checksum, as another program would write them.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from benchmark import report
from benchmark.errors import UsageError
from benchmark.evidence import regression
from benchmark.evidence.tables import tables
from benchmark.store.lines import seal, unseal
from benchmark.store.records import RunRecord
from benchmark.store.store import Store
from benchmark.store.version import ENGINE

WRONG: list[Any] = [None, True, -1, 2.5, 10**30, "x", "", [], [1, "a"], {}, {"a": 1}, [[[]]]]


def main() -> None:
    """Prints a line for each kind of damage; exits with 1 if anything was a fault."""
    given = arguments()
    tests = Path(__file__).resolve().parents[1] / "tests"
    sys.path[:0] = [str(tests), str(tests / "store")]
    from builders import fill  # only now: the folder of tests is no package

    draw = Random(given.seed)
    with tempfile.TemporaryDirectory() as place:
        whole = filled(fill, Path(place) / "whole")
        before = outcome(Store(whole, ENGINE))
        trials = {
            "record with a field missing or wrong": (given.records, lambda copy: spoil_record(copy, draw)),
            "bit flipped in runs.jsonl": (given.flips, lambda copy: flip(copy / "runs.jsonl", draw)),
            "bit flipped in studies.json": (given.files, lambda copy: flip(copy / "studies.json", draw)),
            "bit flipped in costs.json": (given.files, lambda copy: flip(copy / "costs.json", draw)),
            "bit flipped in calibration.json": (given.files, lambda copy: flip(copy / "calibration.json", draw)),
            "arrays damaged": (given.files, lambda copy: flip(next((copy / "arrays").glob("*.npz")), draw)),
        }
        faults = 0
        for what, (count, damage) in trials.items():
            found = Counter(tried(whole, Path(place) / "copy", damage, before) for _ in range(count))
            faults += sum(number for word, number in found.items() if word.startswith(("traceback", "changed")))
            print(f"{what}: {', '.join(f'{number} {word}' for word, number in found.most_common())}", flush=True)
    sys.exit(int(bool(faults)))


def filled(fill: Callable[..., Store], folder: Path) -> Path:
    """Returns a store of two tables with arrays, costs and a calibration."""
    from builders import COST, RATE
    from test_store import ARRAYS

    from benchmark.store.records import Calibration

    store = fill(folder)
    with store.writing():
        for record in list(store.records.values())[:3]:
            if isinstance(record, RunRecord):
                store.add(record, ARRAYS)
        store.save_cost(COST)
        store.save_calibration(Calibration(made_of="2 runs", rates=(RATE,)))
    return folder


def outcome(store: Store) -> tuple[object, ...]:
    """Returns everything that readers take from a store, as values."""
    found = tables(store)
    arrays = [
        sorted((name, array.tolist()) for name, array in store.arrays(record).items())
        for record in store.finished
        if isinstance(record, RunRecord)
    ]
    changes = regression.compare_stores(store, store).changes
    return report.numbers(report.by_name(found)), arrays, changes, store.costs(), store.calibration()


def tried(whole: Path, copy: Path, damage: Callable[[Path], None], before: tuple[object, ...]) -> str:
    """Returns what came of one damaged copy."""
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(whole, copy)
    damage(copy)
    try:
        after = outcome(Store(copy, ENGINE))
    except UsageError:
        return "sentences"
    except Exception as reason:  # that is what is counted here
        return f"traceback {type(reason).__name__}"
    return "unchanged" if after == before else "changed without a word"


def spoil_record(folder: Path, draw: Random) -> None:
    """Removes a field of a record, or gives it a value of another type or range, under a right checksum."""
    path = folder / "runs.jsonl"
    lines = path.read_bytes().splitlines()
    at = draw.randrange(len(lines))
    content = unseal(lines[at])
    name = draw.choice(sorted(content))
    if draw.random() < 0.3:
        del content[name]
    else:
        content[name] = draw.choice([each for each in WRONG if each != content[name]])
    lines[at] = seal(content)
    path.write_bytes(b"".join(line + b"\n" for line in lines))


def flip(path: Path, draw: Random) -> None:
    """Flips one bit of a file."""
    content = bytearray(path.read_bytes())
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    path.write_bytes(content)


def arguments() -> argparse.Namespace:
    """Returns how many inputs of each kind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=3000)
    parser.add_argument("--flips", type=int, default=1000)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()

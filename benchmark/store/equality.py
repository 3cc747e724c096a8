"""Whether two records of one key hold the same numbers, whatever machine and moment they come from."""

from __future__ import annotations

from dataclasses import fields

from benchmark.store.records import Record

# What says where and when a run was made, how long it took, or what a reader calls it.
CIRCUMSTANCES = {
    *("environment", "started", "finished", "train_seconds", "step_ms", "peak_memory_mb", "reason"),
    *("data", "data_choice", "budget", "facts", "digests"),
}


def differences(one: Record, other: Record) -> list[str]:
    """Returns the names of the fields in which two records of one key differ, of files as `arrays` and `weights`.

    A number that older records lack, and a file whose digest only one of them has, are not compared.
    """
    if type(one) is not type(other) or one.status != other.status:
        return ["status"]
    found = []
    for field in fields(one):
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
        unknown = field.default is None and None in (mine, theirs)
        if field.name not in CIRCUMSTANCES and not unknown and mine != theirs:
            found.append(field.name)
    mine, theirs = getattr(one, "digests", {}), getattr(other, "digests", {})
    return found + [name for name in sorted(mine.keys() & theirs.keys()) if mine[name] != theirs[name]]

"""Names of ablations, tables and rows, read back from a text that a person wrote.

Whatever a table, a page or a message prints can be given back: the name of an ablation, of a table
("activation (no norm)") or of a row ("activation (no norm): GELU"). Case and underscores do not matter. Names may hold
commas, so a text is read from the left, the longest name first.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from benchmark.claim import CONTROL
from benchmark.errors import UsageError, canonical_name, hint

EVERYTHING = "all"
DESIGN_NAMES = ("leave-one-out", "pairs", "ladder")  # of several tricks, whose tables are planned in another way


@dataclass(frozen=True)
class Named:
    """A table, by what people call it and its rows."""

    ablation: str
    context: str
    rows: tuple[str, ...]  # variants, and other names of the control

    @property
    def name(self) -> str:
        """Returns the ablation, with its context where it has one."""
        return f"{self.ablation} ({self.context})" if self.context else self.ablation


@dataclass(frozen=True)
class Pick:
    """Some rows of an ablation."""

    ablation: str
    context: str | None = None  # None: every context
    variant: str | None = None  # None: every variant; one of the control's names stands for no row

    def takes(self, ablation: str, context: str, variant: str) -> bool:
        """Returns whether a row is among these."""
        return ablation == self.ablation and self.context in (None, context) and self.variant in (None, variant)


def picks(text: str, tables: Sequence[Named], further: Collection[str] = ()) -> list[Pick]:
    """Returns what a text names, in its order. `further` has names of ablations that have no tables.

    Raises UsageError for an empty text, and for a name that is not there, with the nearest names.
    """
    known = {canonical_name(name): Pick(name) for name in further} | row_names_of(tables)
    words = split(text, known)
    if not words:
        raise UsageError(
            "--only is empty; name ablations or variants, separated by commas, or leave it out, or give --only all"
        )
    found = []
    for word in words:
        if canonical_name(word) not in known:
            raise mistaken(word, tables)
        found.append(known[canonical_name(word)])
    return found


def row_names_of(tables: Sequence[Named]) -> dict[str, Pick]:
    """Returns what each name that may be given stands for, by its plain form."""
    found: dict[str, Pick] = {}
    for table in tables:
        of, rows = table.ablation, (CONTROL, *table.rows)
        named = {of: Pick(of), table.name: Pick(of, table.context if table.context else None)}
        named |= {f"{of}: {row}": Pick(of, None, row) for row in rows}
        if table.context:
            named |= {f"{table.name}: {row}": Pick(of, table.context, row) for row in rows}
        found |= {canonical_name(text): pick for text, pick in named.items()}
    return found


def split(text: str, known: Collection[str]) -> list[str]:
    """Returns the names in a text, those with commas in them whole; a piece that begins no known name by itself."""
    pieces, names = text.split(","), list[str]()
    while pieces:
        ends = (n for n in range(len(pieces), 1, -1) if canonical_name(",".join(pieces[:n])) in known)
        end = next(ends, 1)
        names.append(",".join(pieces[:end]).strip())
        pieces = pieces[end:]
    return [name for name in names if name]


def mistaken(name: str, tables: Sequence[Named]) -> UsageError:
    """Returns the error for a name that is not there: what it may have meant, or what there is."""
    head, colon, variant = (part.strip() for part in name.partition(":"))
    design = head.partition("(")[0].strip()
    if design in DESIGN_NAMES:
        return UsageError(f"{name!r} is of several tricks; train it with --design {design} and a --trick for each")
    named = {each for table in tables for each in (table.ablation, table.name)}
    if colon:
        rows = {
            row
            for each in tables
            if canonical_name(head) in map(canonical_name, (each.ablation, each.name))
            for row in each.rows
        }
        if rows:
            return UsageError(f"unknown variant {variant!r} of {head}; {hint(variant, rows)}")
        return UsageError(f"unknown table {head!r} in {name!r}; {hint(head, named)}")
    alike = {
        f"{table.ablation}: {row}"
        for table in tables
        for row in table.rows
        if canonical_name(row) == canonical_name(name)
    }
    if alike:
        return UsageError(f"{name!r} is a variant; did you mean {' or '.join(sorted(alike)[:3])}?")
    return UsageError(f"unknown ablation {name!r}; {hint(name, named)}")

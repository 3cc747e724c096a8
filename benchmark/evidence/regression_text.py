"""A comparison with a reference as Markdown, fit for a pull request."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from statistics import median

from benchmark.evidence.regression import EffectChange, Regression

ROWS = 20  # of a list
REPEATED = (
    "Effects are called repeated where all runs of the store are among these and the reference has more: what was "
    "trained again came out the same, and the test has too few runs to say more."
)


def regression_markdown(comparison: Regression, rows: int = ROWS) -> str:
    """Returns the comparison: what was compared with nothing first, then what changed, then how sure that is."""
    resolved = comparison.resolved
    counts = Counter(change.word for change in comparison.changes)
    words = ["unchanged", "repeated" if counts["repeated"] else "", "unresolved"]
    lines = [
        f"### Effects: {', '.join([f'{len(resolved)} changed', *(f'{counts[w]} {w}' for w in words if w)])}",
        *lacking_lines(comparison, rows),
    ]
    if resolved:
        lines += ["", "| effect | reference | now | change [95 % interval] | p | |", "|---|--:|--:|--:|--:|---|"]
        lines += map(change_row, sorted(resolved, key=lambda change: change.p or 0)[:rows])
        lines += [f"\n… and {len(resolved) - rows} more."] if len(resolved) > rows else []
    if comparison.costs:
        lines += ["", "| step time over the baseline's | reference | now |", "|---|--:|--:|"]
        lines += [f"| {escaped(c.variant)} | {c.before:.2f} | {c.after:.2f} |" for c in comparison.costs]
    lines += [
        "",
        "; ".join(map(side_in_words, ("Reference", "now"), comparison.environments, comparison.commits)) + ".",
    ]
    same, both = comparison.again
    if both:
        lines += ["", f"{same} of the {both} runs that both sides have reproduced exactly."]
        lines += [REPEATED] if counts["repeated"] else []
        lines += listed("These gave other numbers:", comparison.differing, rows)
    if sizes := [change.visible for change in comparison.changes if change.visible]:
        lines += ["", f"Smallest change likely to be seen with these runs: {median(sizes):.1f} points."]
    recoded = [pair.before.study.name.row(pair.variant) for pair in comparison.matching.pairs if pair.recoded]
    lines += listed("Compared by name, since their code changed:", recoded, rows)
    if others := comparison.matching.others:
        lines += ["", f"{others} further rows of the reference were not asked for."]
    return "\n".join(lines) + "\n"


def lacking_lines(comparison: Regression, rows: int) -> list[str]:
    """Returns the lines about what was asked for and compared with nothing."""
    found = comparison.matching
    return [
        *listed("**Not compared, as not trained.** The store has no runs of", found.untrained, rows),
        *listed("**Not compared, as new or renamed.** The reference has no runs of", found.unknown, rows),
        *listed("Of the same tables, the reference has rows that the store does not plan:", found.gone, rows),
    ]


def listed(what: str, names: Sequence[str], rows: int) -> list[str]:
    """Returns a list under its heading; nothing for no names."""
    if not names:
        return []
    more = [f"- … and {len(names) - rows} more"] if len(names) > rows else []
    return ["", what, "", *(f"- {escaped(name)}" for name in names[:rows]), *more]


def side_in_words(name: str, environments: Sequence[str], commits: Sequence[str]) -> str:
    """Returns what a side was trained on and by, in words."""
    by = f" by commit {', '.join(commits[:3])}{', …' if len(commits) > 3 else ''}" if commits else ""
    return f"{name}: {escaped('; '.join(environments))}{by}"


def change_row(change: EffectChange) -> str:
    """Returns a row of the table of changes."""
    interval = "" if change.low is None or change.high is None else f" [{change.low:+.1f}, {change.high:+.1f}]"
    p = "" if change.p is None else f"{change.p:.2g}"
    gap = f"{change.after - change.before:+.1f}{interval}"
    return f"| {escaped(change.name)} | {change.before:+.1f} | {change.after:+.1f} | {gap} | {p} | {change.word} |"


def escaped(text: str) -> str:
    """Returns a text that Markdown shows as it is, also in a table's cell."""
    return re.sub(r"([\\`*_{}\[\]<>#|~])", r"\\\1", text)

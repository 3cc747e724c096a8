"""Numbers as records hold them."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite


def rounded(value: float | None) -> float | None:
    """Returns six significant digits, more than any of these was measured to; None for infinity and nan."""
    return None if value is None or not isfinite(value) else float(f"{value:.6g}")


def all_rounded(values: Iterable[float | None]) -> tuple[float | None, ...]:
    """Returns each of several numbers as `rounded` has it."""
    return tuple(map(rounded, values))

"""Numbers as JSON can hold them."""

from __future__ import annotations


def finite(value: object) -> object:
    """Six significant digits are more than any of these was measured to; no infinity, no nan."""
    if isinstance(value, list):
        return [finite(each) for each in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if abs(value) < float("inf") else None
    return value

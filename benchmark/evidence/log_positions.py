"""Says what the points and commas in a column of steps or epochs are: 1.000 may be one, or a thousand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

GROUPED = {sign: re.compile(rf"^[1-9]\d{{0,2}}(?:\{sign}\d{{3}})+$") for sign in ".,"}
DECIMAL = {sign: re.compile(rf"^-?\d*\{sign}\d+(?:e[+-]?\d+)?%?$", re.IGNORECASE) for sign in ".,"}
BELOW_THOUSAND = re.compile(r"^\d{1,3}$")


class Doubtful(Exception):
    """A number that may be read in two ways, as its message says."""

    def __init__(self, text: str, sign: str) -> None:
        thousands = int(text.replace(sign, ""))
        decimal = float(text.replace(sign, "."))
        super().__init__(
            f"{text!r} may be {decimal:g} or {thousands:,}, and no other number tells which; write the column's "
            f"numbers as {thousands} or as {text}0"
        )
        self.text = text


def thousands_sign(texts: Sequence[str], whole: bool, decimal: str) -> str:
    """Returns the sign, a point or a comma, that parts the thousands in a column's cells; empty if none does.

    `whole` says that the column holds whole numbers, as steps are and fractions of epochs are not. `decimal` is the
    decimal sign of the table's other columns, empty where they do not show it. Raises Doubtful for a number that may
    be meant either way.
    """
    for sign, grouped in GROUPED.items():
        parted = [text for text in texts if grouped.match(text)]
        if parted and all(grouped.match(text) or BELOW_THOUSAND.match(text) for text in texts):
            return sign if parts_thousands(texts, parted, sign, whole, decimal) else ""
    return ""


def parts_thousands(texts: Sequence[str], parted: Sequence[str], sign: str, whole: bool, decimal: str) -> bool:
    """Returns whether a sign parts thousands, given all cells and those that have it, rather than being decimal.

    It does where the table has another decimal sign, where a number has the sign twice, where the numbers are then in
    better order (999, 1.000), and where whole numbers would else have fractions. Epochs without fractions are as many
    either way.
    """
    if decimal not in ("", sign) or any(text.count(sign) > 1 for text in parted):
        return True
    thousands, decimals = (disorder([float(text.replace(sign, by)) for text in texts]) for by in ("", "."))
    if thousands != decimals:
        return thousands < decimals
    fractions = any(not text.endswith("000") for text in parted)
    if whole != fractions and (whole or fractions):
        raise Doubtful(parted[0], sign)
    return whole


def decimal_signs(texts: Sequence[str]) -> set[str]:
    """Returns the signs that are surely decimal in some of the cells: 0.5 and 1.50 are none of thousands."""
    return {
        sign
        for sign, shape in DECIMAL.items()
        if any(shape.match(text) and not GROUPED[sign].match(text) for text in texts)
    }


def like_thousands(numbers: Numbers) -> Mask:
    """Returns which numbers may be thousands with a point, read as decimals: from 1 to 999.999, or 0."""
    near = np.where(np.abs(numbers) < 1000, numbers, 0.5)
    three_decimals: Mask = np.abs(near * 1000 - np.round(near * 1000)) < 1e-6
    above_one: Mask = (np.abs(near) >= 1) | (near == 0)
    return np.logical_and(three_decimals, above_one)


def has_fractions(numbers: Numbers) -> bool:
    """Returns whether some of the numbers surely have a decimal sign: fractions that no thousands are read as."""
    finite = numbers[np.isfinite(numbers)]
    return bool((~like_thousands(finite) & (finite != np.round(finite))).any())


def disorder(numbers: Sequence[float]) -> tuple[int, int]:
    """Returns how often numbers turn from rising to falling or back, and how many are below the one before them."""
    ways = [after > before for before, after in pairwise(numbers) if after != before]
    return sum(one != other for one, other in pairwise(ways)), ways.count(False)

"""Data frames as CSV that a spreadsheet may open."""

from __future__ import annotations

import pandas as pd

FORMULAS = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for the start of a formula


def csv(frame: pd.DataFrame) -> str:
    """Returns a frame as CSV, numbers to six digits.

    Texts that a spreadsheet would take for a formula begin with an apostrophe, see
    https://owasp.org/www-community/attacks/CSV_Injection.
    """
    guarded = frame.map(lambda cell: f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULAS) else cell)
    for name in frame.columns:
        guarded[name] = guarded[name].astype(frame[name].dtype)
    return str(guarded.to_csv(index=False, float_format="%.6g", lineterminator="\n"))

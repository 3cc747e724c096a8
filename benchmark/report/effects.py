"""All tables as one CSV, and all ensembles as another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import pandas as pd

from benchmark.evidence.tables import COLUMNS, Decision, Table


def csv(found: Sequence[Table]) -> str:
    """effects.csv: a line for each variant of each table."""
    frame = pd.DataFrame([asdict(row) for table in found for row in table.rows], columns=COLUMNS)
    whole = frame.astype({"seeds_needed": "Int64"})  # or a missing value would turn the others into 3.0
    return str(whole.to_csv(index=False, float_format="%.6g", lineterminator="\n"))


def ensembles_csv(made: Sequence[Decision]) -> str:
    """ensembles.csv: a line for each ensemble."""
    frame = pd.DataFrame([asdict(each) for each in made])
    return str(frame.to_csv(index=False, float_format="%.6g", lineterminator="\n"))

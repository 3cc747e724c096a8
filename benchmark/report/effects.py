"""All tables as one CSV, and all ensembles as another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import pandas as pd

from benchmark.evidence.measures import Measured
from benchmark.evidence.tables import COLUMNS, Decision, Table
from benchmark.report import spreadsheet


def csv(found: Sequence[Table]) -> str:
    """Returns effects.csv, a line for each variant of each table."""
    frame = pd.DataFrame([asdict(row) for table in found for row in table.rows], columns=COLUMNS)
    whole = frame.astype({"seeds_needed": "Int64"})  # or a missing value would turn the others into 3.0
    return spreadsheet.csv(whole)


def measures_csv(lines: Sequence[Measured]) -> str:
    """Returns measures.csv, a line for each variant of each table by each measure."""
    return spreadsheet.csv(pd.DataFrame([asdict(line) for line in lines]))


def ensembles_csv(made: Sequence[Decision]) -> str:
    """Returns ensembles.csv, a line for each ensemble."""
    return spreadsheet.csv(pd.DataFrame([asdict(each) for each in made]))

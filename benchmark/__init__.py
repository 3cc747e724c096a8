"""An ablation benchmark of training tricks. `judge` is imported when it is asked for."""

from typing import Any


def __getattr__(name: str) -> Any:
    """Returns `judge` of evidence/own.py. Raises AttributeError for every other name."""
    if name == "judge":
        from benchmark.evidence.own import judge  # SciPy and pandas take a second to import

        return judge
    raise AttributeError(f"module 'benchmark' has no attribute {name!r}")

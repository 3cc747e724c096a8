"""The engine version whose numbers a store holds."""

from __future__ import annotations

ENGINE = 1  # raised by hand when a change of the engine changes numbers: tests/test_training.py says when

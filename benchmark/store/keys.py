"""The key of a run: a digest of all that makes it this run."""

from __future__ import annotations

import hashlib

from benchmark.store.version import ENGINE


def digest(content: str | bytes, length: int) -> str:
    """Returns the first `length` hexadecimal digits of the SHA-256 of a text, or of bytes."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()[:length]


def run_key(fingerprint: str, seed: int, recipe: str, start: str = "", engine: int = ENGINE) -> str:
    """Returns 16 hexadecimal digits, equal for equal runs only.

    `fingerprint` is that of the data set, `recipe` the text of the recipe or ensemble, `start` the key of the run with
    whose weights this one begins. Of an ensemble, `seed` is the number of the replicate.
    """
    return digest(f"{engine}\n{fingerprint}\n{seed}\n{recipe}" + (f"\n{start}" if start else ""), 16)

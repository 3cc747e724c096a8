"""A known vulnerability fails the checks; an index that cannot be reached is a sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

AUDIT = Path(__file__).resolve().parents[1] / ".ci" / "audit.py"
NONE = '{"name": "numpy", "version": "2.4.6", "vulns": []}'
ONE = '{"name": "jinja2", "version": "3.1.5", "vulns": [{"id": "PYSEC-2025-1", "fix_versions": ["3.1.6"]}]}'
UNKNOWN = '{"name": "torch", "skip_reason": "not found"}'
RIGHT = "assert 'numpy==' in open(sys.argv[sys.argv.index('-r') + 1]).read()"


@pytest.mark.parametrize(
    ("deed", "code", "said"),
    [
        (f"print('{{\"dependencies\": [{NONE}]}}')", 0, "1 of 1 direct dependencies were audited: no known vulnerab"),
        (
            f"print('{{\"dependencies\": [{NONE}, {ONE}]}}'); sys.exit(1)",
            1,
            "jinja2 3.1.5: PYSEC-2025-1; fixed in 3.1.6",
        ),
        (f"print('{{\"dependencies\": [{UNKNOWN}]}}')", 0, "the index does not answer for them: torch"),
        (
            "raise OSError('no route')",
            0,
            "not audited, as the index of vulnerabilities cannot be reached: OSError: no r",
        ),
    ],
    ids=["none", "one", "unknown", "unreachable"],
)
def test_what_an_audit_says(tmp_path: Path, deed: str, code: int, said: str) -> None:
    (tmp_path / "pip_audit.py").write_text(f"import sys\n{RIGHT}\n{deed}\n")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    ended = subprocess.run([sys.executable, AUDIT], capture_output=True, text=True, env=environment, check=False)
    assert ended.returncode == code, ended.stderr
    assert said in ended.stdout

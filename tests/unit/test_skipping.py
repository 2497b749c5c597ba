"""In CI a test that would be skipped fails, and so does a file of tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
MISSING = "pytest.importorskip('no_such_package')"
FILES = {
    "test_inside.py": f"import pytest\ndef test_it():\n    {MISSING}\ndef test_other(): pass",
    "test_marked.py": "import pytest\n@pytest.mark.skipif(True, reason='x')\ndef test_it(): pass",
    "test_whole.py": f"import pytest\n{MISSING}\ndef test_it(): pass",
}


def test_what_would_be_skipped_fails_where_nothing_may_be(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    options = ["-p", "tests.conftest", "-p", "no:cacheprovider", "--continue-on-collection-errors"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "."],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "HPT_NO_SKIP": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 failed, 1 passed, 2 errors in" in done.stdout

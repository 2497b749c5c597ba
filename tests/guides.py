"""The blocks of the docs: what a page says to write into a file."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def read_blocks(page: Path, language: str) -> list[str]:
    """The blocks of a page in one language, in order."""
    return [text for kind, text in BLOCK.findall(page.read_text()) if kind == language]


def write_guide(name: str, directory: Path) -> str:
    """The script and the spec of a guide as files; what the tuning job is called."""
    page = ROOT / "docs" / "howto" / f"{name}.md"
    (script,) = read_blocks(page, "python")
    spec = read_blocks(page, "yaml")[0]
    (directory / "train.py").write_text(script)
    (directory / "spec.yaml").write_text(spec)
    return spec.splitlines()[0].removeprefix("name: ")


def run_hpt(directory: Path, *words: str) -> str:
    """Return what hpt prints in a directory; what it starts finds this environment's programs."""
    binaries = Path(sys.executable).parent
    done = subprocess.run(
        [str(binaries / "hpt"), *words],
        cwd=directory,
        env=os.environ | {"PATH": f"{binaries}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def tune_guide(name: str, directory: Path, *options: str) -> None:
    """Run two training jobs of a guide; each must print several epochs."""
    tuning_job = write_guide(name, directory)
    run_hpt(directory, "run", "spec.yaml", "--set", "max_jobs=2", "--plain", *options)
    rows = json.loads(run_hpt(directory, "jobs", tuning_job, "--json"))
    assert len(rows) == 2
    for row in rows:
        assert row["objective_status"] == "Succeeded"
        assert row["epochs"] > 2

"""The blocks of the docs: what a page says to write into a file."""

from __future__ import annotations

import re
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

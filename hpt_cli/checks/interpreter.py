"""Whether a command ran in hpt's own environment, where its packages are not."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

_MISSING = re.compile(r"No module named '?([\w.]+)")
_PYTHON = re.compile(r"(?:\S*/)?python[\d.]*")


def explain_missing_module(
    lines: Iterable[str], words: Sequence[str], search_path: str | None
) -> str:
    """Return why a command lacks a module, if it is that its `python` is hpt's own; else "".

    Args:
        lines: what it printed.
        words: of the command; what a script runs is taken to be `python`.
        search_path: its PATH; None for that of hpt.
    """
    missing = next(filter(None, map(_MISSING.search, lines)), None)
    if missing is None:
        return ""
    named = (word for text in words for word in text.split() if _PYTHON.fullmatch(word))
    python = shutil.which(next(named, "python"), path=search_path)
    own = Path(sys.executable).parent
    # A virtual environment has links to an interpreter elsewhere: they are not followed.
    if python is None or Path(python).parent.absolute() != own:
        return ""
    return (
        f"python is {python}, the environment that hpt itself is installed in, and it has no"
        f" {missing[1]}: use your own by calling {own / 'hpt'} by its path, without"
        f" activating that environment; or install what is missing there: {python} -m pip install"
    )

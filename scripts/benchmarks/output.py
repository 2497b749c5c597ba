"""Where the benchmarks print their tables."""

from __future__ import annotations

import sys

from rich.console import Console

WIDTH = 250
"""The columns where the output is no terminal: enough for every table, so that nothing is cut."""


def make_console() -> Console:
    """Return a console as wide as the terminal, or wide enough for every table without one."""
    return Console(width=None if sys.stdout.isatty() else WIDTH)

"""Reports present tuning jobs: one module for each.

A report is a module with two pure functions over summaries: `render` for people, `to_json` for
programs. It reads no files and decides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any, Protocol, cast

from rich.console import RenderableType

from hpt_cli.tuning.summary import Summary


class Report(Protocol):
    """One way to present tuning jobs."""

    def render(self, summaries: Sequence[Summary]) -> RenderableType:
        """Return what a person sees."""
        ...

    def to_json(self, summaries: Sequence[Summary]) -> Any:
        """Return what a program reads: JSON-able values."""
        ...


REPORTS = ("show", "jobs", "curves", "best", "compare")
"""The modules that are reports, imported on use."""


def load_report(name: str) -> Report:
    """Return the report of this name."""
    return cast(Report, import_module(f"{__name__}.{name}"))

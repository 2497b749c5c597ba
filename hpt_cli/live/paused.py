"""The paused jobs on the live screen: where each waits, for what, and how likely it is. Pure."""

from __future__ import annotations

from rich.text import Text

from hpt_cli.formatting import count, format_number, plain
from hpt_cli.tuning.summary import Row, Summary

SHOWN = 4
"""So many are shown; the best come first."""


def draw_paused(summary: Summary) -> list[Text]:
    """Return a line for each paused job, as far as there is room for."""
    paused = [row for row in summary.rows if row.phase == "Paused"]
    paused.sort(key=lambda row: _rank(row, summary))
    lines = [_describe(row) for row in paused[:SHOWN]]
    if len(paused) > SHOWN:
        lines.append(f"… and {len(paused) - SHOWN} more paused")
    return [Text(plain(line), style="dim", no_wrap=True, overflow="ellipsis") for line in lines]


def _rank(row: Row, summary: Summary) -> tuple[float, int]:
    loss = float("inf") if row.so_far is None else summary.objective.loss(row.so_far)
    return loss, row.number


def _describe(row: Row) -> str:
    words = f"{row.number:>4}  paused after {count(row.epochs, 'epoch')}"
    words += f" at {format_number(row.so_far)}" if row.so_far is not None else ""
    latest = row.pauses[-1] if row.pauses else None
    if latest is None:
        return words
    chance = latest.evidence.get("probability")
    words += f", {chance:.0%} likely" if isinstance(chance, float) else ""
    return f"{words}: {latest.reason}"

"""The report of `hpt metrics`: the lines that definitions match, with values marked, and curves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from hpt_cli.errors import Problem
from hpt_cli.formatting import count, draw_sparkline, format_number, plain
from hpt_cli.metrics.detection import nearest_lines, write_definition
from hpt_cli.metrics.detection.metric import DetectedMetric
from hpt_cli.metrics.scan import LineMatch, ScanResult

if TYPE_CHECKING:
    from hpt_cli.reports.json_types import before_run as json_types

SPARKLINE_WIDTH = 24
TAB = "⇥"
AFTER = 12
"""How many characters of a line too long are shown after the value."""
SHOWN = 3
"""How many of the first matches are shown, and of the last."""


def render_readings(
    readings: Sequence[ScanResult],
    lines: Sequence[str],
    proposals: Sequence[DetectedMetric],
    width: int,
    *,
    everything: bool,
) -> RenderableType:
    """Return what each definition finds.

    Args:
        readings: the matches of each definition.
        lines: the lines of the log, of which the nearest are shown if a definition finds nothing.
        proposals: definitions that find something.
        width: the width of the terminal.
        everything: whether all matches are shown.
    """
    blocks: list[RenderableType] = []
    for reading in readings:
        blocks += [*_render_reading(reading, lines, width, everything), Text()]
    if proposals:
        blocks.append(Text("metric definitions that find something:"))
        blocks += [Text(f"  - {plain(write_definition(each.definition))}") for each in proposals]
        blocks.append(Text())
    return Group(*blocks[:-1])


def _render_reading(
    reading: ScanResult, lines: Sequence[str], width: int, everything: bool
) -> Iterator[RenderableType]:
    yield Text.assemble((plain(reading.name), "bold"), "  ", (_describe_form(reading), "dim"))
    if not reading.matches:
        yield Text("  finds nothing", style="red")
        yield from _show_nearest(reading, lines)
    else:
        yield from _render_hits(reading, width, everything)
        yield _render_curve(reading)
    for warning in reading.warnings:
        hint = f"; {warning.hint}" if warning.hint else ""
        text = Text(f"warning[{warning.slug}]: {plain(warning.message + hint)}", style="yellow")
        yield Padding(text, (0, 0, 0, 2), expand=False)


def _show_nearest(reading: ScanResult, lines: Sequence[str]) -> Iterator[RenderableType]:
    """Yield the lines that have words of a definition, or else the last ones."""
    fields = reading.definition
    words = " ".join(
        str(fields.get(key, "")) for key in ("name", "metric", "regex", "json", "column")
    )
    near = nearest_lines(list(lines), words, SHOWN) or lines[-SHOWN:]
    yield Text("  the lines that come nearest:" if near else "  the log is empty", style="dim")
    for line in near:
        shown = plain(line.replace("\t", TAB))
        yield Text(f"  │ {shown}", style="dim", no_wrap=True, overflow="ellipsis")


def _describe_form(reading: ScanResult) -> str:
    fields = reading.definition
    form = next(each for each in ("regex", "json", "column", "preset") if fields.get(each))
    return plain(f"{form} {fields[form]}")


def _render_hits(reading: ScanResult, width: int, everything: bool) -> Iterator[RenderableType]:
    hits = reading.matches
    digits = len(str(hits[-1].number))
    skips = not everything and len(hits) > 2 * SHOWN + 1
    for hit in hits[:SHOWN] if skips else hits:
        yield _render_hit(hit, digits, width)
    if skips:
        left = reading.count - 2 * SHOWN
        yield Text(f"  {'⋮':>{digits}} {count(left, 'value')} more; --all shows them", style="dim")
        for hit in hits[-SHOWN:]:
            yield _render_hit(hit, digits, width)


def _render_hit(hit: LineMatch, digits: int, width: int) -> Text:
    """Return a line, cut around its match, which is underlined; the value is bold."""
    room = max(20, width - digits - 4)
    start, end = hit.value_span
    left = 0 if end < room else end - room + AFTER
    shown = Text(plain(hit.text.replace("\t", TAB)))
    shown.stylize("underline", *hit.span)
    shown.stylize("bold green", start, end)
    shown = shown[left:]
    if left:
        shown = Text("…") + shown
    shown.truncate(room, overflow="ellipsis")
    return Text.assemble((f"  {hit.number:>{digits}} ", "dim"), shown)


def _render_curve(reading: ScanResult) -> Text:
    steps, values = zip(*reading.curve, strict=True)
    told = f"steps {format_number(steps[0])} to {format_number(steps[-1])}"
    again = f" in {count(reading.count, 'value')}" if reading.count > len(values) else ""
    ends = f"{format_number(values[0])} to {format_number(values[-1])}"
    curve = draw_sparkline(values, SPARKLINE_WIDTH)
    return Text.assemble("  ", (curve, "cyan"), (f"  {ends}, {told}{again}", "green"))


def render_proposals(
    shown: Sequence[DetectedMetric], left: int, warnings: Sequence[Problem]
) -> str:
    """Return metric definitions as YAML to paste, the likeliest objective first.

    Args:
        shown: the definitions.
        left: how many more there are.
        warnings: about these definitions.
    """
    definitions = [f"  - {write_definition(each.definition)}" for each in shown]
    width = min(72, max(map(len, definitions)))
    lines = ["metric_definitions:"]
    for definition, proposal in zip(definitions, shown, strict=True):
        lines.append(f"{plain(definition):<{width}}  # {_describe_proposal(proposal)}")
    if left:
        lines.append(f"# and {left} more, with --all")
    for warning in warnings:
        lines.append(f"# warning[{warning.slug}]: {plain(warning.message)}")
        lines.append(f"#   {plain(warning.hint)}")
    best = shown[0]
    name = best.name.replace("'", "''")
    lines += [f"objective_metric_name: '{plain(name)}'", f"objective_type: {best.objective_type}"]
    if best.objective_value != "last":
        lines.append(f"objective_value: {best.objective_value}  # of the folds")
    return "\n".join(lines) + "\n"


def _describe_proposal(proposal: DetectedMetric) -> str:
    values = [value for _, value in proposal.curve]
    ends = format_number(values[0])
    if len(values) > 1:
        ends = f"{draw_sparkline(values, 12)} {ends} to {format_number(values[-1])}"
    program = f"{proposal.program}: " if proposal.program else ""
    return f"{program}{count(len(values), 'value')} {ends}"


def readings_to_json(readings: Sequence[ScanResult]) -> list[json_types.Reading]:
    """Return what each definition finds; `matches` are the first and the last ones."""
    return [
        {
            "definition": dict(reading.definition),
            "count": reading.count,
            "curve": [list(point) for point in reading.curve],
            "warnings": list_warnings(reading.warnings),
            "matches": [_match_to_json(hit) for hit in reading.matches],
        }
        for reading in readings
    ]


def list_warnings(warnings: Sequence[Problem]) -> list[json_types.LintWarning]:
    """Return warnings as JSON-able values."""
    return [
        {"slug": warning.slug, "message": warning.message, "hint": warning.hint}
        for warning in warnings
    ]


def _match_to_json(hit: LineMatch) -> json_types.Match:
    return {
        "line": hit.number,
        "text": hit.text,
        "span": hit.span,
        "value_span": hit.value_span,
        "step": hit.step,
        "value": hit.value,
    }


def proposals_to_json(proposals: Sequence[DetectedMetric]) -> list[json_types.Proposal]:
    """Return metric definitions that find something, the likeliest objective first."""
    return [
        {
            "definition": dict(each.definition),
            "objective_type": each.objective_type,
            "objective_value": each.objective_value,
            "program": each.program or None,
            "curve": [list(point) for point in each.curve],
            "example": each.example,
        }
        for each in proposals
    ]

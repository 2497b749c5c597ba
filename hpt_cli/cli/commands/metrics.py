"""hpt metrics LOG: what metric definitions find in a log, or which would find something."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hpt_cli.cli.load import print_json
from hpt_cli.cli.options import Json
from hpt_cli.errors import ExitCode, HptError, UsageError, did_you_mean
from hpt_cli.formatting import count

if TYPE_CHECKING:
    from hpt_cli.reports.json_types import Proposals, Readings

EXAMPLES = (
    "hpt metrics train.log",
    "hpt metrics train.log --regex 'val_loss: ({num})'",
    "hpt metrics train.log --preset xgboost",
    "hpt metrics train.log --spec spec.yaml",
)
CHUNK_BYTES = 1 << 20
MAX_PROPOSALS = 8
BEGINNING_BYTES = 4 << 20
"""So much of a log is looked at for metrics that nobody has defined."""


def metrics(
    log: Annotated[
        str, typer.Argument(help="What a training program printed; - is standard input.")
    ],
    spec: Annotated[
        Path | None, typer.Option("--spec", help="A spec, whose metric definitions are tried.")
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option("--preset", help="A program that hpt can read: xgboost, keras, ..."),
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option("--metric", help="With --preset: only this metric (repeatable)."),
    ] = None,
    regex: Annotated[
        list[str] | None,
        typer.Option("--regex", help="A regex with {num} for the value (repeatable)."),
    ] = None,
    step: Annotated[
        str | None,
        typer.Option("--step", help="With --regex: a regex with {step}, for the lines before."),
    ] = None,
    all_: Annotated[
        bool, typer.Option("--all", help="Show every value and every proposal.")
    ] = False,
    json: Json = False,
) -> None:
    """Show what metric definitions find in a log, and what goes wrong silently.

    With nothing but the log: metric definitions that find something, the
    likeliest objective first, ready to paste into a spec.
    """
    from hpt_cli.metrics.detection import propose_definitions
    from hpt_cli.metrics.lines import split_lines
    from hpt_cli.metrics.lint import lint_definitions, read_log
    from hpt_cli.metrics.scan import KEPT
    from hpt_cli.reports.metrics import (
        list_warnings,
        proposals_to_json,
        readings_to_json,
        render_proposals,
        render_readings,
    )

    if sum(bool(each) for each in (spec, preset, regex)) > 1:
        raise UsageError.of("options", "--spec, --preset and --regex: one of them at a time")
    blocks = _Blocks(log)
    lines = split_lines(blocks.beginning)
    definitions = _list_definitions(log, spec, preset, metric or [], regex or [], step, lines)
    if definitions is None:
        proposals = propose_definitions(lines)
        shown = proposals[: None if all_ else MAX_PROPOSALS]
        definitions = [each.definition for each in shown]
        warnings = list(lint_definitions(definitions, blocks.beginning, only_silent=True))
        if json:
            proposed: Proposals = {
                "log": log,
                "proposals": proposals_to_json(proposals),
                "warnings": list_warnings(warnings),
            }
            print_json(proposed)
        elif proposals:
            sys.stdout.write(render_proposals(shown, len(proposals) - len(shown), warnings))
        if not proposals:
            raise HptError.of(
                "metric-none",
                f"no number with a name in {count(len(lines), 'line')} of {log}",
                "print the metric as name=value, or find it with --regex",
            )
        return
    readings = read_log(blocks, definitions, lines, 0 if all_ else KEPT)
    if json:
        found: Readings = {"log": log, "definitions": readings_to_json(readings)}
        print_json(found)
    else:
        from rich.console import Console

        found_all = all(reading.count for reading in readings)
        proposals = () if found_all else propose_definitions(lines)[:MAX_PROPOSALS]
        console = Console()
        console.print(render_readings(readings, lines, proposals, console.width, everything=all_))
    if not all(reading.count for reading in readings):
        raise typer.Exit(ExitCode.FAILED)


class _Blocks:
    """A log in blocks; its beginning is kept, as a pipe can be read only once."""

    def __init__(self, log: str) -> None:
        self._blocks = _read_blocks(log)
        self.beginning = b""
        for block in self._blocks:
            self.beginning += block
            if len(self.beginning) >= BEGINNING_BYTES:
                break

    def __iter__(self) -> Iterator[bytes]:
        yield self.beginning
        yield from self._blocks


def _read_blocks(log: str) -> Iterator[bytes]:
    try:
        with sys.stdin.buffer if log == "-" else open(log, "rb") as file:
            while block := file.read(CHUNK_BYTES):
                yield block
    except OSError as error:
        raise UsageError.of("log-unreadable", f"{log}: {error.strerror}") from error


def _list_definitions(
    log: str,
    spec: Path | None,
    preset: str | None,
    metrics: list[str],
    regexes: list[str],
    step: str | None,
    lines: list[str],
) -> Sequence[Mapping[str, Any]] | None:
    """The definitions that are asked for; None if none is."""
    if spec is not None:
        return _read_definitions(spec, log)
    if preset is not None:
        return _fill_preset(preset, metrics, lines)
    if regexes:
        return [_check_regex(number, regex, step) for number, regex in enumerate(regexes, 1)]
    return None


def _read_definitions(spec: Path, log: str) -> Sequence[Mapping[str, Any]]:
    """Those of a spec that read the file of this name, or else those that read the output."""
    from hpt_cli.checks.prerequisites import find_unset_variables
    from hpt_cli.storage.spec_file import read_raw

    raw = read_raw(spec)
    valid = raw.validate(*find_unset_variables(raw.fields, os.environ))
    definitions = valid.list_definitions()
    own = [each for each in definitions if Path(each.get("file", "")).name == Path(log).name]
    return own or [each for each in definitions if "file" not in each] or definitions


def _fill_preset(preset: str, metrics: list[str], lines: list[str]) -> Sequence[Mapping[str, Any]]:
    """The metrics of a program that are asked for, or else all that the log has."""
    from hpt_cli.metrics.detection import list_metrics
    from hpt_cli.metrics.presets import PRESETS

    if preset not in PRESETS:
        raise UsageError.of(
            "preset-unknown",
            f"there is no preset '{preset}'; there are: {', '.join(PRESETS)}",
            did_you_mean(preset, PRESETS),
        )
    known = PRESETS[preset].metrics
    for metric in metrics:
        if known and not PRESETS[preset].regex and metric not in known:
            raise UsageError.of(
                "preset-metric",
                f"{PRESETS[preset].program} has no metric '{metric}'; it has: {', '.join(known)}",
                did_you_mean(metric, known),
            )
    names = metrics or list_metrics(preset, lines)
    if not names:
        raise HptError.of(
            "metric-none",
            f"nothing in {count(len(lines), 'line')} looks like {PRESETS[preset].program}",
            "without --preset, hpt metrics says what it finds",
        )
    return [{"name": name, "preset": preset} for name in names]


def _check_regex(number: int, regex: str, step: str | None) -> Mapping[str, Any]:
    from hpt_cli.metrics.extractors import compile_definition

    fields = {"name": f"regex {number}", "regex": regex} | ({"step": step} if step else {})
    try:
        compile_definition(fields)
    except ValueError as error:
        raise UsageError.of("regex", f"{regex}: {error}") from None
    return fields

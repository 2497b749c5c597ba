"""hpt metrics LOG: what metric definitions match in a log, or which ones would match."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from hpt_cli.cli.options import Json
from hpt_cli.cli.output import print_json
from hpt_cli.errors import ExitCode, HptError, Problem, UsageError
from hpt_cli.formatting import count, format_bytes
from hpt_cli.metrics.detection import detect_metrics, list_metrics, share_searched
from hpt_cli.metrics.detection.metric import DetectedMetric
from hpt_cli.metrics.extractors import compile_definition
from hpt_cli.metrics.lines import to_utf8
from hpt_cli.metrics.lint import lint_definitions, scan_and_lint
from hpt_cli.metrics.presets import PRESETS
from hpt_cli.metrics.sample import take_sample
from hpt_cli.metrics.scan import KEPT, scan_log
from hpt_cli.reports.metrics import (
    list_warnings,
    proposals_to_json,
    readings_to_json,
    render_proposals,
    render_readings,
)

if TYPE_CHECKING:
    from hpt_cli.reports.json_types.before_run import Proposals, Readings

EXAMPLES = (
    "hpt metrics train.log",
    "hpt metrics train.log --regex 'val_loss: ({num})'",
    "hpt metrics train.log --preset xgboost",
    "hpt metrics train.log --spec spec.yaml",
)
CHUNK_BYTES = 1 << 20
MAX_PROPOSALS = 8
LONG_BYTES = 20 << 20
"""A log of this size is read with a progress bar."""
MAX_READ = 12
"""The likeliest metrics of a long log, which are read in all of it."""
MAX_VALUES = 50_000
"""So many values of all metrics together are read; the others in the sample only."""

Definitions = Sequence[Mapping[str, Any]]
SpecOption = Annotated[
    Path | None,
    typer.Option("--spec", metavar="FILE", help="A spec whose metric definitions are tried."),
]
Preset = Annotated[
    str | None,
    typer.Option("--preset", help="A program whose output hpt can read: xgboost, keras, ..."),
]
Metric = Annotated[
    list[str] | None,
    typer.Option("--metric", help="With --preset: only this metric (repeatable)."),
]
Regex = Annotated[
    list[str] | None,
    typer.Option("--regex", help="A regex with {num} for the value (repeatable)."),
]
Step = Annotated[
    str | None,
    typer.Option("--step", help="With --regex: a regex with {step}, for steps on earlier lines."),
]


def metrics(
    log: Annotated[
        str, typer.Argument(help="The output of a training program; - is standard input.")
    ],
    spec: SpecOption = None,
    preset: Preset = None,
    metric: Metric = None,
    regex: Regex = None,
    step: Step = None,
    all_: Annotated[
        bool, typer.Option("--all", help="Show every value and every proposal.")
    ] = False,
    json: Json = False,
) -> None:
    """Show what metric definitions find in a log, and what they misread.

    With only a log: metric definitions that would find something, likeliest objective first,
    ready to paste into a spec.
    """
    if sum(bool(each) for each in (spec, preset, regex)) > 1:
        raise UsageError.of("options", "--spec, --preset and --regex cannot be combined")
    output = _Log(log)
    if spec is not None:
        definitions = _read_definitions(spec, log)
    elif preset is not None:
        definitions = _fill_preset(preset, metric or [], output.lines)
    elif regex:
        definitions = [_check_regex(number, each, step) for number, each in enumerate(regex, 1)]
    else:
        _propose(output, everything=all_, as_json=json)
        return
    _read(output, definitions, everything=all_, as_json=json)


class _Log:
    """A log, read twice: a sample of it first, and all of it with definitions."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._file = _open(name)
        self.sample = take_sample(self._read_blocks(""))
        self.lines = list(self.sample.lines)

    def __iter__(self) -> Iterator[bytes]:
        return to_utf8(self._read_blocks(f"reading {self.name}"))

    def _read_blocks(self, told: str) -> Iterator[bytes]:
        """Yield the log in blocks; with a progress bar for a long one on a terminal."""
        try:
            size = self._file.seek(0, os.SEEK_END)
            self._file.seek(0)
            with Progress(console=Console(stderr=True), transient=True) as progress:
                is_long = bool(told) and size >= LONG_BYTES
                task = progress.add_task(told, total=size, visible=is_long)
                while block := self._file.read(CHUNK_BYTES):
                    progress.advance(task, len(block))
                    yield block
        except OSError as error:
            raise UsageError.of("log-unreadable", f"{self.name}: {error.strerror}") from error


def _open(log: str) -> IO[bytes]:
    """Return a file that can be read twice; it is open until the process ends."""
    try:
        file = sys.stdin.buffer if log == "-" else open(log, "rb")  # noqa: SIM115
        if log != "-" and file.seekable():
            return file
        kept = tempfile.TemporaryFile()  # noqa: SIM115
        shutil.copyfileobj(file, kept, CHUNK_BYTES)
    except OSError as error:
        raise UsageError.of("log-unreadable", f"{log}: {error.strerror}") from error
    return kept


def _propose(log: _Log, *, everything: bool, as_json: bool) -> None:
    """Print the metric definitions that would find something.

    Raises:
        HptError: none would; a JSON document is printed nevertheless.
    """
    proposals = detect_metrics(log.lines)
    share = log.sample.share * share_searched(log.lines)
    if share < 1:
        proposals = _read_whole(log, proposals, share)
    shown = proposals[: None if everything else MAX_PROPOSALS]
    definitions = [each.definition for each in shown]
    warnings = [*_warn_of_sample(log.sample.size, share), *_lint(log, definitions)]
    if as_json:
        proposed: Proposals = {
            "log": log.name,
            "proposals": proposals_to_json(proposals),
            "warnings": list_warnings(warnings),
        }
        print_json(proposed)
    elif proposals:
        sys.stdout.write(render_proposals(shown, len(proposals) - len(shown), warnings))
    if not proposals:
        raise HptError.of(
            "metric-none",
            f"nothing here looks like a metric: {count(len(log.lines), 'line')} of {log.name}",
            "print the metric as name=value, or find it with --regex",
        )


def _lint(log: _Log, definitions: Definitions) -> list[Problem]:
    return list(lint_definitions(definitions, log.sample.beginning, only_silent=True))


def _read_whole(
    log: _Log, proposals: Sequence[DetectedMetric], share: float
) -> tuple[DetectedMetric, ...]:
    """Return proposals with what the likeliest of them find in all of a log.

    Those with very many values keep the ones in the part that was searched for metrics, which is
    this share of the log: reading all of them takes too long.
    """
    likely: list[DetectedMetric] = []
    room = MAX_VALUES * share
    for each in proposals[:MAX_READ]:
        if len(each.curve) <= room:
            likely.append(each)
            room -= len(each.curve)
    if not likely:
        return tuple(proposals)
    results = scan_log(log, [each.definition for each in likely])
    read = {
        found.name: replace(each, curve=found.points, example=found.matches[-1].text)
        for each, found in zip(likely, results, strict=True)
        if found.matches
    }
    return tuple(read.get(each.name, each) for each in proposals)


def _warn_of_sample(size: int, share: float) -> list[Problem]:
    if share == 1:
        return []
    searched = format_bytes(round(size * share))
    return [
        Problem(
            "log-sampled",
            f"metrics were looked for in {searched} of {format_bytes(size)}: the beginning,"
            " parts of the middle and the end",
            "a metric that is printed seldom may be missing: find it with --regex; of one that is"
            " printed very often, only the values in these parts are shown",
        )
    ]


def _read(log: _Log, definitions: Definitions, *, everything: bool, as_json: bool) -> None:
    """Print what definitions find; exit with 1 if some find nothing."""
    readings = scan_and_lint(log, definitions, log.lines, 0 if everything else KEPT)
    found_all = all(reading.count for reading in readings)
    if as_json:
        found: Readings = {"log": log.name, "definitions": readings_to_json(readings)}
        print_json(found)
    else:
        proposals = () if found_all else detect_metrics(log.lines)[:MAX_PROPOSALS]
        console = Console()
        width = console.width
        console.print(render_readings(readings, log.lines, proposals, width, everything=everything))
    if not found_all:
        raise typer.Exit(ExitCode.FAILED)


def _read_definitions(spec: Path, log: str) -> Definitions:
    """Return those of a spec that read the file of this name, else those that read the output."""
    from hpt_cli.checks.prerequisites import find_unset_variables
    from hpt_cli.storage.spec_file import read_raw

    raw = read_raw(spec)
    valid = raw.validate(*find_unset_variables(raw.fields, os.environ))
    definitions = valid.list_definitions()
    own = [each for each in definitions if Path(each.get("file", "")).name == Path(log).name]
    return own or [each for each in definitions if "file" not in each] or definitions


def _fill_preset(preset: str, metrics: Sequence[str], lines: list[str]) -> Definitions:
    """Return definitions of some metrics of a program, by default all that the log has."""
    from hpt_cli.spec.cross_field.metrics import find_form_conflicts

    definitions = [{"name": name, "preset": preset} for name in metrics]
    conflicts = find_form_conflicts({"metric_definitions": definitions or [{"preset": preset}]})
    problems = dict.fromkeys(Problem(each.slug, each.message, each.hint) for each in conflicts)
    if problems:
        raise UsageError(*problems)
    found = definitions or [
        {"name": name, "preset": preset} for name in list_metrics(preset, lines)
    ]
    if not found:
        raise HptError.of(
            "metric-none",
            f"nothing in {count(len(lines), 'line')} looks like {PRESETS[preset].program}",
            "without --preset, hpt metrics shows what it finds",
        )
    return found


def _check_regex(number: int, regex: str, step: str | None) -> Mapping[str, Any]:
    fields = {"name": f"regex {number}", "regex": regex} | ({"step": step} if step else {})
    try:
        compile_definition(fields)
    except ValueError as error:
        raise UsageError.of("regex", f"{regex}: {error}") from None
    return fields

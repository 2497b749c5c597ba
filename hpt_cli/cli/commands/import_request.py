"""hpt import FILE: a tuning job of another program as a spec."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from hpt_cli.cli.console import print_message
from hpt_cli.cli.options import Force
from hpt_cli.cli.output import write_output
from hpt_cli.errors import Problem, SourceLocation, UsageError
from hpt_cli.importers import import_text
from hpt_cli.metrics.detection import detect_metrics
from hpt_cli.metrics.sample import take_sample
from hpt_cli.sagemaker.names import FILL_IN
from hpt_cli.spec.yaml.reader import parse_spec
from hpt_cli.spec.yaml.writer import write_spec

BLOCK_BYTES = 1 << 20
EXAMPLES = (
    "hpt import request.json -o spec.yaml",
    "hpt import tuning.ipynb -o spec.yaml",
    "hpt import sweep.yaml --log train.log -o spec.yaml",
)


File = Annotated[
    Path,
    typer.Argument(
        help="A SageMaker request (JSON or YAML), or the response of Describe...; a script or"
        " notebook with HyperparameterTuner(...); a W&B sweep; a Hydra configuration with"
        " sweeper parameters.",
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Write the spec to this file instead of standard output.",
    ),
]
Definition = Annotated[
    str | None,
    typer.Option(
        "--definition",
        metavar="NAME",
        help="The tuning job or training job definition to use if there are several.",
    ),
]
Log = Annotated[
    Path | None,
    typer.Option(
        "--log",
        metavar="LOG",
        help="An output of the training program, to find metrics in that the file only names.",
    ),
]


def import_request(
    file: File,
    output: Output = None,
    definition: Definition = None,
    log: Log = None,
    force: Force = False,
) -> None:
    """Turn a tuning job of SageMaker, W&B or Hydra into a spec.

    The file is read and never run. Lists on standard error what has no equivalent here, and what
    must be filled in.
    """
    detected = detect_metrics(_sample(log)) if log else ()
    imported = import_text(_read(file), str(file), definition, str(log or ""), detected)
    comments: dict[str, list[str]] = {}
    for field, words in imported.fill_in:
        place = field if imported.fields.get(field) is not None else ""
        comments.setdefault(place, []).append(f"fill in: {words}")
    text = write_spec(imported.fields, comments)
    write_output(text, output, force=force)
    for line in imported.left_out:
        print_message(f"left out: {line}")
    for field, words in imported.fill_in:
        print_message(f"fill in {field}: {words}")
    _check(text, str(output or "spec.yaml"))


def _check(text: str, file: str) -> None:
    """Refuse a spec that is wrong, or has blanks: it must be completed first."""
    intro = Problem("imported", "the spec must be completed by hand before it can run:")
    try:
        parse_spec(text, file)
    except UsageError as error:
        raise UsageError(intro, *error.problems) from None
    lines = text.splitlines()
    blanks = [
        Problem("imported-blank", f"replace {FILL_IN}", place=SourceLocation(file, number, 1))
        for number, line in enumerate(lines, 1)
        if FILL_IN in line and not line.startswith("#")
    ]
    if blanks:
        raise UsageError(intro, *blanks)


def _sample(log: Path) -> tuple[str, ...]:
    """Return lines of a log, as `hpt metrics` looks for metrics in."""
    try:
        with log.open("rb") as file:
            return take_sample(iter(lambda: file.read(BLOCK_BYTES), b"")).lines
    except OSError as error:
        raise UsageError.of("log-unreadable", f"{log}: {error.strerror}") from None


def _read(path: Path) -> str:
    try:
        return sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8-sig")
    except OSError as error:
        message = f"{path}: {error.strerror}"
    except UnicodeDecodeError:
        message = f"{path} is not UTF-8 text"
    raise UsageError.of("request-unreadable", message)

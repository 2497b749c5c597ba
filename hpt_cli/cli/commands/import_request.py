"""hpt import FILE: a tuning job of another program as a spec."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from hpt_cli.cli.console import print_message
from hpt_cli.cli.options import Force
from hpt_cli.cli.output import write_output
from hpt_cli.errors import Problem, UsageError

EXAMPLES = ("hpt import request.json -o spec.yaml",)


def import_request(
    file: Annotated[
        Path,
        typer.Argument(
            help="A CreateHyperParameterTuningJob request, or the response of Describe..., as JSON"
            " or YAML.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Write the spec to this file instead of standard output."
        ),
    ] = None,
    definition: Annotated[
        str | None,
        typer.Option(
            "--definition",
            metavar="NAME",
            help="The training job definition to use if there are several.",
        ),
    ] = None,
    force: Force = False,
) -> None:
    """Turn a SageMaker tuning job into a spec.

    Lists on standard error what has no equivalent here, and what must be filled in.
    """
    from hpt_cli.importers import import_text
    from hpt_cli.spec.yaml_reader import parse_spec
    from hpt_cli.spec.yaml_writer import write_spec

    imported = import_text(_read(file), str(file), definition)
    comments: dict[str, list[str]] = {}
    for field, words in imported.fill_in:
        comments.setdefault(field, []).append(f"fill in: {words}")
    text = write_spec(imported.fields, comments)
    write_output(text, output, force=force)
    for line in imported.left_out:
        print_message(f"left out: {line}")
    for field, words in imported.fill_in:
        print_message(f"fill in {field}: {words}")
    try:
        parse_spec(text, str(output or "spec.yaml"))
    except UsageError as error:
        intro = Problem("imported", "the spec must be completed by hand before it can run:")
        raise UsageError(intro, *error.problems) from None


def _read(path: Path) -> str:
    try:
        return sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8-sig")
    except OSError as error:
        message = f"{path}: {error.strerror}"
    except UnicodeDecodeError:
        message = f"{path} is not UTF-8 text"
    raise UsageError.of("request-unreadable", message)

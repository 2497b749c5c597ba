"""hpt import REQUEST.json: a SageMaker tuning job as a spec."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from hpt_cli.cli.console import print_message
from hpt_cli.cli.options import Force
from hpt_cli.cli.output import write_output
from hpt_cli.errors import Problem, UsageError

EXAMPLES = ("hpt import request.json -o spec.yaml",)


def import_request(
    request: Annotated[
        Path,
        typer.Argument(
            help="A CreateHyperParameterTuningJob request, or the response of Describe..."
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

    Lists on standard error what has no equivalent here.
    """
    from hpt_cli.sagemaker import import_request as convert
    from hpt_cli.spec.yaml_reader import parse_spec
    from hpt_cli.spec.yaml_writer import write_spec

    document = _read_json(request)
    try:
        imported = convert(document, definition)
    except (AttributeError, TypeError, ValueError) as error:
        message = f"{request} does not have the structure that SageMaker documents: {error}"
        raise UsageError.of("request-unreadable", message) from None
    text = write_spec(imported.fields)
    write_output(text, output, force=force)
    for line in imported.left_out:
        print_message(f"left out: {line}")
    try:
        parse_spec(text, str(output or "spec.yaml"))
    except UsageError as error:
        intro = Problem("imported", "the spec must be completed by hand before it can run:")
        raise UsageError(intro, *error.problems) from None


def _read_json(path: Path) -> Any:
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
        return json.loads(text)
    except OSError as error:
        message = f"{path}: {error.strerror}"
    except json.JSONDecodeError as error:
        message = f"{path}:{error.lineno}:{error.colno}: this is not JSON: {error.msg}"
    except RecursionError:
        message = f"{path} is nested too deeply"
    except UnicodeDecodeError:
        message = f"{path} is not UTF-8 text"
    except ValueError as error:  # a number with thousands of digits
        message = f"{path}: {error}"
    raise UsageError.of("request-unreadable", message)

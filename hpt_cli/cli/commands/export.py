"""hpt export NAME: the results for other programs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal, get_args

import typer

from hpt_cli.cli.console import print_message
from hpt_cli.cli.load import find_tuning_job, summarize_state
from hpt_cli.cli.options import Force, Home, OptionalName
from hpt_cli.cli.output import is_standard_output, refuse_existing, write_output
from hpt_cli.errors import UsageError
from hpt_cli.exports import Results
from hpt_cli.exports.files import FORMATS, encode_json
from hpt_cli.exports.mlflow import export_runs as export_to_mlflow
from hpt_cli.exports.tables import tabulate_jobs, tabulate_observations
from hpt_cli.exports.tensorboard import export_runs as export_to_tensorboard
from hpt_cli.formatting import count, hide_passwords, plain_lines
from hpt_cli.storage.journal import open_journal

Format = Literal["csv", "json", "parquet", "sagemaker", "sagemaker-request"]
SUFFIXES: dict[str, Format] = {".csv": "csv", ".json": "json", ".parquet": "parquet"}
EXAMPLES = (
    "hpt export digits -o jobs.csv",
    "hpt export digits --observations -o curves.parquet",
    "hpt export digits --mlflow http://localhost:5000",
)


AsFormat = Annotated[
    Format | None,
    typer.Option(
        "--format",
        metavar="|".join(get_args(Format)),
        help="csv (unless the file has another suffix), json, parquet; sagemaker is the response of"
        " DescribeHyperParameterTuningJob, sagemaker-request the request that creates the tuning"
        " job there.",
        show_default=False,
    ),
]
Sagemaker = Annotated[
    bool, typer.Option("--sagemaker", help="The same as --format sagemaker-request.")
]
Output = Annotated[
    Path | None,
    typer.Option(
        "-o", "--output", metavar="FILE", help="Write to a file instead of standard output."
    ),
]
Observations = Annotated[
    bool, typer.Option("--observations", help="Write a row for each epoch and metric.")
]
Mlflow = Annotated[
    str | None,
    typer.Option(
        "--mlflow",
        metavar="URI",
        help="Write a run for each training job to an MLflow server or store.",
    ),
]
Tensorboard = Annotated[
    Path | None,
    typer.Option(
        "--tensorboard",
        metavar="DIR",
        help="Write a run for each training job, for TensorBoard to show.",
    ),
]


def export(
    name: OptionalName = None,
    format: AsFormat = None,
    sagemaker: Sagemaker = False,
    output: Output = None,
    force: Force = False,
    observations: Observations = False,
    mlflow: Mlflow = None,
    tensorboard: Tensorboard = None,
    home: Home = None,
) -> None:
    """Export the results: CSV, JSON, Parquet, MLflow, TensorBoard.

    Columns have the names of SageMaker's tuning job analytics. For pandas: hpt export -o jobs.csv,
    then pandas.read_csv("jobs.csv").
    """
    form = "sagemaker-request" if sagemaker else _choose_format(format, output)
    if observations and form not in FORMATS:
        raise UsageError.of(
            "option-conflict",
            f"--observations cannot be combined with --format {form}",
            f"one of {', '.join(FORMATS)}",
        )
    refuse_existing(output, force=force)
    results = _read_results(home, name)
    if mlflow is not None:
        _print_runs(export_to_mlflow(results, mlflow), mlflow)
    if tensorboard is not None:
        _print_runs(export_to_tensorboard(results, tensorboard), tensorboard)
    if (mlflow is None and tensorboard is None) or format or sagemaker or output:
        content = _render(form, results, observations=observations)
        if is_standard_output(output) and sys.stdout.isatty():
            content = _make_harmless(content, form)
        write_output(content, output, force=force)


def _choose_format(form: Format | None, output: Path | None) -> Format:
    if form is not None:
        return form
    if output is None or not output.suffix:
        return "csv"
    if output.suffix.lower() not in SUFFIXES:
        raise UsageError.of(
            "format-unknown",
            f"-o {output}: no format has the suffix '{output.suffix}'",
            f"use one of {', '.join(SUFFIXES)}, or --format",
        )
    return SUFFIXES[output.suffix.lower()]


def _read_results(home: Path | None, name: str | None) -> Results:
    jobdir = find_tuning_job(home, name)
    with open_journal(jobdir.journal) as journal:
        state = journal.state()
        moments = journal.read_moments()
    return Results(summarize_state(jobdir, state), state, moments)


def _render(form: Format, results: Results, *, observations: bool) -> bytes:
    if form in FORMATS:
        tabulate = tabulate_observations if observations else tabulate_jobs
        return FORMATS[form](tabulate(results))
    from hpt_cli.sagemaker import describe_tuning_job, export_request
    from hpt_cli.spec.model import load_spec

    spec = load_spec(results.state.spec)
    if form == "sagemaker":
        document = describe_tuning_job(spec, results.summary)
    else:
        exported = export_request(spec)
        document = exported.request
        for note in exported.notes:
            print_message(f"note: {note}")
    return encode_json(document)


def _make_harmless(content: bytes, form: Format) -> bytes:
    """Return text that cannot control a terminal."""
    if form == "parquet":
        raise UsageError.of(
            "output-binary",
            "Parquet is binary, and standard output is a terminal",
            "-o FILE.parquet",
        )
    return plain_lines(content.decode()).encode()


def _print_runs(runs: int, where: object) -> None:
    print_message(f"{count(runs, 'run')} written to {hide_passwords(str(where))}")

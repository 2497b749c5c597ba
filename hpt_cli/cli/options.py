"""The options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from hpt_cli.cli.completion import complete_field, complete_job, complete_name

Home: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--home",
        metavar="DIR",
        help="Where tuning jobs are kept; by default HPT_HOME, else .hpt in this directory.",
        show_default=False,
    ),
]
Name: TypeAlias = Annotated[
    str,
    typer.Argument(
        help="The tuning job's name, or the beginning of it; @last is the newest.",
        show_default=False,
        autocompletion=complete_name,
    ),
]
OptionalName: TypeAlias = Annotated[
    str | None,
    typer.Argument(
        help="The tuning job's name, or the beginning of it; by default the newest (@last).",
        show_default=False,
        autocompletion=complete_name,
    ),
]
OptionalNames: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(
        help="Tuning jobs, by their names or their beginnings; by default the newest (@last).",
        show_default=False,
        autocompletion=complete_name,
    ),
]
Names: TypeAlias = Annotated[
    list[str],
    typer.Argument(
        help="Tuning jobs, each by its name, the beginning of its name, or @last.",
        show_default=False,
        autocompletion=complete_name,
    ),
]
Job: TypeAlias = Annotated[
    str | None,
    typer.Argument(
        help="The training job: 7, or NAME-0007.", show_default=False, autocompletion=complete_job
    ),
]
Jobs: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(
        help="Training jobs: 7, or NAME-0007; all by default.",
        show_default=False,
        autocompletion=complete_job,
    ),
]
SpecFile: TypeAlias = Annotated[
    Path | None,
    typer.Argument(
        help="The YAML file that describes what to tune; by default the only one here.",
        show_default=False,
    ),
]
Set: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="FIELD=VALUE",
        help="Change a field of the spec, or with dots what is in it: early_stopping.rule=median"
        " (repeatable).",
        autocompletion=complete_field,
    ),
]
TrySeconds: TypeAlias = Annotated[
    float,
    typer.Option(
        "--seconds", min=1, metavar="N", help="With --try: stop it after this many seconds."
    ),
]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Plain: TypeAlias = Annotated[
    bool, typer.Option("--plain", help="Print a line for each event instead of the live screen.")
]
Quiet: TypeAlias = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
Detach: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--detach",
        "-d",
        help="Return as soon as it is tuning, and go on in the background, without a terminal.",
    ),
]
Yes: TypeAlias = Annotated[bool, typer.Option("--yes", "-y", help="Ask no questions.")]
Wide: TypeAlias = Annotated[
    bool, typer.Option("--wide", help="Show every cell in full, however narrow the terminal is.")
]
Force: TypeAlias = Annotated[
    bool, typer.Option("--force", help="Overwrite the file if it already exists.")
]
Png: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--png",
        metavar="FILE",
        help="Write a picture: .png, .svg or .pdf. Needs 'hpt-cli[plot]'.",
        show_default=False,
    ),
]

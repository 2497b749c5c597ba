"""The options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from hpt_cli.cli.completion import complete_job, complete_name

Home: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--home",
        help="Where tuning jobs live; else HPT_HOME, else .hpt in this directory.",
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
Names: TypeAlias = Annotated[
    list[str],
    typer.Argument(
        help="Tuning jobs, each by its name, the beginning of it, or @last.",
        show_default=False,
        autocompletion=complete_name,
    ),
]
Job: TypeAlias = Annotated[
    str,
    typer.Argument(
        help="The training job: 7, or NAME-0007.", show_default=False, autocompletion=complete_job
    ),
]
Jobs: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(
        help="Training jobs: 7, or NAME-0007; all where none is named.",
        show_default=False,
        autocompletion=complete_job,
    ),
]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Plain: TypeAlias = Annotated[
    bool, typer.Option("--plain", help="A line for each event instead of the live screen.")
]
Quiet: TypeAlias = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
Wide: TypeAlias = Annotated[
    bool, typer.Option("--wide", help="All of every cell, however narrow the terminal.")
]
Force: TypeAlias = Annotated[
    bool, typer.Option("--force", help="Overwrite the file if it is there already.")
]
Png: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--png",
        metavar="FILE",
        help="A picture; .svg and .pdf too. Needs 'hpt-cli[plot]'.",
        show_default=False,
    ),
]

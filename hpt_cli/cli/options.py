"""The options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

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
    ),
]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Plain: TypeAlias = Annotated[
    bool, typer.Option("--plain", help="A line for each event instead of the live screen.")
]
Quiet: TypeAlias = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]

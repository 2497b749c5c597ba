"""hpt advise NAME: what the results say to do next."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hpt_cli.cli.console import print_message
from hpt_cli.cli.load import find_tuning_job, read_state
from hpt_cli.cli.next_steps import name_advised, name_run
from hpt_cli.cli.options import Force, Home, Json, OptionalName
from hpt_cli.cli.output import print_answer, write_file
from hpt_cli.spec.names import MAX_NAME_LENGTH

EXAMPLES = (
    "hpt advise digits",
    "hpt advise digits --write next.yaml",
)
NEXT = "-next"
"""What the name of the tuning job ends with that follows."""


def advise(
    name: OptionalName = None,
    write: Annotated[
        Path | None,
        typer.Option(
            "--write", metavar="FILE", help="Write a spec that does it, warm-started from this one."
        ),
    ] = None,
    force: Force = False,
    json: Json = False,
    home: Home = None,
) -> None:
    """Say what to do next: each advice with its evidence and a command.

    Best results at the edge of a range, ranges that do not matter, regions in which jobs fail,
    noise larger than the differences, and what more training jobs would bring.
    """
    from hpt_cli.analysis.advice import advise as find_advice
    from hpt_cli.analysis.importance import measure_importance
    from hpt_cli.reports.advise import render, to_json, write_next
    from hpt_cli.spec.model import load_spec
    from hpt_cli.tuning.evidence import list_trials

    jobdir = find_tuning_job(home, name)
    state = read_state(jobdir)
    spec = load_spec(state.spec)
    importance = measure_importance(spec.hyperparameter_ranges, list_trials(spec, state))
    advice = find_advice(spec, state, importance)
    if write is not None:
        following = f"{spec.name[: MAX_NAME_LENGTH - len(NEXT)]}{NEXT}"
        write_file(write_next(spec, advice, following), write, force=force)
    commands = [name_advised(each, jobdir) for each in advice]
    print_answer(render, to_json, spec.name, advice, commands, as_json=json, crop=False)
    if write is not None:
        print_message(f"to run it: {name_run(write, jobdir)}")

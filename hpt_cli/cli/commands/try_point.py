"""hpt try NAME HYPERPARAMETER=VALUE...: give a tuning job a point to try next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from hpt_cli.cli.completion import complete_hyperparameter
from hpt_cli.cli.console import print_message
from hpt_cli.cli.load import find_tuning_job, read_state
from hpt_cli.cli.options import Home, OptionalName
from hpt_cli.cli.requests import ask, print_advice
from hpt_cli.errors import Problem, UsageError
from hpt_cli.formatting import format_hyperparameters
from hpt_cli.storage.job_directory import JobDir

if TYPE_CHECKING:
    from hpt_cli.spec.fields.overrides import Override
    from hpt_cli.spec.hyperparameters import Hyperparameters
    from hpt_cli.tuning.state import TuningState

EXAMPLES = (
    "hpt try digits learning_rate=3e-4 optimizer=adam",
    "hpt try optimizer=nag --count 3 --source anna",
    "hpt try digits learning_rate=5 --anyway",
)


def try_point(
    name: OptionalName = None,
    settings: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[HYPERPARAMETER=VALUE...]",
            help="The point, or some values of it.",
            show_default=False,
            autocompletion=complete_hyperparameter,
        ),
    ] = None,
    count: Annotated[
        int, typer.Option("--count", min=1, max=1000, metavar="N", help="How many training jobs.")
    ] = 1,
    source: Annotated[
        str, typer.Option("--source", metavar="WHO", help="Whose idea it is, for the tables.")
    ] = "user",
    anyway: Annotated[
        bool,
        typer.Option(
            "--anyway",
            help="Also outside the ranges, or with hyperparameters that have been tried.",
        ),
    ] = False,
    home: Home = None,
) -> None:
    """Give a tuning job a point to try next.

    The strategy chooses what is left out. The training job counts in max_jobs, which grows where
    there is no room for it. What lies outside the ranges is tried with --anyway, and left out of
    what the strategy learns from.
    """
    from hpt_cli.spec.fields.overrides import read_overrides

    words = list(settings or [])
    if name is not None and "=" in name:
        words, name = [name, *words], None
    jobdir = find_tuning_job(home, name)
    given = read_overrides(words, "", "HYPERPARAMETER")
    if not given:
        names = list(read_state(jobdir, only_latest=True).spec["hyperparameter_ranges"])
        hint = f"for example: hpt try {jobdir.name} {names[0]}=VALUE"
        raise UsageError.of(
            "point-missing", "no value is given", f"{hint}; there are: {', '.join(names)}"
        )
    _propose(jobdir, given, count, source, anyway=anyway)


def _propose(
    jobdir: JobDir, given: Sequence[Override], count: int, source: str, *, anyway: bool
) -> None:
    before = read_state(jobdir)
    point = _read_point(before, given, anyway=anyway)
    known = len(before.proposals)

    def is_done() -> bool:
        state = read_state(jobdir)
        new = [
            each for each in state.proposals[known:] if (each.point, each.source) == (point, source)
        ]
        if len(new) < count:
            _read_point(state, given, anyway=anyway)
        return len(new) >= count

    request = {"point": point, "source": source, "count": count, "anyway": anyway}
    ask(jobdir, request, is_done)
    times = "" if count == 1 else f" {count} times"
    print_message(f"{jobdir.name}: {format_hyperparameters(point)} is tried next{times}")
    after = read_state(jobdir)
    if after.spec.get("max_jobs") != before.spec.get("max_jobs"):
        print_message(f"{jobdir.name}: max_jobs is now {after.spec['max_jobs']}")
    print_advice(jobdir)


def _read_point(state: TuningState, given: Sequence[Override], *, anyway: bool) -> Hyperparameters:
    """Return the point that the command line gives.

    Raises:
        UsageError: it cannot be tried: with every reason.
    """
    from hpt_cli.spec.cross_field.conflict import ConflictError
    from hpt_cli.spec.model import load_spec
    from hpt_cli.tuning.steering.proposals import read_point

    values = {each.field: each for each in given}
    twice = [each for each in given if values[each.field] is not each]
    problems = [
        Problem("point-twice", f"'{each.field}' is given twice", place=each.field_place)
        for each in twice
    ]
    point: Hyperparameters = {}
    try:
        texts = {name: each.value for name, each in values.items()}
        point = read_point(load_spec(state.spec), state, texts, anyway=anyway)
    except ConflictError as error:
        for conflict in error.conflicts:
            where = values[str(conflict.location[0])]
            place = where.field_place if conflict.at_key else where.value_place
            problems.append(Problem(conflict.slug, conflict.message, conflict.hint, place))
    if problems:
        raise UsageError(*problems)
    return point

"""hpt init [COMMAND...]: a first spec, from the help, the source and the output of a program."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hpt_cli.checks.interpreter import explain_missing_module
from hpt_cli.checks.trial_run import TrialRun, try_job
from hpt_cli.cli.commands.check import show_progress
from hpt_cli.cli.console import ask, confirm, print_message
from hpt_cli.cli.options import Force, TrySeconds, Yes
from hpt_cli.cli.output import is_standard_output, refuse_existing, write_file
from hpt_cli.errors import HptError, UsageError, did_you_mean
from hpt_cli.executors import LaunchRequest, load_executor
from hpt_cli.formatting import count, draw_sparkline, format_number, format_setting
from hpt_cli.logs.log_file import read_lines
from hpt_cli.machine.gpus import read_gpus
from hpt_cli.metrics.detection import detect_metrics
from hpt_cli.metrics.detection.metric import DetectedMetric
from hpt_cli.metrics.lint import lint_definitions
from hpt_cli.scaffold.options import (
    find_given,
    list_short,
    name_placeholders,
    split_usual,
    update_defaults,
)
from hpt_cli.scaffold.program import list_options
from hpt_cli.scaffold.ways_in import advise_way_in
from hpt_cli.spec.command_template import ALL, SCRIPTS, find_placeholders
from hpt_cli.spec.hyperparameters import Value, format_value
from hpt_cli.storage.home import find_home

if TYPE_CHECKING:
    from hpt_cli.checks.prerequisites import Findings
    from hpt_cli.scaffold.draft import Draft
    from hpt_cli.scaffold.options import ProgramOption
    from hpt_cli.scaffold.ranges import RangeProposal

EXAMPLES = (
    "hpt init python train.py",
    "hpt init --try python train.py --epochs 5",
)
SPEC = Path("spec.yaml")
MAX_SHOWN = 5
MOMENT = 20.0
"""For so many seconds the command runs at the ends of the ranges."""
INTERPRETERS = {
    ".py": ("python", "python3"),
    ".sh": ("bash", "sh"),
    ".R": ("Rscript",),
    ".jl": ("julia",),
    ".lua": ("lua",),
    ".pl": ("perl",),
}
Command = Annotated[
    list[str] | None,
    typer.Argument(help="The training command, as you would type it.", show_default=False),
]
Try = Annotated[
    bool | None,
    typer.Option(
        "--try/--no-try", help="Run the command to see its output, and try the ends of the ranges."
    ),
]
Log = Annotated[
    Path | None,
    typer.Option("--log", metavar="LOG", help="Read this log instead of running the command."),
]
Tune = Annotated[
    list[str] | None,
    typer.Option(
        "--tune", metavar="OPTION", help="Tune this option instead of the usual ones (repeatable)."
    ),
]
Metric = Annotated[
    str | None, typer.Option("--metric", help="The metric to tune, one of those in the output.")
]
Maximize = Annotated[
    bool | None,
    typer.Option("--maximize/--minimize", help="Whether higher values of the metric are better."),
]
MaxJobs = Annotated[
    int, typer.Option("--max-jobs", metavar="N", min=1, help="The total number of training jobs.")
]
JobName = Annotated[
    str | None, typer.Option("--name", help="The name of the tuning job, by default the script's.")
]
Output = Annotated[
    Path,
    typer.Option("--output", "-o", metavar="FILE", help="The file to write; - is standard output."),
]


def init(
    context: typer.Context,
    command: Command = None,
    try_: Try = None,
    log: Log = None,
    seconds: TrySeconds = 60.0,
    tune: Tune = None,
    metric: Metric = None,
    maximize: Maximize = None,
    max_jobs: MaxJobs = 20,
    name: JobName = None,
    output: Output = SPEC,
    force: Force = False,
    yes: Yes = False,
) -> None:
    """Write a first spec for a training command.

    Options are read from its --help, and from its source if it is Python; metrics, from its
    output. With --try, what fails at an end of the ranges is left out. Options of hpt come
    before the command. hpt asks on a terminal; elsewhere, or with --yes, it takes the likeliest
    answers.
    """
    from hpt_cli.scaffold.draft import fill_command

    asks = not yes and sys.stdin.isatty() and sys.stderr.isatty()
    target = None if is_standard_output(output) else output
    if asks and not force and target is not None and target.exists():
        force = confirm(f"{target} already exists. Overwrite it?", default=False)
    refuse_existing(target, force=force)
    if not command and not asks:
        raise UsageError.of(
            "command-missing", "no training command was given", "hpt init python train.py"
        )
    words = _read_command(command) if command else ask("Training command", _read_line)
    wanted = "" if maximize is None else "Maximize" if maximize else "Minimize"
    own = {flag for each in context.command.params for flag in each.opts}
    draft = _choose_options(words, tune or [], own, asks=asks)
    draft = replace(draft, objective_type=wanted, name=name or "", max_jobs=max_jobs)
    lines = _read_log(log) if log else ()
    if log is None and _wants_run(try_, seconds, asks=asks):
        lines = _run_once(fill_command(draft.words, draft.tuned), seconds)
        draft = _try_corners(draft, min(seconds, MOMENT))
    if lines:
        draft = _choose_metric(draft, lines, metric, asks=asks)
    if log is None and draft.prints_every_epoch:
        draft = _try_pausing(draft, min(seconds, MOMENT))
    _write(draft, target, str(output), force=force)


def _write(draft: Draft, target: Path | None, name: str, *, force: bool) -> None:
    """Write the spec, after checking that it is right."""
    text, _ = _make_spec(draft, name)
    if target is None:
        sys.stdout.write(text)
    else:
        write_file(text, target, force=force)
        print_message(f"\n{target} is written. Review it, then:")
        print_message(f"  hpt check {target} --try\n  hpt run {target}")
    if draft.metric is None:
        print_message(
            "the metric in it is a guess: hpt init --try runs the command once and finds it"
        )


def _make_spec(draft: Draft, name: str) -> tuple[str, Findings]:
    """Return the text of the spec, and what there is to say of it before it runs."""
    from hpt_cli.checks.prerequisites import check_before_run
    from hpt_cli.scaffold.draft import make_comments, make_fields
    from hpt_cli.spec.yaml.reader import parse_raw
    from hpt_cli.spec.yaml.writer import write_spec

    text = write_spec(make_fields(draft), make_comments(draft))
    return text, check_before_run(parse_raw(text, name), os.environ, Path.cwd())


def _read_line(line: str) -> list[str]:
    return _read_command([line])


def _read_command(given: Sequence[str]) -> list[str]:
    """Return the words of a command that can be run; a script gets the interpreter it needs.

    Raises:
        UsageError: its program or its script does not exist.
    """
    from hpt_cli.scaffold.draft import is_shell_line, split_line

    try:
        words = split_line(given)
    except ValueError as error:
        raise UsageError.of("command-quotes", f"the command cannot be split: {error}") from error
    if not words or is_shell_line(words):
        return words
    words = [*_find_interpreter(words[0]), *words]
    if shutil.which(words[0]) is None:
        raise UsageError.of("program-missing", f"there is no program '{words[0]}' on the PATH")
    script = next((word for word in words[1:] if not word.startswith("-")), "")
    if script.endswith(SCRIPTS) and not Path(script).exists():
        raise UsageError.of("script-missing", f"there is no file {script} in {Path.cwd()}")
    return words


def _find_interpreter(name: str) -> list[str]:
    """Return the interpreter of a script that cannot be run itself; none for a program."""
    known = INTERPRETERS.get(Path(name).suffix, ())
    if not known or shutil.which(name) is not None:
        return []
    if not Path(name).exists():
        raise UsageError.of("script-missing", f"there is no file {name} in {Path.cwd()}")
    interpreter = next(filter(shutil.which, known), known[0])
    print_message(f"the command is: {interpreter} {name}")
    return [interpreter]


# Options


def _choose_options(
    words: Sequence[str], asked: Sequence[str], own: Container[str], *, asks: bool
) -> Draft:
    """Return the draft with the options to tune, and beside them all others that matter.

    Args:
        words: the command.
        asked: what `--tune` names.
        own: the options of `hpt init`.
        asks: whether a user answers questions.
    """
    from hpt_cli.scaffold.draft import Draft, choose_tuned, is_shell_line
    from hpt_cli.scaffold.ranges import list_several, list_switches, propose_ranges

    words, defaults = split_usual(words)
    parts = shlex.split(words[0]) if is_shell_line(words) else list(words)
    known = () if is_shell_line(words) else list_options(parts)
    _warn_of_own_options(own, parts, known)
    given = find_given(parts, list_short(known))
    given = {flag: value for flag, value in given.items() if value[:1] != "{"}
    options = name_placeholders(update_defaults(known, given), parts, defaults)
    marked = [name for name in find_placeholders(parts) if name != ALL]
    proposals = propose_ranges(options, {*marked, *map(_name_option, asked)})
    _check_placeholders(marked, proposals)
    if not proposals:
        raise HptError.of(
            "options-none",
            f"neither the help nor the source of {shlex.join(words)} shows an option to tune",
            advise_way_in(parts),
        )
    chosen = [_find_option(text, proposals) for text in asked] or choose_tuned(
        proposals, given, marked
    )
    switches = list_switches(options)
    _print_options(shlex.join(words), proposals, chosen, switches)
    if asks and not asked:
        usual = ",".join(proposals[place].option.name for place in chosen)
        chosen = ask("Tune which", partial(_find_options, proposals), usual) or chosen
    tuned = [proposals[place] for place in chosen]
    others = [each for each in proposals if each not in tuned]
    return Draft(words, tuned, others, switches, list_several(options))


def _warn_of_own_options(
    own: Container[str], words: Sequence[str], known: Sequence[ProgramOption]
) -> None:
    """Say which words of a command are options of hpt, and none that the program has."""
    strays = [each for each in words if each in own and not any(o.find_flag({each}) for o in known)]
    if known and strays:
        print_message(
            f"warning: {', '.join(strays)}: the program has no such option; those of hpt come"
            f" before the command (hpt init {strays[0]} ... {words[0]} ...)"
        )


def _name_option(text: str) -> str:
    """Return the name of an option that is written as its name or as its flag."""
    return text.strip("-=").replace("-", "_")


def _check_placeholders(names: Sequence[str], proposals: Sequence[RangeProposal]) -> None:
    """Raise UsageError for a placeholder in the command for which no range can be proposed."""
    for name in names:
        if name not in {each.option.name for each in proposals}:
            message = f"neither the program nor its name says which values {{{name}}} can have"
            hint = f"write a usual value with it, where that is a number: {{{name}=32}}"
            raise UsageError.of("placeholder-unknown", message, hint)


def _find_options(proposals: Sequence[RangeProposal], answer: str) -> list[int]:
    return [_find_option(text, proposals) for text in re.split(r"[,\s]+", answer) if text]


def _find_option(text: str, proposals: Sequence[RangeProposal]) -> int:
    """Return the place of an option among the proposals."""
    names = [each.option.name for each in proposals]
    name = _name_option(text)
    return _find_place(name, names, "option-unknown", f"there is no option '{text}' to tune")


def _find_place(name: str, names: Sequence[str], slug: str, message: str) -> int:
    """Return the place of a name; raise UsageError with hints if it is not there."""
    if name not in names:
        hint = did_you_mean(name, names) or f"there are: {', '.join(names)}"
        raise UsageError.of(slug, message, hint)
    return names.index(name)


def _print_options(
    command: str,
    proposals: Sequence[RangeProposal],
    chosen: Sequence[int],
    switches: Sequence[ProgramOption],
) -> None:
    from hpt_cli.scaffold.draft import describe_switch

    print_message(f"options of {command} (* is tuned):")
    for place, each in enumerate(proposals):
        print_message(f"  {'*' if place in chosen else ' '} {_describe(each)}")
    for option in switches:
        print_message(f"    {describe_switch(option):<24} on or off: the spec says how to tune it")


def _describe(proposal: RangeProposal) -> str:
    fields, default = proposal.fields, proposal.option.default
    suffix = "" if default is None else f"  (default {format_setting(default)})"
    if fields["type"] == "Categorical":
        return f"{proposal.option.flag:<24} {' '.join(map(str, fields['values']))}{suffix}"
    write = format_value if fields["scaling_type"] == "ReverseLogarithmic" else format_setting
    bounds = " to ".join(write(fields[key]) for key in ("min_value", "max_value"))
    return f"{proposal.option.flag:<24} {bounds}, {fields['scaling_type']}{suffix}"


# The metric


def _read_log(log: Path) -> tuple[str, ...]:
    if not log.is_file():
        raise UsageError.of("log-unreadable", f"there is no file {log}")
    return tuple(read_lines(log))


def _wants_run(wanted: bool | None, seconds: float, *, asks: bool) -> bool:
    if wanted is None:
        question = (
            f"Run it, for up to {seconds:.0f} s as it is, to see its output and try the ranges?"
        )
        return asks and confirm(question, default=True)
    return wanted


def _run_once(words: Sequence[str], seconds: float) -> tuple[str, ...]:
    """Return what the command prints."""
    trial = _run(words, seconds)
    end = ", and was stopped" if trial.was_cut_off else ""
    printed = count(len(trial.lines), "line")
    print_message(f"it ran for {trial.seconds:.1f} s and printed {printed}{end}")
    if trial.exit_code:
        _print_end(trial)
        message = f"the command failed with exit code {trial.exit_code}"
        hint = explain_missing_module(trial.lines, words, os.environ.get("PATH"))
        raise HptError.of("command-failed", message, hint)
    return trial.lines


def _run(words: Sequence[str], seconds: float) -> TrialRun:
    with tempfile.TemporaryDirectory(prefix="hpt-try-") as temporary:
        directory = Path(temporary, "a1")
        own = {"PYTHONUNBUFFERED": "1", "HPT_ATTEMPT_DIR": str(directory)}
        request = LaunchRequest(
            argv=list(words),
            environment={**os.environ, **own, "HPT_JOB_DIR": temporary},
            working_directory=Path.cwd(),
            directory=directory,
        )
        with show_progress(seconds) as show:
            return try_job(load_executor("local"), request, (), seconds, show)


def _print_end(trial: TrialRun) -> None:
    for line in trial.lines[-MAX_SHOWN:]:
        print_message(f"  │ {line}")


def _try_corners(draft: Draft, seconds: float) -> Draft:
    """Return the draft with ranges at whose ends the command runs, and what failed."""
    from hpt_cli.scaffold.corners import settle_ranges
    from hpt_cli.scaffold.draft import fill_command

    def fails(values: Mapping[str, Value]) -> str:
        trial = _run(fill_command(draft.words, draft.tuned, values), seconds)
        if not trial.exit_code:
            return ""
        if len(values) > 1:  # each alone is told in one line
            print_message(f"it failed with {_join_values(values)}:")
            _print_end(trial)
        said = next((line.strip() for line in reversed(trial.lines) if line.strip()), "")
        return said or f"exit code {trial.exit_code}"

    settled = settle_ranges(draft.tuned, fails)
    if not settled.tuned:
        message = "the command fails with every option that could be tuned"
        raise HptError.of("command-failed", message, "tune others: --tune OPTION")
    comments = [*settled.comments, *filter(None, [settled.failure])]
    for comment in comments:
        print_message(comment)
    if not comments:
        print_message("it runs with the first and with the last value of every range")
    return replace(draft, tuned=settled.tuned, failed=comments)


def _join_values(values: Mapping[str, Value]) -> str:
    return ", ".join(f"{name} {format_setting(value)}" for name, value in values.items())


def _choose_metric(
    draft: Draft, lines: tuple[str, ...], wanted: str | None, *, asks: bool
) -> Draft:
    """Return the draft with one of the metrics in some output, and others beside it."""
    proposals = list(detect_metrics(lines))
    if not proposals:
        print_message("nothing in its output looks like a metric")
        return draft
    shown = proposals[: MAX_SHOWN if wanted is None else None]
    place = _find_metric(wanted, proposals) if wanted else 0
    print_message("metrics in its output:")
    for number, each in enumerate(shown, 1):
        print_message(f"  {number} {_describe_metric(each)}")
    if asks and not wanted:
        place = ask("Tune which metric", partial(_read_metric, proposals, len(shown)), "1")
    metric = proposals[place]
    objective_type = draft.objective_type
    if asks and not objective_type:
        question = f"Maximize or Minimize {metric.name}"
        objective_type = ask(question, _read_direction, metric.objective_type)
    output = "\n".join(lines).encode()
    for warning in lint_definitions([metric.definition], output, only_silent=True):
        print_message(f"warning[{warning.slug}]: {warning.message}\n    {warning.hint}")
    others = [each for each in shown if each is not metric]
    return replace(draft, metric=metric, other_metrics=others, objective_type=objective_type)


def _try_pausing(draft: Draft, seconds: float) -> Draft:
    """Return the draft with pausing, if a training job that is paused goes on."""
    from hpt_cli.checks.checkup import examine, try_pausing

    if read_gpus():
        return draft  # a paused job would keep the memory that the next one needs
    _, found = _make_spec(replace(draft, goes_on="it may go on"), str(SPEC))
    checkup = examine(found, os.environ, Path.cwd(), find_home(None))
    trial = try_pausing(checkup, seconds)
    if trial.goes_on is None:
        return draft
    print_message(f"pausing a training job: {trial.what}")
    return replace(draft, goes_on=trial.what) if trial.goes_on else draft


def _read_direction(answer: str) -> str:
    for each in ("Maximize", "Minimize"):
        if len(answer) > 1 and each.lower().startswith(answer.strip().lower()):
            return each
    raise UsageError.of("direction-unknown", f"'{answer}' is neither Maximize nor Minimize")


def _read_metric(proposals: Sequence[DetectedMetric], shown: int, answer: str) -> int:
    """Return the place of the metric whose number or name is answered."""
    number = int(answer) - 1 if answer.isdecimal() and len(answer) < 9 else -1
    return number if 0 <= number < shown else _find_metric(answer, proposals)


def _find_metric(name: str, proposals: Sequence[DetectedMetric]) -> int:
    """Return the place of a metric among the proposals."""
    names = [each.name for each in proposals]
    return _find_place(name, names, "metric-unknown", f"the output has no metric '{name}'")


def _describe_metric(proposal: DetectedMetric) -> str:
    values = [value for _, value in proposal.curve]
    direction = "higher" if proposal.objective_type == "Maximize" else "lower"
    return (
        f"{proposal.name:<24} {draw_sparkline(values, 16):<16} {format_number(values[-1])}"
        f"  {direction} is better"
    )

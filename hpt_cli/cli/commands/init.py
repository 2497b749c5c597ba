"""hpt init [COMMAND...]: a first spec, from what the program says of itself and prints."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hpt_cli.cli.console import confirm, prompt, say
from hpt_cli.cli.options import Force
from hpt_cli.errors import HptError, UsageError, did_you_mean
from hpt_cli.formatting import count

if TYPE_CHECKING:
    from hpt_cli.metrics.detection import Proposal
    from hpt_cli.scaffold.draft import Draft
    from hpt_cli.scaffold.options import ProgramOption
    from hpt_cli.scaffold.ranges import RangeProposal

EXAMPLES = (
    "hpt init python train.py",
    "hpt init --try python train.py --epochs 5",
)
SPEC = Path("spec.yaml")
MAX_SHOWN = 5


def init(
    command: Annotated[
        list[str] | None,
        typer.Argument(help="The command that trains, as you would type it.", show_default=False),
    ] = None,
    try_: Annotated[
        bool | None,
        typer.Option("--try/--no-try", help="Run it once as it stands, to see what it prints."),
    ] = None,
    log: Annotated[
        Path | None, typer.Option("--log", help="Look at this log of it instead.")
    ] = None,
    seconds: Annotated[
        float, typer.Option("--seconds", min=1, help="With --try: stop it after so long.")
    ] = 60.0,
    tune: Annotated[
        list[str] | None,
        typer.Option("--tune", metavar="OPTION", help="Tune this one (repeatable); not the usual."),
    ] = None,
    metric: Annotated[
        str | None, typer.Option("--metric", help="The metric to tune, of those it prints.")
    ] = None,
    maximize: Annotated[
        bool | None,
        typer.Option("--maximize/--minimize", help="Whether more of the metric is better."),
    ] = None,
    max_jobs: Annotated[
        int, typer.Option("--max-jobs", min=1, help="Training jobs in total.")
    ] = 20,
    name: Annotated[
        str | None, typer.Option("--name", help="The tuning job's name; else the script's.")
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Where to write; - is standard output.")
    ] = SPEC,
    force: Force = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")] = False,
) -> None:
    """Write a first spec for a training command.

    Its --help, and its source if it is Python, tell the options; what it prints tells the metric.
    Options of hpt stand before the command. On a terminal it asks; elsewhere, or with --yes, it
    takes what is likeliest.
    """
    from hpt_cli.checks.prerequisites import check_before_run
    from hpt_cli.cli.output import is_standard_output, refuse_existing, write_file
    from hpt_cli.scaffold.draft import Draft, fill_command, make_comments, make_fields, split_line
    from hpt_cli.spec.yaml_reader import parse_raw
    from hpt_cli.spec.yaml_writer import write_spec

    asks = not yes and sys.stdin.isatty() and sys.stderr.isatty()
    target = None if is_standard_output(output) else output
    if asks and not force and target is not None and target.exists():
        force = confirm(f"{target} is there already. Overwrite it?", default=False)
    refuse_existing(target, force=force)
    words = split_line(command or _ask_for_command(asks=asks))
    _check_program(words)
    tuned, others, switches = _choose_options(words, tune or [], asks=asks)
    draft = Draft(words, tuned, others, switches, max_jobs=max_jobs, name=name or "")
    lines = _read_output(fill_command(words, tuned), log, try_, seconds, asks=asks)
    draft = _choose_metric(draft, lines, metric, maximize, asks=asks)
    text = write_spec(make_fields(draft), make_comments(draft))
    check_before_run(parse_raw(text, str(output)), os.environ, Path.cwd())
    if target is None:
        sys.stdout.write(text)
    else:
        write_file(text, target, force=force)
        say(f"\n{target} is written. Look at it, then:")
        say(f"  hpt check {target} --try\n  hpt run {target}")
    if draft.metric is None:
        say("the metric in it is a guess: hpt init --try runs the command once and finds it")


def _ask_for_command(*, asks: bool) -> list[str]:
    if not asks:
        raise UsageError.of("command-missing", "which command trains?", "hpt init python train.py")
    return [prompt("Command that trains")]


def _check_program(words: Sequence[str]) -> None:
    from hpt_cli.checks.prerequisites import SCRIPTS
    from hpt_cli.scaffold.draft import is_shell_line

    if not is_shell_line(words) and shutil.which(words[0]) is None:
        raise UsageError.of("program-missing", f"there is no program '{words[0]}' on the PATH")
    script = next((word for word in words[1:] if not word.startswith("-")), "")
    if not is_shell_line(words) and script.endswith(SCRIPTS) and not Path(script).exists():
        raise UsageError.of("script-missing", f"there is no file {script} in {Path.cwd()}")


# Options


def _choose_options(
    words: Sequence[str], asked: Sequence[str], *, asks: bool
) -> tuple[list[RangeProposal], list[RangeProposal], list[ProgramOption]]:
    """The options to tune, those that could be, and those that are on or off."""
    from hpt_cli.scaffold.draft import choose_tuned, describe_switch, is_shell_line
    from hpt_cli.scaffold.options import find_given, name_placeholders, update_defaults
    from hpt_cli.scaffold.program import list_options
    from hpt_cli.scaffold.ranges import list_switches, propose_range

    parts = shlex.split(words[0]) if is_shell_line(words) else list(words)
    given = {flag: value for flag, value in find_given(parts).items() if value[:1] != "{"}
    told = () if is_shell_line(words) else list_options(parts)
    options = name_placeholders(update_defaults(told, given), parts)
    proposals = [each for each in map(propose_range, options) if each is not None]
    if not proposals:
        raise HptError.of(
            "options-none",
            f"neither the help nor the source of {shlex.join(words)} tells an option to tune",
            "give it some with their values, or mark where they go:"
            " hpt init python train.py --lr 0.01 --batch {batch_size}",
        )
    chosen = choose_tuned(proposals, given)
    if asked:
        chosen = [_find_option(text, proposals) for text in asked]
    say(f"options of {shlex.join(words)} (* is tuned):")
    for place, each in enumerate(proposals):
        say(f"  {'*' if place in chosen else ' '} {_describe(each)}")
    switches = list_switches(options)
    for option in switches:
        say(f"    {describe_switch(option):<24} on or off: the spec says how it is tuned")
    if asks and not asked:
        usual = ",".join(proposals[place].option.name for place in chosen)
        answer = prompt("Tune which", usual)
        wanted = [each for each in re.split(r"[,\s]+", answer) if each]
        chosen = [_find_option(text, proposals) for text in wanted] or chosen
    tuned = [proposals[place] for place in chosen]
    return tuned, [each for each in proposals if each not in tuned], switches


def _find_option(text: str, proposals: Sequence[RangeProposal]) -> int:
    names = [each.option.name for each in proposals]
    name = text.strip("-=").replace("-", "_")
    if name not in names:
        hint = did_you_mean(name, names) or f"there are: {', '.join(names)}"
        raise UsageError.of("option-unknown", f"there is no option '{text}' to tune", hint)
    return names.index(name)


def _describe(proposal: RangeProposal) -> str:
    from hpt_cli.formatting import format_setting

    fields, default = proposal.fields, proposal.option.default
    told = "" if default is None else f"  (default {format_setting(default)})"
    if fields["type"] == "Categorical":
        return f"{proposal.option.flag:<24} {' '.join(fields['values'])}{told}"
    bounds = " to ".join(format_setting(fields[key]) for key in ("min_value", "max_value"))
    return f"{proposal.option.flag:<24} {bounds}, {fields['scaling_type']}{told}"


# The metric


def _read_output(
    words: Sequence[str], log: Path | None, wanted: bool | None, seconds: float, *, asks: bool
) -> tuple[str, ...]:
    """What the command prints: from a log, or from a run of it as it stands."""
    from hpt_cli.logs.log_file import read_lines

    if log is not None:
        if not log.is_file():
            raise UsageError.of("log-unreadable", f"there is no file {log}")
        return tuple(read_lines(log))
    if wanted is None:
        question = f"Run it once as it stands, for up to {seconds:.0f} s, to see what it prints?"
        wanted = asks and confirm(question, default=True)
    return _run_once(words, seconds) if wanted else ()


def _run_once(words: Sequence[str], seconds: float) -> tuple[str, ...]:
    from hpt_cli.checks.trial_run import try_job
    from hpt_cli.cli.commands.check import show_progress
    from hpt_cli.executors import LaunchRequest, load_executor
    from hpt_cli.scaffold.draft import is_shell_line

    with tempfile.TemporaryDirectory(prefix="hpt-try-") as temporary:
        directory = Path(temporary, "a1")
        own = {"PYTHONUNBUFFERED": "1", "HPT_ATTEMPT_DIR": str(directory)}
        order = LaunchRequest(
            argv=["/bin/sh", "-c", words[0]] if is_shell_line(words) else list(words),
            environment={**os.environ, **own, "HPT_JOB_DIR": temporary},
            working_directory=Path.cwd(),
            directory=directory,
        )
        with show_progress(seconds) as show:
            trial_run = try_job(load_executor("local"), order, (), seconds, show)
    end = ", and was stopped" if trial_run.was_cut_off else ""
    printed = count(len(trial_run.lines), "line")
    say(f"it ran for {trial_run.seconds:.1f} s and printed {printed}{end}")
    if trial_run.exit_code:
        for line in trial_run.lines[-MAX_SHOWN:]:
            say(f"  │ {line}")
        raise HptError.of(
            "command-failed", f"the command failed with exit code {trial_run.exit_code}"
        )
    return trial_run.lines


def _choose_metric(
    draft: Draft, lines: tuple[str, ...], wanted: str | None, maximize: bool | None, *, asks: bool
) -> Draft:
    from hpt_cli.metrics.detection import propose_definitions
    from hpt_cli.metrics.lint import lint_definitions

    direction = "" if maximize is None else "Maximize" if maximize else "Minimize"
    if not lines:
        return replace(draft, objective_type=direction)
    proposals = list(propose_definitions(lines))
    if not proposals:
        say("nothing in what it printed looks like a metric")
        return replace(draft, objective_type=direction)
    shown = proposals[: MAX_SHOWN if wanted is None else None]
    place = _find_metric(wanted, proposals) if wanted else 0
    say("metrics that it prints:")
    for number, each in enumerate(shown, 1):
        say(f"  {number} {_describe_metric(each)}")
    if asks and not wanted:
        answer = prompt("Tune which metric", "1")
        number = int(answer) - 1 if answer.isdecimal() and len(answer) < 9 else -1
        place = number if 0 <= number < len(shown) else _find_metric(answer, proposals)
    metric = proposals[place]
    if asks and not direction:
        direction = _ask_direction(metric)
    rest = [each for each in shown if each is not metric]
    output = "\n".join(lines).encode()
    for warning in lint_definitions([metric.definition], output, only_silent=True):
        say(f"warning[{warning.slug}]: {warning.message}\n    {warning.hint}")
    return replace(draft, metric=metric, other_metrics=rest, objective_type=direction)


def _find_metric(name: str, proposals: Sequence[Proposal]) -> int:
    names = [each.name for each in proposals]
    if name not in names:
        hint = did_you_mean(name, names) or f"there are: {', '.join(names)}"
        raise UsageError.of("metric-unknown", f"it prints no metric '{name}'", hint)
    return names.index(name)


def _describe_metric(proposal: Proposal) -> str:
    from hpt_cli.formatting import draw_sparkline, format_number

    values = [value for _, value in proposal.curve]
    direction = "higher" if proposal.objective_type == "Maximize" else "lower"
    return (
        f"{proposal.name:<24} {draw_sparkline(values, 16):<16} {format_number(values[-1])}"
        f"  {direction} is better"
    )


def _ask_direction(metric: Proposal) -> str:
    usual = metric.objective_type
    answer = prompt(f"Maximize or Minimize {metric.name}", usual)
    return "Maximize" if answer.lower().startswith("ma") else "Minimize"

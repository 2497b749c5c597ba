"""A first spec for a training program: its command, options as ranges, and a metric."""

from __future__ import annotations

import re
import shlex
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from hpt_cli.metrics.detection import write_definition
from hpt_cli.metrics.detection.metric import DetectedMetric
from hpt_cli.scaffold.corners import MIDDLE, find_value
from hpt_cli.scaffold.options import ProgramOption
from hpt_cli.scaffold.ranges import RangeProposal
from hpt_cli.spec.command_template import Filling, find_placeholders, render_argv
from hpt_cli.spec.hyperparameters import Value
from hpt_cli.spec.names import mend_name

MAX_TUNED = 8
"""How many options are tuned unless the user chooses them."""
JOBS = 20
CURVE = 3
"""A metric with this many values is printed every epoch, so that jobs can be stopped early."""
GUESS = r"\bloss[\s:=]+({num})"

_VARIABLE = re.compile(r"[A-Za-z_]\w*=")
_SHELL = re.compile(rf"[|&;<>$`\n]|\*|^{_VARIABLE.pattern}")
_SAFE = re.compile(r"[\w@%+=:,./{}-]+")


@dataclass(frozen=True)
class Draft:
    """The parts of a first spec."""

    words: Sequence[str]
    """The command; a single word with spaces is a line for a shell."""
    tuned: Sequence[RangeProposal]
    others: Sequence[RangeProposal] = ()
    """Options that could be tuned too."""
    switches: Sequence[ProgramOption] = ()
    """Options that are on or off, which can be tuned by hand."""
    several: Sequence[ProgramOption] = ()
    """Options that take several values, which can be tuned by hand."""
    failed: Sequence[str] = ()
    """What failed at the ends of the ranges."""
    metric: DetectedMetric | None = None
    other_metrics: Sequence[DetectedMetric] = ()
    objective_type: str = ""
    name: str = ""
    max_jobs: int = JOBS
    goes_on: str = ""
    """What came of pausing it, where it went on."""

    @property
    def prints_every_epoch(self) -> bool:
        """Whether jobs can be judged while they run."""
        return self.metric is not None and len(self.metric.curve) >= CURVE


def is_shell_line(words: Sequence[str]) -> bool:
    """Return whether a command is one line for a shell: with pipes, variables, several commands,
    or `LR=0.1` before it."""
    return len(words) == 1 and " " in words[0] and bool(_SHELL.search(words[0]))


def split_line(words: Sequence[str]) -> list[str]:
    """Return the words of a command, also of one given as one line; a line for a shell is one."""
    if len(words) == 1 and " " in words[0] and not is_shell_line(words):
        return shlex.split(words[0])
    sets_variable = len(words) > 1 and _VARIABLE.match(words[0])
    return [_join_words(words)] if sets_variable else list(words)


def choose_tuned(
    proposals: Sequence[RangeProposal], given: Mapping[str, str], marked: Container[str] = ()
) -> list[int]:
    """Return the places of the options to tune: those a rule knows, else those in the command.

    Args:
        marked: the names of placeholders in the command, which must be tuned.
    """
    must = [place for place, each in enumerate(proposals) if each.option.name in marked]
    likely = [place for place, each in enumerate(proposals) if each.is_likely]
    named = [place for place, each in enumerate(proposals) if each.option.flag in given]
    usual = likely or named or must or range(len(proposals))
    rest = [place for place in usual if place not in must][: max(0, MAX_TUNED - len(must))]
    return sorted([*must, *rest])


def make_fields(draft: Draft) -> dict[str, Any]:
    """Return the fields of the spec."""
    metric = draft.metric
    definition = metric.definition if metric else {"name": "loss", "regex": GUESS}
    direction = draft.objective_type or (metric.objective_type if metric else "Minimize")
    return {
        "name": draft.name or name_tuning_job(draft.words),
        "command": make_command(draft.words, [each.option for each in draft.tuned]),
        **({"shell": True} if is_shell_line(draft.words) else {}),
        "hyperparameter_ranges": {each.option.name: dict(each.fields) for each in draft.tuned},
        "initial_hyperparameters": _list_defaults(draft.tuned),
        "metric_definitions": [dict(definition)],
        "objective_metric_name": definition["name"],
        "objective_type": direction,
        **({"objective_value": "mean"} if metric and metric.objective_value == "mean" else {}),
        "strategy": "Bayesian",
        "max_jobs": draft.max_jobs,
        "max_parallel_jobs": 1,
        "early_stopping_type": "Auto" if draft.prints_every_epoch else "Off",
        **({"pausing": {"method": "signal"}} if draft.goes_on else {}),
    }


def make_comments(draft: Draft) -> dict[str, list[str]]:
    """Return comments by field: other options, other metrics, what was guessed."""
    comments: dict[str, list[str]] = {
        "": ["Check it with 'hpt check', run it with 'hpt run'; all fields: hpt schema"],
        "initial_hyperparameters": [_describe_defaults(draft.tuned)],
        "objective_metric_name": [_describe_objective(draft.metric)],
    }
    if draft.goes_on:
        comments["pausing"] = [f"In a trial {draft.goes_on}. Paused jobs keep their memory."]
    if notes := list(_explain_ranges(draft)):
        comments["hyperparameter_ranges"] = notes
    if draft.metric is None:
        comments["metric_definitions"] = [
            "A guess: 'hpt check --try' shows the output, and what would read it."
        ]
    elif draft.other_metrics:
        comments["metric_definitions"] = ["Other metrics in its output:"] + [
            f"  - {write_definition(each.definition)}" for each in draft.other_metrics
        ]
    return comments


def _describe_objective(metric: DetectedMetric | None) -> str:
    if metric and metric.objective_value == "mean":
        return "The mean of a job's values counts, of one for each fold."
    return "The last value of a job counts, unless there is 'objective_value: best' or mean."


def _explain_ranges(draft: Draft) -> Iterator[str]:
    """Yield what failed, and what could be tuned too."""
    yield from draft.failed
    if draft.others:
        yield f"Could be tuned too: {', '.join(each.option.name for each in draft.others)}"
    if draft.switches:
        yield from _explain_switches(draft.switches)
    if draft.several:
        yield _explain_several(draft.several)


def describe_switch(option: ProgramOption) -> str:
    """Return how a switch is written: on, and off if it can be."""
    return "/".join(filter(None, [option.flag, option.negative]))


def _explain_several(several: Sequence[ProgramOption]) -> str:
    """Return how an option that takes several values is tuned."""
    first = several[0]
    flags = ", ".join(each.flag for each in several)
    about = f"Takes several values: {flags}. To tune it: {first.name}: {{type: Categorical, values:"
    if first.flag.endswith("="):
        return f'{about} ["[1,2]", "[3]"]}}, and in the command {first.flag}{{{first.name}}}'
    return f'{about} ["1 2", "3"]}}, and in the command {first.flag} {{{first.name}...}}'


def _explain_switches(switches: Sequence[ProgramOption]) -> Iterator[str]:
    """Yield the switches, and how one of each kind is tuned."""
    yield f"On or off: {', '.join(map(describe_switch, switches))}. To tune one:"
    kinds: dict[str, str] = {}
    for each in switches:
        on_off = f"{each.name}: {{type: Categorical, values: [%s]}}, and in the command"
        if each.flag.endswith("="):
            kinds.setdefault("value", f"{on_off % 'True, False'} {each.flag}{{{each.name}}}")
        elif each.negative:
            words = f"{each.flag}, {each.negative}"
            kinds.setdefault("words", f"{on_off % words} {{{each.name}}}")
        else:
            words = f'{each.flag}, ""'
            kinds.setdefault("word", f"{on_off % words} {{{each.name}...}}")
    yield from (f"  {line}" for line in kinds.values())


def name_tuning_job(words: Sequence[str]) -> str:
    """Return a name for the tuning job: that of the script, the module or the program."""
    parts = split_line(words) if not is_shell_line(words) else words[0].split()
    scripts = [word for word in parts if re.search(r"\.(py|sh|R|jl)$", word)]
    module = parts[parts.index("-m") + 1 : parts.index("-m") + 2] if "-m" in parts else []
    word = (scripts or module or parts[:1] or ["tuning"])[0]
    stem = re.sub(r"\.(py|sh|R|jl)$", "", word.rpartition("/")[2]).rpartition(".")[2]
    return mend_name(stem) or "tuning"


def make_command(words: Sequence[str], options: Sequence[ProgramOption]) -> str:
    """Return the command with a placeholder for each option, instead of its value or at the end."""
    named = find_placeholders(list(words))
    options = [each for each in options if each.name not in named]
    if is_shell_line(words):
        return reduce(_fill_line, options, words[0])
    made = reduce(_fill_words, options, split_line(words))
    return _join_words(made)


def _join_words(words: Sequence[str]) -> str:
    """Return a line with these words, quoted where a shell needs it; placeholders are not."""
    return " ".join(word if _SAFE.fullmatch(word) else shlex.quote(word) for word in words)


def fill_command(
    words: Sequence[str], tuned: Sequence[RangeProposal], values: Mapping[str, Value] | None = None
) -> list[str]:
    """Return the command with these values of options, as words of a program or of a shell.

    Placeholders of other options get defaults, or the middle of their ranges.
    """
    usual = {each.option.name: _choose_value(each) for each in tuned}
    given = [each.option for each in tuned if each.option.name in (values or {})]
    is_line = is_shell_line(words)
    command = make_command(words, given) if given or is_line else list(words)
    chosen = {**usual, **(values or {})}
    named = {name: chosen[name] for name in find_placeholders(command) if name in chosen}
    if not named:
        return ["/bin/sh", "-c", words[0]] if is_line else list(words)
    return render_argv(command, Filling(named), shell=is_line)


def _choose_value(proposal: RangeProposal) -> Value:
    default = proposal.option.default
    return find_value(proposal, MIDDLE) if default is None else default


def _fill_words(words: list[str], option: ProgramOption) -> list[str]:
    """Return the words with the option's value replaced, or the option appended."""
    placeholder = f"{{{option.name}}}"
    for place, word in enumerate(words):
        if word == option.flag and place + 1 < len(words):
            return [*words[: place + 1], placeholder, *words[place + 2 :]]
        flag = option.flag.rstrip("=") + "="
        if word.startswith(flag):
            return [*words[:place], flag + placeholder, *words[place + 1 :]]
    return [*words, *option.write(placeholder)]


def _fill_line(line: str, option: ProgramOption) -> str:
    placeholder = f"{{{option.name}}}"
    flag = re.escape(option.flag.rstrip("="))
    filled, count = re.subn(rf"(?<!\S)({flag}[ =])\S+", rf"\g<1>{placeholder}", line, count=1)
    return filled if count else f"{line} {' '.join(option.write(placeholder))}"


def _describe_defaults(tuned: Sequence[RangeProposal]) -> str:
    given = (_list_defaults(tuned) or [{}])[0]
    left = [each.option.name for each in tuned if each.option.name not in given]
    if not left:
        return "The program's own defaults are tried first."
    return f"Its own defaults are tried first, with {', '.join(left)} in the middle of the range."


def _list_defaults(tuned: Sequence[RangeProposal]) -> list[dict[str, Any]] | None:
    """Return the defaults within their ranges, as one point; None without any."""
    point: dict[str, Any] = {}
    for each in tuned:
        default, fields = each.option.default, each.fields
        if default is None:
            continue
        if fields["type"] == "Categorical":
            known = {str(value): value for value in fields["values"]}
            if str(default) in known:
                point[each.option.name] = known[str(default)]
        elif not isinstance(default, str) and fields["min_value"] <= default <= fields["max_value"]:
            is_whole = fields["type"] == "Integer"
            point[each.option.name] = int(default) if is_whole else default
    return [point] if point else None

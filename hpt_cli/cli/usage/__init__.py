"""Command lines that cannot be understood: what is wrong, where, and what would be right."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from hpt_cli.cli.catalog import COMMANDS
from hpt_cli.cli.help import describe_argument, describe_usage
from hpt_cli.cli.spec_files import suggest_init
from hpt_cli.cli.usage.line import Line, list_arguments, point_at
from hpt_cli.cli.usage.meant import find_command, find_options
from hpt_cli.errors import Problem, UsageError, did_you_mean

TAKE_A_SPEC = ("run", "check")


def refuse_command(words: Sequence[str], context: Any) -> UsageError:
    """Return the error for words that begin with no command."""
    word, *rest = words
    hint = find_command(word, rest) or f"one of {', '.join(COMMANDS)}"
    place = Line(words, context).point(0)
    return UsageError(Problem("command-unknown", f"hpt has no command '{word}'", hint, place))


def explain(error: Any, words: Sequence[str]) -> UsageError:
    """Return the error for what click says is wrong.

    Args:
        error: click's UsageError; its kinds are told by their fields, as typer names few of them.
        words: what was typed after `hpt`.
    """
    if error.ctx is None:
        return UsageError.of("usage", error.format_message())
    line = Line(words, error.ctx)
    if hasattr(error, "possibilities"):
        return UsageError(*_refuse_options(line, error.option_name))
    if hasattr(error, "option_name"):
        return UsageError(_refuse_bare(line, error.option_name))
    if hasattr(error, "param_type"):
        return UsageError(_name_missing(line, error.param))
    if hasattr(error, "param"):
        return UsageError(_refuse_value(line, error))
    return UsageError(_refuse_rest(line, error.format_message()))


def locate(problem: Problem, words: Sequence[str]) -> Problem:
    """Return a problem whose message begins with an option and its value with their place."""
    if problem.place is None and problem.message[:1] == "-":
        for place, word in enumerate(words[1:], 1):
            option, value = words[place - 1], word
            if word[:1] == "-" and "=" in word:
                option, _, value = word.partition("=")
            parts = (value, *value.split(","))
            if any(problem.message.startswith(f"{option} {each}: ") for each in parts):
                return replace(problem, place=point_at(words, place))
    return problem


def _refuse_options(line: Line, first: str) -> Iterator[Problem]:
    """Yield the options on the line that the command does not have.

    Args:
        first: the one that click stopped at; it may stand in a word with others, as in -qx.
    """
    arguments, options = line.places
    is_own = line.command in COMMANDS
    owner = f"hpt {line.command}" if is_own else "hpt"
    if is_own and (problem := _refuse_command_line(line, arguments[1:])):
        yield problem
        return
    is_short = first[:2] != "--"
    for place in options:
        option = line.words[place].partition("=")[0]
        if is_short and option[:2] != "--" and first[1:] in option:
            option = first
        elif option in line.options or option[:2] != "--":
            continue
        found = itertools.islice(find_options(line, place, option), 2)
        hint = " or ".join(found) or f"'{owner} --help' lists its options"
        yield Problem("option-unknown", f"{owner} has no option {option}", hint, line.point(place))


def _refuse_command_line(line: Line, arguments: Sequence[int]) -> Problem | None:
    """Return the problem of a training command in place of a spec."""
    if line.command not in TAKE_A_SPEC or not arguments:
        return None
    hint = suggest_init(line.words[arguments[0] :])
    message = f"hpt {line.command} takes a spec, not a training command"
    place = line.point(arguments[0])
    return Problem("spec-program", message, hint, place) if hint else None


def _refuse_bare(line: Line, option: str) -> Problem:
    """Return the problem of an option without a value, or with one that it does not take."""
    parameter = line.options[option]
    said = f"{option} {'does not take' if parameter.is_flag else 'needs'} a value"
    # A short option may be the last of several in a word.
    place = next(
        line.point(place)
        for place, word in enumerate(line.words)
        if word.partition("=")[0] == option or word.endswith(option[1:])
    )
    return Problem("option-value", said, parameter.help or "", place)


def _name_missing(line: Line, parameter: Any) -> Problem:
    examples = (line.context.command.epilog or "").splitlines()
    hint = f"for example: {examples[0]}" if examples else ""
    message = f"hpt {line.command} needs {describe_argument(parameter)}"
    return Problem("argument-missing", message, hint)


def _refuse_value(line: Line, error: Any) -> Problem:
    """Return the problem of a value that an option or an argument cannot have."""
    from pydantic import ValidationError

    from hpt_cli.spec.yaml.messages import describe_mistake

    cause, parameter = error.__cause__, error.param
    names = [*parameter.opts, *parameter.secondary_opts]
    label = names[-1] if parameter.param_type_name == "option" else describe_argument(parameter)
    if not isinstance(cause, ValidationError):
        return Problem("option-value", f"{label}: {error.message}")
    mistake = dict(cause.errors()[0])
    text = str(mistake["input"])
    forms = (text, *(f"{name}={text}" for name in names))
    place = next((line.point(at) for at, word in enumerate(line.words) if word in forms), None)
    allowed = re.findall(r"'([^']*)'", str(mistake["msg"]).partition("is not one of")[2])
    if allowed:
        message = f"{label}: {text!r} is not one of {', '.join(allowed)}"
        return Problem("value-unknown", message, did_you_mean(text, allowed), place)
    slug = str(mistake["type"]).replace("_", "-")
    return Problem(slug, f"{label}: {describe_mistake(mistake)}", place=place)


def _refuse_rest(line: Line, message: str) -> Problem:
    """Return the problem of a word too many, or of another mistake that click has described."""
    arguments, _ = line.places
    known = list_arguments(line.context.command)
    most = len(known) + 1
    if line.command not in COMMANDS or len(arguments) <= most:
        return Problem("usage", message, "hpt --help")
    if problem := _refuse_command_line(line, arguments[1:]):
        return problem
    place = arguments[most]
    word = line.words[place]
    hint = f"usage: {describe_usage(line.command, line.context.command)}"
    if word.startswith("=") and "--set" in line.words:
        hint = "--set FIELD=VALUE is one word, without blanks"
    elif word.isdecimal() and any(each.name == "name" for each in known):
        name = line.words[arguments[1]]
        hint = f"hpt logs {name} {word}; hpt explain {name} {word}"
    message = f"'{word}' is one word too many for hpt {line.command}"
    return Problem("argument-extra", message, hint, line.point(place))

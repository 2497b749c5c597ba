"""What was meant by a word in place of a command, and by an option that a command does not have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from hpt_cli.cli.catalog import COMMANDS, make_command
from hpt_cli.cli.spec_files import SUFFIXES, is_tuning_job, suggest_init
from hpt_cli.cli.usage.line import Line, list_arguments, list_options, write_line
from hpt_cli.cli.usage.words import (
    ARGUMENT_OPTIONS,
    COMMAND_WORDS,
    LEFT_OUT_OPTIONS,
    OPTION_WORDS,
)

VERY_CLOSE = 0.85
CLOSE = 0.7
"""How like a word must be to one that is known: short ones are like too many."""
MAX_NAMED = 4
"""How many commands are named that have an option."""


def find_command(word: str, rest: Sequence[str]) -> str:
    """Return what a word in place of a command may mean; empty if nothing."""
    if word.endswith(SUFFIXES):
        return f"try: {write_line('run', word, *rest)}"
    lower, rest = word.lower().replace("_", "-"), list(_translate_options(rest))
    for each in (lower, lower.partition("-")[0]):
        if each in (*COMMANDS, *COMMAND_WORDS):
            return f"try: {_write_meant(each, *rest)}"
    if is_tuning_job(word):
        return f"it is a tuning job: {write_line('show', word, *rest)}"
    if suggestion := suggest_init([word, *rest]):
        return suggestion
    close = get_close_matches(lower, [*COMMANDS, *COMMAND_WORDS], n=1, cutoff=CLOSE)
    return f"did you mean: {_write_meant(close[0], *rest)}" if close else ""


def _translate_options(words: Sequence[str]) -> Iterator[str]:
    """Yield words without the options of SageMaker's command line, but with their arguments."""
    is_left_out = False
    for word in words:
        option, equals, value = word.partition("=")
        if option in (*ARGUMENT_OPTIONS, *LEFT_OUT_OPTIONS):
            is_left_out = option in LEFT_OUT_OPTIONS and not equals
            if option in ARGUMENT_OPTIONS and equals:
                yield value.removeprefix("file://")
        elif not is_left_out:
            yield word.removeprefix("file://")
        else:
            is_left_out = False


def _write_meant(word: str, *rest: str) -> str:
    return write_line(*COMMAND_WORDS.get(word, word).split(), *rest)


def find_options(line: Line, place: int, option: str) -> Iterator[str]:
    """Yield what may be meant by an option that the command does not have, likeliest first."""
    if misspelt := get_close_matches(option, line.options, n=1, cutoff=VERY_CLOSE):
        yield f"did you mean '{misspelt[0]}'?"
        return
    elsewhere = list(_find_elsewhere(line, place, option))
    exact = [
        *_find_moved(line, place, option),
        *_find_renamed(line, place, option),
        *_find_choice(line, place, option),
        *_find_field(line, place, option),
        *_find_word(line, place, option, COMMANDS if elsewhere else (*COMMANDS, *COMMAND_WORDS)),
    ]
    if exact:
        yield f"try: {exact[0]}"
        return
    longer = [each for each in line.options if len(option) > 3 and each.startswith(option)]
    close = longer or get_close_matches(option, line.options, n=1, cutoff=CLOSE)
    yield from (f"did you mean '{each}'?" for each in close[:1])
    yield from elsewhere


def _find_moved(line: Line, place: int, option: str) -> Iterator[str]:
    """Yield the line with an option after the command; without one that is an argument's name."""
    word, rest = line.words[place], line.words[place + 1 :]
    if line.command not in COMMANDS:
        at = next((at for at, each in enumerate(rest) if each in COMMANDS), None)
        if at is not None and option in list_options(make_command(rest[at]), line.context):
            yield line.replace(place, *rest[at:], word, *rest[:at], old=len(rest) + 1)
        return
    arguments = {each.name.rstrip("_") for each in list_arguments(line.context.command)}
    if option.lstrip("-") in arguments or (arguments and option in ARGUMENT_OPTIONS):
        yield line.replace(place, *([word.partition("=")[2]] if "=" in word else []))


def _find_renamed(line: Line, place: int, option: str) -> Iterator[str]:
    """Yield the line with the option as hpt calls it."""
    meant = OPTION_WORDS.get(option, "")
    first, *others = meant.split() or [""]
    if first not in line.options and meant in OPTION_WORDS:
        first, others = OPTION_WORDS[meant], []
    if first in line.options:
        _, equals, value = line.words[place].partition("=")
        yield line.replace(place, f"{first}{equals}{value}", *others)


def _find_choice(line: Line, place: int, option: str) -> Iterator[str]:
    """Yield the line with an option of which this is a value, as csv is of --format."""
    wanted = option.lstrip("-").lower()
    for name, parameter in line.options.items():
        if not parameter.is_flag and name.startswith("--") and name != "--set":
            values = [each.value for each in parameter.shell_complete(line.context, "")]
            for value in (each for each in values if each.lower() == wanted):
                yield line.replace(place, name, value)


def _find_field(line: Line, place: int, option: str) -> Iterator[str]:
    """Yield the line with --set for a field of the spec."""
    from hpt_cli.spec.model import CHANGEABLE, TuningSpec

    if "--set" not in line.options:
        return
    fields = CHANGEABLE if line.command == "update" else tuple(TuningSpec.model_fields)
    name = OPTION_WORDS.get(option, option).lstrip("-").replace("-", "_")
    if name.partition(".")[0] not in fields:
        return
    _, equals, value = line.words[place].partition("=")
    following = [*line.words[place + 1 :], "-"][0]
    is_switch = name in fields and TuningSpec.model_fields[name].annotation is bool
    if equals or is_switch or following.startswith("-"):
        value = value if equals else "true" if is_switch else "VALUE"
        yield line.replace(place, "--set", f"{name}={value}")
    else:
        yield line.replace(place, "--set", f"{name}={following}", old=2)


def _find_word(line: Line, place: int, option: str, known: Sequence[str]) -> Iterator[str]:
    """Yield the command that is named like the option, by a word that is known."""
    word = option.lstrip("-").lower()
    meant = COMMAND_WORDS.get(word, word)
    if word in known:
        arguments, _ = line.places
        is_own = line.command in COMMANDS
        others = [line.words[each] for each in arguments[1 if is_own else 0 :] if each != place]
        yield write_line(*meant.split(), *others)


def _find_elsewhere(line: Line, place: int, option: str) -> Iterator[str]:
    """Yield the other commands that have the option; of the same arguments, if some have them."""
    # A letter means too many things.
    meant, *others = (OPTION_WORDS.get(option, option) if option[:2] == "--" else option).split()
    having = {}
    for name in COMMANDS:
        command = make_command(name)
        options = list_options(command, line.context)
        if meant in options or option in options:
            having[name] = {each.name for each in list_arguments(command)}
    own = {each.name for each in list_arguments(line.context.command)}
    names = [name for name, arguments in having.items() if own & arguments] or list(having)
    if len(names) == 1:
        _, equals, value = line.words[place].partition("=")
        before = line.words[1 if line.command in COMMANDS else 0 : place]
        after = [f"{meant}{equals}{value}", *others, *line.words[place + 1 :]]
        yield f"hpt {names[0]} has it: {write_line(names[0], *before, *after)}"
    elif names:
        more = ", ..." if len(names) > MAX_NAMED else ""
        yield f"these have it: {', '.join(f'hpt {each}' for each in names[:MAX_NAMED])}{more}"

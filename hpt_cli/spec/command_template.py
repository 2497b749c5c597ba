"""A command with placeholders, and hyperparameters -> the argument list of a training job."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import takewhile

from hpt_cli.errors import did_you_mean
from hpt_cli.spec.hyperparameters import Value, format_value

SCRIPTS = (".py", ".sh", ".R", ".jl", ".lua", ".pl")
"""Suffixes of scripts among the words of a command."""
ALL = "args"
"""`{args}` stands for every hyperparameter as `--name value`."""
SEVERAL = "..."
"""`{name...}` stands for the words of a value: none, one or several."""
_ALL_OPTIONS = f"{{{ALL}}}"

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]*")
"""Names that are taken for hyperparameters wherever they stand in braces."""
_BRACES = re.compile(r"(?<!\{)\{([^{}\n]+)\}(?!\})")


@lru_cache(maxsize=64)
def compile_placeholder(names: tuple[str, ...] = ()) -> re.Pattern[str]:
    """Return a regex with the groups literal and name: `{{name}}` for literal braces, `{name}`.

    Args:
        names: of hyperparameters; others count where they look like a name: `{lr}`, `{a.b}`.
    """
    odd = [re.escape(name) for name in names if not _NAME.fullmatch(name)]
    known = "".join(f"(?:{name})(?:{re.escape(SEVERAL)})?|" for name in odd)
    name = f"(?:{known}{_NAME.pattern})"
    return re.compile(rf"\{{(\{{{name}\}})\}}|\{{({name})\}}")


def read_name(text: str, names: Collection[str]) -> tuple[str, bool]:
    """Return the name in a placeholder, and whether it stands for the words of the value."""
    is_several = text.endswith(SEVERAL) and text not in names
    return (text.removesuffix(SEVERAL) if is_several else text), is_several


def split_command(command: str | Sequence[str], names: Collection[str] = ()) -> list[str]:
    """Return the words of a command, split as a shell would split them, but for placeholders.

    Raises:
        ValueError: a quotation has no end.
    """
    if not isinstance(command, str):
        return list(command)
    # A shell would split a name at its blanks, and take its quotes for quotes: so each such
    # placeholder is one character that no command has, until it is split.
    inside = [f"{{{name}" for name in sorted(names, key=len, reverse=True) if _is_split(name)]
    marks = {braces: chr(0xF0000 + place) for place, braces in enumerate(inside)}
    for braces, mark in marks.items():
        command = command.replace(braces, mark)
    words = shlex.split(command)
    for braces, mark in marks.items():
        words = [word.replace(mark, braces) for word in words]
    return words


def _is_split(text: str) -> bool:
    return re.search(r"[\s'\"\\]", text) is not None


def find_placeholders(command: str | Sequence[str], names: Collection[str] = ()) -> list[str]:
    """Return the names in braces, in order, each once.

    Args:
        names: of hyperparameters; others count where they look like a name.
    """
    text = command if isinstance(command, str) else "\n".join(command)
    found = (match[2] for match in compile_placeholder(tuple(names)).finditer(text) if match[2])
    return list(dict.fromkeys(read_name(each, names)[0] for each in found))


def find_misspelt(
    command: str | Sequence[str], names: Collection[str]
) -> Iterator[tuple[str, str]]:
    """Yield (text, hint) of what stands in braces, and is nearly the name of a hyperparameter."""
    text = command if isinstance(command, str) else "\n".join(command)
    plain = {_strip(name): name for name in names}
    odd = [name for name in names if not _NAME.fullmatch(name)]
    for inside in _BRACES.findall(compile_placeholder(tuple(names)).sub("", text)):
        name = plain.get(_strip(inside))
        hint = f"did you mean '{name}'?" if name else did_you_mean(inside, odd)
        if hint and _strip(inside):
            yield inside, hint


def _strip(name: str) -> str:
    """Return the letters and digits of a name."""
    return "".join(each for each in name.lower() if each.isalnum())


@dataclass(frozen=True)
class Filling:
    """What placeholders stand for in one training job."""

    hyperparameters: Mapping[str, Value]
    absent: Collection[str] = ()
    """Hyperparameters that do not exist in it: an option with one of them is left out."""
    paths: Mapping[str, str] = field(default_factory=dict)
    """Of its config files, by the name of the placeholder."""

    @property
    def names(self) -> tuple[str, ...]:
        """All names that may stand in braces."""
        return (*self.hyperparameters, *self.absent, *self.paths)

    @property
    def values(self) -> dict[str, str]:
        """The text of each placeholder that has one."""
        texts = {name: format_value(value) for name, value in self.hyperparameters.items()}
        return {**texts, **self.paths}

    @property
    def options(self) -> list[str]:
        """All hyperparameters as `--name value`."""
        pairs = ((name, format_value(value)) for name, value in self.hyperparameters.items())
        return [word for name, text in pairs for word in (f"--{name}", text)]


def render_argv(
    command: str | Sequence[str], filling: Filling, *, shell: bool = False
) -> list[str]:
    """Return the argument list of one training job.

    A value is never split and never passes through a shell; with `shell` it is quoted for it.
    Without any placeholder all hyperparameters are appended as `--name value`.
    """
    names = find_placeholders(command, filling.names)
    if shell and isinstance(command, str):
        return ["/bin/sh", "-c", _render_script(command, filling, bare=not names)]
    words = split_command(command, filling.names)
    if not names:
        argv = [_fill(word, {}, filling.names) for word in words] + filling.options
    else:
        kept = _leave_out(words, filling)
        argv = [part for word in kept for part in _render_word(word, filling)]
    return ["/bin/sh", "-c", shlex.join(argv)] if shell else argv


def list_value_words(words: Sequence[str], place: int, names: Collection[str]) -> list[str]:
    """Return the words with placeholders after a word, as far as they are values of that option.

    Words without a placeholder are not known to be values.
    """
    if not re.fullmatch(r"--?[^\d\s=-][^\s=]*", words[place]):
        return []

    def is_value(word: str) -> bool:
        return word[:1] != "-" and word != _ALL_OPTIONS and bool(find_placeholders(word, names))

    after = list(takewhile(is_value, words[place + 1 :]))
    # `{switch...}` is an option itself, unless it is the only value.
    return [*after[:1], *takewhile(lambda word: f"{SEVERAL}}}" not in word, after[1:])]


def _leave_out(words: Sequence[str], filling: Filling) -> Iterable[str]:
    """Yield the words but for those that name what does not exist, and options without others."""

    def is_absent(word: str) -> bool:
        return any(name in filling.absent for name in find_placeholders(word, filling.names))

    for place, word in enumerate(words):
        values = list_value_words(words, place, filling.names)
        if not is_absent(word) and not (values and all(map(is_absent, values))):
            yield word


def _render_word(word: str, filling: Filling) -> list[str]:
    if word == _ALL_OPTIONS and ALL not in filling.values:
        return filling.options
    match = compile_placeholder(filling.names).fullmatch(word)
    if match and match[2]:
        name, is_several = read_name(match[2], filling.names)
        if is_several and name in filling.values:
            return _split_value(filling.values[name])
    return [_fill(word, filling.values, filling.names)]


def _render_script(script: str, filling: Filling, *, bare: bool) -> str:
    everything = shlex.join(filling.options)
    if bare:
        return f"{_fill(script, {}, filling.names)} {everything}"
    texts = {ALL: everything}
    for name, value in filling.values.items():
        texts[f"{name}{SEVERAL}"] = shlex.join(_split_value(value))
        texts[name] = shlex.quote(value)
    return _fill(script, texts, filling.names)


def _split_value(value: str) -> list[str]:
    try:
        return shlex.split(value)
    except ValueError:  # a quotation without an end is none
        return value.split()


def fill_text(text: str, filling: Filling) -> str:
    """Return a text with values for `{name}`; braces around anything else are left alone."""
    values, names = filling.values, filling.names

    def replace(match: re.Match[str]) -> str:
        name, _ = read_name(match[2] or match[1][1:-1], names)
        return _replace(match, values, names) if name in names else match.group()

    return compile_placeholder(names).sub(replace, text)


def _fill(text: str, values: Mapping[str, str], names: tuple[str, ...]) -> str:
    return compile_placeholder(names).sub(lambda match: _replace(match, values, names), text)


def _replace(match: re.Match[str], values: Mapping[str, str], names: tuple[str, ...]) -> str:
    literal, written = match.groups()
    if literal or written in values:
        return literal or values[written]
    return values.get(read_name(written, names)[0], match.group())

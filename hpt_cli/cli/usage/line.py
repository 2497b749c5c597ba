"""A command line that could not be understood: its words, and where they stand."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hpt_cli.errors import ArgumentLocation


@dataclass(frozen=True)
class Line:
    """A command line: what was typed after `hpt`, and the command that it is for."""

    words: Sequence[str]
    context: Any
    """click's, of the command, or of hpt itself where no command was reached."""

    @property
    def command(self) -> str:
        """The command's name, or hpt's."""
        return str(self.context.info_name)

    @property
    def options(self) -> dict[str, Any]:
        """click's parameter for each option of the command."""
        return list_options(self.context.command, self.context)

    @property
    def places(self) -> tuple[list[int], list[int]]:
        """The places of the arguments, the command's name among them, and of the options."""
        options, found = self.options, (list[int](), list[int]())
        is_value = False
        for place, word in enumerate(self.words):
            if is_value:
                is_value = False
            elif word == "--":
                return [*found[0], *range(place + 1, len(self.words))], found[1]
            elif word.startswith("-") and len(word) > 1:
                found[1].append(place)
                is_value = word in options and not options[word].is_flag
            else:
                found[0].append(place)
        return found

    def point(self, place: int) -> ArgumentLocation:
        """Return where a word stands."""
        return point_at(self.words, place)

    def replace(self, place: int, *new: str, old: int = 1) -> str:
        """Return the line with other words from a place on, instead of some old ones."""
        return write_line(*self.words[:place], *new, *self.words[place + old :])


def point_at(words: Sequence[str], place: int) -> ArgumentLocation:
    """Return where one of the words after `hpt` stands."""
    before = len(write_line(*words[:place])) + 1
    return ArgumentLocation(write_line(*words), before, before + len(shlex.quote(words[place])))


def write_line(*words: str) -> str:
    """Return the line that runs hpt with words."""
    return shlex.join(["hpt", *words])


def list_options(command: Any, context: Any) -> dict[str, Any]:
    """Return click's parameter for each option of a command."""
    return {
        option: each
        for each in command.get_params(context)
        if each.param_type_name == "option"
        for option in (*each.opts, *each.secondary_opts)
    }


def list_arguments(command: Any) -> list[Any]:
    """Return click's parameters for the arguments of a command."""
    return [each for each in command.params if each.param_type_name == "argument"]

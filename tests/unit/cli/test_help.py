"""The help, in lines that fit, and examples that can still be pasted."""

from __future__ import annotations

import shlex

import pytest

from hpt_cli.cli.catalog import COMMANDS, load_command, make_command
from hpt_cli.cli.help import wrap_text, write_help


def read_examples(text: str) -> list[list[str]]:
    """The words of each example in a help, as a shell reads them."""
    _, _, examples = text.partition("Examples:\n")
    return [shlex.split(line) for line in examples.replace("\\\n", " ").splitlines()]


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_can_be_pasted_at_any_width(command: str) -> None:
    made, examples = make_command(command), load_command(command)[1]
    for width in range(40, 100, 3):
        text = write_help(command, made, width)
        assert read_examples(text) == [shlex.split(each) for each in examples]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_and_argument_is_explained(command: str) -> None:
    made = make_command(command)
    assert [each.name for each in made.params if not each.help] == []
    text = write_help(command, made, 80)
    for each in made.params:
        assert max(each.opts, key=len).strip("_").removesuffix("s") in text.lower()


def test_paragraphs_are_wrapped_once() -> None:
    text = """One line
    and another, of one paragraph.

    A second.

      a line that stays   as it is
    """
    assert wrap_text(text, 20) == [
        "One line and\nanother, of one\nparagraph.",
        "A second.",
        "  a line that stays   as it is",
    ]

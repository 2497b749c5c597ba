"""Command + hyperparameters -> argument list."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpt_cli.core.command import find_placeholders, render_argv


def test_a_placeholder_is_one_argument_whatever_it_holds() -> None:
    argv = render_argv("train --name '{name}' x{lr}", {"name": "a 'b' $(c) {lr}", "lr": 1e-05})
    assert argv == ["train", "--name", "a 'b' $(c) {lr}", "x1e-05"]


def test_args_is_all_of_them() -> None:
    assert render_argv("train {args} end", {"a": 1, "b": "x"}) == [
        *("train", "--a", "1", "--b", "x", "end"),
    ]


def test_without_a_placeholder_all_are_appended() -> None:
    assert render_argv(["train", "my file"], {"a": 1}) == ["train", "my file", "--a", "1"]


def test_doubled_braces_stand_for_themselves() -> None:
    assert find_placeholders("awk '{{print}}' {a}") == ["a"]
    assert render_argv("awk '{{print}}' {a}", {"a": 2}) == ["awk", "{print}", "2"]


def test_braces_of_other_kinds_are_left_alone() -> None:
    assert render_argv("""python -c 'd={}; print({1: 2})' --a {a}""", {"a": 1})[2] == (
        "d={}; print({1: 2})"
    )


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=20))
def test_values_pass_through_a_shell_unharmed(value: str) -> None:
    argv = render_argv(f"{sys.executable} -c pass {{v}}", {"v": value}, shell=True)
    assert argv[:2] == ["/bin/sh", "-c"]
    words = subprocess.run(
        ["/bin/sh", "-c", argv[2].replace(f"{sys.executable} -c pass", "printf %s")],
        capture_output=True,
        check=True,
    )
    assert words.stdout.decode() == value


@pytest.mark.parametrize("shell", [False, True])
def test_the_plain_case_reads_as_written(shell: bool) -> None:
    argv = render_argv("train --lr {lr}", {"lr": 0.1}, shell=shell)
    assert (argv[-1] if shell else " ".join(argv)) == "train --lr 0.1"

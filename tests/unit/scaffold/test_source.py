"""From the source of a script that declares options to the options."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from hpt_cli.scaffold.source import list_imports, list_variables, parse_source, read_literal


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ('"-lr", type=float, default=0.1', ("-lr", "float", 0.1)),
        ('"-b", "--batch-size", type=int, default=8', ("--batch-size", "int", 8)),
        ('"--hidden", type=int, nargs="+", default=[64]', ("--hidden", "list", None)),
        ('"--hidden", type=int, nargs=2', ("--hidden", "list", None)),
        ('"--hidden", type=int, action="append"', ("--hidden", "list", None)),
        ('"--hidden", type=int, nargs="?", default=3', ("--hidden", "int", 3)),
        ('"--lr", action="store", type=float, default=0.1', ("--lr", "float", 0.1)),
        ('"--batch", type=int, default=2 ** 5', ("--batch", "int", 32)),
        ('"--width", type=int, default=4 * 64', ("--width", "int", 256)),
    ],
)
def test_declarations_of_argparse(words: str, expected: tuple[str, str, Any]) -> None:
    (option,) = parse_source(f"p.add_argument({words})")
    assert (option.flag, option.kind, option.default) == expected


def test_a_switch_has_the_flag_that_turns_it_off() -> None:
    source = 'p.add_argument("--use-bn", action=argparse.BooleanOptionalAction, default=True)'
    (option,) = parse_source(source)
    assert (option.kind, option.negative) == ("switch", "--no-use-bn")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{'a': 1, 'b': {'c': -2.5}}", {"a": 1, "b": {"c": -2.5}}),
        ("dict(a=1, b=dict(c=2))", {"a": 1, "b": {"c": 2}}),
        ("ConfigDict({'a': 1, b: 2})", {"a": 1}),
        ("1 / 0", None),
        ("9 ** 9 ** 9", None),
        ("'a' * 3", None),
        ("open('x')", None),
    ],
)
def test_literals_are_read_and_nothing_is_run(text: str, expected: object) -> None:
    assert read_literal(ast.parse(text, mode="eval").body) == expected


def test_imports_are_listed() -> None:
    text = "import a.b, os\nfrom options import parse\ndef f():\n    from .near import x\n"
    assert list_imports(text) == ["a.b", "os", "options", "options.parse", "near", "near.x"]


def test_variables_that_are_read_with_numbers_as_defaults() -> None:
    source = """
lr = float(os.environ.get("LR", "3e-4"))
depth = int(os.getenv("DEPTH", 4))
width = int(getenv("WIDTH", 2 ** 6))
name, other = os.environ.get("NAME", "x"), os.environ.get("OTHER")
"""
    assert list_variables(source) == {"LR": 3e-4, "DEPTH": 4, "WIDTH": 64}
    assert list_variables("settings.get('LR', 3)") == {}

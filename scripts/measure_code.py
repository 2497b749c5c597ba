"""Print how large the code is: lines without blanks, comments and docstrings, and what is longest.

python scripts/measure_code.py [DIRECTORY ...]    # hpt_cli of this checkout unless told
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

PACKAGE = Path(__file__).parents[1] / "hpt_cli"
NO_CODE = {
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT),
    *(tokenize.ENDMARKER, tokenize.ENCODING),
}


def count_code_lines(text: str) -> int:
    """Return how many lines hold code: no blank line, no comment, no docstring of any kind."""
    strings = {
        line
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    code: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in NO_CODE:
            code.update(range(token.start[0], token.end[0] + 1))
    return len(code - strings)


def list_functions(text: str) -> Iterator[tuple[int, str]]:
    """Yield (lines, name) of each function."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield (node.end_lineno or node.lineno) - node.lineno + 1, node.name


def list_classes(text: str) -> Iterator[tuple[int, str]]:
    """Yield (methods, name) of each class."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef):
            methods = [each for each in node.body if isinstance(each, ast.FunctionDef)]
            yield len(methods), node.name


def main() -> None:
    """Print one row for each directory."""
    table = Table()
    for column in ("directory", "modules", "lines", "lines of code", "loose modules"):
        table.add_column(column, justify="left" if column == "directory" else "right")
    for column in ("longest module", "longest function", "most methods"):
        table.add_column(column)
    for directory in [Path(each) for each in sys.argv[1:]] or [PACKAGE]:
        texts = {path: path.read_text() for path in sorted(directory.rglob("*.py"))}
        longest = max((len(text.splitlines()), path.name) for path, text in texts.items())
        table.add_row(
            str(directory),
            str(len(texts)),
            str(sum(len(text.splitlines()) for text in texts.values())),
            str(sum(map(count_code_lines, texts.values()))),
            str(sum(1 for path in texts if path.parent == directory)),
            "{} {}".format(*longest),
            "{} {}".format(*max(each for text in texts.values() for each in list_functions(text))),
            "{} {}".format(*max(each for text in texts.values() for each in list_classes(text))),
        )
    Console(width=200).print(table)


if __name__ == "__main__":
    main()

"""docs/errors.md: exit codes, and every slug of an error or a warning, from the source."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import hpt_cli
from hpt_cli.errors import ExitCode

SOURCES = Path(hpt_cli.__file__).parent
INTRODUCTION = """\
# Exit codes and slugs

Written by `python scripts/docs/write_all.py` from the source.

## Exit codes

| code | when |
|---|---|
"""
EXITS = {
    ExitCode.OK: "done; of a tuning job: it is Completed",
    ExitCode.FAILED: "an expected failure; of a tuning job: it is Failed, or was stopped",
    ExitCode.USAGE: "the spec or the command line is wrong",
    ExitCode.BUG: "a bug in hpt; a crash file to report is named",
    ExitCode.INTERRUPTED: "interrupted by Ctrl-C; `hpt resume` goes on",
    ExitCode.TERMINATED: "terminated by a signal; `hpt resume` goes on",
}
SLUGS = """
## Slugs

What goes wrong is said on standard error as `error[slug]: message`, for a spec with the file, the
line and the column before it, and often with a hint in the line below. A warning stops nothing.
Messages may be reworded; slugs stay. `…` is what differs from case to case.

"""
WARNERS = ("checks", "metrics", "cli/commands/check.py")
"""Rooms and modules whose problems are warnings, whatever makes them."""
SLUG = re.compile(r"[a-z]+(?:-[a-z]+)*")
WARNING, FAILED, USAGE = 0, int(ExitCode.FAILED), int(ExitCode.USAGE)
MAKERS = {
    "HptError.of": (0, FAILED),
    "UsageError.of": (0, USAGE),
    "Problem": (0, USAGE),
    "Conflict": (1, USAGE),
    "_wrong": (1, USAGE),
    "PydanticCustomError": (0, USAGE),
    "Warned": (0, WARNING),
}
"""The calls that make a problem: the place of its slug, before its message; the exit code."""
FAULT = ("field", "slug", "message", "hint")
"""The parts of a tuple that a function may yield instead."""


@dataclass(frozen=True, order=True)
class Said:
    """A message that a slug stands for."""

    code: int
    message: str


def write_page() -> str:
    """Return the page."""
    rows = "".join(f"| {int(code)} | {words} |\n" for code, words in EXITS.items())
    return INTRODUCTION + rows + SLUGS + "".join(_write_slugs())


def _write_slugs() -> Iterator[str]:
    assert all((SOURCES / each).exists() for each in WARNERS), WARNERS
    said = defaultdict(set)
    for path in sorted(SOURCES.rglob("*.py")):
        warns = any(path.is_relative_to(SOURCES / each) for each in WARNERS)
        for slug, each in _find_slugs(ast.parse(path.read_text()), warns=warns):
            said[slug].add(each)
    yield "| slug | exit code | message |\n|---|---|---|\n"
    for slug in sorted(said):
        codes = sorted({each.code for each in said[slug]})
        code = ", ".join(str(each) if each else "warning" for each in codes)
        messages = "<br>".join(sorted({_escape(each.message) for each in said[slug]}))
        yield f"| `{slug}` | {code} | {messages} |\n"


def _escape(message: str) -> str:
    for mark in "|<*_[":
        message = message.replace(mark, f"\\{mark}")
    return message


def _find_slugs(tree: ast.Module, *, warns: bool) -> Iterator[tuple[str, Said]]:
    for scope in ast.walk(tree):
        if isinstance(scope, ast.FunctionDef):
            for node in ast.walk(scope):
                yield from _find_slug(node, scope, warns=warns)
        elif isinstance(scope, ast.Assign) and ast.unparse(scope.targets[0]) == "_MESSAGES":
            for kind, message in ast.literal_eval(scope.value).items():
                words = re.sub(r"{.*?}", "…", f"…: {message}")
                yield kind.replace("_", "-"), Said(2, words)


def _find_slug(node: ast.AST, scope: ast.FunctionDef, *, warns: bool) -> Iterator[tuple[str, Said]]:
    """Yield the slug of a problem that a call makes, or that a function yields as a tuple."""
    maker = ast.unparse(node.func).removeprefix("ev.") if isinstance(node, ast.Call) else ""
    if isinstance(node, ast.Call) and maker in MAKERS:
        at, code = MAKERS[maker]
        keywords = {each.arg: each.value for each in node.keywords}
        values = [keywords["slug"], keywords["message"]] if "slug" in keywords else node.args
        code = WARNING if warns and maker == "Problem" else code
    elif isinstance(node, ast.Yield) and isinstance(node.value, ast.Tuple):
        if len(node.value.elts) != len(FAULT):
            return
        values, at, code = node.value.elts, FAULT.index("slug"), USAGE
    else:
        return
    slug, message = values[at : at + 2]
    if isinstance(slug, ast.Constant) and SLUG.fullmatch(str(slug.value)):
        yield str(slug.value), Said(code, _read_message(message, scope))


def _read_message(node: ast.expr, scope: ast.FunctionDef) -> str:
    """Return the text of an expression, with … for what is filled in."""
    match node:
        case ast.Constant(value=str(text)):
            return re.sub(r"{\w+}", "…", text)
        case ast.JoinedStr(values=values):
            parts = [str(each.value) if isinstance(each, ast.Constant) else "…" for each in values]
            return "".join(parts)
        case ast.BinOp(left=left, right=right):
            return _read_message(left, scope) + _read_message(right, scope)
        case ast.IfExp(body=body, orelse=other):
            return _read_message(body, scope) or _read_message(other, scope)
        case ast.Name(id=name):
            return _find_assigned(name, scope, before=node.lineno)
    return "…"


def _find_assigned(name: str, scope: ast.FunctionDef, before: int) -> str:
    """Return the text that was last assigned to a name in a function."""
    assigned = [
        each
        for each in ast.walk(scope)
        if isinstance(each, ast.Assign)
        and ast.unparse(each.targets[0]) == name
        and each.lineno < before
    ]
    latest = max(assigned, key=lambda each: each.lineno, default=None)
    return _read_message(latest.value, scope) if latest else "…"

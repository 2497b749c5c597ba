"""docs/json.md: what each command answers with --json, from hpt_cli/reports/json_types.py."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hpt_cli.reports import json_types as answers

INTRODUCTION = """\
# What `--json` answers

Written by `python scripts/docs/write_all.py` from `hpt_cli/reports/json_types.py`; the tests of
the commands compare every answer with it.

`--json` prints one document on standard output and nothing else: UTF-8, without NaN and infinity,
which are null. Times are ISO 8601 in UTC, durations are seconds, shares are fractions. A field that
is named here is always there, unless it says otherwise. Later versions may add fields. Mistakes go
to standard error, and the exit code says so: see [errors](errors.md).

```
hpt jobs digits --json | jq -r '.[] | [.training_job_name, .final_objective_value] | @tsv'
hpt show digits --json | jq .best_training_job.hyperparameters
```

| command | answers |
|---|---|
"""
PLAIN = {
    "str": "string",
    "int": "whole number",
    "float": "number",
    "bool": "true or false",
    "None": "null",
    "Any": "anything",
    "Value": "string or number",
    "Hyperparameters": "object: name → value",
    "Point": "`[step, value]`",
}


@dataclass
class Shape:
    """A TypedDict in the source."""

    words: str
    bases: list[str]
    fields: dict[str, tuple[ast.expr, str]]
    """Name → annotation, and the string after it."""


def write_page() -> str:
    """Return the page."""
    tree = ast.parse(Path(answers.__file__).read_text())
    shapes = dict(_find_shapes(tree))
    (table,) = [
        each.value
        for each in tree.body
        if isinstance(each, ast.AnnAssign) and ast.unparse(each.target) == "ANSWERS"
    ]
    assert isinstance(table, ast.Dict)
    rows = [
        f"| `{ast.literal_eval(key)}` | {_describe(value, shapes)} |\n"
        for key, value in zip(table.keys, table.values, strict=True)
        if key is not None
    ]
    public = [name for name in shapes if not name.startswith("_")]
    return INTRODUCTION + "".join(rows) + "".join(_write_shape(name, shapes) for name in public)


def _find_shapes(tree: ast.Module) -> Iterator[tuple[str, Shape]]:
    for node, following in zip(tree.body, [*tree.body[1:], None], strict=True):
        if isinstance(node, ast.ClassDef):
            fields = dict(_find_fields(node))
            words = ast.get_docstring(node) or ""
            yield node.name, Shape(words, [ast.unparse(each) for each in node.bases], fields)
        elif isinstance(node, ast.Assign) and "TypedDict(" in ast.unparse(node):
            assert isinstance(node.value, ast.Call)
            assert isinstance(node.value.args[1], ast.Dict)
            (key,), (value,) = node.value.args[1].keys, node.value.args[1].values
            assert key is not None
            field = {str(ast.literal_eval(key)): (value, _read_words(following))}
            yield ast.unparse(node.targets[0]), Shape("", [], field)


def _find_fields(node: ast.ClassDef) -> Iterator[tuple[str, tuple[ast.expr, str]]]:
    for part, following in zip(node.body, [*node.body[1:], None], strict=True):
        if isinstance(part, ast.AnnAssign):
            yield ast.unparse(part.target), (part.annotation, _read_words(following))


def _read_words(node: ast.stmt | None) -> str:
    """Return the string after a field."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return " ".join(str(node.value.value).split())
    return ""


def _write_shape(name: str, shapes: dict[str, Shape]) -> str:
    rows = [
        f"| `{field}` | {_describe(annotation, shapes)} | {words.replace('|', chr(92) + '|')} |\n"
        for field, (annotation, words) in _list_fields(name, shapes).items()
    ]
    table = "".join(rows)
    return f"\n## {name}\n\n{shapes[name].words}\n\n| field | type | |\n|---|---|---|\n{table}"


def _list_fields(name: str, shapes: dict[str, Shape]) -> dict[str, tuple[ast.expr, str]]:
    """Return the fields of a shape and its bases: first the bases, unless they have no section."""
    shape = shapes[name]
    inherited = {
        field: value
        for base in shape.bases
        if base in shapes
        for field, value in _list_fields(base, shapes).items()
    }
    hidden = any(base.startswith("_") for base in shape.bases)
    return shape.fields | inherited if hidden else inherited | shape.fields


def _describe(node: ast.expr, shapes: dict[str, Shape]) -> str:
    if isinstance(node, ast.BinOp):
        left, right = _describe(node.left, shapes), _describe(node.right, shapes)
        return f"{left} or {right}"
    if isinstance(node, ast.Subscript):
        kind = ast.unparse(node.value)
        if kind in ("Mapping", "dict"):
            assert isinstance(node.slice, ast.Tuple)
            value = _describe(node.slice.elts[1], shapes)
            return "object" if value == "anything" else f"object: name → {value}"
        return f"list of {_describe(node.slice, shapes)}"
    word = ast.unparse(node)
    return f"[{word}](#{word.lower()})" if word in shapes else PLAIN[word]

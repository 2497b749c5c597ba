"""The options that a Python script declares to argparse or click, read by `ast`, never run."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from hpt_cli.scaffold.options import KINDS, ProgramOption, kind_of, parse_value


def parse_python(text: str) -> ast.Module:
    """Return the syntax tree of a Python script; an empty one for text that is not Python."""
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return ast.Module([], [])


def parse_source(text: str) -> tuple[ProgramOption, ...]:
    """Return the options that a Python script declares to argparse or click with literal arguments.

    None for text that is not Python.
    """
    found = map(_parse_call, find_calls(parse_python(text), "add_argument", "option"))
    return tuple(filter(None, found))


def parse_loops(texts: Iterable[str]) -> tuple[ProgramOption, ...]:
    """Return the options that the files of a script may declare in a loop, with their defaults.

    Those are the fields of its classes, the keys of its dicts and the first words of its tuples,
    each with the literal that belongs to it; none for a script without such a loop.
    """
    trees = [parse_python(text) for text in texts]
    calls = (call for tree in trees for call in find_calls(tree, "add_argument", "option"))
    if not any(call.args and not isinstance(call.args[0], ast.Constant) for call in calls):
        return ()
    named = ((name, read_literal(node)) for tree in trees for name, node in _list_named(tree))
    return tuple(
        ProgramOption(f"--{name}", kind_of(value), value, aliases=(f"--{name.replace('_', '-')}",))
        for name, value in named
        if isinstance(value, (int, float, str)) and not isinstance(value, bool)
    )


def _list_named(tree: ast.Module) -> Iterator[tuple[str, ast.expr | None]]:
    """Yield names and what stands for them, in classes, dicts and tuples."""
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(body=body):
                for each in body:
                    if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
                        yield each.target.id, _unwrap_field(each.value)
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    if isinstance(key, ast.Constant) and isinstance(key.value, str):
                        yield key.value, value
            case ast.Tuple(elts=[ast.Constant(value=str(name)), *_, last]):
                yield name, last


def _unwrap_field(node: ast.expr | None) -> ast.expr | None:
    """Return the default in `field(default=...)`, or what else stands there."""
    if isinstance(node, ast.Call) and name_call(node) in ("field", "Field"):
        return next((each.value for each in node.keywords if each.arg == "default"), None)
    return node


def list_variables(text: str) -> dict[str, float]:
    """Return the environment variables that a script reads, with numbers as defaults."""
    found = {}
    for call in find_calls(parse_python(text), "get", "getenv"):
        if not re.fullmatch(r"(os\.)?(environ\.get|getenv)", ast.unparse(call.func)):
            continue
        name, default = ([read_literal(each) for each in call.args] + [None, None])[:2]
        value = parse_value(str(default))
        if isinstance(name, str) and isinstance(value, (int, float)):
            found[name] = value
    return found


def list_imports(text: str) -> list[str]:
    """Return the names of the modules that a script imports, and of what it takes from them."""
    names = []
    for node in ast.walk(parse_python(text)):
        if isinstance(node, ast.Import):
            names += [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            names += [base, *(f"{base}.{each.name}".lstrip(".") for each in node.names)]
    return list(dict.fromkeys(filter(None, names)))


def find_calls(tree: ast.AST, *names: str) -> Iterable[ast.Call]:
    """Return the calls of functions or methods with one of these names."""
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    return [call for call in calls if name_call(call) in names]


def name_call(call: ast.Call) -> str:
    """Return the last part of the name of what is called: `Fire` of `fire.Fire(train)`."""
    func = call.func
    return func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")


def _parse_call(call: ast.Call) -> ProgramOption | None:
    texts = [each.value for each in call.args if isinstance(each, ast.Constant)]
    flags = [each for each in texts if isinstance(each, str) and each.startswith("-")]
    flags = [each for each in flags if each.startswith("--")] or flags
    if not flags or "/" in flags[0]:
        return None
    words = {each.arg: each.value for each in call.keywords}
    default = read_literal(words.get("default"))
    action = ast.unparse(words["action"]) if "action" in words else ""
    nargs = read_literal(words.get("nargs"))
    takes_list = (nargs is not None and nargs != "?") or action in ("'append'", "'extend'")
    is_switch = not takes_list and (
        isinstance(default, bool) or action not in ("", "'store'") or "is_flag" in words
    )
    if is_switch or isinstance(default, bool) or not isinstance(default, (int, float, str)):
        default = None
    named = ast.unparse(words["type"]).lower() if "type" in words else ""
    kind = KINDS.get(named, kind_of(default))
    choices = () if is_switch else _read_choices(words)
    negative = (f"--no-{flags[0][2:]}",) if action.endswith("BooleanOptionalAction") else ()
    return ProgramOption(
        flag=flags[0],
        kind="list" if takes_list else "switch" if is_switch else "choice" if choices else kind,
        default=None if takes_list else default,
        choices=choices,
        aliases=(*flags[1:], *negative),
        about=str(read_literal(words.get("help")) or ""),
    )


_SMALL = 64
"""Powers of larger numbers are not computed."""
_OPERATIONS: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: lambda base, power: base**power if max(abs(base), abs(power)) <= _SMALL else None,
}


def read_literal(node: ast.expr | None) -> Any:
    """Return the value of a literal, of arithmetic on numbers, or of `dict(a=1)`; else None."""
    match node:
        case ast.Dict(keys, values):
            pairs = zip(map(read_literal, keys), map(read_literal, values), strict=True)
            return {key: value for key, value in pairs if key is not None}
        case ast.Call(args=args, keywords=keywords) if name_call(node) in _DICTS:
            held = read_literal(args[0]) if args else {}
            named = {each.arg: read_literal(each.value) for each in keywords if each.arg}
            return {**(held if isinstance(held, dict) else {}), **named}
        case ast.BinOp(left, operation, right):
            return _compute(operation, read_literal(left), read_literal(right))
    try:
        return None if node is None else ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


_DICTS = ("dict", "ConfigDict", "FrozenConfigDict", "create")


def _compute(operation: ast.operator, left: object, right: object) -> Any:
    compute = _OPERATIONS.get(type(operation))
    if compute is None or not all(type(each) in (int, float) for each in (left, right)):
        return None
    try:
        return compute(left, right)
    except (ArithmeticError, ValueError):
        return None


def _read_choices(words: dict[str | None, ast.expr]) -> tuple[str, ...]:
    """Return the values of `choices=[...]` or `type=click.Choice([...])`."""
    listed = read_literal(words.get("choices"))
    kind = words.get("type")
    if isinstance(kind, ast.Call) and name_call(kind) == "Choice" and kind.args:
        listed = read_literal(kind.args[0])
    return tuple(map(str, listed)) if isinstance(listed, (list, tuple)) else ()

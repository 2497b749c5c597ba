"""The settings of a Python script that takes them from the command line without an option parser.

Those are the parameters of the function given to Python Fire, the values of a configuration of
OmegaConf or ml_collections, and the variables of a script that `key=value` replaces (nanoGPT's
configurator.py). All is read by `ast`; nothing is run.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import yaml

from hpt_cli.scaffold.options import KINDS, ProgramOption, kind_of
from hpt_cli.scaffold.source import find_calls, name_call, parse_python, read_literal

Read: TypeAlias = Callable[[str], str]
"""Returns the text of a file that a script names; empty if there is none."""


def find_settings(text: str, words: Sequence[str], read: Read) -> tuple[ProgramOption, ...]:
    """Return the settings of a script that has no `--help` to ask.

    Args:
        words: what stands after the script in the command.
    """
    tree = parse_python(text)
    return (
        tuple(_find_parameters(tree, words))
        or tuple(_find_omegaconf(tree, read))
        or tuple(_find_variables(text, tree, words, read))
    )


def find_config(text: str, words: Sequence[str], read: Read) -> tuple[ProgramOption, ...]:
    """Return the values in the configuration file of a script of ml_collections."""
    tree = parse_python(text)
    for call in find_calls(tree, "DEFINE_config_file", "DEFINE_config_dict"):
        name = _text(call.args[0]) if call.args else ""
        if name_call(call) == "DEFINE_config_dict":
            return tuple(_list_config(name, _follow_config(tree.body)))
        path = _find_value(f"--{name}", words) or (_text(call.args[1]) if call.args[1:] else "")
        config = parse_python(read(path.partition(":")[0]))
        return tuple(_list_config(name, _follow_config(_find_body(config, "get_config"))))
    return ()


def _text(node: ast.expr) -> str:
    value = read_literal(node)
    return value if isinstance(value, str) else ""


def _find_value(flag: str, words: Sequence[str]) -> str:
    for word, after in pairwise([*words, ""]):
        if word == flag:
            return after
        if word.startswith(f"{flag}="):
            return word.partition("=")[2]
    return ""


def _find_body(tree: ast.Module, name: str) -> list[ast.stmt]:
    functions = (each for each in tree.body if isinstance(each, ast.FunctionDef))
    return next((each.body for each in functions if each.name == name), [])


def _flatten(values: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (path, value) of each value in nested mappings: `model.width`."""
    for key, value in values.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{path}.")
        elif re.fullmatch(r"[A-Za-z_][\w.]*", path):
            yield path, value


def _make_option(flag: str, value: object, *, is_typed: bool) -> ProgramOption:
    """Return the option for a setting; `is_typed` if another type than its own is refused."""
    kind = kind_of(value)
    if kind == "number" and is_typed:
        kind = "int"
    default = value if isinstance(value, (int, float, str)) and kind != "switch" else None
    return ProgramOption(flag, kind, default, aliases=(flag.rstrip("="),))


# Python Fire


def _find_parameters(tree: ast.Module, words: Sequence[str]) -> Iterator[ProgramOption]:
    """Yield the parameters of what is given to Fire; of a class or dict, those of the command."""
    defined = {
        each.name: each
        for each in tree.body
        if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
    }
    commands = [word for word in words if re.fullmatch(r"[A-Za-z_][\w-]*", word)]
    for call in find_calls(tree, "Fire"):
        target = call.args[0] if call.args else None
        if isinstance(target, ast.Call):
            target = target.func
        if isinstance(target, ast.Dict):
            keys = [_text(key) if key else "" for key in target.keys]
            places = [keys.index(each) for each in commands if each in keys]
            target = target.values[places[0]] if places else None
        names = [target.id] if isinstance(target, ast.Name) else commands if not target else []
        for name in names:
            if name in defined:
                yield from _list_parameters(defined[name], commands)


def _list_parameters(node: ast.AST, commands: Sequence[str]) -> Iterator[ProgramOption]:
    if isinstance(node, ast.ClassDef):
        wanted = {"__init__", *(each.replace("-", "_") for each in commands)}
        for each in node.body:
            if isinstance(each, ast.FunctionDef) and each.name in wanted:
                yield from _list_parameters(each, ())
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        taken = node.args
        placed = [*taken.posonlyargs, *taken.args]
        defaults = [*[None] * (len(placed) - len(taken.defaults)), *taken.defaults]
        for argument, default in (
            *zip(placed, defaults, strict=True),
            *zip(taken.kwonlyargs, taken.kw_defaults, strict=True),
        ):
            if argument.arg not in ("self", "cls"):
                yield _make_parameter(argument, read_literal(default))


def _make_parameter(argument: ast.arg, default: object) -> ProgramOption:
    flag = f"--{argument.arg}"
    named = argument.annotation
    if isinstance(named, ast.Subscript) and ast.unparse(named.value).endswith("Literal"):
        values = read_literal(named.slice)
        choices = tuple(map(str, values if isinstance(values, tuple) else (values,)))
        return ProgramOption(flag, "choice", default if isinstance(default, str) else None, choices)
    words = re.findall(r"\w+", ast.unparse(named).lower()) if named else []
    kind = next((KINDS[word] for word in words if word in KINDS), kind_of(default))
    if {"list", "tuple", "sequence", "dict"} & set(words) or isinstance(default, (list, tuple)):
        return ProgramOption(f"{flag}=", "list", aliases=(flag,))
    if kind == "switch":
        return ProgramOption(f"{flag}=", "switch", aliases=(flag,))
    return ProgramOption(flag, kind, default if isinstance(default, (int, float, str)) else None)


# OmegaConf


def _find_omegaconf(tree: ast.Module, read: Read) -> Iterator[ProgramOption]:
    """Yield the values of the configurations of a script that merges the command line into them."""
    if not find_calls(tree, "merge_with_cli", "from_cli"):
        return
    values: dict[str, Any] = {}
    for call in find_calls(tree, "create", "load", "structured"):
        values.update(_flatten(_read_configuration(call, tree, read)))
    for path, value in values.items():
        yield _make_option(f"{path}=", value, is_typed=False)


def _read_configuration(call: ast.Call, tree: ast.Module, read: Read) -> Mapping[Any, Any]:
    if not call.args:
        return {}
    given = call.args[0]
    if name_call(call) == "structured":
        return _read_class(given, tree)
    name = given.id if isinstance(given, ast.Name) else None
    value = read_literal(_find_assigned(tree, name) if name else given)
    if isinstance(value, str):
        value = _load_yaml(read(value) if name_call(call) == "load" else value)
    return value if isinstance(value, Mapping) else {}


def _load_yaml(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None


def _read_class(node: ast.expr, tree: ast.Module) -> Mapping[str, Any]:
    """Return the values of a data class, given as such or made from its own defaults."""
    name = node.func if isinstance(node, ast.Call) else node
    classes = {each.name: each for each in ast.walk(tree) if isinstance(each, ast.ClassDef)}
    found = classes.get(getattr(name, "id", ""))
    values: dict[str, Any] = {}
    for each in found.body if found else ():
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
            inner = getattr(each.annotation, "id", "")
            value = read_literal(each.value)
            if inner in classes and classes[inner] is not found:
                value = _read_class(each.annotation, tree)
            values[each.target.id] = float(value) if inner == "float" and value else value
    return values


def _find_assigned(tree: ast.Module, name: str) -> ast.expr | None:
    for each in ast.walk(tree):
        if isinstance(each, ast.Assign) and any(getattr(t, "id", "") == name for t in each.targets):
            return each.value
    return None


# Variables of the script

_EXECUTED = re.compile(r"""\bexec\([^\n]*?["']([\w./-]+\.py)["']""")
_DASHES = re.compile(r"""(?:startswith|strip|removeprefix)\(["']--?["']\)|\[2:\]""")


def _find_variables(
    text: str, tree: ast.Module, words: Sequence[str], read: Read
) -> Iterator[ProgramOption]:
    """Yield the variables, or the entries of a dict, that `key=value` in a command replaces."""
    executed = _EXECUTED.search(text)
    reader = read(executed[1]) if executed else text
    if "sys.argv" not in reader or not re.search(r"""["']=["']|\bexec\(\w+\)""", reader):
        return
    if "globals()" in reader or re.search(r"\bexec\(\w+\)", reader):
        files = [parse_python(read(word)) for word in words if word.endswith(".py")]
        values = dict(pair for each in (tree, *files) for pair in _list_variables(each.body))
    else:
        filled = _find_filled(tree).items()
        values = {path: value for path, value in filled if not isinstance(value, dict)}
    dashes = "--" if _DASHES.search(reader) else ""
    for path, value in values.items():
        yield _make_option(f"{dashes}{path}=", value, is_typed=True)


def _list_variables(body: Iterable[ast.stmt]) -> Iterator[tuple[str, Any]]:
    """Yield the literals of a module up to where it reads its command line."""
    for each in body:
        source = ast.unparse(each)
        if "exec(" in source or "sys.argv" in source:
            return
        target = each.targets[0] if isinstance(each, ast.Assign) else getattr(each, "target", None)
        if isinstance(each, (ast.Assign, ast.AnnAssign)) and isinstance(target, ast.Name):
            value = read_literal(each.value)
            if value is not None and not isinstance(value, dict) and target.id[0] != "_":
                yield target.id, value


def _find_filled(tree: ast.Module) -> Mapping[Any, Any]:
    """Return the dict of a script whose entries are assigned by a key that is not literal."""
    for each in ast.walk(tree):
        if isinstance(each, ast.Subscript) and isinstance(each.ctx, ast.Store):
            name = getattr(each.value, "id", "")
            value = read_literal(_find_assigned(tree, name))
            if isinstance(value, Mapping) and not isinstance(each.slice, ast.Constant):
                return value
    return {}


# ml_collections


def _list_config(name: str, values: Mapping[str, Any]) -> Iterator[ProgramOption]:
    for path, value in values.items():
        yield _make_option(f"--{name}.{path}=", value, is_typed=True)


def _follow_config(body: Iterable[ast.stmt]) -> dict[str, Any]:
    """Return path -> value of the literals that statements assign to a configuration."""
    values: dict[str, Any] = {}
    paths: dict[str, str] = {}
    for each in body:
        if isinstance(each, ast.Return) and isinstance(each.value, ast.Call):
            values.update(_flatten(read_literal(each.value) or {}))
        if not isinstance(each, (ast.Assign, ast.AnnAssign)):
            continue
        targets = each.targets if isinstance(each, ast.Assign) else [each.target]
        places = [ast.unparse(target).partition(".") for target in targets]
        held = [f"{paths[name]}{rest}" for name, _, rest in places if name in paths and rest]
        value = read_literal(each.value)
        for name, _, rest in places:
            if not rest and isinstance(value, dict) and _is_config(each.value):
                paths[name] = f"{held[0]}." if held else ""
        is_root = any(not rest and paths.get(name) == "" for name, _, rest in places)
        for path in held or ([""] if is_root else []):
            inner = value if isinstance(value, dict) else None
            pairs = {path: value} if inner is None else dict(_flatten(inner, path and f"{path}."))
            values.update(pairs)
    return values


def _is_config(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Call) and name_call(node) in ("ConfigDict", "FrozenConfigDict")

"""The formats of templates with keys: read as nested mappings and lists, written with other values.

JSON and TOML keep the order of their keys, and TOML its comments. YAML keeps what its scalars look
like, its tags and its merges; comments are left out, and what an alias stands for is written out.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Final

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from hpt_cli.errors import SourceLocation, UsageError
from hpt_cli.spec.config_files.paths import Path, get_value, read_typed
from hpt_cli.spec.yaml.document import Document, compose

REMOVED: Final = object()
"""The value of a key that is left out."""
_MERGE = "tag:yaml.org,2002:merge"


class DocumentError(Exception):
    """A template is not what its name says; `line` and `column` count from 1."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        self.line, self.column = line, column
        super().__init__(message)


@dataclass(frozen=True)
class Format:
    """How documents of one format are read and changed."""

    read: Callable[[str], Any]
    """Returns nested mappings and lists; raises DocumentError."""
    write: Callable[[str, Mapping[Path, Any]], str]
    """Returns a document with other values at places that it has, or without them: REMOVED."""


def find_format(file: str) -> Format:
    """Return the format that the name of a file tells; raise KeyError for any other."""
    return FORMATS[file.rpartition(".")[2].lower()]


def _order(changes: Mapping[Path, Any]) -> list[tuple[Path, Any]]:
    """Return the changes, removals last and from the end, as they move what follows in a list."""
    removed = [path for path, value in changes.items() if value is REMOVED]
    removed.sort(key=lambda path: [f"{part:>9}" for part in path])
    kept = [(path, value) for path, value in changes.items() if value is not REMOVED]
    return [*kept, *((path, REMOVED) for path in reversed(removed))]


def _change(tree: Any, changes: Mapping[Path, Any]) -> None:
    """Set values in nested mappings and lists, or delete them."""
    for path, value in _order(changes):
        parent = get_value(tree, path[:-1])
        if value is REMOVED:
            del parent[path[-1]]
        else:
            parent[path[-1]] = value


def _read_json(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DocumentError(f"this is not JSON: {error.msg}", error.lineno, error.colno) from None
    except (RecursionError, ValueError) as error:  # a number of thousands of digits
        raise DocumentError(f"this cannot be read: {error}") from None


def _write_json(text: str, changes: Mapping[Path, Any]) -> str:
    tree = json.loads(text)
    _change(tree, changes)
    return json.dumps(tree, indent=2, ensure_ascii=False) + "\n"


def _read_toml(text: str) -> Any:
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r" \(at line (\d+), column (\d+)\)", str(error))
        why = str(error)[: place.start()] if place else str(error)
        at = map(int, place.groups()) if place else ()
        raise DocumentError(f"this is not TOML: {why}", *at) from None
    except (RecursionError, ValueError) as error:
        raise DocumentError(f"this cannot be read: {error}") from None
    if find_spec("tomlkit") is None:
        raise DocumentError("TOML needs a package that is not there: pip install tomlkit")
    return tree


def _write_toml(text: str, changes: Mapping[Path, Any]) -> str:
    import tomlkit  # only for who has such a template

    tree = tomlkit.parse(text)
    # TOML has no null, so that it can only mean the text.
    _change(tree, {path: "null" if value is None else value for path, value in changes.items()})
    return str(tomlkit.dumps(tree))


# YAML


class _Representer(yaml.representer.SafeRepresenter):
    """Makes nodes; text gets quotes, as readers disagree about what else it could be."""

    def represent_str(self, text: str) -> ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", text, style='"')


_Representer.add_representer(str, _Representer.represent_str)


def _compose(text: str) -> Document:
    try:
        return Document(compose(text, "", "a template"), "")
    except UsageError as error:
        (problem,) = error.problems
        place = problem.place
        at = (place.line, place.column) if isinstance(place, SourceLocation) else ()
        raise DocumentError(problem.message, *at) from None


def _read_yaml(text: str) -> Any:
    return _compose(text).to_values(read_typed)


def _write_yaml(text: str, changes: Mapping[Path, Any]) -> str:
    root: Node = _compose(text).root
    for path, value in _order(changes):
        representer = _Representer(default_flow_style=True, sort_keys=False)
        new = None if value is REMOVED else representer.represent_data(value)
        root = _replace(root, path, new)
    return str(
        yaml.serialize(_copy(root), Dumper=yaml.SafeDumper, allow_unicode=True, width=math.inf)
    )


def _replace(node: Node, path: Path, new: Node | None) -> Node:
    """Return a node with another one at a place below it; None leaves out what is there.

    The old nodes stay as they are: aliases may stand for them in other places.
    """
    part, *rest = path
    if isinstance(node, SequenceNode):
        items = list(node.value)
        place = int(part)
        changed = _replace(items[place], tuple(rest), new) if rest else new
        items[place : place + 1] = [] if changed is None else [changed]
        return SequenceNode(node.tag, items, flow_style=node.flow_style)
    assert isinstance(node, MappingNode)
    pairs = []
    for key, value in _expand(node, str(part)):
        is_meant = isinstance(key, ScalarNode) and key.value == part
        changed = value if not is_meant else _replace(value, tuple(rest), new) if rest else new
        if changed is not None:
            pairs.append((key, changed))
    return MappingNode(node.tag, pairs, flow_style=node.flow_style)


def _expand(node: Node, name: str) -> list[tuple[Node, Node]]:
    """Return the pairs of a mapping; what it merges too, if the name is only there."""
    if not isinstance(node, MappingNode):
        return []
    if any(key.value == name for key, _ in node.value):
        return list(node.value)
    own = [pair for pair in node.value if pair[0].tag != _MERGE]
    known = {key.value for key, _ in own}
    for key, value in node.value:
        if key.tag == _MERGE:
            merged = value.value if isinstance(value, SequenceNode) else [value]
            for each in merged:
                pairs = [pair for pair in _expand(each, name) if pair[0].value not in known]
                own += pairs
                known |= {pair[0].value for pair in pairs}
    return own


def _copy(node: Node) -> Node:
    """Return a tree in which no node stands twice, so that it is written without anchors.

    It has an end, and is not large: it has been read.
    """
    if isinstance(node, ScalarNode):
        return ScalarNode(node.tag, node.value, style=node.style)
    if isinstance(node, SequenceNode):
        return SequenceNode(node.tag, list(map(_copy, node.value)), flow_style=node.flow_style)
    assert isinstance(node, MappingNode)
    pairs = [(_copy(key), _copy(value)) for key, value in node.value]
    return MappingNode(node.tag, pairs, flow_style=node.flow_style)


_YAML = Format(_read_yaml, _write_yaml)
FORMATS = {
    "yaml": _YAML,
    "yml": _YAML,
    "json": Format(_read_json, _write_json),
    "toml": Format(_read_toml, _write_toml),
}
"""The formats by what the names of files end with."""

"""YAML nodes with their positions, within bounds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.reader import ReaderError

from hpt_cli.errors import Problem, SourceLocation, UsageError
from hpt_cli.spec.cross_field.conflict import Location
from hpt_cli.spec.hyperparameters import read_value

MAX_DEPTH = 50
"""No field of a spec is nested deeper."""
TOO_DEEP = f"nested more than {MAX_DEPTH} levels deep"
MAX_NODES = 100_000
"""No spec has more values; a file that expands to more is an alias bomb."""
SURROGATE = re.compile(r"[\ud800-\udfff]")
_NULL = ("", "~", "null", "Null", "NULL")


class _Loader(yaml.SafeLoader):
    """A loader that refuses deep nesting before Python's recursion limit does.

    Values are made by _Converter, not by this loader's constructors: those would share what an
    alias stands for, so that an alias bomb would only go off later.
    """

    _depth = 0

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem=TOO_DEEP, problem_mark=mark)
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


def compose(text: str, file: str, what: str = "a spec") -> MappingNode:
    """Return the root of a YAML text, which is `what`.

    Raises:
        UsageError: it is not YAML, or not a mapping.
    """
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = SourceLocation(file, mark.line + 1, mark.column + 1) if mark else None
        why = str(error.problem or error.context)
        why = "indent with spaces, not with tabs" if "'\\t'" in why else why
        message = f"this is not YAML: {why}"
        raise UsageError(Problem("yaml", message, place=place)) from None
    except ReaderError as error:
        place = find_end(text[: error.position], file)
        message = f"this is not YAML: the character {text[error.position]!a} is not allowed"
        raise UsageError(Problem("yaml", message, place=place)) from None
    if not isinstance(root, MappingNode):
        place = SourceLocation(file, 1, 1)
        raise UsageError(Problem("yaml", f"{what} must be a mapping of fields", place=place))
    return root


def read_scalar(text: str) -> Any:
    """Return a plain scalar as null, a number or text; booleans and dates stay text."""
    return None if text in _NULL else read_value(text)


def is_plain_text(text: str) -> bool:
    """Return whether a plain scalar is read as text, and not as a number or null."""
    return isinstance(read_scalar(text), str)


@dataclass(frozen=True)
class Document:
    """A YAML document's nodes, which know where they stand."""

    root: MappingNode
    file: str

    def to_values(self, read: Callable[[str], Any] = read_scalar) -> dict[str, Any]:
        """Return plain values: dicts, lists, text, numbers and None.

        Args:
            read: returns the value of a scalar without quotes.
        """
        values = _Converter(self, read).convert(self.root, 0)
        assert isinstance(values, dict)
        return values

    def place(self, node: Node) -> SourceLocation:
        """Return where a node begins."""
        return SourceLocation(self.file, node.start_mark.line + 1, node.start_mark.column + 1)

    def find(self, location: Location, *, key: bool) -> SourceLocation:
        """Return the place of a location: of its key, or of its value.

        Parts that are not in the document are passed over: a field that is missing is reported
        where it is missing from.
        """
        node: Node = self.root
        name: Node = self.root
        for part in location:
            if isinstance(node, MappingNode):
                pair = next((pair for pair in _pairs(node) if pair[0].value == str(part)), None)
                if pair is not None:
                    name, node = pair
            elif (
                isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value)
            ):
                name = node = node.value[part]
        return self.place(name if key or isinstance(node, (MappingNode, SequenceNode)) else node)

    def duplicates(self) -> Iterator[Problem]:
        """Yield keys that stand twice in one mapping, of which YAML would forget the first."""
        seen: set[int] = set()
        waiting: list[Node] = [self.root]
        while waiting:
            node = waiting.pop()
            # An alias gives the very same node again; it may even be within itself.
            if id(node) in seen:
                continue
            seen.add(id(node))
            if isinstance(node, SequenceNode):
                waiting += node.value
            elif isinstance(node, MappingNode):
                names: dict[str, Node] = {}
                for key, value in _pairs(node):
                    waiting.append(value)
                    first = names.setdefault(key.value, key)
                    if first is not key:
                        message = f"'{key.value}' is given twice; first on line "
                        message += str(first.start_mark.line + 1)
                        yield Problem("duplicate-key", message, place=self.place(key))


def _pairs(node: MappingNode) -> list[tuple[ScalarNode, Node]]:
    return [pair for pair in node.value if isinstance(pair[0], ScalarNode)]


class _Converter:
    """Turns nodes into plain values, within bounds on their number and depth."""

    def __init__(self, document: Document, read: Callable[[str], Any]) -> None:
        self._document = document
        self._read = read
        self._count = 0

    def convert(self, node: Node, depth: int) -> Any:
        self._count += 1
        if self._count > MAX_NODES:
            raise self._refuse(f"the YAML expands to more than {MAX_NODES} values", node)
        if depth > MAX_DEPTH:  # an alias within what it stands for has no end
            raise self._refuse(TOO_DEEP, node)
        if isinstance(node, ScalarNode):
            self._check_characters(node)
            # What stands in quotes is text, whatever it looks like.
            return self._read(node.value) if node.style is None else node.value
        if isinstance(node, SequenceNode):
            return [self.convert(each, depth + 1) for each in node.value]
        assert isinstance(node, MappingNode)
        values: dict[str, Any] = {}
        for key, value in _pairs(node):
            self._check_characters(key)
            converted = self.convert(value, depth + 1)
            if key.value == "<<" and isinstance(converted, dict):
                # A merge key: the keys that it brings never replace the mapping's own.
                values = converted | values
            else:
                values[key.value] = converted
        return values

    def _check_characters(self, node: ScalarNode) -> None:
        """Refuse half a character, written `"\\ud800"`, which can be stored nowhere."""
        if SURROGATE.search(node.value):
            raise self._refuse(f"{node.value!a} contains half a character (a surrogate)", node)

    def _refuse(self, message: str, node: Node) -> UsageError:
        return UsageError(Problem("yaml", message, place=self._document.place(node)))


def read_inline(text: str, read: Callable[[str], Any] = read_scalar) -> Any:
    """Return a scalar; or a list or a mapping, in brackets.

    Args:
        read: returns the value of a scalar without quotes.
    """
    if text[:1] not in ("[", "{"):
        return read(text)
    try:
        return Document(compose(f"value: {text}", ""), "").to_values(read)["value"]
    except UsageError:
        return text


def find_end(text: str, file: str) -> SourceLocation:
    """Return the place just after a text."""
    lines = text.split("\n")
    return SourceLocation(file, len(lines), len(lines[-1]) + 1)

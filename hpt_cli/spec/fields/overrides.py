"""Fields of a spec that the command line sets: `--set hyperparameter_ranges.lr.max_value=0.1`.

A path goes down by names, and by places in lists, which count from 0; in a list of parts that have
a name, such as metric definitions, by that name too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hpt_cli.errors import ArgumentLocation, Problem, SourceLocation, UsageError, did_you_mean
from hpt_cli.spec.cross_field.conflict import Location
from hpt_cli.spec.fields.parts import NAMED, PARTS
from hpt_cli.spec.yaml.document import SURROGATE, Document, read_inline

SET = "--set"


@dataclass(frozen=True)
class Override:
    """A field that the command line sets, and where it does."""

    field: str
    """A name, or a path with dots."""
    value: Any
    field_place: ArgumentLocation | None = None
    value_place: ArgumentLocation | None = None
    location: Location = ()
    """Where the field is in a spec, once it is known in which."""

    @property
    def top(self) -> str:
        """The field of the spec that it changes, or changes a part of."""
        return self.field.partition(".")[0]


def read_overrides(texts: Iterable[str], option: str = SET, name: str = "FIELD") -> list[Override]:
    """Return what `--set FIELD=VALUE` says, for each text after `--set`.

    Args:
        texts: the settings.
        option: what stands before each of them; may be empty.
        name: what is set, in words.

    Raises:
        UsageError: some are written otherwise.
    """
    lead = f"{option} " if option else ""
    found, problems = list[Override](), list[Problem]()
    for text in texts:
        field, equals, value = text.partition("=")
        line, start = f"{lead}{text}", len(lead)
        middle = start + len(field)
        before = ArgumentLocation(line, start, middle)
        after = ArgumentLocation(line, middle + len(equals), len(line))
        if SURROGATE.search(text):
            problems.append(Problem("override", f"{lead}{text!a} is not UTF-8 text"))
        elif not equals or not field.strip():
            message = f"{line}: write it as {name}=VALUE"
            problems.append(Problem("override", message, place=before))
        else:
            found.append(Override(field.strip(), read_inline(value.strip()), before, after))
    if problems:
        raise UsageError(*problems)
    return found


def read_option(option: str, field: str, value: Any) -> Override:
    """Return what an option says that sets one field only: `--name NAME`."""
    line = f"{option} {value}"
    place = ArgumentLocation(line, len(option) + 1, len(line))
    return Override(field, value, place, place)


@dataclass(frozen=True)
class Overridden:
    """The fields of a spec after overrides, these with their locations, and which cannot be."""

    fields: dict[str, Any]
    overrides: tuple[Override, ...]
    mistakes: tuple[Problem, ...]


def override(fields: Mapping[str, Any], overrides: Iterable[Override]) -> Overridden:
    """Return the fields of a spec with overrides, made one after the other."""
    changed, made, mistakes = dict(fields), list[Override](), list[Problem]()
    for each in overrides:
        location = _find_location(each.field, changed)
        fault = _put(changed, location, each.value)
        if fault is None:
            made.append(replace(each, location=location))
        else:
            mistakes.append(replace(fault, place=each.field_place))
    return Overridden(changed, tuple(made), tuple(mistakes))


def _find_location(path: str, fields: Mapping[str, Any]) -> Location:
    """Return where a path leads; names in it that are there may have dots themselves."""
    location: Location = ()
    node: Any = fields
    while path:
        known = _list_keys(node)
        found = [each for each in known if f"{path}.".startswith(f"{each}.")]
        name = max(found, key=len, default=path if _is_flat(location) else path.partition(".")[0])
        path = path[len(name) + 1 :]
        location = (*location, known.get(name, name))
        node = _get(node, location[-1])
    return location


def _is_flat(location: Location) -> bool:
    """Return whether what stands at a location has names with values, and nothing deeper."""
    return location[-1:] in (("static_hyperparameters",), ("environment",), ("when",))


def _list_keys(node: Any) -> dict[str, str | int]:
    """Return the keys of a mapping or the places in a list, each by how a path may name it."""
    if isinstance(node, Mapping):
        return {str(key): key for key in node}
    keys: dict[str, str | int] = {}
    for place, each in enumerate(node if isinstance(node, list | tuple) else ()):
        if isinstance(each, Mapping) and "name" in each:
            keys[str(each["name"])] = place
        keys[str(place)] = place
    return keys


def _get(node: Any, key: str | int) -> Any:
    return node[key] if key in _list_keys(node).values() else None


def _put(fields: dict[str, Any], location: Location, value: Any) -> Problem | None:
    """Put a value at a location, into copies of what is above it; return why that cannot be."""
    node: Any = fields
    for depth, key in enumerate(location, 1):
        if isinstance(node, list) and key not in range(len(node)):
            message = f"there is no {'.'.join(map(str, location[:depth]))}"
            known = _list_keys(node)
            hint = did_you_mean(str(key), known) or f"there are: {', '.join(known) or 'none'}"
            return Problem("field-unknown", message, hint)
        if depth == len(location):
            node[key] = value
            return None
        below = _open(_get(node, key), location[:depth])
        if below is None:
            message = f"'{'.'.join(map(str, location[:depth]))}' has no fields: set it as a whole"
            return Problem("field-unknown", message)
        node[key] = below
        node = below
    return None


def _open(value: Any, location: Location) -> dict[str, Any] | list[Any] | None:
    """Return a copy of a mapping or a list, or a new mapping where there can be one; else None."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, list | tuple):
        return list(value)
    can_be = value is None or len(location) == 1
    return {} if can_be and location[0] in (*PARTS, *NAMED) else None


@dataclass(frozen=True)
class Sources:
    """Where the fields of a spec stand: on the command line, or else in the document."""

    document: Document | None = None
    """None for the fields of a journal, which stand in no file."""
    overrides: tuple[Override, ...] = ()

    @property
    def file(self) -> str:
        """The name of the document's file; empty without a document."""
        return self.document.file if self.document else ""

    def find(self, location: Location, *, key: bool) -> SourceLocation | ArgumentLocation | None:
        """Return the place of a location: of its key, or of its value."""
        for each in reversed(self.overrides):
            if location[: len(each.location)] == each.location:
                is_field = key and location == each.location
                return each.field_place if is_field else each.value_place
        return self.document.find(location, key=key) if self.document else None

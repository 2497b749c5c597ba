"""Differences between two specs, field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class Difference(NamedTuple):
    """A field that differs, by its path (`hyperparameter_ranges.x.step`); None: it is absent."""

    path: str
    before: Any
    after: Any

    @property
    def field(self) -> str:
        """The spec's own field in which it is."""
        return self.path.partition(".")[0]


def find_differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """Return every leaf that is not the same in both."""
    old, new = dict(flatten(before)), dict(flatten(after))
    both = (Difference(path, old.get(path), new.get(path)) for path in {**old, **new})
    return [each for each in both if each.before != each.after]


def flatten(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each leaf of nested mappings and lists, with its path."""
    if isinstance(value, Mapping) and value:
        parts = value.items()
    elif isinstance(value, (list, tuple)) and any(isinstance(each, Mapping) for each in value):
        parts = dict(enumerate(value)).items()
    else:
        yield path, value
        return
    for name, part in parts:
        yield from flatten(part, f"{path}.{name}" if path else str(name))

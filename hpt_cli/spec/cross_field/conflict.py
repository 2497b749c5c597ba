"""A contradiction between fields of a spec, as a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

TRUE = ("true", "yes", "on")
"""How YAML 1.1 writes a true boolean, in lower case."""
Location: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True)
class Conflict:
    """A mistake that shows only when fields are read together, and where it is."""

    location: Location
    slug: str
    message: str
    hint: str = ""
    at_key: bool = False
    """Whether the name of the field is wrong, and not its value."""


class ConflictError(ValueError):
    """Valid fields do not go together."""

    def __init__(self, conflicts: Sequence[Conflict]) -> None:
        self.conflicts = conflicts
        super().__init__("; ".join(each.message for each in conflicts))


def mapping(raw: Any, field: str) -> Mapping[str, Any]:
    """Return the mapping in a field; an empty one for anything else."""
    value = raw.get(field) if isinstance(raw, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def items(raw: Mapping[str, Any], field: str) -> Sequence[Any]:
    """Return the list in a field; an empty one for anything else."""
    value = raw.get(field)
    # A text is a sequence too, but not a list that somebody wrote.
    return value if isinstance(value, (list, tuple)) else ()


def is_number(value: Any) -> bool:
    # For Python, True is an int.
    return isinstance(value, (int, float)) and not isinstance(value, bool)

"""Keys with dots -> places in a document, and values of the type that belongs there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from hpt_cli.spec.cross_field.conflict import TRUE, is_number
from hpt_cli.spec.hyperparameters import Value
from hpt_cli.spec.yaml.document import read_inline, read_scalar

Path: TypeAlias = tuple[str | int, ...]

_BOOLEANS = {"true": True, "false": False}
_FALSE = ("false", "no", "off")


def find_path(tree: Any, key: str) -> Path | None:
    """Return the place of a key in nested mappings and lists; None without one.

    Dots go down, unless a key has the dot itself.
    """
    for first, rest in _split(key):
        part = _find_part(tree, first)
        if part is None:
            continue
        if not rest:
            return (part,)
        below = find_path(tree[part], rest)
        if below is not None:
            return (part, *below)
    return None


def _split(key: str) -> Iterator[tuple[str, str]]:
    """Yield the key whole, and cut at each dot."""
    yield key, ""
    place = key.find(".")
    while place >= 0:
        yield key[:place], key[place + 1 :]
        place = key.find(".", place + 1)


def _find_part(tree: Any, part: str) -> str | int | None:
    if isinstance(tree, Mapping):
        return part if part in tree else None
    if isinstance(tree, list) and part.isascii() and part.isdigit() and int(part) < len(tree):
        return int(part)
    return None


def list_keys(tree: Any, above: str = "") -> Iterator[str]:
    """Yield every key below, with its dots."""
    pairs = tree.items() if isinstance(tree, Mapping) else enumerate(tree)
    for part, value in pairs:
        key = f"{above}.{part}" if above else str(part)
        yield key
        if isinstance(value, Mapping | list):
            yield from list_keys(value, key)


def get_value(tree: Any, path: Path) -> Any:
    """Return what stands at a place."""
    for part in path:
        tree = tree[part]
    return tree


def fit_value(value: Value, old: Any) -> Any:
    """Return a hyperparameter's value with the type of what stood there, if it can have it.

    A number is never text. Text is text where text stood; elsewhere `true`, `null`, `[64, 64]` and
    the like are what YAML means by them.
    """
    if isinstance(value, str):
        return value if isinstance(old, str) else _read_text(value, old)
    if isinstance(old, bool) and value in (0, 1):
        return bool(value)
    if isinstance(old, float) or (isinstance(value, float) and not value.is_integer()):
        return float(value)
    return int(value) if isinstance(value, int) or is_number(old) else float(value)


def _read_text(text: str, old: Any) -> Any:
    word = text.lower()
    if isinstance(old, bool) and word in (*TRUE, *_FALSE):
        return word in TRUE
    return _strip_writing(read_inline(text, read_typed))


def read_typed(text: str) -> Any:
    """Return a plain scalar as null, a boolean, a number or text."""
    return _BOOLEANS.get(text.lower(), read_scalar(text))


def _strip_writing(value: Any) -> Any:
    """Return a value whose numbers do not remember how they were written."""
    match value:
        case dict():
            return {key: _strip_writing(each) for key, each in value.items()}
        case list():
            return [_strip_writing(each) for each in value]
        case bool():
            return value
        case int():
            return int(value)
        case float():
            return float(value)
    return value

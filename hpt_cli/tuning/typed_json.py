"""JSON as dataclasses, checked by the types of their fields.

Not pydantic: importing it and building its validators takes 90 ms, a third of a short report's
time, and reports read events. Types are strict: an int is no `1.0`, `"1"` or `true`; but JSON has
one kind of number, so a float may be written `1`.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable
from functools import cache, partial
from types import UnionType
from typing import Annotated, Any, Literal, TypeAlias, TypeVar, Union, get_args, get_origin

T = TypeVar("T")
Reader: TypeAlias = Callable[[Any], Any]
"""Converts a value of JSON; raises TypeError or ValueError if it does not fit the type."""


def parse(kind: type[T], fields: dict[str, Any]) -> T:
    """Return the dataclass with these fields; lists become tuples, where its annotations say so.

    Raises:
        TypeError: these are not its fields, or one holds what its annotation does not allow.
    """
    readers, read = _list_fields(kind), {}  # type: ignore[arg-type]
    for name, value in fields.items():
        try:
            read[name] = readers[name][type(value)](value)
        except KeyError:
            raise TypeError(f"{name} of {kind.__name__} is {value!r}") from None
        except (TypeError, ValueError) as error:
            raise TypeError(f"{name} of {kind.__name__}: {error}") from None
    return kind(**read)


def make_reader(hint: Any) -> Reader:
    """Return the reader of a type.

    Mappings are read as they are: of a TypedDict, with whatever else stands in them. Of
    `Annotated[type, check]` it returns what the check returns.
    """
    readers = _list_readers(hint)

    def read(value: Any) -> Any:
        if type(value) not in readers:
            raise TypeError(f"{value!r} is not of type {getattr(hint, '__name__', hint)}")
        return readers[type(value)](value)

    return read


@cache
def _list_fields(kind: Any) -> dict[str, dict[type, Reader]]:
    hints = typing.get_type_hints(kind, include_extras=True)
    return {name: _list_readers(hint) for name, hint in hints.items()}


def _list_readers(hint: Any) -> dict[type, Reader]:
    """Return the readers of a type, by the types that JSON may have for it."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return {each: read for part in arguments for each, read in _list_readers(part).items()}
    if origin is Annotated:
        return dict.fromkeys(_list_readers(arguments[0]), arguments[1])
    if origin is Literal:
        return {str: _make_choice(arguments)}
    if origin is tuple:
        read = make_reader(arguments[0])
        return {list: lambda values: tuple(map(read, values))}
    if origin is dict:
        return {dict: _same if arguments[1] is Any else _make_values(make_reader(arguments[1]))}
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return {dict: partial(parse, hint)}
    if typing.is_typeddict(hint):
        return {dict: _make_mapping(hint)}
    return {float: _same, int: _same} if hint is float else {hint: _same}


def _same(value: Any) -> Any:
    return value


def _make_choice(words: tuple[str, ...]) -> Reader:
    def read(value: str) -> str:
        if value not in words:
            raise ValueError(f"{value!r} is not one of {', '.join(words)}")
        return value

    return read


def _make_values(read_value: Reader) -> Reader:
    return lambda values: {name: read_value(each) for name, each in values.items()}


def _make_mapping(kind: Any) -> Reader:
    hints = typing.get_type_hints(kind, include_extras=True)
    readers = {name: make_reader(hint) for name, hint in hints.items()}

    def read(value: dict[str, Any]) -> dict[str, Any]:
        if missing := kind.__required_keys__ - value.keys():
            raise TypeError(f"{', '.join(missing)} is missing")
        for name in readers.keys() & value.keys():
            readers[name](value[name])
        return value

    return read

"""JSON and YAML texts as plain values, and the cells of notebooks."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from hpt_cli.errors import UsageError
from hpt_cli.spec.yaml.document import Document, compose, read_scalar

_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}
_SWITCHES = dict.fromkeys(("yes", "on", "true"), True) | dict.fromkeys(
    ("no", "off", "false"), False
)


def is_json(text: str, file: str) -> bool:
    """Return whether a text is to be read as JSON."""
    return file.endswith((".json", ".ipynb")) or text.lstrip()[:1] in ("{", "[")


def read_document(text: str, file: str, *, as_written: bool = False) -> Any:
    """Return the values in a JSON or YAML text.

    Args:
        text: of the file.
        file: its name, for messages.
        as_written: whether numbers stay text, as a SageMaker request has them.

    Raises:
        UsageError: it is neither.
    """
    if is_json(text, file):
        return _read_json(text, file, as_written=as_written)
    read: Callable[[str], Any] = _read_word if as_written else _read_switch
    return Document(compose(text, file), file).to_values(read)


def _read_json(text: str, file: str, *, as_written: bool) -> Any:
    try:
        parse_float = str if as_written else None
        return json.loads(text, parse_float=parse_float, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        message = f"{file}:{error.lineno}:{error.colno}: this is not JSON: {error.msg}"
    except RecursionError:
        message = f"{file} is nested too deeply"
    except ValueError as error:  # a number with thousands of digits
        message = f"{file}: {error}"
    raise UsageError.of("request-unreadable", message)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _read_word(text: str) -> Any:
    return _WORDS.get(text.lower(), text)


def _read_switch(text: str) -> Any:
    """Return a scalar with the booleans of YAML 1.1, as Python programs read them."""
    return _SWITCHES.get(text.lower(), read_scalar(text))


def read_cells(document: Any) -> list[str] | None:
    """Return the code in a notebook's cells; None for what is no notebook."""
    if not isinstance(document, Mapping) or "nbformat" not in document:
        return None
    sheets = document.get("worksheets")
    held = sheets[0] if isinstance(sheets, list) and sheets else document
    cells = held.get("cells") if isinstance(held, Mapping) else None
    found = []
    for cell in cells if isinstance(cells, list) else ():
        if isinstance(cell, Mapping) and cell.get("cell_type") == "code":
            source = cell.get("source", cell.get("input", ""))
            found.append("".join(map(str, source)) if isinstance(source, list) else str(source))
    return found

"""JSON and YAML texts as plain values."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hpt_cli.errors import UsageError
from hpt_cli.spec.yaml_document import Document, compose, read_scalar

_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}


def read_document(text: str, file: str, *, as_written: bool = False) -> Any:
    """Return the values in a JSON or YAML text.

    Args:
        text: of the file.
        file: its name, for messages.
        as_written: whether numbers stay text, as a SageMaker request has them.

    Raises:
        UsageError: it is neither.
    """
    if file.endswith((".json", ".ipynb")) or text.lstrip()[:1] in ("{", "["):
        return _read_json(text, file, as_written=as_written)
    read: Callable[[str], Any] = _read_word if as_written else read_scalar
    return Document(compose(text, file), file).to_values(read)


def _read_json(text: str, file: str, *, as_written: bool) -> Any:
    try:
        return json.loads(text, parse_float=str if as_written else None)
    except json.JSONDecodeError as error:
        message = f"{file}:{error.lineno}:{error.colno}: this is not JSON: {error.msg}"
    except RecursionError:
        message = f"{file} is nested too deeply"
    except ValueError as error:  # a number with thousands of digits
        message = f"{file}: {error}"
    raise UsageError.of("request-unreadable", message)


def _read_word(text: str) -> Any:
    return _WORDS.get(text.lower(), text)

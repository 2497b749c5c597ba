"""`${NAME}` in the values of `environment`: a variable of whoever launches the training job.

Only the reference is ever recorded or shown; its value reaches the training job and nobody else.
`$${` stands for the characters `${` themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_REFERENCE = re.compile(r"\$\$\{|\$\{([^}]*)\}?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def find_references(text: str) -> list[str]:
    """Return the names that a text refers to, as they are written."""
    return [match[1] for match in _REFERENCE.finditer(text) if match[1] is not None]


def split_references(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the parts of a text in order, and whether each is the name of a variable."""
    end = 0
    for match in _REFERENCE.finditer(text):
        if end < match.start():
            yield text[end : match.start()], False
        yield ("${", False) if match[1] is None else (match[1], True)
        end = match.end()
    if end < len(text):
        yield text[end:], False


def remove_references(text: str) -> str:
    """Return a text without the variables that it refers to."""
    return _REFERENCE.sub("", text)


def is_variable_name(name: str) -> bool:
    """Return whether an environment variable can have this name."""
    return _NAME.fullmatch(name) is not None


def resolve(text: str, variables: Mapping[str, str]) -> str:
    """Return the text with the values of the variables that it refers to.

    Raises:
        KeyError: a variable is not set.
    """
    return _REFERENCE.sub(lambda match: "${" if match[1] is None else variables[match[1]], text)

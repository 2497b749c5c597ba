"""Names of hyperparameters and metrics, made fit for an experiment tracker."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator

MAX_BYTES = 230
"""Trackers accept 250 characters, file systems 255 bytes; a number or a prefix may be added."""
MLFLOW_REFUSES = re.compile(r"[^/\w.\- :]")
TENSORBOARD_REFUSES = re.compile(r"[^-/\w.]")


def fit_names(
    names: Iterable[str], refused: re.Pattern[str], *, as_files: bool = False
) -> dict[str, str]:
    """Return for each name one that is accepted, no two alike.

    A name that is accepted stays as it is. In the others `_` stands for what is refused, and a
    number tells apart those that would become the same.

    Args:
        names: all that are used together, so that each always becomes the same.
        refused: the characters that a name may not have.
        as_files: whether names become files, so that none may be the directory of another.
    """
    names = list(dict.fromkeys(names))

    def fit(name: str) -> str:
        fitted = _fit(name, refused)
        inside = as_files and any(name.startswith(f"{other}/") for other in names)
        return fitted.replace("/", "_") if inside else fitted

    wanted = {name: fit(name) for name in names}
    fitted = {name: name for name in names if wanted[name] == name}
    taken = {*fitted}
    for name in names:
        if name not in fitted:
            fitted[name] = next(each for each in _number(wanted[name]) if each not in taken)
            taken.add(fitted[name])
    return fitted


def _fit(name: str, refused: re.Pattern[str]) -> str:
    """Return a name without refused characters that is also a path within a directory."""
    short = refused.sub("_", name).encode()[:MAX_BYTES].decode(errors="ignore")
    path = "/".join("_" if part in ("", ".", "..") else part for part in short.split("/"))
    return f"_{path[2:]}" if path.startswith("..") else path


def _number(name: str) -> Iterator[str]:
    yield name
    for number in itertools.count(2):
        yield f"{name}_{number}"

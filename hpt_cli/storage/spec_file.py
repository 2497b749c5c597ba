"""A spec's file on disk: read whole, within bounds, as UTF-8."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hpt_cli.errors import Problem, UsageError
from hpt_cli.spec.fields.overrides import Override
from hpt_cli.spec.model import TuningSpec
from hpt_cli.spec.yaml_document import find_end
from hpt_cli.spec.yaml_reader import RawSpec, parse_raw

MAX_BYTES = 1_000_000
"""No spec is larger; a larger file is a log or a model."""


def read_spec(path: Path, overrides: Iterable[Override] = ()) -> TuningSpec:
    """Return the spec in a YAML file, with the fields that the command line sets.

    Raises:
        UsageError: the file cannot be read, or holds mistakes: all of them.
    """
    return read_raw(path, overrides).validate()


def read_raw(path: Path, overrides: Iterable[Override] = ()) -> RawSpec:
    """Return the fields in a YAML file, whatever mistakes they have.

    Raises:
        UsageError: the file cannot be read, or is not YAML.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError.of("spec-unreadable", f"{path}: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        message = f"{path} is too large for a spec: more than {MAX_BYTES} bytes"
        raise UsageError.of("spec-unreadable", message)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        place = find_end(data[: error.start].decode("utf-8"), str(path))
        message = f"this is not UTF-8 text: {error.reason}"
        raise UsageError(Problem("spec-unreadable", message, place=place)) from error
    return parse_raw(text, str(path), overrides)

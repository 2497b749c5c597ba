"""A spec's file and its templates on disk: read whole, within bounds, as UTF-8."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hpt_cli.errors import Problem, UsageError, did_you_mean
from hpt_cli.spec.config_files.conflicts import find_config_conflicts
from hpt_cli.spec.cross_field.conflict import Conflict, items, mapping
from hpt_cli.spec.fields.overrides import Override
from hpt_cli.spec.model import TuningSpec
from hpt_cli.spec.yaml.document import find_end
from hpt_cli.spec.yaml.reader import RawSpec, parse_raw

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
    return parse_raw(_read_text(path, "a spec"), str(path), overrides)


def read_templates(raw: RawSpec, directory: Path) -> RawSpec:
    """Return a spec with the texts of its templates, and with what is wrong in its config files.

    Args:
        directory: where relative paths in the spec begin.
    """
    recorded = mapping(raw.fields, "template_texts")
    texts: dict[str, str] = {str(name): str(text) for name, text in recorded.items()}
    conflicts = []
    for index, file in enumerate(items(raw.fields, "config_files")):
        name, template = (mapping({"": file}, "").get(each) for each in ("name", "template"))
        if not isinstance(name, str) or not isinstance(template, str) or name in texts:
            continue  # a mistake of its own, or as it was when the tuning job began
        path = directory / template
        try:
            texts[name] = _read_text(path, "a template")
        except UsageError as error:
            where = ("config_files", index, "template")
            (problem,) = error.problems
            message = problem.message + (f" ({problem.place})" if problem.place else "")
            beside = path.parent.iterdir() if path.parent.is_dir() and not path.exists() else ()
            hint = did_you_mean(path.name, [each.name for each in beside])
            conflicts.append(Conflict(where, "template-unreadable", message, hint))
    conflicts += find_config_conflicts(raw.fields, texts)
    return raw.extend(conflicts, template_texts=texts) if texts or conflicts else raw


def _read_text(path: Path, what: str) -> str:
    """Return the text of a file that is `what`.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError.of("spec-unreadable", f"{path}: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        message = f"{path} is too large for {what}: more than {MAX_BYTES} bytes"
        raise UsageError.of("spec-unreadable", message)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        place = find_end(data[: error.start].decode("utf-8"), str(path))
        message = f"this is not UTF-8 text: {error.reason}"
        raise UsageError(Problem("spec-unreadable", message, place=place)) from error

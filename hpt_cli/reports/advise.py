"""What the results say to do next: each advice with its evidence and a command to paste."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from hpt_cli.analysis.advice import Advice
from hpt_cli.formatting import plain
from hpt_cli.spec.model import TuningSpec
from hpt_cli.spec.yaml.writer import write_spec

if TYPE_CHECKING:
    from hpt_cli.reports import json_types as json_types

INDENT = (0, 0, 0, 3)
HEALTHY = "nothing in the results speaks against the spec"
FLAWS = ("failures", "noise", "edge", "unimportant")
"""The advice that says that something is wrong."""


def render(name: str, advice: Sequence[Advice], commands: Sequence[str]) -> RenderableType:
    """Return the advice, the most pressing first, each with its command."""
    blocks: list[RenderableType] = []
    if is_healthy(advice):
        blocks.append(Text(plain(f"{name}: {HEALTHY}"), style="bold green"))
    for place, (each, command) in enumerate(zip(advice, commands, strict=True), 1):
        blocks += [
            Text(plain(f"{place}. {each.message}"), style="bold"),
            Padding(Text(plain(each.evidence), style="dim"), INDENT),
        ]
        # In one line, however long, as it is to be pasted.
        blocks.append(Text(plain(f"   {command}"), no_wrap=True, overflow="ignore"))
    return Group(*blocks)


def is_healthy(advice: Sequence[Advice]) -> bool:
    """Return whether nothing is wrong."""
    return not any(each.slug in FLAWS for each in advice)


def write_next(spec: TuningSpec, advice: Sequence[Advice], name: str) -> str:
    """Return a spec of this name with the changes advised, warm-started from this tuning job.

    A range that does not matter stays: results with other values of it would be lost.
    """
    fields = spec.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    changed = [each for each in advice if each.changes and each.slug in ("failures", "edge")]
    for each in changed:
        for path, value in each.changes.items():
            _set(fields, path.split("."), value)
    parents = {"type": "IdenticalDataAndAlgorithm", "parents": [spec.name]}
    fields |= {"name": name, "warm_start": parents}
    fields.pop("initial_hyperparameters", None)
    comments = {"": [f"{each.message}: {each.evidence}" for each in changed]}
    return write_spec(fields, comments)


def _set(fields: dict[str, Any], path: Sequence[str], value: Any) -> None:
    *way, last = path
    for key in way:
        fields = fields[key]
    fields[last] = value


def to_json(name: str, advice: Sequence[Advice], commands: Sequence[str]) -> json_types.Advised:
    """Return the same as JSON-able values."""
    return {
        "tuning_job_name": name,
        "healthy": is_healthy(advice),
        "advice": list(map(_advice_to_json, advice, commands)),
    }


def _advice_to_json(advice: Advice, command: str) -> json_types.Advice:
    return {
        "slug": advice.slug,
        "message": advice.message,
        "evidence": advice.evidence,
        "command": command,
        "changes": dict(advice.changes),
    }

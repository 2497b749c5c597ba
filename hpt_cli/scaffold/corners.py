"""The ends of the ranges on trial: where the command fails at one, the range ends before it.

What runs the command is given: `fails(values)` returns why it fails with these values of options,
all others being as in the command; empty if it does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from pydantic import TypeAdapter

from hpt_cli.formatting import format_setting
from hpt_cli.scaffold.ranges import Fields, RangeProposal
from hpt_cli.spec.hyperparameters import Value
from hpt_cli.spec.ranges import ParameterRange

Fails: TypeAlias = Callable[[Mapping[str, Value]], str]

LOWEST, MIDDLE, HIGHEST = 0.0, 0.5, 1.0
_RANGE: TypeAdapter[ParameterRange] = TypeAdapter(ParameterRange)


@dataclass(frozen=True)
class Settled:
    """The ranges at whose ends the command runs."""

    tuned: Sequence[RangeProposal]
    comments: Sequence[str] = ()
    """What was changed, and why."""
    failure: str = ""
    """Why the command still fails with all options at an end of their ranges."""


def find_value(proposal: RangeProposal, place: float) -> Value:
    """Return the value at a place of a range: its lowest, its highest, or the one in the middle."""
    return _RANGE.validate_python(dict(proposal.fields)).from_unit(place)


def settle_ranges(tuned: Sequence[RangeProposal], fails: Fails) -> Settled:
    """Return the ranges without the ends at which the command fails.

    All options are tried at the lowest end together, then at the highest; one by one only where
    that fails.
    """
    comments: list[str] = []
    for place in (LOWEST, HIGHEST):
        if not (reason := fails(_list_values(tuned, place))):
            continue
        kept = []
        for each in tuned:
            changed, comment = _settle(each, place, fails)
            kept += [changed] if changed else []
            comments += [comment] if comment else []
        if kept == list(tuned) or (reason := fails(_list_values(kept, place))):
            which = "first" if place == LOWEST else "last"
            values = _list_values(kept, place).items()
            point = ", ".join(f"{name} {format_setting(value)}" for name, value in values)
            message = f"with the {which} value of every range ({point}) it fails: {reason}"
            return Settled(kept, comments, message)
        tuned = kept
    return Settled(tuned, comments)


def _list_values(tuned: Sequence[RangeProposal], place: float) -> dict[str, Value]:
    return {each.option.name: find_value(each, place) for each in tuned}


def _settle(
    proposal: RangeProposal, place: float, fails: Fails
) -> tuple[RangeProposal | None, str]:
    """Return a range that ends before what fails, and a comment; None where nothing is left."""
    name, value = proposal.option.name, find_value(proposal, place)
    reason = fails({name: value})
    if not reason:
        return proposal, ""
    failed = f"{name} {format_setting(value)} failed in a trial run ({reason})"
    fields = _end_before(proposal, place)
    if fields is None or fails({name: find_value(replace(proposal, fields=fields), place)}):
        return None, f"{failed}: it is not tuned"
    return replace(proposal, fields=fields), f"{failed}: left out"


def _end_before(proposal: RangeProposal, place: float) -> Fields | None:
    """Return the fields of a range without the end at a place: up to the default, or a choice less.

    None where nothing is left to search.
    """
    fields, default = dict(proposal.fields), proposal.option.default
    if fields["type"] == "Categorical":
        values = list(fields["values"])
        fields["values"] = values[1:] if place == LOWEST else values[:-1]
        return fields if len(fields["values"]) > 1 else None
    if not isinstance(default, (int, float)):
        return None
    end = "min_value" if place == LOWEST else "max_value"
    fields[end] = int(default) if fields["type"] == "Integer" else default
    return fields if fields["min_value"] < fields["max_value"] else None

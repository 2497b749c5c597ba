"""The importance of hyperparameters as bars, and their good values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from hpt_cli.analysis.importance import Importance, Influence, Interval, Region, Share
from hpt_cli.formatting import count, format_number, format_setting, plain
from hpt_cli.reports.render.table import Column, FirstThatFits, Grid

if TYPE_CHECKING:
    from hpt_cli.reports import json_types as json_types

FORMS = (
    (30, True, True),
    (16, True, True),
    (12, False, True),
    (8, False, False),
    (0, False, False),
)
"""The forms of the table, of which the first that fits is used: the width of bars, whether it has
`alone`, and whether it has the interval."""
ANYWHERE = 0.7
"""Good values that cover this share of a range's scale can be anywhere."""
POOR_FIT, WEAK_FIT = 0.1, 0.3
HARDLY = "The model has learned almost nothing from these results: do not rely on it."
LITTLE = "The model explains little of these results: take importance and good values as a hint."
ONE_SIDED = "If an interval begins at the importance, it may be higher, but hardly lower."
BARS = "▒ and ░: the 90% interval. Importance beyond 'alone' is due to interactions."


def render(name: str, metric: str, importance: Importance) -> RenderableType:
    """Return a bar for each hyperparameter, the strongest first."""
    heading = Text(plain(f"What mattered for {metric} in {name}"), style="bold")
    basis = Text(describe_basis(importance), style="dim")
    notes = [Text(f"\n{note}", style="dim") for note in list_notes(importance)]
    table = FirstThatFits([_make_grid(importance, *form) for form in FORMS])
    return Group(heading, basis, Text(), table, *notes)


def describe_basis(importance: Importance) -> str:
    """Return what was learned from: `learned from 20 results, 6 of them of stopped jobs; ...`."""
    parts = {"inherited": importance.inherited, "of stopped jobs": importance.stopped}
    of_them = "".join(f", {number} of them {which}" for which, number in parts.items() if number)
    out = f"; {count(importance.left_out, 'job')} left out" if importance.left_out else ""
    fit = f"the model predicts {max(0.0, importance.fit):.0%} of the variance of unseen results"
    return f"learned from {count(importance.results, 'result')}{of_them}{out}; {fit}"


def list_notes(importance: Importance) -> list[str]:
    """Return what a reader should know to interpret the table correctly."""
    caveats = [each for each in [describe_caveat(importance)] if each]
    if importance.fit < POOR_FIT:
        return caveats
    totals = [each.total for each in importance.influences]
    is_one_sided = any(each.low == each.value < each.high for each in totals)
    return [BARS, *([ONE_SIDED] if is_one_sided else []), *caveats]


def describe_caveat(importance: Importance) -> str:
    """Return how far the model can be relied on; nothing if it can."""
    if importance.fit < POOR_FIT:
        return HARDLY
    return LITTLE if importance.fit < WEAK_FIT else ""


def _make_grid(importance: Importance, width: int, with_alone: bool, with_interval: bool) -> Grid:
    influences = importance.influences
    totals = [each.total for each in influences]
    intervals = [f"{each.low:.0%} – {each.high:.0%}" for each in totals]
    columns = [
        Column("hyperparameter", [plain(each.name) for each in influences]),
        *([Column("importance", [draw_bar(each, width) for each in totals])] if width else []),
        Column("" if width else "importance", [f"{each.value:.0%}" for each in totals], right=True),
        *([Column("90%", intervals, right=True)] if with_interval else []),
        *([Column("alone", [f"{e.alone.value:.0%}" for e in influences], right=True)] * with_alone),
        Column("good values", [plain(describe_region(each.region)) for each in influences]),
    ]
    return Grid(columns, [""] * len(influences))


def draw_bar(share: Share, width: int) -> str:
    """Return a bar for a share: full up to its low end, lighter above it."""
    low, value, high = (round(each * width) for each in (share.low, share.value, share.high))
    return "█" * low + "▒" * (value - low) + "░" * (high - value)


def describe_region(region: Region | None) -> str:
    """Return the good values in a few words."""
    if region is None:
        return "not active there"
    if isinstance(region, Interval):
        if region.covers >= ANYWHERE:
            return "anywhere"
        low, high = format_number(region.low, 3), format_number(region.high, 3)
        return low if low == high else f"{low} to {high}"
    if region[0].share < 1.5 / len(region):
        return "any"
    return ", ".join(format_setting(each.value) for each in region if each.share > 1 / len(region))


def to_json(name: str, metric: str, importance: Importance) -> json_types.Importance:
    """Return the importance of each hyperparameter; shares are fractions."""
    return {
        "tuning_job_name": name,
        "objective_metric_name": metric,
        "results": importance.results,
        "inherited_results": importance.inherited,
        "stopped_results": importance.stopped,
        "jobs_left_out": importance.left_out,
        "fit": importance.fit,
        "hyperparameters": [_influence_to_json(each) for each in importance.influences],
    }


def _influence_to_json(influence: Influence) -> json_types.Influence:
    return {
        "name": influence.name,
        "importance": influence.total.value,
        "importance_interval": [influence.total.low, influence.total.high],
        "alone": influence.alone.value,
        "alone_interval": [influence.alone.low, influence.alone.high],
        "good_values": _region_to_json(influence.region),
    }


def _region_to_json(
    region: Region | None,
) -> json_types.GoodInterval | list[json_types.GoodValue] | None:
    if region is None:
        return None
    if isinstance(region, Interval):
        return {"low": region.low, "high": region.high, "covers": region.covers}
    return [{"value": each.value, "share": each.share} for each in region]

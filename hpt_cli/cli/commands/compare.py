"""hpt compare NAME NAME...: tuning jobs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hpt_cli.cli.load import print_report, read_summary
from hpt_cli.cli.options import Force, Home, Json, Names, Png
from hpt_cli.cli.output import write_picture
from hpt_cli.storage.home import find_anywhere, find_home

if TYPE_CHECKING:
    from hpt_cli.tuning.summary import Summary

EXAMPLES = (
    "hpt compare digits-off digits",
    "hpt compare digits ../before/.hpt/digits",
    "hpt compare digits-off digits --png best.png",
)


def compare(
    names: Names, png: Png = None, force: Force = False, json: Json = False, home: Home = None
) -> None:
    """Compare tuning jobs: counts, times and what was saved, best hyperparameters, best over time.

    The others are held against the first. The directory of a tuning job of another home
    does as well as a name.
    """
    summaries = open_all(home, names)
    if png is None:
        print_report("compare", summaries, as_json=json)
        return
    from hpt_cli.reports.compare import make_plot

    write_picture([make_plot(summaries)], png, force=force)


def open_all(home: Path | None, names: Sequence[str]) -> list[Summary]:
    """The summaries of tuning jobs; those of one name are called what was typed.

    Raises:
        HptError: there are none of some names, or a journal cannot be read.
    """
    summaries = [read_summary(find_anywhere(find_home(home), name)) for name in names]
    known = [each.name for each in summaries]
    return [
        replace(each, name=typed) if known.count(each.name) > 1 else each
        for each, typed in zip(summaries, names, strict=True)
    ]

"""hpt compare NAME NAME...: tuning jobs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hpt_cli.cli.load import read_summary
from hpt_cli.cli.options import Force, Home, Json, Names, Png
from hpt_cli.cli.output import print_report, write_picture
from hpt_cli.reports.compare import make_plot
from hpt_cli.storage.home import find_anywhere, find_home
from hpt_cli.tuning.summary import Summary

EXAMPLES = (
    "hpt compare digits-off digits",
    "hpt compare digits ../before/.hpt/digits",
    "hpt compare digits-off digits --png best.png",
)


def compare(
    names: Names, png: Png = None, force: Force = False, json: Json = False, home: Home = None
) -> None:
    """Compare tuning jobs with the first: counts, times, savings, best.

    Instead of a name, the directory of a tuning job in another home can be given.
    """
    summaries = open_all(home, names)
    if png is None:
        print_report("compare", summaries, as_json=json)
    else:
        write_picture([make_plot(summaries)], png, force=force)


def open_all(home: Path | None, names: Sequence[str]) -> list[Summary]:
    """Return the summaries of tuning jobs, named as typed where several have one name.

    Raises:
        HptError: a tuning job does not exist, or its journal cannot be read.
    """
    summaries = [read_summary(find_anywhere(find_home(home), name)) for name in names]
    known = [each.name for each in summaries]
    return [
        replace(each, name=typed) if known.count(each.name) > 1 else each
        for each, typed in zip(summaries, names, strict=True)
    ]

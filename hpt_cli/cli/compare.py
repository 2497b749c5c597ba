"""hpt compare NAME NAME...: tuning jobs side by side."""

from __future__ import annotations

from hpt_cli.cli.options import Force, Home, Json, Names, Png
from hpt_cli.cli.reading import open_summary, print_report
from hpt_cli.cli.writing import write_picture

EXAMPLES = (
    "hpt compare digits-off digits",
    "hpt compare digits-off digits --png best.png",
)


def compare(
    names: Names, png: Png = None, force: Force = False, json: Json = False, home: Home = None
) -> None:
    """Compare tuning jobs: counts, times and what was saved, best hyperparameters, best over time.

    The others are held against the first.
    """
    summaries = [open_summary(home, name) for name in names]
    if png is None:
        print_report("compare", summaries, as_json=json)
        return
    from hpt_cli.reports.compare import make_plot

    write_picture([make_plot(summaries)], png, force=force)

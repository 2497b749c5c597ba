"""What every report keeps to: any tuning job can be shown, at any width, to people and programs."""

from __future__ import annotations

import io
import json
import math

import pytest
from rich.console import Console

from hpt_cli.formatting import to_json_value
from hpt_cli.live.messages import describe_event
from hpt_cli.live.screen import Size, draw_screen
from hpt_cli.reports import REPORTS, load_report
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.summary import Summary, summarize
from tests import builders as b

SPEC = b.make_spec(max_jobs=9)
HOSTILE = "\x1b[31m[bold]evil[/bold]\x07 </script>"
STORIES: dict[str, list[ev.Event]] = {
    "new": [],
    "one running": [*b.suggested(1), *b.launched(1), b.observed(1, 0.5, 0.4)],
    "of every kind": [
        *b.run(1, 3.0, 2.0, 1.0),
        *b.run(2, math.nan),
        *[*b.suggested(3), *b.launched(3), b.observed(3, 2.0), b.stop(3), b.exited(3, -15)],
        *[*b.suggested(4), *b.launched(4), b.exited(4, 1)],
        *[*b.suggested(5), *b.launched(5), b.exited(5, 0)],
        *[*b.suggested(6), *b.launched(6), b.stop(6, "Interrupted"), b.exited(6, -15)],
        *[*b.suggested(7, x=7, note=HOSTILE), *b.launched(7), b.observed(7, math.inf, 1.0)],
        ev.JobNoted(at=1, number=7, text=HOSTILE),
        ev.JobPlanned(at=1, number=8),
    ],
}


def make_summary(story: str) -> Summary:
    return summarize(b.fold_all(*b.created(SPEC), *STORIES[story]), 20, at_work=True)


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("name", [name for name in REPORTS if name not in ("explain", "replay")])
def test_any_tuning_job_can_be_shown(name: str, story: str) -> None:
    report = load_report(name)
    summary = make_summary(story)
    json.dumps(to_json_value(report.to_json([summary])), allow_nan=False)
    for width in (40, 80, 200):
        console = Console(file=io.StringIO(), width=width, force_terminal=False)
        console.print(report.render([summary]))
        text = console.file.getvalue()  # type: ignore[attr-defined]
        assert "\x1b" not in text
        assert "\x07" not in text
        assert max(map(len, text.splitlines()), default=0) <= width


@pytest.mark.parametrize("story", STORIES)
def test_the_live_screen_fits_its_terminal(story: str) -> None:
    state, summary = b.fold_all(*b.created(SPEC), *STORIES[story]), make_summary(story)
    messages = [describe_event(state, each) for each in STORIES[story]][-3:]
    for width, height in ((80, 24), (200, 60), (60, 12)):
        console = Console(file=io.StringIO(), width=width, height=height)
        console.print(draw_screen(summary, messages, 20.0, Size(width, height)))
        lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
        assert len(lines) <= height
        assert max(map(len, lines)) <= width

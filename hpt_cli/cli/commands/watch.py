"""hpt watch NAME: follow a tuning job from another terminal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hpt_cli.cli.console import say
from hpt_cli.cli.liveness import is_at_work, tell_end
from hpt_cli.cli.options import Home, Name, Plain
from hpt_cli.storage.home import find_home, find_job_dir
from hpt_cli.storage.job_directory import JobDir

if TYPE_CHECKING:
    from hpt_cli.storage.journal import Journal
    from hpt_cli.tuning.state import TuningState

EXAMPLES = (
    "hpt watch digits",
    "hpt watch @last --plain",
)
WATCH_SECONDS = 0.5


def watch(name: Name, home: Home = None, plain: Plain = False) -> None:
    """Follow a tuning job that another terminal runs; Ctrl-C ends only the watching.

    Exits with 0 when it is Completed, and with 1 when it is Failed or Stopped.
    """
    from hpt_cli.storage.journal import open_journal

    jobdir = find_job_dir(find_home(home), name)
    with open_journal(jobdir.journal) as journal:
        state = _follow(jobdir, journal, plain=plain)
    tell_end(jobdir, state)


def _follow(jobdir: JobDir, journal: Journal, *, plain: bool) -> TuningState:
    """Show the tuning job until its tuner leaves; its last state."""
    from rich.console import Console

    from hpt_cli.cli.session import choose_view
    from hpt_cli.reports.show import describe_jobs
    from hpt_cli.tuning.state import TuningState
    from hpt_cli.tuning.summary import summarize

    state, _ = journal.follow(TuningState())
    if not is_at_work(jobdir):
        return state
    summary = summarize(state, time.time(), at_work=True)
    say(f"watching {jobdir.name}: {describe_jobs(summary)}")
    with choose_view(Console(stderr=True), plain=plain, quiet=False) as view:
        view.show(state, [], time.time())
        while is_at_work(jobdir):
            time.sleep(WATCH_SECONDS)
            state, events = journal.follow(state)
            view.show(state, events, time.time())
        state, events = journal.follow(state)
        view.show(state, events, time.time())
    return state

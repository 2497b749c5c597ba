"""hpt watch NAME: follow a tuning job from another terminal."""

from __future__ import annotations

import time

from hpt_cli.cli.console import print_message
from hpt_cli.cli.liveness import print_end
from hpt_cli.cli.load import find_tuning_job
from hpt_cli.cli.options import Home, Name, Plain
from hpt_cli.reports.show import describe_jobs
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.journal import Journal, open_journal
from hpt_cli.storage.lock import has_tuner
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.summary import summarize

EXAMPLES = (
    "hpt watch digits",
    "hpt watch @last --plain",
)
WATCH_SECONDS = 0.5


def watch(name: Name, home: Home = None, plain: Plain = False) -> None:
    """Follow a tuning job that runs in another terminal; Ctrl-C does not stop it.

    Exits with 0 if it is Completed, and with 1 if it is Failed or Stopped.
    """
    jobdir = find_tuning_job(home, name)
    with open_journal(jobdir.journal) as journal:
        state = _follow(jobdir, journal, plain=plain)
    print_end(jobdir, state)


def _follow(jobdir: JobDir, journal: Journal, *, plain: bool) -> TuningState:
    """Show the tuning job until its tuner leaves; return its last state."""
    from hpt_cli.cli.session import choose_view

    state, _ = journal.follow(TuningState())
    if not has_tuner(jobdir):
        return state
    summary = summarize(state, time.time(), at_work=True)
    print_message(f"watching {jobdir.name}: {describe_jobs(summary)}")
    with choose_view(plain=plain, quiet=False) as view:
        view.show(state, [], time.time())
        while has_tuner(jobdir):
            time.sleep(WATCH_SECONDS)
            state, events = journal.follow(state)
            view.show(state, events, time.time())
        state, events = journal.follow(state)
        view.show(state, events, time.time())
    return state

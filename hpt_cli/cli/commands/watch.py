"""hpt watch NAME: follow a tuning job from another terminal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hpt_cli.cli.console import print_message
from hpt_cli.cli.liveness import print_end
from hpt_cli.cli.load import find_tuning_job, read_summary, summarize_state
from hpt_cli.cli.options import Home, OptionalName, Plain
from hpt_cli.storage.home import name_command
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.journal import Journal, open_journal
from hpt_cli.storage.lock import has_tuner
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.summary import summarize

if TYPE_CHECKING:
    from hpt_cli.cli.session import Session

EXAMPLES = (
    "hpt watch",
    "hpt watch digits --plain",
)
WATCH_SECONDS = 0.5


def watch(name: OptionalName = None, home: Home = None, plain: Plain = False) -> None:
    """Follow a tuning job that runs in another terminal.

    Ctrl-C ends only the view. Exits with 0 if it is Completed, and with 1 if it is Failed or
    Stopped.
    """
    from hpt_cli.cli.session import open_session

    jobdir = find_tuning_job(home, name)
    with (
        open_session(plain=plain, quiet=False, detached=False) as session,
        open_journal(jobdir.journal) as journal,
    ):
        session.signals.raise_exit()
        try:
            state = _follow(session, jobdir, journal)
        except SystemExit:  # by a signal, say Ctrl-C
            print_message(str(read_summary(jobdir).progress))
            print_message(f"{jobdir.name} goes on; to stop it: {name_command('stop', jobdir)}")
            raise
        print_end(jobdir, state)


def _follow(session: Session, jobdir: JobDir, journal: Journal) -> TuningState:
    """Show the tuning job until its tuner leaves; return its last state.

    Raises:
        BrokenPipeError: there is nobody any more to show it to.
    """
    state, _ = journal.follow(TuningState())
    if not has_tuner(jobdir):
        return state
    summary = summarize(state, time.time(), at_work=True)
    print_message(f"watching {jobdir.name}: {summary.progress}")
    with session.choose_view() as view:
        view.show(state, [], time.time())
        while has_tuner(jobdir):
            if any(each.is_gone for each in session.outputs):
                raise BrokenPipeError
            time.sleep(WATCH_SECONDS)
            state, events = journal.follow(state)
            view.show(state, events, time.time())
        state, events = journal.follow(state)
        view.show(state, events, time.time())
    summary = summarize_state(jobdir, state)
    print_message(str(summary.progress))
    if summary.best:
        print_message(f"best {summary.best_result}")
    return state

"""Changes of a tuning job that has begun: its tuner makes them, or else this process."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from hpt_cli.cli.console import print_message
from hpt_cli.cli.liveness import wait_for_answer
from hpt_cli.cli.load import read_state
from hpt_cli.storage.home import name_command
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.journal import open_journal
from hpt_cli.storage.lock import has_tuner, hold_lock
from hpt_cli.storage.mailbox import pop_requests, send_request
from hpt_cli.tuning.events import Event
from hpt_cli.tuning.state import TuningState


def ask(jobdir: JobDir, request: dict[str, Any], is_done: Callable[[], bool]) -> None:
    """Have a request answered, and return when it is.

    Raises:
        HptError: the tuner does not answer.
    """
    from hpt_cli.spec.model import load_spec
    from hpt_cli.tuning.steering.requests import answer_request

    if has_tuner(jobdir):
        send_request(jobdir, request)
        wait_for_answer(jobdir, lambda: is_done() or not has_tuner(jobdir))
    if not is_done():
        append_at_rest(
            jobdir,
            lambda state: answer_request(load_spec(state.spec), state, request, time.time()),
        )


def append_at_rest(jobdir: JobDir, make_events: Callable[[TuningState], Sequence[Event]]) -> None:
    """Record events of a tuning job that has no tuner.

    Raises:
        HptError: it has one.
    """
    with hold_lock(jobdir), open_journal(jobdir.journal, write=True) as journal:
        pop_requests(jobdir)
        journal.append(make_events(journal.state()))


def print_advice(jobdir: JobDir) -> None:
    """Print how a tuning job continues that has no tuner, or why it does not."""
    from hpt_cli.spec.model import load_spec
    from hpt_cli.tuning.completion import foresee_end

    if has_tuner(jobdir):
        return
    state = read_state(jobdir)
    end = foresee_end(load_spec(state.spec), state, time.time())
    if end is None or state.jobs.open:
        more = f"{jobdir.name} has more to do; " if state.status == "Completed" else ""
        print_message(f"{more}to continue: {name_command('resume', jobdir)}")
    else:
        print_message(f"'{name_command('resume', jobdir)}' would end at once: {end.reason}")

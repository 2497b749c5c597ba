"""Finding and reading the tuning jobs and training jobs named on the command line."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from hpt_cli.cli.console import print_message
from hpt_cli.errors import Problem, UsageError
from hpt_cli.runtime.heartbeat import read_heartbeat
from hpt_cli.spec.names import parse_job
from hpt_cli.storage.home import find_home, find_job_dir, find_newest, is_job, list_job_dirs
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.journal import open_journal
from hpt_cli.storage.lock import find_lock_holder, has_tuner
from hpt_cli.storage.project import find_project
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.summary import Summary, summarize


class Target(NamedTuple):
    """What a command is for: a tuning job, and the words that name training jobs of it."""

    jobdir: JobDir
    jobs: list[str]
    is_implied: bool
    """Whether it is the newest, as no name was given."""


def find_tuning_job(home: Path | None, name: str | None) -> JobDir:
    """Return the directory of the tuning job of a name; without one, of the newest, and say so.

    Raises as `find_job_dir` does.
    """
    return _take_newest(find_home(home)) if name is None else find_job_dir(find_home(home), name)


def find_tuning_jobs(home: Path | None, names: Sequence[str] | None) -> list[JobDir]:
    """Return the directories of tuning jobs; without names, of the newest. Raises the same."""
    return [find_tuning_job(home, name) for name in names or (None,)]


def find_target(home: Path | None, name: str | None, jobs: Sequence[str]) -> Target:
    """Return what words are for that may begin with a training job, then of the newest tuning job.

    Raises as `find_job_dir` does.
    """
    place = find_home(home)
    if name is None or is_job(place, name):
        return Target(_take_newest(place), [*([name] if name else []), *jobs], is_implied=True)
    owner, _, number = name.rpartition("-")
    names = [each.name for each in list_job_dirs(place)]
    if owner in names and number.isdecimal() and not any(each.startswith(name) for each in names):
        return Target(find_job_dir(place, owner), [name, *jobs], is_implied=False)
    return Target(find_job_dir(place, name), list(jobs), is_implied=False)


def _take_newest(home: Path) -> JobDir:
    newest = find_newest(home)
    print_message(f"{newest.name} is the newest tuning job")
    return newest


def read_state(jobdir: JobDir, *, only_latest: bool = False) -> TuningState:
    """Return the state of a tuning job, whose project may have been moved since it began.

    Args:
        only_latest: read only the last step of each curve, where final values need no more.

    Raises:
        HptError: the journal cannot be read.
    """
    with open_journal(jobdir.journal) as journal:
        state = journal.state(only_latest=only_latest)
    return replace(state, directory=str(find_project(jobdir, state)))


def read_summary(jobdir: JobDir) -> Summary:
    """Return the summary of a tuning job. Raises as `read_state` does."""
    return summarize_state(jobdir, read_state(jobdir))


def summarize_state(jobdir: JobDir, state: TuningState) -> Summary:
    """Return the summary of a state; its reason says where a tuner is missing, or suspended."""
    return replace(_summarize(jobdir, state), outside=count_outside(state))


def _summarize(jobdir: JobDir, state: TuningState) -> Summary:
    at_work, now = has_tuner(jobdir), time.time()
    if state.status not in ("InProgress", "Stopping"):
        return replace(summarize(state, now, at_work=at_work), has_more=has_more(state))
    suspended = find_suspended_tuner(jobdir) if at_work else None
    if at_work and suspended is None:
        return summarize(state, now, at_work=True)
    # The tuner that was killed, or is suspended, had worked on after its last event.
    last_alive = max(state.last_event_at, min(read_heartbeat(jobdir.heartbeat) or 0.0, now))
    state = state if at_work else replace(state, last_event_at=last_alive)
    summary = summarize(state, last_alive, at_work=at_work)
    reason = f"no tuner is running; continue with 'hpt resume {summary.name}'"
    if suspended is not None:
        how = describe_continuing(suspended)
        reason = f"its tuner, process {suspended}, is suspended; continue it {how}"
    return replace(summary, reason=reason)


def count_outside(state: TuningState) -> int:
    """Return how many training jobs lie outside the search space, and are not learned from."""
    if not state.has_varied and not state.proposals:
        return 0
    # As below.
    from hpt_cli.spec.model import load_spec
    from hpt_cli.tuning.evidence import list_outside

    return len(list_outside(load_spec(state.spec), state))


def has_more(state: TuningState) -> bool:
    """Return whether a tuning job that is Completed would continue, as its limits have changed."""
    if state.status != "Completed" or not state.is_changed:
        return False
    # What loads a spec takes longer to import than a short report takes.
    from hpt_cli.spec.model import load_spec
    from hpt_cli.tuning.completion import may_go_on

    return may_go_on(load_spec(state.spec), state, time.time())


def find_suspended_tuner(jobdir: JobDir) -> int | None:
    """Return the process of a tuner that is suspended, as by Ctrl-Z; None where none is here."""
    from hpt_cli.executors.suspension import is_suspended

    holder = find_lock_holder(jobdir) or {}
    pid = holder.get("pid")
    if not isinstance(pid, int) or holder.get("host") != socket.gethostname():
        return None
    return pid if is_suspended(pid) else None


def describe_continuing(pid: int) -> str:
    """Return how a suspended process is continued."""
    return f"with 'fg' in its terminal, or 'kill -CONT {pid}'"


def expand_ranges(texts: Iterable[str], known: Iterable[int]) -> list[str]:
    """Return training jobs one by one, of lists like 3,5-7: of a range only those that are known.

    A range without any is returned as it is.
    """
    known, found = list(known), list[str]()
    for text in (each for word in texts for each in word.split(",") if each):
        first, _, last = text.partition("-")
        numbers: list[int] = []
        if first.isdecimal() and last.isdecimal():
            numbers = [each for each in known if int(first) <= each <= int(last)]
        found += map(str, numbers) if numbers else [text]
    return found


def parse_jobs(texts: Iterable[str], name: str, known: Iterable[int]) -> list[int]:
    """Return the numbers of training jobs, each written as 7 or NAME-0007.

    Raises:
        UsageError: some are not training jobs of this tuning job.
    """
    known = set(known)
    hint = f"there are 1 to {max(known)}" if known else "there are none yet"
    numbers = {text: parse_job(text) for text in texts}
    problems = [
        Problem("job-unknown", f"{name} has no training job '{text}'", hint)
        for text, number in numbers.items()
        if number not in known
    ]
    if problems:
        raise UsageError(*problems)
    return [number for number in numbers.values() if number is not None]

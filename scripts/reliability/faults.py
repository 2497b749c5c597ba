"""Every fault that hpt is to survive, done to the real command and real processes.

    python scripts/reliability/faults.py [--only NAME ...] [--trials N] [--seed N] [--parallel N]
    python scripts/reliability/faults.py --short    # one or two trials of each, in some minutes
    python scripts/reliability/faults.py --write    # and write the table into docs/faults.md

A trial runs a tuning job, does it harm at random moments, resumes it if need be, and compares it
with an undisturbed run: the same training jobs, hyperparameters and curves, each once; no stop
reason, no attempt too many, no time counted in which nothing went on; and no process left. The
table says how often each fault was tried and survived, and how: the tuner went on by itself, or was
resumed, or had ended in order and left training jobs that nobody watched, which counts as a loss.
Moments are drawn from the seed; what they hit depends on the machine.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import re
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import faults_disk as disk
import faults_kill as kill
import faults_machine as machine
import faults_pause as pause
import faults_terminal as terminal
import faults_time as times
import psutil
from ground import (
    BY_ITSELF,
    MOST_JOBS,
    RESUMED,
    UNWATCHED,
    Ground,
    SkippedError,
    check,
    handle_signals,
    work_directory,
)

NO_SKIP = bool(os.environ.get("HPT_NO_SKIP"))
PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
TABLE = re.compile(r"(?s)\d+ \w+ \d{4}:\n\n\| fault .*?\n(?!\|)")
COLUMNS = ("fault", "trials", "tried", "survived", BY_ITSELF, RESUMED, "losses", "leftovers")
WIDTH = 42
PARALLEL = 4
"""Trials at the same time: most of a trial is waiting."""


class Fault(NamedTuple):
    """A kind of harm: `harm` does it to a tuning job and returns how often."""

    harm: Callable[[Ground], int]
    long: int
    """Trials in the long form."""
    short: int
    """Trials in the short form."""
    way: str = RESUMED
    """How it is to be survived at the worst."""


FAULTS = {
    "kill -9 of the tuner": Fault(kill.kill_tuner, 11, 1),
    "kill -9 of a launcher": Fault(kill.kill_launcher, 8, 1, BY_ITSELF),
    "kill -9 of a command": Fault(kill.kill_leader, 8, 1, BY_ITSELF),
    "kill -9 of a command's child": Fault(kill.kill_child, 15, 1, BY_ITSELF),
    "kill -9 of everything": Fault(kill.kill_everything, 17, 1),
    "Ctrl-C, SIGTERM, SIGHUP": Fault(kill.interrupt, 17, 1),
    "SIGTERM to all at once": Fault(kill.terminate_all, 50, 2),
    "SIGHUP to all at once": Fault(kill.hang_up_all, 20, 1),
    "the same, under nohup": Fault(kill.hang_up_all_under_nohup, 5, 1, BY_ITSELF),
    "SIGTERM to all, then SIGKILL": Fault(kill.shut_down, 20, 1),
    "paused jobs: kill -9 of the tuner": Fault(pause.kill_tuner, 10, 1),
    "the same, by checkpoint": Fault(pause.kill_tuner_by_checkpoint, 10, 1),
    "paused jobs: kill -9 of everything": Fault(pause.kill_everything, 10, 1),
    "paused jobs: Ctrl-C, SIGTERM, SIGHUP": Fault(pause.interrupt, 10, 1),
    "paused jobs: kill -9, and hpt stop": Fault(pause.kill_and_stop, 10, 1),
    "paused jobs: SIGCONT and SIGSTOP by others": Fault(pause.meddle, 10, 1, BY_ITSELF),
    "three tuners at once": Fault(kill.tune_twice, 10, 1),
    "10 readers in a loop": Fault(kill.read_a_lot, 2, 1, BY_ITSELF),
    "flood of values, and Ctrl-C": Fault(machine.flood, 5, 1),
    "reboot (another boot id, pids of others)": Fault(kill.reboot, 12, 1),
    "children without an environment": Fault(kill.leave_children, 5, 1, BY_ITSELF),
    "hpt as PID 1": Fault(kill.be_first_process, 5, 1, BY_ITSELF),
    "terminal closed before the first job": Fault(terminal.close_early, 20, 1),
    "terminal closed while jobs run": Fault(terminal.close_at_work, 50, 2),
    "terminal closed while jobs stop": Fault(terminal.close_while_stopping, 20, 1),
    "terminal closed at the end": Fault(terminal.close_at_the_end, 20, 1),
    "terminal that does not read": Fault(terminal.stall, 10, 1, BY_ITSELF),
    "the same, and SIGTERM": Fault(terminal.stall_and_stop, 10, 1),
    "Ctrl-C through tee": Fault(terminal.interrupt_through_tee, 10, 1),
    "output lost: head, /dev/full, closed": Fault(terminal.lose_output, 20, 2, BY_ITSELF),
    "Ctrl-\\": Fault(terminal.quit_by_key, 10, 1),
    "one process suspended": Fault(times.pause_processes, 8, 1, BY_ITSELF),
    "all frozen for 18 s, limits of 15 s": Fault(times.freeze, 10, 1, BY_ITSELF),
    "all down for 18 s, limits of 15 s": Fault(times.be_down, 10, 1),
    "tuner down for 18 s, a limit of 15 s": Fault(times.be_down_alone, 5, 1),
    "clock set by an hour": Fault(times.set_clock, 8, 1),
    "power loss (journal cut at every write)": Fault(disk.lose_power, 5, 1),
    "disk full for some seconds": Fault(disk.fill_disk, 10, 1, BY_ITSELF),
    "read-only home": Fault(disk.forbid_writing, 8, 1),
    "slow home": Fault(disk.slow_down, 5, 1),
    "link, flock or rename refused": Fault(disk.refuse_call, 12, 2, BY_ITSELF),
    "journal locked by another program": Fault(disk.lock_journal, 10, 1, BY_ITSELF),
    "the same, and Ctrl-C": Fault(disk.lock_journal_and_interrupt, 10, 1),
    "home deleted (jobs stopped, and told)": Fault(disk.delete_home, 10, 1),
    "home moved away for some seconds": Fault(disk.move_home, 10, 1),
    "copy of the home resumed": Fault(disk.copy_home, 10, 1, BY_ITSELF),
    "resumed on another host": Fault(disk.resume_elsewhere, 10, 1),
    "lock removed, and resumed": Fault(disk.remove_lock, 10, 1),
    "no file descriptors": Fault(machine.take_descriptors, 16, 1),
    "out of memory": Fault(machine.take_memory, 2, 1, BY_ITSELF),
    "no threads or processes": Fault(machine.take_processes, 10, 1, BY_ITSELF),
    "training program broken and mended": Fault(machine.break_for_a_while, 5, 1, BY_ITSELF),
    "training program broken for good": Fault(machine.break_for_good, 2, 0),
    "virtual environment away for 5 s": Fault(machine.take_away_environment, 5, 1, BY_ITSELF),
}
"""Each fault by its name in the table."""


@dataclass
class Tally:
    """How often a fault was tried, and what came of it."""

    tried: int = 0
    trials: int = 0
    leftovers: int = 0
    survived: Counter[str] = field(default_factory=Counter)
    """How many trials were survived, by the way."""
    losses: list[str] = field(default_factory=list)
    skipped: str = ""

    def list_cells(self, name: str) -> list[str]:
        """Return the cells of its row in the table."""
        share = f"{100 * self.survived.total() / max(1, self.trials):.0f} %"
        ways = (self.survived[BY_ITSELF], self.survived[RESUMED])
        numbers = (self.trials, self.tried, share, *ways, len(self.losses), self.leftovers)
        return [name, *map(str, numbers)]


def run_undisturbed() -> dict[int, float]:
    """Return the hyperparameter x of each training job of a run to which nothing was done."""
    ground = Ground(work_directory() / "undisturbed", random.Random(0))
    ground.write_spec(max_jobs=MOST_JOBS)
    ground.succeed(ground.run())
    ground.verify()
    return {row["training_job_number"]: row["hyperparameters"]["x"] for row in ground.read_rows()}


def try_once(name: str, seed: int, number: int, expected: dict[int, float], tally: Tally) -> None:
    """Make one trial of a fault, and count it."""
    fault = FAULTS[name]
    root = work_directory() / re.sub(r"\W+", "-", name) / str(number)
    ground = Ground(root, random.Random(f"{name} {seed} {number}"), expected=expected)
    try:
        tried = fault.harm(ground)
        tally.tried += tried
        if not ground.is_verified:
            ground.verify()
        check(not ground.is_unwatched, f"{UNWATCHED}: a tuner ended, and its training jobs did not")
        check(fault.way == RESUMED or ground.way == BY_ITSELF, f"survived only {ground.way}")
        tally.survived[ground.way] += 1
    except SkippedError as reason:
        tally.skipped = str(reason)
        return
    except Exception as error:
        tally.losses.append(f"{name} #{number}: {error!r}\n        in {root}")
    finally:
        left = [*ground.find_processes(), *ground.find_tuners()]
        tally.leftovers += len(left)
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
    tally.trials += 1


def try_all(counts: dict[str, int], seed: int, parallel: int) -> dict[str, Tally]:
    """Try faults so often, print a row for each, and return what came of them."""
    expected = run_undisturbed()
    tallies = {name: Tally() for name in counts}
    print(
        "".join(f"{each:>10}" for each in COLUMNS).replace(f"{'fault':>10}", f"{'fault':<{WIDTH}}")
    )
    trials: dict[str, list[Future[None]]] = {}
    with ThreadPoolExecutor(parallel) as pool:
        for name, count in counts.items():
            trials[name] = [
                pool.submit(try_once, name, seed, number, expected, tallies[name])
                for number in range(count)
            ]
        for name, futures in trials.items():
            wait(futures)
            print_row(name, tallies[name])
    return tallies


def print_row(name: str, tally: Tally) -> None:
    """Print the row of a fault, unless it is not in this form."""
    if tally.skipped:
        print(f"{name:<{WIDTH}} skipped: {tally.skipped}", flush=True)
        tally.losses += [f"{name}: skipped, though HPT_NO_SKIP is set"] if NO_SKIP else []
    elif tally.trials:
        first, *cells = tally.list_cells(name)
        print(f"{first:<{WIDTH}}" + "".join(f"{each:>10}" for each in cells), flush=True)
    for each in tally.losses:
        print(f"    {each}", flush=True)


def write_page(tallies: dict[str, Tally]) -> None:
    """Write the table into docs/faults.md, with today's date."""
    rows = [COLUMNS, ["---"] * len(COLUMNS)]
    rows += [each.list_cells(name) for name, each in tallies.items() if each.trials]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    date = time.strftime("%-d %B %Y")
    text, count = TABLE.subn(lambda _: f"{date}:\n\n{table}\n", PAGE.read_text())
    check(count == 1, f"{PAGE} has no table to replace")
    PAGE.write_text(text)


def main() -> int:
    """Try every fault and print the table; the exit code says whether anything was lost."""
    handle_signals()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="one or two trials of each")
    parser.add_argument("--trials", type=int, help="so many trials of each")
    parser.add_argument("--only", nargs="+", default=[], help="faults whose names contain this")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--parallel", type=int, default=PARALLEL, help="trials at the same time")
    parser.add_argument("--write", action="store_true", help="write the table into docs/faults.md")
    options = parser.parse_args()
    names = [
        name for name in FAULTS if not options.only or any(each in name for each in options.only)
    ]
    counts = {
        name: options.trials or (FAULTS[name].short if options.short else FAULTS[name].long)
        for name in names
    }
    tallies = try_all(counts, options.seed, options.parallel)
    losses = [loss for tally in tallies.values() for loss in tally.losses]
    if options.write:
        write_page(tallies)
    if not losses:
        shutil.rmtree(work_directory(), ignore_errors=True)
    return 1 if losses or any(tally.leftovers for tally in tallies.values()) else 0


if __name__ == "__main__":
    sys.exit(main())

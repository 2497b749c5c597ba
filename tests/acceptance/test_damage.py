"""Tuning jobs damaged at random: each is told, or repaired; and what could be read is not lost.

HPT_FUZZ_EXAMPLES says how many, and HPT_FUZZ_FIRST the first seed; `make faults` tries forty.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hpt_cli.errors import ExitCode
from tests.acceptance.conftest import Terminal, wait_until
from tests.acceptance.damage import do_harm
from tests.acceptance.warm import Answer, WarmHpt

EXAMPLES = int(os.environ.get("HPT_FUZZ_EXAMPLES", "1"))
FIRST = int(os.environ.get("HPT_FUZZ_FIRST", "1"))
JOBS = 5
JOURNAL = "journal.sqlite"
TRAIN = """\
number=${HPT_TRAINING_JOB##*-}
for epoch in 1 2 3; do echo "epoch=$epoch loss=$1.$epoch$number"; done
echo '{"acc": 0.5, "epoch": 1}' >> "$HPT_JOB_DIR/acc.jsonl"
test $((1$number % 2)) = 0 -o "$HPT_ATTEMPT" = 2 || exit 3
test "$2" = quick || sleep 0.2
"""
READING = [
    *(["list"], ["show"], ["jobs", "--curves"], ["best"], ["logs", "2"], ["curves"]),
    *(["explain", "2"], ["importance"], ["compare"], ["replay"], ["report", "-o", "-"]),
    *(["export"], ["export", "--observations"], ["watch", "--plain"], ["wait", "--timeout", "0"]),
    *(["doctor"], ["doctor", "", "--json"], ["show", "--json"], ["jobs", "--json", "--curves"]),
]
FINE = {ExitCode.OK, ExitCode.FAILED, ExitCode.USAGE}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, warm_hpt: WarmHpt) -> Iterator[Path]:
    """A directory with a tuning job that is Completed, and one whose tuner was killed."""
    terminal = Terminal(tmp_path_factory.mktemp("template"), warm_hpt)
    script = terminal.directory / "train.sh"
    script.write_text(TRAIN)
    fields: dict[str, Any] = {
        "max_jobs": JOBS,
        "retry": {"max_attempts": 2},
        "early_stopping_type": "Auto",
        "early_stopping": {"rule": "median", "min_epochs": 1, "min_completed_jobs": 1},
        "hyperparameter_ranges": {"x": {"type": "Integer", "min_value": 1, "max_value": 99}},
        "metric_definitions": [
            {"name": "loss", "regex": "loss=({num})"},
            {"name": "acc", "json": "acc", "step": "epoch", "file": "acc.jsonl"},
        ],
    }
    done = terminal.write_spec("done", command=f"sh {script} {{x}} quick", **fields)
    terminal.hpt("run", done, "--quiet")
    tuner = terminal.start("run", terminal.write_spec("cut", command=f"sh {script}", **fields))
    wait_until(terminal.log("cut", 3).exists)
    tuner.send_signal(signal.SIGKILL)
    tuner.communicate()
    wait_until(lambda: not terminal.find_processes())
    yield terminal.directory
    terminal.close()


def read_rows(path: Path, table: str) -> set[tuple[Any, ...]]:
    """The rows of a table that sqlite can read, from either end."""
    key = {"event": "seq", "observation": "job, attempt, metric, offset"}[table]
    backwards = key.replace(",", " DESC,") + " DESC"
    rows: set[tuple[Any, ...]] = set()
    for order in (key, backwards):
        with (
            contextlib.suppress(sqlite3.Error, UnicodeDecodeError),
            contextlib.closing(sqlite3.connect(path)) as connection,
        ):
            connection.text_factory = lambda data: data.decode(errors="replace")
            for row in connection.execute(f"SELECT * FROM {table} ORDER BY {order}"):
                rows.add(row)
    return rows


def find_changed(whole: Path, damaged: Path, table: str, column: int) -> set[Any]:
    """The training jobs of which a table does not say what it did; None: the tuning job."""
    before, after = (read_rows(path, table) for path in (whole, damaged))
    return {row[column] for row in before ^ after}


def find_safe_jobs(whole: Path, damaged: Path) -> tuple[set[int], set[int]]:
    """The training jobs that had ended and of which all events can still be read as they were; and
    those of them that no observation was lost of."""
    ended = {
        row[3]
        for row in read_rows(whole, "event")
        if row[2] == "JobExited" and '"retry":true' not in row[4]
    }
    changed = find_changed(whole, damaged, "event", 3)
    safe = set() if None in changed else ended - changed
    return safe, safe - find_changed(whole, damaged, "observation", 0)


class Victim:
    """A copy of the template with a damaged tuning job."""

    def __init__(self, template: Path, directory: Path, seed: int, warm: WarmHpt) -> None:
        self._rng = random.Random(seed)
        shutil.rmtree(directory, ignore_errors=True)
        shutil.copytree(template, directory, symlinks=True)
        self.said = ""
        self.name = self._rng.choice(["done", "cut"])
        self._directory, self._warm = directory, warm
        self._whole = template / ".hpt" / self.name
        self._path = directory / ".hpt" / self.name
        self.harms = do_harm(self._rng, self._path / JOURNAL)
        self._environment = {k: v for k, v in os.environ.items() if not k.startswith("HPT_")}
        self._environment |= {"XDG_STATE_HOME": f"{directory}/state", "TMPDIR": str(directory)}
        seen = directory / "seen"
        seen.mkdir()
        for path in self._path.glob(f"{JOURNAL}*"):
            if path.is_file():
                shutil.copy(path, seen)
        self.safe, self.observed = find_safe_jobs(*(path / JOURNAL for path in (self._whole, seen)))

    def hpt(self, *arguments: str) -> Answer:
        """Run hpt, which may refuse, but must not crash."""
        answer = self._warm.run(arguments, self._directory, self._environment)
        shown = f"{' '.join(arguments)}: {answer.code}\n{answer.err[-3000:]}"
        assert answer.code in FINE, shown
        assert "Traceback (most" not in answer.err + answer.out, shown
        assert answer.code == ExitCode.OK or answer.err.strip(), shown
        return answer

    def look(self) -> None:
        """Every command may be the first to find out."""
        for command, *options in self._rng.sample(READING, 3):
            alone = command in ("list",) or (command == "doctor" and not options)
            self.hpt(command, *([] if alone else [self.name]), *filter(None, options))

    def repair(self) -> str:
        """Repair it, and go on to its end; how that went."""
        seen = self.hpt("jobs", self.name, "--json")
        answer = self.hpt("doctor", self.name, "--repair")
        if answer.code != ExitCode.OK:
            assert "error[" in answer.err, answer.err
            self.said = answer.err
            return "refused"
        is_intact = "the journal is intact" in answer.out
        if is_intact:
            assert seen.code == ExitCode.OK
        assert self.hpt("show", self.name).code == ExitCode.OK
        resumed = self.hpt("resume", self.name, "--plain")
        if resumed.code != ExitCode.OK:
            assert resumed.err.strip()  # refused, or ended as Failed
            self.said = resumed.err
            return "repaired, not resumed"
        self._check_jobs(told=not is_intact)
        return "intact" if is_intact else "repaired"

    def _check_jobs(self, *, told: bool) -> None:
        """Nothing that could be read is lost; and, where there was damage to be seen, nothing that
        stands in logs."""
        whole, now = self._read_jobs(self._whole.parent), self._read_jobs(self._path.parent)
        for number in self.safe:
            has_log = told and "harm_logs" not in self.harms
            curve = ["curve"] if has_log or number in self.observed else []
            for field in ("hyperparameters", "training_job_status", "attempts", *curve):
                assert now[number][field] == whole[number][field], (number, field)

    def _read_jobs(self, home: Path) -> dict[int, Any]:
        answer = self.hpt("jobs", self.name, "--json", "--curves", "--home", str(home))
        assert answer.code == ExitCode.OK, answer.err
        return {row["training_job_number"]: row for row in json.loads(answer.out)}


def test_any_damage_is_told_or_repaired(template: Path, tmp_path: Path, warm_hpt: WarmHpt) -> None:
    ends: Counter[str] = Counter()
    for seed in range(FIRST, FIRST + EXAMPLES):
        victim = Victim(template, tmp_path / "here", seed, warm_hpt)
        try:
            victim.look()
            ends[victim.repair()] += 1
        except BaseException as error:
            error.add_note(f"seed {seed}, {victim.name}: {', '.join(victim.harms)}")
            raise
    print(ends)
    assert ends["repaired"] >= EXAMPLES / 8, ends
    assert ends["intact"] or EXAMPLES < 40, ends

"""One tuning job in a directory of its own, to which the reliability scripts do harm."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import psutil
import yaml

HPT = str(Path(sys.executable).parent / "hpt")
TRAIN = Path(__file__).parent / "faults_train.py"
SHIM = Path(__file__).parent / "faults_shim.c"
JOBS, PARALLEL, EPOCHS = 6, 3, 4
MOST_JOBS = 24
"""The most training jobs of a trial, of which the hyperparameters are known."""
SECONDS = 0.1
"""How long an epoch takes, in seconds."""
PATIENCE = 180.0
"""How long a tuner may take to end, in seconds."""
LIMITS = ("max_runtime_seconds", "max_job_runtime_seconds", "max_silence_seconds")

BY_ITSELF, RESUMED, UNWATCHED = "by itself", "resumed", "unwatched"
"""How a trial was survived: the tuner went on; a resume was needed; or, which is a failure, the
tuner had ended in order and yet left training jobs that nobody watched."""

Process = subprocess.Popen[bytes]


class SkippedError(Exception):
    """Raised by a fault that cannot be done here, with the reason."""


def check(truth: object, what: str) -> None:
    """Raise AssertionError if something was lost."""
    if not truth:
        raise AssertionError(what)


def handle_signals() -> None:
    """Have tuners not ignore what this process was told to: SIGINT with `&`, SIGHUP with nohup."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: None)  # a handler is not inherited


def wait_until(
    is_so: Callable[[], object], what: str, seconds: float = PATIENCE, pause: float = 0.05
) -> None:
    """Wait until something is so; raise AssertionError if it takes too long."""
    deadline = time.monotonic() + seconds
    while not is_so():
        check(time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}")
        time.sleep(pause)


@dataclass
class Ground:
    """One tuning job in a directory of its own, and what is done to it."""

    root: Path
    rng: random.Random
    home: Path = field(init=False)
    environment: dict[str, str] = field(init=False)
    said: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=lambda: [HPT])
    """How hpt is started."""
    train: Path = TRAIN
    jobs: int = JOBS
    parallel: int = PARALLEL
    began: float = field(default_factory=time.monotonic)
    most_attempts: int = 1
    """How often a training job may have been begun."""
    expected: dict[int, float] = field(default_factory=dict)
    """The hyperparameter x of each training job, as in an undisturbed run."""
    resumes: int = 0
    is_verified: bool = False
    """Whether it was compared with an undisturbed run, or cannot be."""
    is_unwatched: bool = False

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True)
        self.home = self.root / "home"
        self.environment = {
            k: v for k, v in os.environ.items() if not k.startswith("HPT_") and k != "CI"
        } | {"TERM": "xterm"}
        self.write_spec()

    @property
    def directory(self) -> Path:
        """The tuning job's directory."""
        return self.home / "t"

    @property
    def journal(self) -> Path:
        """The tuning job's journal."""
        return self.directory / "journal.sqlite"

    @property
    def way(self) -> str:
        """How the trial was survived."""
        if self.is_unwatched:
            return UNWATCHED
        return RESUMED if self.resumes else BY_ITSELF

    def write_spec(self, *, seconds: float = SECONDS, **changes: Any) -> None:
        """Write the spec that a trial runs, with changed fields.

        `options` of the training program are added to its own.
        """
        options = {"epochs": EPOCHS, "seconds": seconds, **changes.pop("options", {})}
        fields: dict[str, Any] = {
            "name": "t",
            "command": f"{sys.executable} -I -S {self.train} {{args}}",
            "hyperparameter_ranges": {
                "x": {"type": "Continuous", "min_value": 0.001, "max_value": 10}
            },
            "static_hyperparameters": options,
            "metric_definitions": [{"name": "loss", "regex": "epoch={step} loss=({num})"}],
            "objective_metric_name": "loss",
            "objective_type": "Minimize",
            "strategy": "Random",
            "max_jobs": JOBS,
            "max_parallel_jobs": PARALLEL,
            "stop_grace_seconds": 1,
        }
        self.jobs = changes.get("max_jobs", JOBS)
        self.parallel = changes.get("max_parallel_jobs", PARALLEL)
        (self.root / "t.yaml").write_text(yaml.safe_dump(fields | changes))

    def allow_retries(self, **changes: Any) -> None:
        """Write the spec of a trial that kills training jobs: they may be tried again."""
        words = "SIGKILL|SIGTERM|WorkerDied|MemoryError|No space left|Too many open files|Error 24"
        words += "|temporarily unavailable|No such file|Permission denied"
        self.most_attempts = 50
        self.write_spec(retry={"max_attempts": 50, "when": [words]}, **changes)

    # -- tuners ------------------------------------------------------------------------------------

    def words(self, *arguments: str, home: Path | None = None) -> list[str]:
        """Return the command line of hpt."""
        return [*self.command, *arguments, "--home", str(home or self.home)]

    def start(self, *arguments: str, home: Path | None = None) -> Process:
        """Start hpt; its output is kept."""
        output = self.root / f"said-{len(self.said):03d}"
        self.said.append(str(output))
        with open(output, "wb") as file:
            return subprocess.Popen(
                self.words(*arguments, home=home),
                cwd=self.root,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )

    def run(self) -> Process:
        """Start the tuning job."""
        return self.start("run", "t.yaml", "--plain")

    def go_on(self) -> Process:
        """Resume the tuning job; or run it, if it has no journal yet."""
        self.resumes += 1
        return self.start("resume", "t", "--plain") if self.journal.exists() else self.run()

    def finish(self) -> None:
        """Resume the tuning job until it is Completed, unless it is."""
        if not self.journal.exists() or self.read_status() != "Completed":
            self.succeed(self.go_on())

    def succeed(self, process: Process) -> None:
        """Wait for a tuner that is to end as Completed."""
        check(process.wait(PATIENCE) == 0, f"exit code {process.returncode}: {self.last_said()}")

    def await_end(self, process: Process, codes: tuple[int, ...] = (0, 1, 130, 143)) -> None:
        """Wait for a tuner that is to end in order, so that it leaves no training job."""
        code = process.wait(PATIENCE)
        self.note_unwatched()
        check(code in codes, f"exit code {code}: {self.last_said()}")

    def note_unwatched(self) -> None:
        """Note whether a tuner that has ended left training jobs; some moments are forgiven."""
        deadline = time.monotonic() + 3
        while self.find_processes():
            if time.monotonic() > deadline:
                self.is_unwatched = True
                return
            time.sleep(0.1)

    def find_tuner(self) -> psutil.Process | None:
        """Return the process that holds the lock."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, psutil.Error):
            process = psutil.Process(json.loads((self.directory / "lock").read_text())["pid"])
            if str(self.home) in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                return process
        return None

    def find_tuners(self) -> list[psutil.Process]:
        """Return the hpts that work on the home."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                words = process.cmdline()
                is_hpt = any(Path(word).name in ("hpt", "hpt_cli") for word in words)
                is_dead = process.status() == psutil.STATUS_ZOMBIE
                if is_hpt and str(self.home) in words and not is_dead:
                    found.append(process)
        return found

    def is_at_work(self, process: Process) -> bool:
        """Return whether a tuner holds the lock."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            return bool(json.loads((self.directory / "lock").read_text())["pid"] == process.pid)
        return False

    # -- moments -----------------------------------------------------------------------------------

    def pause(self, longest: float = 1.5) -> None:
        """Wait for a random moment."""
        time.sleep(self.rng.uniform(0.0, longest))

    def await_moment(self, process: Process) -> None:
        """Wait for a random moment of a tuner: one in four while it starts, else while it tunes."""
        if self.rng.random() >= 0.25:
            while process.poll() is None and not self.is_at_work(process):
                time.sleep(0.02)
        self.pause()

    def await_jobs(self, number: int = PARALLEL) -> None:
        """Wait until so many training jobs have begun and the last of them has printed a value."""
        path = self.directory / "jobs" / f"{number:04d}" / "a1" / "output.log"
        wait_until(lambda: path.exists() and path.stat().st_size, f"training job {number}")

    # -- what there is -----------------------------------------------------------------------------

    def last_said(self) -> str:
        """Return the end of what the latest hpt printed."""
        return self.read_said()[-1][-800:]

    def read_said(self) -> list[str]:
        """Return the output of each hpt."""
        return [Path(path).read_text(errors="replace") for path in self.said]

    def _ask(self, *arguments: str) -> Any:
        environment = {k: v for k, v in self.environment.items() if k != "LD_PRELOAD"}
        command = [HPT, *arguments, "--json", "--home", str(self.home)]
        done = subprocess.run(
            command, cwd=self.root, env=environment, capture_output=True, text=True, check=False
        )
        check(done.returncode == 0, f"hpt {arguments[0]} failed: {done.stderr[-500:]}")
        return json.loads(done.stdout)

    def read_rows(self) -> list[dict[str, Any]]:
        """Return the rows of `hpt jobs`, with curves."""
        rows: list[dict[str, Any]] = self._ask("jobs", "t", "--curves")
        return rows

    def read_status(self) -> str:
        """Return the tuning job's status."""
        return str(self._ask("show", "t")["tuning_job_status"])

    def read_tuning_seconds(self) -> float:
        """Return how long tuners were at work."""
        return float(self._ask("show", "t")["tuning_time_seconds"])

    def find_processes(self, role: str = "") -> list[psutil.Process]:
        """Return the processes of its training jobs: all, or all launchers, leaders or children."""
        return find_processes(self.home, role)

    def signal_all(self, number: signal.Signals, tuner: psutil.Process | None = None) -> None:
        """Send a signal to a tuner and all that it started, in one go and in any order."""
        victims = [*([tuner] if tuner else []), *self.find_processes()]
        self.rng.shuffle(victims)
        for victim in victims:
            with contextlib.suppress(psutil.Error):
                victim.send_signal(number)

    def kill_all(self, tuner: Process) -> None:
        """Kill a tuner and all its training jobs, and wait until they are gone."""
        with contextlib.suppress(psutil.Error):
            self.signal_all(signal.SIGKILL, psutil.Process(tuner.pid))
        tuner.kill()
        tuner.wait()
        while left := self.find_processes():
            for victim in left:
                with contextlib.suppress(psutil.Error):
                    victim.kill()
            time.sleep(0.02)

    def verify(self) -> None:
        """Raise AssertionError if anything differs from an undisturbed run."""
        rows = self.read_rows()
        numbers = [row["training_job_number"] for row in rows]
        check(numbers == list(range(1, self.jobs + 1)), f"training jobs {numbers}")
        statuses = {row["training_job_number"]: row["training_job_status"] for row in rows}
        check(set(statuses.values()) == {"Completed"}, f"statuses {statuses}")
        for number, row in zip(numbers, rows, strict=True):
            x = row["hyperparameters"]["x"]
            expected = self.expected.get(number, x)
            check(x == expected, f"job {number}: x={x}, not {expected}")
            curve = [[epoch, round(x + 1 / epoch, 6)] for epoch in range(1, EPOCHS + 1)]
            check(row["curve"] == curve, f"job {number}: curve {row['curve']}")
            check(row["stop_reason"] is None, f"job {number}: {row['stop_reason']}")
            attempts = row["attempts"]
            check(attempts <= self.most_attempts, f"job {number}: {attempts} attempts")
        at_work = sum(row["training_elapsed_time_seconds"] for row in rows)
        most = self.parallel * (time.monotonic() - self.began)
        check(at_work <= most, f"{at_work:.1f} s at work, of {most:.1f} s in all slots")
        self._verify_journal()
        for text in self.read_said():
            own = text.split("--- log")[0].replace("│ Traceback", "")  # not of a training job
            check("Traceback (most recent" not in own, text[-800:])
            check("hpt has a bug" not in text, text[-800:])
        self.is_verified = True

    def _verify_journal(self) -> None:
        with contextlib.closing(sqlite3.connect(self.journal)) as connection:
            twice = connection.execute(
                "SELECT job, json_extract(body, '$.attempt'), count(*) FROM event"
                " WHERE type IN ('JobExited', 'JobLost') GROUP BY 1, 2 HAVING count(*) > 1"
            ).fetchall()
        check(not twice, f"counted twice: {twice}")


def find_processes(home: Path, role: str = "") -> list[psutil.Process]:
    """Return the processes of a home's training jobs: all, or those of one role."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get("HPT_JOB_DIR", "").startswith(f"{home}/"):
                if process.status() == psutil.STATUS_ZOMBIE:
                    continue
                if not role or find_role(process) == role:
                    found.append(process)
    return found


def find_role(process: psutil.Process) -> str:
    """Return what a process is in a training job."""
    if any(Path(word).name.startswith("launcher.") for word in process.cmdline()):
        return "launcher"
    return "leader" if any("train" in Path(word).name for word in process.cmdline()) else "child"


@cache
def work_directory() -> Path:
    """Return the directory of all trials."""
    return Path(tempfile.mkdtemp(prefix="hpt-faults-"))


@cache
def build_shim() -> str:
    """Compile the library that LD_PRELOAD loads, and return its path."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or sys.platform != "linux":
        raise SkippedError("needs Linux and a C compiler")
    target = str(work_directory() / "shim.so")
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", target, str(SHIM), "-ldl"], check=True
    )
    return target


def load_shim(ground: Ground, **variables: str) -> None:
    """Load the shim into every hpt that is started from now on, with these variables."""
    more = {"LD_PRELOAD": build_shim(), "FAULT_HOME": str(ground.home), **variables}
    ground.environment = {
        k: v for k, v in ground.environment.items() if not k.startswith("FAULT_")
    } | more


@contextlib.contextmanager
def mount(ground: Ground, options: str) -> Iterator[None]:
    """Put the home on a file system of its own."""
    if os.geteuid() != 0:
        raise SkippedError("needs root, to mount a file system")
    ground.home.mkdir(mode=0o700)
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(ground.home)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        raise SkippedError("a file system cannot be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(ground.home)], check=True)

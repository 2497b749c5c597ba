"""Every fault hpt is to survive, done to the real command and real processes.

    python scripts/reliability/faults.py [--short] [--only NAME ...] [--seed N] [--parallel N]

A trial runs a tuning job, does it harm at random moments, resumes it to its end, and compares it
with an undisturbed run: the same training jobs, hyperparameters and curves, each once, and no
process left. The table says how often each fault was tried and survived, what was lost, and what
was left behind. Moments are drawn from the seed; what they hit depends on the machine.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import resource
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import psutil
import yaml

from hpt_cli.storage.journal import open_journal

HERE = Path(__file__).parent
HPT = str(Path(sys.executable).parent / "hpt")
TRAIN = HERE / "faults_train.py"
JOBS, PARALLEL, EPOCHS = 6, 3, 4
PATIENCE = 180.0
HOUR = 3600


class SkippedError(Exception):
    """A fault that cannot be done here, and why."""


def check(truth: object, what: str) -> None:
    """Raise if something was lost."""
    if not truth:
        raise AssertionError(what)


@dataclass
class Ground:
    """One tuning job in a directory of its own, and what is done to it."""

    root: Path
    rng: random.Random
    home: Path = field(init=False)
    environment: dict[str, str] = field(init=False)
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True)
        self.home = self.root / "home"
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("HPT_")}
        self.write_spec()

    @property
    def directory(self) -> Path:
        """The tuning job's directory."""
        return self.home / "t"

    @property
    def journal(self) -> Path:
        """Its journal."""
        return self.directory / "journal.sqlite"

    def write_spec(self, **changes: Any) -> None:
        """The spec that every trial runs."""
        words = "SIGKILL|SIGTERM|WorkerDied|MemoryError|No space left|Too many open files|Error 24"
        fields: dict[str, Any] = {
            "name": "t",
            "command": f"{sys.executable} -I -S {TRAIN} {{args}}",
            "hyperparameter_ranges": {
                "x": {"type": "Continuous", "min_value": 0.001, "max_value": 10}
            },
            "static_hyperparameters": {"epochs": EPOCHS, "seconds": 0.1},
            "metric_definitions": [{"name": "loss", "regex": "epoch={step} loss=({num})"}],
            "objective_metric_name": "loss",
            "objective_type": "Minimize",
            "strategy": "Random",
            "max_jobs": JOBS,
            "max_parallel_jobs": PARALLEL,
            "stop_grace_seconds": 1,
            "retry": {"max_attempts": 50, "when": [words]},
        }
        (self.root / "t.yaml").write_text(yaml.safe_dump(fields | changes))

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start hpt; what it says is kept."""
        output = self.root / f"said-{len(self.said):03d}"
        self.said.append(str(output))
        with open(output, "wb") as file:
            return subprocess.Popen(
                [HPT, *arguments, "--home", str(self.home)],
                cwd=self.root,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )

    def run(self) -> subprocess.Popen[bytes]:
        """Start the tuning job."""
        return self.start("run", "t.yaml", "--plain")

    def go_on(self) -> subprocess.Popen[bytes]:
        """Resume it; or run it, if it has not come so far as to have a journal."""
        return self.start("resume", "t", "--plain") if self.journal.exists() else self.run()

    def finish(self) -> None:
        """Resume until it has Completed, at most twice: the first may say what is wrong."""
        process = self.go_on()
        check(process.wait(PATIENCE) == 0, f"resume failed: {self.read_said()[-1][-800:]}")

    def read_said(self) -> list[str]:
        """What each hpt said."""
        return [Path(path).read_text(errors="replace") for path in self.said]

    def pause(self, longest: float = 1.5) -> None:
        """Wait for a random moment."""
        time.sleep(self.rng.uniform(0.0, longest))

    def await_moment(self, process: subprocess.Popen[bytes]) -> None:
        """Wait for a random moment of a tuner: one in four while it starts, else at work."""
        if self.rng.random() >= 0.25:
            while process.poll() is None and not self.is_at_work(process):
                time.sleep(0.02)
        self.pause()

    def is_at_work(self, process: subprocess.Popen[bytes]) -> bool:
        """Whether a tuner holds the lock."""
        with contextlib.suppress(OSError, ValueError):
            return bool(json.loads((self.directory / "lock").read_text())["pid"] == process.pid)
        return False

    def read_rows(self) -> list[dict[str, Any]]:
        """The results table, with curves."""
        command = [HPT, "jobs", "t", "--json", "--curves", "--home", str(self.home)]
        done = subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=False)
        check(done.returncode == 0, f"hpt jobs failed: {done.stderr[-500:]}")
        rows: list[dict[str, Any]] = json.loads(done.stdout)
        return rows

    def find_processes(self, role: str = "") -> list[psutil.Process]:
        """The processes of its training jobs: all, or every `launcher`, `leader` or `child`."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.environ().get("HPT_JOB_DIR", "").startswith(str(self.home)):
                    if process.status() == psutil.STATUS_ZOMBIE:
                        continue
                    if not role or find_role(process) == role:
                        found.append(process)
        return found

    def verify(self, expected: list[Any]) -> None:
        """Raise AssertionError if anything differs from an undisturbed run."""
        rows = self.read_rows()
        statuses = {row["training_job_number"]: row["training_job_status"] for row in rows}
        check(set(statuses.values()) == {"Completed"}, f"statuses {statuses}")
        check(list_results(rows) == expected, f"not the undisturbed run: {list_results(rows)}")
        with contextlib.closing(sqlite3.connect(self.journal)) as connection:
            twice = connection.execute(
                "SELECT job, json_extract(body, '$.attempt'), count(*) FROM event"
                " WHERE type IN ('JobExited', 'JobLost') GROUP BY 1, 2 HAVING count(*) > 1"
            ).fetchall()
        check(not twice, f"counted twice: {twice}")
        for text in self.read_said():
            check("Traceback (most recent" not in text.split("--- log")[0], text[-800:])
            check("hpt has a bug" not in text, text[-800:])


def find_role(process: psutil.Process) -> str:
    """What a process is in a training job."""
    if any(Path(word).name.startswith("launcher.") for word in process.cmdline()):
        return "launcher"
    return "leader" if str(TRAIN) in process.cmdline() else "child"


def list_results(rows: list[dict[str, Any]]) -> list[Any]:
    """What must be the same: numbers, hyperparameters and curves."""
    return [(row["training_job_number"], row["hyperparameters"], row["curve"]) for row in rows]


# -- the faults: each returns how often it was tried -----------------------------------------------


def kill_tuner(ground: Ground) -> int:
    """kill -9 of the tuner, again and again."""
    process = ground.run()
    for _ in range(5):
        ground.await_moment(process)
        process.kill()
        process.wait()
        process = ground.go_on()
    check(process.wait(PATIENCE) == 0, ground.read_said()[-1][-800:])
    return 5


def _kill(ground: Ground, role: str, at_most: int) -> int:
    """kill -9 of one process after the other, while the tuner is at work."""
    process = ground.run()
    killed: dict[str, int] = {}
    while process.poll() is None:
        ground.pause(0.15)
        victims = ground.find_processes(role)
        if not victims:
            continue
        victim = ground.rng.choice(victims)
        with contextlib.suppress(psutil.Error, KeyError):  # it may be gone
            job = victim.environ()["HPT_JOB_DIR"]
            if killed.get(job, 0) < at_most:
                victim.kill()
                killed[job] = killed.get(job, 0) + 1
    check(process.returncode == 0, ground.read_said()[-1][-800:])
    return sum(killed.values())


def kill_launcher(ground: Ground) -> int:
    """kill -9 of launchers: their commands live on without one."""
    return _kill(ground, "launcher", 2)


def kill_leader(ground: Ground) -> int:
    """kill -9 of the commands, as the kernel's out-of-memory killer does."""
    return _kill(ground, "leader", 2)


def kill_child(ground: Ground) -> int:
    """kill -9 of the children of the commands."""
    return _kill(ground, "child", 2)


def kill_everything(ground: Ground) -> int:
    """kill -9 of the tuner and of all it started, in any order."""
    process = ground.run()
    for _ in range(3):
        ground.await_moment(process)
        victims = [psutil.Process(process.pid), *ground.find_processes()]
        ground.rng.shuffle(victims)
        for victim in victims:
            with contextlib.suppress(psutil.Error):
                victim.kill()
        process.wait()
        process = ground.go_on()
    check(process.wait(PATIENCE) == 0, ground.read_said()[-1][-800:])
    return 3


def interrupt(ground: Ground) -> int:
    """Ctrl-C, SIGTERM and SIGHUP at any moment, once or twice."""
    process = ground.run()
    for _ in range(3):
        ground.await_moment(process)
        for _ in range(ground.rng.choice((1, 2))):
            process.send_signal(ground.rng.choice((signal.SIGINT, signal.SIGTERM, signal.SIGHUP)))
            ground.pause(0.1)
        process.wait(PATIENCE)
        process = ground.go_on()
    check(process.wait(PATIENCE) == 0, ground.read_said()[-1][-800:])
    return 3


def pause_processes(ground: Ground) -> int:
    """SIGSTOP of the tuner or of a training job for a while."""
    process = ground.run()
    tried = 0
    while process.poll() is None and tried < 4:
        ground.pause(0.8)
        victims = [psutil.Process(process.pid), *ground.find_processes()]
        victim = ground.rng.choice(victims)
        with contextlib.suppress(psutil.Error):
            victim.suspend()
            ground.pause(1.5)
            victim.resume()
            tried += 1
    check(process.wait(PATIENCE) == 0, ground.read_said()[-1][-800:])
    return tried


def lose_power(ground: Ground) -> int:
    """The journal cut at every write, in the middle of writes, and with unsynced writes lost."""
    trace = ground.root / "trace"
    load_shim(ground, FAULT_TRACE=str(trace))
    check(ground.run().wait(PATIENCE) == 0, ground.read_said()[-1][-800:])
    del ground.environment["LD_PRELOAD"]
    changes = read_trace(trace)
    begin = next(i for i, each in enumerate(changes) if "journal.sqlite" in each.name)
    tried, least = 0, 0
    scratch = ground.root / "scratch"
    for cut in range(begin, len(changes) + 1):
        least = max(least, count_events(apply_changes(changes[:cut], scratch)))
        tried += 1
        if cut < len(changes) and len(changes[cut].data) > 1:
            half = changes[cut].cut(ground.rng.randrange(1, len(changes[cut].data)))
            check(
                count_events(apply_changes([*changes[:cut], half], scratch)) >= least, "mid-write"
            )
            tried += 1
        torn = [*drop_unsynced(changes[:cut], ground.rng)]
        check(
            count_events(apply_changes(torn, scratch)) >= count_synced(changes[:cut], scratch),
            "torn",
        )
        tried += 1
    resumed = ground.rng.randrange(begin, len(changes))
    files = apply_changes([*drop_unsynced(changes[:resumed], ground.rng)], scratch)
    for name in ("journal.sqlite", "journal.sqlite-journal"):
        shutil.copy(files / name, ground.directory / name)
    for path in ground.directory.glob("jobs/*/a*/exit"):
        if ground.rng.random() < 0.3:
            path.unlink()
    boot = ground.root / "boot"
    boot.write_text("another-boot\n")
    load_shim(ground, FAULT_BOOT=str(boot))
    ground.finish()
    return tried


def fill_disk(ground: Ground) -> int:
    """No room left on the disk of the home, and then room again."""
    with mount(ground, "size=2m"):
        process = ground.run()
        for _ in range(2):
            ground.await_moment(process)
            ballast = ground.home / "ballast"
            with contextlib.suppress(OSError), open(ballast, "wb", buffering=0) as file:
                while file.write(b"\0" * 4096):
                    pass
            ground.pause(1.5)
            ballast.unlink()
            if process.poll() is None:
                ground.pause(0.5)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.2)
            if process.poll() is not None:
                if process.returncode:
                    check(
                        "No space left" in ground.read_said()[-1]
                        or "full" in ground.read_said()[-1],
                        ground.read_said()[-1][-500:],
                    )
                process = ground.go_on()
        if process.wait(PATIENCE):
            ground.finish()
        ground.verify(undisturbed())
    return 2


def forbid_writing(ground: Ground) -> int:
    """A home that can be read only, and then written again."""
    with mount(ground, "size=8m"):
        process = ground.run()
        ground.await_moment(process)
        for victim in (psutil.Process(process.pid), *ground.find_processes()):
            with contextlib.suppress(psutil.Error):
                victim.kill()
        process.wait()
        while ground.find_processes():
            time.sleep(0.02)
        subprocess.run(["mount", "-o", "remount,ro", str(ground.home)], check=True)
        code = ground.go_on().wait(PATIENCE)
        check(code == 1, f"exit code {code} on a read-only home")
        check("error[" in ground.read_said()[-1], ground.read_said()[-1])
        if ground.journal.exists():
            shown = ground.start("show", "t").wait(PATIENCE)
            check(shown in (0, 1), f"show: exit code {shown}")
        subprocess.run(["mount", "-o", "remount,rw", str(ground.home)], check=True)
        ground.finish()
        ground.verify(undisturbed())
    return 1


def take_descriptors(ground: Ground) -> int:
    """No file descriptor left to the tuner, and then some again."""
    process = ground.run()
    ground.await_moment(process)
    with contextlib.suppress(psutil.Error, ProcessLookupError):
        used = psutil.Process(process.pid).num_fds()
        limit = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
        room = ground.rng.randrange(0, 4)
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (used + room, limit[1]))
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(ground.rng.uniform(0.5, 4.0))
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(process.pid, resource.RLIMIT_NOFILE, limit)
    if process.wait(PATIENCE):
        check("error[" in ground.read_said()[-1], ground.read_said()[-1][-800:])
        ground.finish()
    return 1


def take_memory(ground: Ground) -> int:
    """Training jobs that run out of memory at their first attempt."""
    static = {"epochs": EPOCHS, "seconds": 0.1, "hog": "yes"}
    ground.write_spec(static_hyperparameters=static)
    check(ground.run().wait(PATIENCE) == 0, ground.read_said()[-1][-800:])
    check({row["attempts"] for row in ground.read_rows()} == {2}, "attempts")
    return JOBS


def set_clock(ground: Ground) -> int:
    """The clock set by an hour, either way, with limits that an hour would exceed."""
    limits = ("max_runtime_seconds", "max_job_runtime_seconds", "max_silence_seconds")
    ground.write_spec(**dict.fromkeys(limits, HOUR / 2))
    clock = ground.root / "clock"
    clock.write_text("0")
    load_shim(ground, FAULT_CLOCK=str(clock))
    process = ground.run()
    tried = 0
    while process.poll() is None and tried < 4:
        ground.pause(0.8)
        clock.write_text(str(ground.rng.choice((-HOUR, 0, HOUR))))
        tried += 1
        if ground.rng.random() < 0.2 and ground.is_at_work(process):
            process.send_signal(signal.SIGINT)
            process.wait(PATIENCE)
            process = ground.go_on()
    check(process.wait(PATIENCE) == 0, ground.read_said()[-1][-800:])
    elapsed = [row["training_elapsed_time_seconds"] for row in ground.read_rows()]
    check(all(0 < each < HOUR / 4 for each in elapsed), f"elapsed {elapsed}")
    return tried


def slow_down(ground: Ground) -> int:
    """A home on a slow file system, and a kill -9 there."""
    load_shim(ground, FAULT_SLOW="25", FAULT_HOME=str(ground.home))
    process = ground.run()
    ground.await_moment(process)
    process.kill()
    process.wait()
    ground.finish()
    return 1


def read_a_lot(ground: Ground) -> int:
    """Ten readers in a loop while the tuner is at work."""
    process = ground.run()
    while not ground.journal.exists():
        time.sleep(0.05)
    command = [HPT, "show", "t", "--json", "--home", str(ground.home)]

    def read() -> int:
        tried = 0
        while process.poll() is None:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            check(done.returncode == 0, f"a reader failed: {done.stderr[-500:]}")
            json.loads(done.stdout)
            tried += 1
        return tried

    with ThreadPoolExecutor(10) as pool:
        readers = [pool.submit(read) for _ in range(10)]
        tried = sum(reader.result() for reader in readers)
    check(process.returncode == 0, ground.read_said()[-1][-800:])
    return tried


def tune_twice(ground: Ground) -> int:
    """Three tuners at once, after a kill -9 of a first."""
    process = ground.run()
    while not ground.journal.exists():
        time.sleep(0.02)
    ground.pause()
    process.kill()
    process.wait()
    rivals = [ground.start("resume", "t", "--plain") for _ in range(3)]
    codes = sorted(each.wait(PATIENCE) for each in rivals)
    losers = [text for text in ground.read_said()[-3:] if "is being tuned by process" in text]
    check(codes[0] == 0 and codes.count(1) == len(losers), f"exit codes {codes}")
    return 1


def reboot(ground: Ground) -> int:
    """A reboot: everything is gone, and the pids belong to somebody else."""
    boot = ground.root / "boot"
    boot.write_text("the-first-boot\n")
    load_shim(ground, FAULT_BOOT=str(boot))
    process = ground.run()
    ground.await_moment(process)
    for victim in (psutil.Process(process.pid), *ground.find_processes()):
        with contextlib.suppress(psutil.Error):
            victim.kill()
    process.wait()
    while ground.find_processes():
        time.sleep(0.02)
    boot.write_text("the-second-boot\n")
    innocent = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        if ground.journal.exists():
            give_pids_to(innocent.pid, ground)
        ground.finish()
        check(innocent.poll() is None, "somebody else's process was killed")
    finally:
        innocent.kill()
        innocent.wait()
    return 1


def give_pids_to(pid: int, ground: Ground) -> None:
    """Let a process have the pid, and the start time, of every launcher."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        ticks = int(file.read().rpartition(b")")[2].split()[19])
    identity = f"the-first-boot:{ticks}"
    for path in ground.directory.glob("jobs/*/a*/launcher"):
        path.write_text(f"{pid} {identity}")
    with contextlib.closing(sqlite3.connect(ground.journal)) as connection, connection:
        connection.execute(
            "UPDATE event SET body = json_set(body, '$.handle.pid', ?, '$.handle.identity', ?)"
            " WHERE type = 'JobLaunched'",
            (pid, identity),
        )


FAULTS: dict[str, tuple[Callable[[Ground], int], int, int]] = {
    "kill -9 of the tuner": (kill_tuner, 11, 1),
    "kill -9 of a launcher": (kill_launcher, 8, 1),
    "kill -9 of a command": (kill_leader, 8, 1),
    "kill -9 of a command's child": (kill_child, 15, 1),
    "kill -9 of everything": (kill_everything, 17, 1),
    "Ctrl-C, SIGTERM, SIGHUP": (interrupt, 17, 1),
    "SIGSTOP for a while": (pause_processes, 8, 1),
    "power loss": (lose_power, 5, 1),
    "disk full": (fill_disk, 10, 1),
    "read-only home": (forbid_writing, 8, 1),
    "no file descriptors": (take_descriptors, 16, 2),
    "out of memory": (take_memory, 2, 1),
    "clock set by an hour": (set_clock, 8, 1),
    "slow home": (slow_down, 5, 1),
    "10 readers": (read_a_lot, 2, 1),
    "three tuners at once": (tune_twice, 10, 1),
    "reboot": (reboot, 12, 2),
}
"""Each fault, and how many trials of it the long and the short form make."""


# -- what the faults need --------------------------------------------------------------------------


@cache
def build_shim() -> str:
    """Compile what LD_PRELOAD loads."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or sys.platform != "linux":
        raise SkippedError("needs Linux and a C compiler")
    target = str(WORK / "shim.so")
    source = str(HERE / "faults_shim.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", target, source, "-ldl"], check=True)
    return target


def load_shim(ground: Ground, **variables: str) -> None:
    """Have everything that starts from now on do with the shim."""
    more = {"LD_PRELOAD": build_shim(), "FAULT_HOME": str(ground.home), **variables}
    ground.environment = {
        k: v for k, v in ground.environment.items() if not k.startswith("FAULT_")
    } | more


@contextlib.contextmanager
def mount(ground: Ground, options: str) -> Iterator[None]:
    """A home on a file system of its own."""
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


@dataclass(frozen=True)
class Change:
    """One change to a file: (w)ritten, (t)runcated, or (s)ynced."""

    kind: str
    name: str
    offset: int
    data: bytes

    def cut(self, length: int) -> Change:
        """The same write, of which only the beginning came to the disk."""
        return Change(self.kind, self.name, self.offset, self.data[:length])


def read_trace(path: Path) -> list[Change]:
    """What was done to the journal, in order."""
    data, at, changes = path.read_bytes(), 0, []
    while at < len(data):
        kind, name_length, offset, length = struct.unpack_from("=4q", data, at)
        at += 32
        name = Path(data[at : at + name_length].decode()).name
        at += name_length
        changes.append(
            Change(
                chr(kind),
                name.replace("journal.new", "journal.first"),
                offset,
                data[at : at + length],
            )
        )
        at += length
    return changes


def apply_changes(changes: list[Change], directory: Path) -> Path:
    """The files that changes make; the journal begins as a copy of `journal.new`."""
    files: dict[str, bytearray] = {}
    for each in changes:
        if each.name == "journal.sqlite" and each.name not in files:
            files[each.name] = bytearray(files["journal.first"])
        content = files.setdefault(each.name, bytearray())
        if each.kind == "t":
            del content[each.offset :]
            content.extend(b"\0" * (each.offset - len(content)))
        elif each.kind == "w":
            content.extend(b"\0" * (each.offset - len(content)))
            content[each.offset : each.offset + len(each.data)] = each.data
    if "journal.sqlite" not in files:
        files["journal.sqlite"] = files["journal.first"]
    directory.mkdir(exist_ok=True)
    for name in ("journal.sqlite", "journal.sqlite-journal"):
        (directory / name).write_bytes(files.get(name, b""))
    return directory


def drop_unsynced(changes: list[Change], rng: random.Random) -> Iterator[Change]:
    """The same changes, but for some that no sync has followed."""
    synced: dict[str, int] = {}
    for index, each in enumerate(changes):
        if each.kind == "s":
            synced[each.name] = index
    for index, each in enumerate(changes):
        if each.name == "journal.first" or index <= synced.get(each.name, -1) or rng.random() < 0.5:
            yield each


def count_synced(changes: list[Change], directory: Path) -> int:
    """The rows that were committed before the last sync of the journal itself."""
    ends = [
        i for i, each in enumerate(changes) if each.kind == "s" and each.name == "journal.sqlite"
    ]
    return count_events(apply_changes(changes[: ends[-1]], directory)) if ends else 0


def count_events(directory: Path) -> int:
    """How many rows a journal has; it must fold."""
    with open_journal(directory / "journal.sqlite") as journal:
        journal.state()
    with contextlib.closing(sqlite3.connect(directory / "journal.sqlite")) as connection:
        tables = ("event", "observation", "judgement")
        return sum(connection.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in tables)


# -- the table -------------------------------------------------------------------------------------

WORK = Path(tempfile.mkdtemp(prefix="hpt-faults-"))
_EXPECTED: list[Any] = []


def undisturbed() -> list[Any]:
    """The results of a run to which nothing was done."""
    if not _EXPECTED:
        ground = Ground(WORK / "undisturbed", random.Random(0))
        check(ground.run().wait(PATIENCE) == 0, ground.read_said()[-1])
        _EXPECTED.extend(list_results(ground.read_rows()))
        check(len(_EXPECTED) == JOBS, "the undisturbed run")
    return _EXPECTED


@dataclass
class Tally:
    """How often a fault was tried, and how it went."""

    tried: int = 0
    trials: int = 0
    survived: int = 0
    leftovers: int = 0
    losses: list[str] = field(default_factory=list)
    skipped: str = ""


def try_once(name: str, seed: int, number: int, tally: Tally) -> None:
    """One trial of a fault."""
    fault = FAULTS[name][0]
    root = WORK / re.sub(r"\W+", "-", name) / str(number)
    ground = Ground(root, random.Random(f"{name} {seed} {number}"))
    try:
        tried = fault(ground)
        tally.tried += tried
        if ground.journal.exists():
            ground.verify(expect(name))
        tally.survived += 1
    except SkippedError as reason:
        tally.skipped = str(reason)
        return
    except Exception as error:
        tally.losses.append(f"{name} #{number}: {error!r}\n    in {root}")
    finally:
        left = ground.find_processes()
        tally.leftovers += len(left)
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
    tally.trials += 1


def expect(name: str) -> list[Any]:
    """The results of an undisturbed run of the spec of this fault."""
    if name != "out of memory":
        return undisturbed()
    return [
        (number, values | {"hog": "yes"} if "hog" in values else values, curve)
        for number, values, curve in undisturbed()
    ]


def main() -> int:
    """Try every fault and print the table; the exit code says whether anything was lost."""
    # A shell that starts this in the background has it ignored, and so would the tuners.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="one or two trials of each")
    parser.add_argument("--only", nargs="+", default=[], help="faults whose names contain this")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--parallel", type=int, default=2, help="trials at the same time")
    options = parser.parse_args()
    undisturbed()
    names = [
        name for name in FAULTS if not options.only or any(each in name for each in options.only)
    ]
    print(
        f"{'fault':<30} {'trials':>6} {'tried':>6} {'survived':>9} {'losses':>7} {'leftovers':>10}"
    )
    losses, leftovers = [], 0
    for name in names:
        tally = Tally()
        trials = FAULTS[name][2 if options.short else 1]
        with ThreadPoolExecutor(options.parallel) as pool:
            for number in range(trials):
                pool.submit(try_once, name, options.seed, number, tally)
        if tally.skipped:
            print(f"{name:<30} skipped: {tally.skipped}", flush=True)
            continue
        share = f"{100 * tally.survived / max(1, tally.trials):.0f} %"
        print(
            f"{name:<30} {tally.trials:>6} {tally.tried:>6} {share:>9}"
            f" {len(tally.losses):>7} {tally.leftovers:>10}",
            flush=True,
        )
        losses += tally.losses
        leftovers += tally.leftovers
    for each in losses:
        print(each)
    if not losses:
        shutil.rmtree(WORK, ignore_errors=True)
    return 1 if losses or leftovers else 0


if __name__ == "__main__":
    sys.exit(main())

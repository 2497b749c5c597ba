"""What this machine is, and what may be wrong with it."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import psutil

from hpt_cli import __version__
from hpt_cli.formatting import count, format_bytes
from hpt_cli.machine.gpus import describe_use, read_gpus
from hpt_cli.storage.home import list_job_dirs
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.lock import find_lock_holder, hold_lock

REQUIRED = ("typer", "pydantic", "rich", "numpy", "scipy", "scikit-optimize", "psutil", "PyYAML")
OPTIONAL = ("matplotlib",)
LITTLE_BYTES = 500_000_000
"""Less free room than this is worth a warning."""
TOOL_SECONDS = 10.0
MARK = "HPT_JOB_DIR"
"""The variable that every process of a training job inherits."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at, and what is wrong with it, if anything."""

    what: str
    found: str
    problem: str = ""


def diagnose(home: Path) -> list[Finding]:
    """Everything worth knowing, in the order in which a person reads it."""
    checks: Sequence[Callable[[], Finding]] = (
        lambda: Finding("hpt", f"{__version__}, {Path(__file__).parent}"),
        lambda: Finding("Python", f"{platform.python_version()}, {sys.executable}"),
        lambda: Finding("system", f"{platform.platform()}, {count(os.cpu_count() or 1, 'core')}"),
        _check_packages,
        _check_terminal,
        lambda: _check_home(home),
        lambda: _check_disk(home),
        lambda: _check_tuning_jobs(home),
        lambda: _check_leftovers(home),
        _check_gpus,
        _check_slurm,
    )
    return [check() for check in checks]


def _check_packages() -> Finding:
    versions = {name: _find_version(name) for name in (*REQUIRED, *OPTIONAL)}
    missing = [name for name in REQUIRED if versions[name] is None]
    found = ", ".join(f"{name} {version or 'missing'}" for name, version in versions.items())
    problem = f"pip install {' '.join(missing)}" if missing else ""
    return Finding("packages", found, problem)


def _find_version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _check_terminal() -> Finding:
    size = shutil.get_terminal_size()
    words = [f"{size.columns}×{size.lines}", f"TERM={os.environ.get('TERM', '')}"]
    words.append(f"stdout {sys.stdout.encoding}")
    words += [name for name in ("CI", "NO_COLOR") if name in os.environ]
    utf8 = sys.stdout.encoding.lower().replace("-", "") == "utf8"
    return Finding("terminal", ", ".join(words), "" if utf8 else "set LANG to a UTF-8 locale")


def _check_home(home: Path) -> Finding:
    """Whether there can be tuning jobs: a lock and a file that takes another's place."""
    there = home if home.is_dir() else Path()
    found = f"{home.resolve()}, {_find_filesystem(there)}" + ("" if home.is_dir() else ", not yet")
    try:
        with tempfile.TemporaryDirectory(prefix=".doctor-", dir=there) as name:
            with hold_lock(JobDir(Path(name))):
                pass
            Path(name, "new").write_text("")
            Path(name, "new").replace(Path(name, "old"))
    except OSError as error:
        return Finding("home", found, f"files cannot be made or locked there: {error.strerror}")
    return Finding("home", found)


def _find_filesystem(path: Path) -> str:
    """The type of the file system that a path is on."""
    resolved = path.resolve()
    mounts = [
        (len(each.mountpoint), each.fstype)
        for each in psutil.disk_partitions(all=True)
        if resolved.is_relative_to(each.mountpoint)
    ]
    return max(mounts, default=(0, "unknown file system"))[1]


def _check_disk(home: Path) -> Finding:
    free = shutil.disk_usage(home if home.is_dir() else Path()).free
    problem = "the journal needs room to write" if free < LITTLE_BYTES else ""
    return Finding("disk", f"{format_bytes(free)} free", problem)


def _check_tuning_jobs(home: Path) -> Finding:
    from hpt_cli.errors import HptError
    from hpt_cli.storage.journal import open_journal

    jobdirs = list_job_dirs(home)
    damaged = []
    for jobdir in jobdirs:
        try:
            with open_journal(jobdir.journal) as journal:
                journal.creation()
        except HptError as error:
            damaged.append(f"{jobdir.name}: {error}")
    tuned = [each.name for each in jobdirs if find_lock_holder(each) is not None]
    found = f"{len(jobdirs)}, {len(tuned)} being tuned" + (f": {', '.join(tuned)}" if tuned else "")
    return Finding("tuning jobs", found, "; ".join(damaged))


def _check_leftovers(home: Path) -> Finding:
    """Processes of training jobs that no tuner looks after."""
    processes = [
        (process, Path(directory))
        for process, directory in _list_job_processes()
        if home.resolve() in Path(directory).parents
    ]
    lonely = [
        f"{process.pid} ({'-'.join(path.relative_to(home.resolve()).parts[:1])})"
        for process, path in processes
        if find_lock_holder(_find_jobdir(path, home)) is None
    ]
    found = f"{len(processes)} of training jobs"
    if not lonely:
        return Finding("processes", found)
    problem = f"no tuner looks after {', '.join(lonely)}: hpt resume, or hpt stop"
    return Finding("processes", found, problem)


def _list_job_processes() -> Iterator[tuple[psutil.Process, str]]:
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            directory = process.environ().get(MARK)
            if directory and process.status() != psutil.STATUS_ZOMBIE:
                yield process, directory


def _find_jobdir(path: Path, home: Path) -> JobDir:
    return JobDir(home / path.relative_to(home.resolve()).parts[0])


def _check_gpus() -> Finding:
    names = _ask(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"])
    used = "; ".join(describe_use(gpu.index, gpu) for gpu in read_gpus())
    found = f"{names}: {used}" if names and used else names or used
    return Finding("GPUs", found or "neither nvidia-smi nor rocm-smi")


def _check_slurm() -> Finding:
    return Finding("Slurm", _ask(["sbatch", "--version"]) or "no sbatch")


def _ask(command: list[str]) -> str:
    """What a tool prints, in one line; nothing if it is not there."""
    if shutil.which(command[0]) is None:
        return ""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TOOL_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{command[0]}: {error}"
    return "; ".join((done.stdout or done.stderr).split("\n")).strip("; ")

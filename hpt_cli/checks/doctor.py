"""What hpt depends on on this machine, and what is wrong with it."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import psutil

from hpt_cli import __version__
from hpt_cli.errors import HptError
from hpt_cli.formatting import count, format_bytes
from hpt_cli.machine.gpus import ask_tool, describe_use, read_gpus
from hpt_cli.storage.home import list_job_dirs
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.journal import open_journal
from hpt_cli.storage.lock import has_tuner, hold_lock

REQUIRED = ("typer", "pydantic", "rich", "numpy", "scipy", "scikit-optimize", "psutil", "PyYAML")
OPTIONAL = ("matplotlib",)
LEAST_FREE_BYTES = 500_000_000
"""Less free space than this is a problem."""
MARK = "HPT_JOB_DIR"
"""A variable that every process of a training job inherits."""


@dataclass(frozen=True)
class Finding:
    """One part of the machine, and what is wrong with it, if anything."""

    what: str
    found: str
    problem: str = ""


def diagnose(home: Path) -> list[Finding]:
    """Return every finding, in the order in which a person reads them."""
    return [
        Finding("hpt", f"{__version__}, {Path(__file__).parents[1]}"),
        Finding("Python", f"{platform.python_version()}, {sys.executable}"),
        Finding("system", f"{platform.platform()}, {count(os.cpu_count() or 1, 'core')}"),
        _check_packages(),
        _check_terminal(),
        _check_home(home),
        _check_disk(home),
        _check_tuning_jobs(home),
        _check_leftovers(home),
        _check_gpus(),
        Finding("Slurm", _ask("sbatch", "--version") or "no sbatch"),
    ]


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
    """Check what tuning jobs need: a lock, and replacing one file by another."""
    directory = home if home.is_dir() else Path()
    found = f"{home.resolve()}, {_find_filesystem(directory)}"
    found += "" if home.is_dir() else ", not created yet"
    try:
        with tempfile.TemporaryDirectory(prefix=".doctor-", dir=directory) as name:
            with hold_lock(JobDir(Path(name))):
                pass
            Path(name, "new").write_text("")
            Path(name, "new").replace(Path(name, "old"))
    except OSError as error:
        return Finding("home", found, f"files cannot be created or locked there: {error.strerror}")
    return Finding("home", found)


def _find_filesystem(path: Path) -> str:
    """Return the type of the file system that a path is on."""
    resolved = path.resolve()
    mounts = [
        (len(each.mountpoint), each.fstype)
        for each in psutil.disk_partitions(all=True)
        if resolved.is_relative_to(each.mountpoint)
    ]
    return max(mounts, default=(0, "unknown file system"))[1]


def _check_disk(home: Path) -> Finding:
    free = shutil.disk_usage(home if home.is_dir() else Path()).free
    problem = "the journal needs room to write" if free < LEAST_FREE_BYTES else ""
    return Finding("disk", f"{format_bytes(free)} free", problem)


def _check_tuning_jobs(home: Path) -> Finding:
    jobdirs = list_job_dirs(home)
    damaged = []
    for jobdir in jobdirs:
        try:
            with open_journal(jobdir.journal) as journal:
                journal.creation()
        except HptError as error:
            damaged.append(f"{jobdir.name}: {error}")
    tuned = [each.name for each in jobdirs if has_tuner(each)]
    found = f"{len(jobdirs)}, {len(tuned)} being tuned" + (f": {', '.join(tuned)}" if tuned else "")
    return Finding("tuning jobs", found, "; ".join(damaged))


def _check_leftovers(home: Path) -> Finding:
    """Look for processes of training jobs whose tuning job has no tuner."""
    resolved = home.resolve()
    processes = [
        (pid, JobDir(home / path.relative_to(resolved).parts[0]))
        for pid, path in _list_job_processes()
        if resolved in path.parents
    ]
    orphans = [f"{pid} ({jobdir.name})" for pid, jobdir in processes if not has_tuner(jobdir)]
    problem = f"no tuner is in charge of {', '.join(orphans)}: use hpt resume or hpt stop"
    return Finding("processes", f"{len(processes)} of training jobs", problem if orphans else "")


def _list_job_processes() -> Iterator[tuple[int, Path]]:
    """Yield (pid, directory of its training job) of each living process of a training job."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            directory = process.environ().get(MARK)
            if directory and process.status() != psutil.STATUS_ZOMBIE:
                yield process.pid, Path(directory)


def _check_gpus() -> Finding:
    gpus = read_gpus()
    models = "; ".join(filter(None, (gpu.model for gpu in gpus)))
    use = "; ".join(describe_use(gpu.index, gpu) for gpu in gpus)
    found = f"{models}: {use}" if models else use or _ask("nvidia-smi", "-L")
    return Finding("GPUs", found or "neither nvidia-smi nor rocm-smi")


def _ask(*command: str) -> str:
    """Return what a tool prints, in one line; nothing where it is not installed."""
    return "; ".join(ask_tool(*command).text.split("\n")).strip("; ")

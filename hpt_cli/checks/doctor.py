"""What hpt depends on on this machine, and what is wrong with it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import psutil

from hpt_cli import __version__
from hpt_cli.checks.leftovers import Kind, list_job_processes
from hpt_cli.errors import HptError
from hpt_cli.executors.processes import describe, may_signal
from hpt_cli.executors.suspension import is_suspended
from hpt_cli.formatting import count, format_bytes
from hpt_cli.machine.claims import find_owners, number_owner
from hpt_cli.machine.gpus import Gpu, ask_tool, describe_use, read_gpus
from hpt_cli.spec.resources import Resource, describe_resources
from hpt_cli.storage.home import list_job_dirs, name_command
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.journal import open_journal
from hpt_cli.storage.known_homes import list_homes
from hpt_cli.storage.lock import has_tuner, hold_lock

REQUIRED = ("typer", "pydantic", "rich", "numpy", "scipy", "scikit-optimize", "psutil", "PyYAML")
OPTIONAL = {"matplotlib": "only plots as pictures need it"}
LEAST_FREE_BYTES = 500_000_000
"""Less free space than this is a problem."""


@dataclass(frozen=True)
class Finding:
    """One part of the machine, and what is wrong with it, if anything."""

    what: str
    found: str
    problem: str = ""


UNKNOWN = "a tuning job that was moved or deleted"
OF_OTHERS = "only the user that they belong to, or root, can end them"


def diagnose(home: Path) -> list[Finding]:
    """Return every finding, in the order in which a person reads them."""
    gpus = read_gpus()
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
        _check_gpus(gpus),
        _check_claims(home, gpus),
        Finding("Slurm", _describe_slurm()),
    ]


def _check_packages() -> Finding:
    versions = {name: _find_version(name) for name in (*REQUIRED, *OPTIONAL)}
    missing = [name for name in REQUIRED if versions[name] is None]
    found = ", ".join(
        f"{name} {version or _describe_missing(name)}" for name, version in versions.items()
    )
    problem = f"pip install {' '.join(missing)}" if missing else ""
    return Finding("packages", found, problem)


def _describe_missing(name: str) -> str:
    return f"missing ({OPTIONAL[name]})" if name in OPTIONAL else "missing"


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
                journal.state(only_latest=True)
        except HptError as error:
            damaged.append(f"{jobdir.name}: {error}")
    tuned = [each.name for each in jobdirs if has_tuner(each)]
    found = f"{len(jobdirs)}, {len(tuned)} being tuned" + (f": {', '.join(tuned)}" if tuned else "")
    return Finding("tuning jobs", found, "; ".join(damaged))


def _check_leftovers(home: Path) -> Finding:
    """Look for processes of training jobs whose tuning job has no tuner."""
    processes = list_job_processes(home)
    said = [f"{len(processes)} of training jobs"]
    said += [f"left running (children: keep): {each}" for each in processes if each.kind == "kept"]
    problems = []
    for jobdir in {each.jobdir for each in processes}:
        mine = [each for each in processes if each.jobdir == jobdir]
        unwatched = [each.process for each in mine if each.kind in ("unwatched", "left")]
        if unwatched:
            foreign = not any(may_signal(each.process) for each in mine)
            advice = OF_OTHERS if foreign else _advise(jobdir, mine[0].kind)
            which = f"{', '.join(map(_describe, unwatched))} of {jobdir.name}"
            problems.append(f"no tuner is in charge of {which}: {advice}")
    return Finding("processes", "; ".join(said), "; ".join(problems))


def _describe(process: psutil.Process) -> str:
    paused = ", paused" if is_suspended(process.pid) else ""
    return f"{describe(process)}{paused}"


def _advise(jobdir: JobDir, kind: Kind) -> str:
    if not jobdir.journal.exists():
        return "'hpt doctor --end-leftovers' ends them"
    stop = f"'{name_command('stop', jobdir)}' ends them"
    return stop if kind == "left" else f"go on with '{name_command('resume', jobdir)}', or {stop}"


def _check_claims(home: Path, gpus: Sequence[Gpu]) -> Finding:
    """Tell which tuning jobs hold cores and GPUs of this machine."""
    jobdirs = [each for at in (home, *list_homes()) for each in list_job_dirs(at)]
    names = {number_owner(each.path): each.name for each in jobdirs}
    resources = [*range(os.cpu_count() or 1), *(gpu.index for gpu in gpus)]
    held: dict[str, list[Resource]] = {}
    for resource, owner in find_owners(resources, gpus).items():
        held.setdefault(names.get(owner, UNKNOWN), []).append(resource)
    said = [f"{describe_resources(each)}: {name}" for name, each in held.items()]
    return Finding("claims", "; ".join(said) or "no tuning job holds cores or GPUs")


def _check_gpus(gpus: Sequence[Gpu]) -> Finding:
    models = "; ".join(filter(None, (gpu.model for gpu in gpus)))
    use = "; ".join(describe_use(gpu.index, gpu) for gpu in gpus)
    found = f"{models}: {use}" if models else use or _ask("nvidia-smi", "-L")
    return Finding("GPUs", found or "neither nvidia-smi nor rocm-smi")


def _describe_slurm() -> str:
    """Return Slurm's version; the last line of what sbatch says where it finds no cluster."""
    answer = ask_tool("sbatch", "--version")
    last = answer.text.strip().rpartition("\n")[2]
    if not last:
        return "no sbatch"
    return last if answer.succeeded else f"sbatch finds no cluster ({last})"


def _ask(*command: str) -> str:
    """Return what a tool prints, in one line; nothing where it is not installed."""
    return "; ".join(ask_tool(*command).text.split("\n")).strip("; ")

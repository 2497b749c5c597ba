"""The files of one tuning job on disk, and the lock that says who tunes it.

<home>/<name>/journal.sqlite        the journal
<home>/<name>/spec.yaml             the spec as it was when the tuning job was made
<home>/<name>/source                the path of the file that it was copied from
<home>/<name>/lock                  held by the tuner; says who that is
<home>/<name>/notify.log            what the commands of `notify` printed
<home>/<name>/requests/             what other terminals ask the tuner to do
<home>/<name>/jobs/0007/a1/         the first attempt of job 7: output.log, exit, ...
<home>/<name>/jobs/0007/checkpoints the same for all attempts of job 7; model/ and output/ too
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpt_cli.errors import HptError, UsageError, did_you_mean
from hpt_cli.files import open_private, open_regular, read_regular
from hpt_cli.spec.names import find_name_fault

DEFAULT_HOME = ".hpt"
LAST = "@last"
PRIVATE = 0o700
NO_LOCK = (errno.ENOENT, errno.EISDIR, errno.ELOOP, errno.ENOTDIR)
"""Why what cannot be opened can be no lock that somebody holds."""
LOCK_PATIENCE_SECONDS = 1.0
"""A reader that looks at the lock holds it for a moment; a tuner waits that out."""


@dataclass(frozen=True)
class AttemptDir:
    """The files of one attempt of one training job."""

    path: Path

    @property
    def log(self) -> Path:
        """Everything the command printed."""
        return self.path / "output.log"


@dataclass(frozen=True)
class JobDir:
    """The directory of one tuning job."""

    path: Path

    @property
    def name(self) -> str:
        """The tuning job's name."""
        return self.path.name

    @property
    def journal(self) -> Path:
        """The SQLite file that holds everything that happened."""
        return self.path / "journal.sqlite"

    @property
    def spec(self) -> Path:
        """The spec as it was when the tuning job was made."""
        return self.path / "spec.yaml"

    @property
    def source(self) -> Path | None:
        """The file that the spec was copied from, if that is known and it is there."""
        try:
            with open_regular(self.path / "source") as file:
                path = Path(os.fsdecode(file.read()))
        except OSError:
            return None
        return path if path.is_file() else None

    def keep_spec(self, source: Path) -> None:
        """Copy the spec, and remember from where."""
        for path, data in (
            (self.spec, source.read_bytes()),
            (self.path / "source", os.fsencode(source.absolute())),
        ):
            with open(path, "wb", opener=open_private) as file:
                file.write(data)

    @property
    def created_at(self) -> float:
        """When it was made, in seconds since the epoch: the spec is written but once."""
        path = self.spec if self.spec.exists() else self.journal
        return path.stat().st_mtime

    def measure_size(self) -> int:
        """The bytes that all its files take, without the holes in them."""
        size, waiting = 0, [self.path]
        while waiting:
            with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(Path(entry.path))
                    else:
                        status = entry.stat(follow_symlinks=False)
                        size += min(status.st_size, 512 * status.st_blocks)
        return size

    def training_job(self, number: int) -> Path:
        """The directory of a training job."""
        return self.path / "jobs" / f"{number:04d}"

    def checkpoints(self, number: int) -> Path:
        """Where a training job keeps what its next attempt goes on from."""
        return self.training_job(number) / "checkpoints"

    def model(self, number: int) -> Path:
        """Where a training job that was written for SageMaker leaves its model."""
        return self.training_job(number) / "model"

    def output(self, number: int) -> Path:
        """Where it leaves what else is worth keeping."""
        return self.training_job(number) / "output"

    def output_data(self, number: int) -> Path:
        """The part of that for data."""
        return self.output(number) / "data"

    def make_training_job(self, number: int) -> None:
        """Make the directories that a training job may write to.

        Raises:
            OSError: they cannot be made.
        """
        for path in (self.checkpoints(number), self.model(number), self.output_data(number)):
            path.mkdir(parents=True, exist_ok=True)

    def attempt(self, number: int, attempt: int) -> AttemptDir:
        """The directory of one attempt."""
        return AttemptDir(self.training_job(number) / f"a{attempt}")

    @contextmanager
    def hold_lock(self) -> Iterator[None]:
        """Be the one tuner of this job.

        Raises:
            HptError: somebody else is, or the directory is another user's.
        """
        _check_owner(self.path)
        with open(self.path / "lock", "a+", opener=open_private) as file:
            deadline = time.monotonic() + LOCK_PATIENCE_SECONDS
            while not _try_lock(file.fileno(), fcntl.LOCK_EX):
                if time.monotonic() > deadline:
                    raise self._locked_error()
                time.sleep(0.05)
            file.truncate(0)
            json.dump({"pid": os.getpid(), "host": socket.gethostname()}, file)
            file.flush()
            yield

    def _locked_error(self) -> HptError:
        holder = self.find_holder() or {}
        who = f"process {holder.get('pid', '?')} on {holder.get('host', '?')}"
        return HptError.of(
            "locked",
            f"{self.name} is being tuned by {who}",
            f"watch it with 'hpt watch {self.name}', or end it with 'hpt stop {self.name}'",
        )

    def find_holder(self) -> dict[str, Any] | None:
        """Who tunes this job now; None if nobody does."""
        try:
            with open_regular(self.path / "lock") as file:
                if _try_lock(file.fileno(), fcntl.LOCK_SH):
                    return None
                holder = json.loads(file.read() or "{}")
        except OSError as error:
            return None if error.errno in NO_LOCK else {}
        except (ValueError, RecursionError):
            return {}
        return holder if isinstance(holder, dict) else {}

    def send_request(self, request: dict[str, Any]) -> None:
        """Ask the tuner to do something; it looks several times a second."""
        directory = self.path / "requests"
        _refuse_link(directory)
        directory.mkdir(mode=PRIVATE, exist_ok=True)
        name = f"{time.time_ns()}-{os.getpid()}"
        temporary = directory / f".{name}"
        temporary.write_text(json.dumps(request))
        temporary.rename(directory / f"{name}.json")

    def take_requests(self) -> list[dict[str, Any]]:
        """What has been asked since the last time, oldest first.

        Raises:
            HptError: what is asked would be looked for, and removed, somewhere else.
        """
        directory, taken = self.path / "requests", []
        _refuse_link(directory)
        for path in sorted(directory.glob("*.json")):
            try:
                taken.append(json.loads(read_regular(path)))
            except (FileNotFoundError, ValueError, RecursionError):
                continue
            finally:
                with contextlib.suppress(OSError):
                    path.unlink()
        return [request for request in taken if isinstance(request, dict)]


def _refuse_link(path: Path) -> None:
    if path.is_symlink():
        raise HptError.of(
            "home-link",
            f"{path} is a symbolic link: nothing is written or removed behind it",
            "remove the link, or choose another --name",
        )


def _check_owner(directory: Path) -> None:
    """Raise HptError if a directory is another user's, who could say what is to be run there.

    To root, who may be anybody in a container, all directories are as good as its own.
    """
    owner, user = directory.stat().st_uid, os.geteuid()
    if user not in (0, owner) and _find_own_id(directory) != owner:
        raise HptError.of(
            "home-foreign",
            f"{directory} belongs to another user, and says what would be run",
            "look at it with 'hpt show'; to go on with it, copy it into a home of your own",
        )


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def find_home(home: Path | None) -> Path:
    """Where tuning jobs live: the option, else HPT_HOME, else .hpt in the working directory."""
    return home or Path(os.environ.get("HPT_HOME") or DEFAULT_HOME)


def list_job_dirs(home: Path) -> list[JobDir]:
    """The tuning jobs of a home, by name."""
    if not home.is_dir():
        return []
    found = (JobDir(path) for path in sorted(home.iterdir()) if not find_name_fault(path.name))
    return [each for each in found if each.journal.is_file()]


def find_job_dir(home: Path, name: str) -> JobDir:
    """The tuning job of this name, or the only one whose name begins so; `@last`: the newest.

    Raises:
        UsageError: there is none, or more than one.
    """
    found = list_job_dirs(home)
    if name == LAST and found:
        return max(found, key=lambda each: each.created_at)
    names = [each.name for each in found]
    matches = [each for each in names if each == name] or [
        each for each in names if name and each.startswith(name)
    ]
    if len(matches) == 1:
        return JobDir(home / matches[0])
    if matches:
        raise UsageError.of(
            "name-ambiguous", f"'{name}' could be any of {', '.join(matches)}", "write more of it"
        )
    known = f"there are: {', '.join(names)}" if names else "there is none yet"
    raise UsageError.of(
        "name-unknown",
        f"no tuning job is named '{name}' in {home}; {known}",
        did_you_mean(name, names) or "look with 'hpt list', or set --home",
    )


def _find_own_id(directory: Path) -> int | None:
    """Whose a file is that this user makes there: a network file system may give it to another."""
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            return os.fstat(file.fileno()).st_uid
    except OSError:
        return None


def make_job_dir(home: Path, name: str) -> JobDir:
    """An empty directory for a new tuning job, private to its user.

    Raises:
        HptError: the home cannot be written, or what is there is not this user's.
    """
    directory = home / name
    try:
        home.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        for path in (directory, directory / "requests", directory / "jobs"):
            _refuse_link(path)
            path.mkdir(mode=PRIVATE, exist_ok=True)
            _check_owner(path)
            with contextlib.suppress(OSError):  # not every file system has modes
                path.chmod(PRIVATE)
    except OSError as error:
        raise HptError.of(
            "home-write",
            f"{directory} cannot be made: {error.strerror}",
            "choose another place with --home DIR or HPT_HOME",
        ) from error
    return JobDir(directory)

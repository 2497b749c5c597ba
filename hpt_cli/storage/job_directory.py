"""The paths of one tuning job's files.

<home>/<name>/journal.sqlite        the journal
<home>/<name>/spec.yaml             the spec as it was when the tuning job was made
<home>/<name>/source                the path of the file that it was copied from, from here if both
                                    were in the working directory
<home>/<name>/lock                  held by the tuner; says who that is
<home>/<name>/heartbeat             when the tuner was last alive
<home>/<name>/tuner.log             the tuner's own messages; tuner.log.1: earlier ones
<home>/<name>/notify.log            what the commands of `notify` printed
<home>/<name>/requests/             what other terminals ask the tuner to do
<home>/<name>/jobs/0007/a1/         the first attempt of job 7: output.log, exit, ...
<home>/<name>/jobs/0007/checkpoints the same for all attempts of job 7; model/ and output/ too
<home>/<name>/jobs/0007/config_files/  what `config_files` asks for, the same for all attempts
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from hpt_cli.files import open_private, open_regular

PRIVATE = 0o700


@dataclass(frozen=True)
class AttemptDir:
    """The files of one attempt of one training job."""

    path: Path

    @property
    def log(self) -> Path:
        """Everything the command printed."""
        return self.path / "output.log"


def measure_size(directory: Path) -> int:
    """Return how many bytes the files in a directory take on disk; holes in them take none."""
    size, waiting = 0, [directory]
    while waiting:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
                else:
                    status = entry.stat(follow_symlinks=False)
                    size += min(status.st_size, 512 * status.st_blocks)
    return size


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
    def heartbeat(self) -> Path:
        """The file in which the tuner says, once a second, that it lives."""
        return self.path / "heartbeat"

    @property
    def spec(self) -> Path:
        """The spec as it was when the tuning job was made."""
        return self.path / "spec.yaml"

    @property
    def tuner_log(self) -> Path:
        """The tuner's own messages, from all its sessions."""
        return self.path / "tuner.log"

    @property
    def origin(self) -> Path | None:
        """The path that the spec was copied from, if that is known, whether it is there or not."""
        try:
            with open_regular(self.path / "source") as file:
                origin = os.fsdecode(file.read())
        except OSError:
            return None
        return Path(os.path.normpath(self.path.absolute() / origin))

    @property
    def source(self) -> Path | None:
        """The file that the spec was copied from, if that is known and it is there."""
        origin = self.origin
        return origin if origin is not None and os.path.isfile(origin) else None

    def keep_spec(self, source: Path) -> None:
        """Copy the spec, and remember from where: from here, where a project holds both."""
        here, origin = self.path.resolve(), Path(os.path.abspath(source))
        if here.is_relative_to(Path.cwd()) and origin.is_relative_to(Path.cwd()):
            origin = Path(os.path.relpath(origin, here))
        _write(self.spec, source.read_bytes())
        _write(self.path / "source", os.fsencode(origin))

    def put_spec(self, text: str) -> None:
        """Write the spec of a tuning job that was made from no file."""
        _write(self.spec, text.encode())

    def beside(self, name: str) -> JobDir:
        """Return the directory of another tuning job in the same home."""
        return JobDir(self.path.parent / name)

    @property
    def created_at(self) -> float:
        """When it was made, in seconds since the epoch: the spec is written but once.

        0 where that cannot be seen.
        """
        for path in (self.spec, self.journal):
            with contextlib.suppress(OSError):
                return path.stat().st_mtime
        return 0.0

    def measure_size(self) -> int:
        """Return how many bytes its files take on disk; holes in them take none."""
        return measure_size(self.path)

    def training_job(self, number: int) -> Path:
        """Return the directory of a training job."""
        return self.path / "jobs" / f"{number:04d}"

    def checkpoints(self, number: int) -> Path:
        """Return the directory for checkpoints, which all attempts of a training job share."""
        return self.training_job(number) / "checkpoints"

    def model(self, number: int) -> Path:
        """Return the directory for the model of a program that was written for SageMaker."""
        return self.training_job(number) / "model"

    def output(self, number: int) -> Path:
        """Return the directory for its other output."""
        return self.training_job(number) / "output"

    def output_data(self, number: int) -> Path:
        """Return the directory for its output data, within `output`."""
        return self.output(number) / "data"

    def config_files(self, number: int) -> Path:
        """Return the directory for the config files of a training job."""
        return self.training_job(number) / "config_files"

    def make_training_job(self, number: int) -> None:
        """Make the directories that a training job may write to.

        Raises:
            OSError: they cannot be made.
        """
        for path in (self.checkpoints(number), self.model(number), self.output_data(number)):
            path.mkdir(parents=True, exist_ok=True)

    def attempt(self, number: int, attempt: int) -> AttemptDir:
        """Return the directory of one attempt."""
        return AttemptDir(self.training_job(number) / f"a{attempt}")


def _write(path: Path, data: bytes) -> None:
    with open(path, "wb", opener=open_private) as file:
        file.write(data)

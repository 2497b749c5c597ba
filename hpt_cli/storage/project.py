"""The project of a tuning job: the directory in which it was started, where relative paths begin.

The project may be moved, or copied, with the home in it. Where the home is now tells where the
project is, as their places to each other stay the same; the file of the spec confirms it.
"""

from __future__ import annotations

import os
from pathlib import Path

from hpt_cli.storage.home import DEFAULT_HOME
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.tuning.state import TuningState

HOME_DEPTH = 4
"""How many directories up from an attempt's the home is."""


def find_project(jobdir: JobDir, state: TuningState) -> Path:
    """Return where the project of a tuning job is now: where it was, as far as is known.

    Args:
        state: as the journal has it, with the directory in which the tuning job was started.
    """
    began = Path(state.directory)
    followed = _follow_home(jobdir, state, began)
    if os.path.isdir(began):
        is_copy = followed is not None and _has_spec(jobdir, began, followed)
        return followed if followed is not None and is_copy else began
    # Where the home was elsewhere, the user may be where the project is.
    if followed is None and _has_spec(jobdir, began, Path()):
        return Path.cwd()
    return followed or began


def _follow_home(jobdir: JobDir, state: TuningState, began: Path) -> Path | None:
    """Return the directory to which the home is now as it was to the project.

    None where that is the project itself, or where the home was elsewhere.
    """
    path = jobdir.path.absolute()
    home = _find_first_home(state)
    if home is None:
        depth = 1 if path.parent.name == DEFAULT_HOME else None
    else:
        depth = len(home.relative_to(began).parts) if home.is_relative_to(began) else None
    if depth is None or depth >= len(path.parents):
        return None
    followed = path.parents[depth]
    # However it is reached: by links, or by another mount.
    is_same = os.path.isdir(began) and os.path.samefile(followed, began)
    return None if is_same else followed


def _find_first_home(state: TuningState) -> Path | None:
    """Return where the home was when the first attempt was launched, if one was."""
    for job in state.jobs.values():
        for attempt in job.attempts:
            directory = (attempt.handle or {}).get("directory")
            if isinstance(directory, str) and len(Path(directory).parents) >= HOME_DEPTH:
                return Path(directory).parents[HOME_DEPTH - 1]
    return None


def _has_spec(jobdir: JobDir, began: Path, directory: Path) -> bool:
    """Return whether the file of the spec is in a directory, where it was in the project."""
    origin = jobdir.origin
    if origin is None:
        return False
    if origin.is_relative_to(began):  # as earlier versions recorded it
        return os.path.isfile(directory / origin.relative_to(began))
    return os.path.isfile(origin) and origin.is_relative_to(directory.absolute())

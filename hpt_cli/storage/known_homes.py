"""The homes in which this user has started tuning jobs, for `hpt list --all-homes`.

A file of directories, one a line, under XDG_STATE_HOME. It is only a convenience: where it
cannot be written nothing else suffers.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from hpt_cli.files import find_state_directory, open_private, open_regular


def find_record() -> Path:
    """Return the path of the file that lists homes."""
    return find_state_directory() / "homes"


def remember_home(home: Path) -> None:
    """Add a home to the list, unless it is there."""
    with contextlib.suppress(OSError, RuntimeError):
        resolved = home.resolve()
        line = os.fsencode(resolved)
        if b"\n" not in line and resolved not in list_homes():
            record = find_record()
            record.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(record, "ab", opener=open_private) as file:
                file.write(line + b"\n")


def list_homes() -> list[Path]:
    """Return the homes on the list that still exist, oldest first."""
    try:
        with open_regular(find_record()) as file:
            lines = file.read().split(b"\n")
    except (OSError, RuntimeError):
        return []
    paths = (Path(os.fsdecode(line)) for line in dict.fromkeys(filter(None, lines)))
    return [path for path in paths if path.is_dir()]

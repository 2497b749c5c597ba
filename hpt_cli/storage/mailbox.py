"""What other terminals ask the tuner at work to do: files in its directory `requests`."""

from __future__ import annotations

import contextlib
import json
import os
import time
from typing import Any

from hpt_cli.files import read_regular
from hpt_cli.storage.job_directory import PRIVATE, JobDir
from hpt_cli.storage.ownership import refuse_link


def send_request(jobdir: JobDir, request: dict[str, Any]) -> None:
    """Ask the tuner to do something; it looks several times a second."""
    directory = jobdir.path / "requests"
    refuse_link(directory)
    directory.mkdir(mode=PRIVATE, exist_ok=True)
    name = f"{time.time_ns()}-{os.getpid()}"
    temporary = directory / f".{name}"
    temporary.write_text(json.dumps(request))
    temporary.rename(directory / f"{name}.json")


def pop_requests(jobdir: JobDir) -> list[dict[str, Any]]:
    """What has been asked since the last time, oldest first.

    Raises:
        HptError: what is asked would be looked for, and removed, somewhere else.
    """
    directory, taken = jobdir.path / "requests", []
    refuse_link(directory)
    for path in sorted(directory.glob("*.json")):
        try:
            taken.append(json.loads(read_regular(path)))
        except (FileNotFoundError, ValueError, RecursionError):
            continue
        finally:
            with contextlib.suppress(OSError):
                path.unlink()
    return [request for request in taken if isinstance(request, dict)]

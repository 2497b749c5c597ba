"""Requests of other terminals to the tuner at work: files in its directory `requests`."""

from __future__ import annotations

import contextlib
import json
import os
import time
from typing import Any

from hpt_cli.files import move_over, read_regular
from hpt_cli.storage.job_directory import PRIVATE, JobDir
from hpt_cli.storage.ownership import refuse_link


def send_request(jobdir: JobDir, request: dict[str, Any]) -> None:
    """Write a request to the tuner, which looks for new ones several times a second."""
    directory = jobdir.path / "requests"
    refuse_link(directory)
    directory.mkdir(mode=PRIVATE, exist_ok=True)
    name = f"{time.time_ns()}-{os.getpid()}"
    temporary = directory / f".{name}"
    temporary.write_text(json.dumps(request))
    move_over(temporary, directory / f"{name}.json")


def pop_requests(jobdir: JobDir) -> list[dict[str, Any]]:
    """Return and remove the requests that have come since the last call, oldest first.

    Raises:
        HptError: what is asked would be looked for, and removed, somewhere else.
    """
    directory, taken = jobdir.path / "requests", []
    refuse_link(directory)
    for path in sorted(directory.glob("*.json")):
        if path.is_file() and not path.stat().st_size:
            continue  # it is being written
        try:
            taken.append(json.loads(read_regular(path)))
        except (FileNotFoundError, ValueError, RecursionError):
            continue
        finally:
            with contextlib.suppress(OSError):
                path.unlink()
    return [request for request in taken if isinstance(request, dict)]

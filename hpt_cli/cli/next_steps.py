"""Commands to type next, as they are to be typed."""

from __future__ import annotations

import shlex
from pathlib import Path

from hpt_cli.storage.home import DEFAULT_HOME
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.tuning.failures.success import propose_codes
from hpt_cli.tuning.state import TuningState


def name_command(command: str, jobdir: JobDir, *arguments: str) -> str:
    """Return a command on a tuning job, as it is to be typed."""
    home = jobdir.path.parent
    option = [] if home == Path(DEFAULT_HOME) else ["--home", str(home)]
    return shlex.join(["hpt", command, jobdir.name, *arguments, *option])


def advise_success(jobdir: JobDir, state: TuningState) -> str:
    """Return how jobs count that failed with values, in case they had come to their end.

    Empty where none did.
    """
    codes = ",".join(map(str, propose_codes(state)))
    if not codes:
        return ""
    field = name_command("update", jobdir, "--set", f"success.exit_codes=[{codes}]")
    again = name_command("resume", jobdir, "--retry-failed")
    return f"if they fail only after training has ended: {field}, then {again}"

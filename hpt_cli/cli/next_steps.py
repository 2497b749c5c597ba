"""Commands to type next, as they are to be typed."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpt_cli.storage.home import name_command, name_home
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.lock import has_tuner
from hpt_cli.tuning.failures.success import propose_codes
from hpt_cli.tuning.state import TuningState

if TYPE_CHECKING:  # it imports numpy
    from hpt_cli.analysis.advice import Advice

NEXT = "next.yaml"
"""The spec that `hpt advise` writes."""


def name_run(spec: Path, beside: JobDir) -> str:
    """Return the command that runs a spec in the home of a tuning job."""
    return shlex.join(["hpt", "run", str(spec), *name_home(beside)])


def name_advised(advice: Advice, jobdir: JobDir) -> str:
    """Return a line to paste that does what is advised."""
    from hpt_cli.spec.model import CHANGEABLE

    if advice.slug in ("stop", "confirmation"):
        return name_command("best", jobdir)
    if advice.slug == "noise":
        steps = [name_command("wait", jobdir)] if has_tuner(jobdir) else []
        return " && ".join([*steps, name_command("confirm", jobdir)])
    if not all(path.split(".")[0] in CHANGEABLE for path in advice.changes):
        run = name_run(Path(NEXT), jobdir)
        return f"{name_command('advise', jobdir, '--write', NEXT)} && {run}"
    changes = {**advice.changes, "max_jobs": advice.max_jobs}
    settings = [f"{path}={_write_value(value)}" for path, value in changes.items()]
    options = [word for each in settings for word in ("--set", each)]
    update, resume = name_command("update", jobdir, *options), name_command("resume", jobdir)
    return f"{update} && {resume}"


def _write_value(value: Any) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)


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

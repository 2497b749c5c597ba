"""What must hold before a run: directory, program, scripts, environment variables, resources."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hpt_cli.errors import Problem, UsageError

if TYPE_CHECKING:
    from hpt_cli.executors import LaunchRequest
    from hpt_cli.machine.capacity import Survey
    from hpt_cli.spec.model import TuningSpec
    from hpt_cli.spec.resources import Request, ResourceShortage


SCRIPTS = (".py", ".sh", ".R", ".jl", ".lua", ".pl")


def check_working_directory(spec: TuningSpec, directory: Path) -> None:
    """Raise UsageError if the command's working directory is not there."""
    path = Path(directory, spec.working_directory)
    if not path.is_dir():
        raise UsageError.of("working-directory", f"working_directory {path} is not a directory")


def find_missing_files(spec: TuningSpec, request: LaunchRequest) -> Iterator[Problem]:
    """A program that is not found, and scripts that are not there; a shell finds its own."""
    if spec.shell:
        return
    program = request.argv[0]
    path = request.environment.get("PATH")
    local = request.working_directory / program
    if shutil.which(program, path=path) is None and not (
        os.sep in program and os.access(local, os.X_OK)
    ):
        message = f"there is no program '{program}' on the PATH"
        yield Problem("doubt-program", message, "write its whole path, or mend the PATH")
    for word in request.argv[1:]:
        if word.endswith(SCRIPTS) and not (request.working_directory / word).exists():
            message = f"there is no file {word} in {request.working_directory}"
            hint = "working_directory in the spec says where the command runs"
            yield Problem("doubt-file", message, hint)


def list_shortages(request: Request, gpus: Sequence[str] | None) -> Sequence[ResourceShortage]:
    """What training jobs ask for and this machine does not have."""
    from hpt_cli.machine.capacity import survey

    return survey(request, gpus, os.environ).shortages


def survey_machine(spec: TuningSpec) -> Survey | None:
    """What this machine has of what training jobs ask for; None where it is not asked for any.

    Raises:
        UsageError: it has too little for a single one.
    """
    from hpt_cli.machine.capacity import survey
    from hpt_cli.spec.yaml_reader import describe_shortage

    request = spec.request
    if request is None or spec.executor != "local":
        return None
    found = survey(request, spec.gpus, os.environ)
    if found.shortages:
        raise UsageError(*map(describe_shortage, found.shortages))
    return found


def check_variables(spec: TuningSpec) -> None:
    """Raise UsageError if variables that the environment of the jobs refers to are not set."""
    from hpt_cli.spec.env_references import find_references
    from hpt_cli.spec.yaml_reader import describe_unset

    unset = [
        describe_unset(name, variable, os.environ)
        for name, value in spec.environment.items()
        for variable in find_references(value)
        if variable not in os.environ
    ]
    if unset:
        raise UsageError(*unset)

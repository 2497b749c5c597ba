"""What must hold before a run: a right spec, variables, resources, a directory, parents, files.

`run` and `check` look at all of it; `resume` and `init` at what can have changed, or be wrong.
"""

from __future__ import annotations

import os
import shlex
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hpt_cli.checks.preview import list_first_points, measure_share
from hpt_cli.errors import Problem, UsageError, did_you_mean
from hpt_cli.executors import LaunchRequest
from hpt_cli.machine.capacity import Capacity, measure_capacity
from hpt_cli.runtime.environment import JobContext, make_launch_request
from hpt_cli.spec.command_template import SCRIPTS
from hpt_cli.spec.cross_field.conflict import Conflict, mapping
from hpt_cli.spec.env_references import find_references, is_variable_name
from hpt_cli.spec.model import TuningSpec
from hpt_cli.spec.parts import Resources, make_request
from hpt_cli.spec.points import complete_point
from hpt_cli.spec.resources import ResourceShortage
from hpt_cli.spec.shell_quoting import find_shell_syntax
from hpt_cli.spec.yaml.reader import RawSpec
from hpt_cli.storage.home import find_anywhere, list_job_dirs, name_command
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.journal import open_journal
from hpt_cli.storage.spec_file import read_templates
from hpt_cli.tuning.events import WarmStarted
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.warm_start import Candidate, find_mismatches, has_ended, inherit

WHERE_IT_RUNS = "working_directory in the spec says where the command runs"


@dataclass(frozen=True)
class Findings:
    """A spec that can run here, and what was found out about that."""

    spec: TuningSpec
    capacity: Capacity | None
    """What this machine has of what training jobs ask for; None where they ask for nothing."""
    inherited: tuple[WarmStarted, ...] = ()
    """What the parents of a warm start bring."""
    warnings: tuple[Problem, ...] = ()
    """Why every training job will fail, as far as that shows at once."""


def check_before_run(
    raw: RawSpec,
    environment: Mapping[str, str],
    directory: Path,
    home: Path | None = None,
    *,
    needs_parents: bool = True,
) -> Findings:
    """Return what a run needs to know, once nothing speaks against it.

    Args:
        environment: the tuner's own.
        directory: where relative paths in the spec begin.
        home: where the tuning job and the parents of a warm start are; None for one that has begun,
            which has inherited from them and been warned already.
        needs_parents: whether the parents must have ended; else a warning says that they have not.

    Raises:
        UsageError: with everything that is wrong in the spec, or that is missing here.
        HptError: the journal of a parent cannot be read.
    """
    capacity = measure_for(raw.fields, environment)
    raw = read_templates(raw, directory)
    spec = raw.validate(
        *find_unset_variables(raw.fields, environment),
        *(_describe_shortage(each) for each in (capacity.shortages if capacity else ())),
    )
    path = Path(directory, spec.working_directory)
    if not path.is_dir():
        message = f"working_directory {path} is not a directory"
        hint = _advise_where(spec) if home is None else ""
        where = ("working_directory",)
        raise UsageError(raw.locate(Conflict(where, "working-directory", message, hint)))
    if home is None:
        return Findings(spec, capacity)
    if _has_no_point(spec):
        message = "no point of the search space was found that meets the constraints"
        hint = "loosen them, or move the ranges to where they hold"
        where = ("constraints",)
        raise UsageError(raw.locate(Conflict(where, "constraint-all", message, hint)))
    inherited, missing = _inherit(raw, spec, home)
    if missing and needs_parents:
        raise UsageError(*missing)
    first = complete_point(spec.hyperparameter_ranges, {})
    job = JobContext(spec, JobDir(home / spec.name), environment, str(directory), 1, 1, first)
    request = make_launch_request(job)
    beside = Path(raw.sources.file).parent
    doubts = () if spec.shell else (*_doubt_syntax(spec), *_find_missing_files(request, beside))
    return Findings(spec, capacity, inherited, (*map(_doubt_parent, missing), *doubts))


def _has_no_point(spec: TuningSpec) -> bool:
    """Return whether the constraints leave nothing to try, as far as many points can show."""
    if not spec.constraints or measure_share(spec):
        return False
    return not list_first_points(spec, TuningState(), 1)


def _advise_where(spec: TuningSpec) -> str:
    """Return how a tuning job that has begun gets its working directory back."""
    if Path(spec.working_directory).is_absolute():
        return "make it again, or a link there to where it is now"
    return "if the project was moved, resume where it is now"


def measure_for(fields: Mapping[str, Any], environment: Mapping[str, str]) -> Capacity | None:
    """Return what this machine has of what each training job needs; None where that is nothing.

    Args:
        fields: of a spec, which may have mistakes.
    """
    asked, listed = fields.get("resources"), fields.get("gpus")
    try:
        resources = None if asked is None else Resources.model_validate(asked)
    except ValidationError:  # one of the spec's mistakes
        return None
    gpus = [str(each) for each in listed] if isinstance(listed, list) else None
    request = make_request(resources, gpus)
    if request is None or fields.get("executor", "local") != "local":
        return None
    return measure_capacity(request, gpus, environment)


def _describe_shortage(shortage: ResourceShortage) -> Conflict:
    field = ".".join(each for each in shortage.location if isinstance(each, str))
    hint = "if nvidia-smi does not find them: gpus: [0, 1]" if field == "resources.gpus" else ""
    message = f"{field}: {shortage.message}"
    return Conflict(shortage.location, "resources-missing", message, hint)


def find_unset_variables(
    fields: Mapping[str, Any], variables: Mapping[str, str]
) -> Iterator[Conflict]:
    """Yield each reference in a spec's `environment` to a variable that is not set."""
    for name, value in mapping(fields, "environment").items():
        for variable in find_references(str(value)):
            if is_variable_name(variable) and variable not in variables:
                yield Conflict(
                    ("environment", name),
                    "variable-unset",
                    f"environment.{name}: the variable {variable} is not set",
                    did_you_mean(variable, variables)
                    or f"export {variable}=... before you start hpt",
                )


def _inherit(
    raw: RawSpec, spec: TuningSpec, home: Path
) -> tuple[tuple[WarmStarted, ...], list[Problem]]:
    """Return what the parents of a warm start bring, and why some bring nothing yet.

    Raises:
        UsageError: some can never be its parents.
    """
    parents, missing = list[Candidate](), list[Problem]()
    for index, each in enumerate(spec.warm_start.list_parents() if spec.warm_start else ()):
        try:
            with open_journal(find_anywhere(home, each.name).journal) as journal:
                parents.append(Candidate(each.name, journal.state(), each.assume))
        except UsageError as error:
            if error.problems[0].slug != "name-unknown":
                raise
            missing.append(raw.locate(_describe_missing(index, each.name, home)))
    problems = [problem for parent in parents for problem in find_mismatches(spec, parent)]
    if problems:
        raise UsageError(*missing, *problems)
    running = [_describe_running(each, home) for each in parents if not has_ended(each)]
    inherited = (inherit(spec, each, time.time()) for each in parents if has_ended(each))
    return tuple(inherited), [*missing, *running]


def _describe_missing(index: int, name: str, home: Path) -> Conflict:
    if os.sep in name:
        message, hint = f"warm_start: there is no tuning job in {name}", "tune it first"
    else:
        message = f"warm_start: no tuning job is named '{name}' in {home}"
        close = did_you_mean(name, [each.name for each in list_job_dirs(home)])
        hint = close or f"tune it first, or name it by its directory: DIR/.hpt/{name}"
    return Conflict(("warm_start", "parents", index), "name-unknown", message, hint)


def _describe_running(parent: Candidate, home: Path) -> Problem:
    jobdir = find_anywhere(home, parent.name)
    return Problem(
        "parent-running",
        f"the parent {parent.name} has not ended: it is {parent.state.status}",
        f"wait for it: {name_command('wait', jobdir)}; or end it: {name_command('stop', jobdir)}",
    )


def _doubt_parent(problem: Problem) -> Problem:
    """Return as a warning why a parent brings nothing yet."""
    return replace(
        problem, slug="doubt-parent", message=f"{problem.message}; 'hpt run' refuses that"
    )


def _doubt_syntax(spec: TuningSpec) -> Iterator[Problem]:
    """Yield that the command needs a shell, where it seems to."""
    if found := find_shell_syntax(spec.command):
        message = f"the command has {' '.join(found)}, and no shell reads it"
        yield Problem("doubt-shell", message, "add shell: true; or write command: sh -c '...'")


def _find_missing_files(request: LaunchRequest, beside: Path) -> Iterator[Problem]:
    """Yield the program where it is not found, and the scripts that are not there.

    Args:
        beside: the directory of the spec, where they may be meant to be.
    """
    yield from _doubt_program(request, beside)
    for word in request.argv[1:]:
        path = request.working_directory / word
        if word.endswith(SCRIPTS) and path not in request.files and not path.exists():
            message = f"there is no file {word} in {request.working_directory}"
            hint = _find_beside(request, word, beside) or WHERE_IT_RUNS
            yield Problem("doubt-file", message, hint)


def _doubt_program(request: LaunchRequest, beside: Path) -> Iterator[Problem]:
    """Yield why the program cannot be started: it is not there, or not executable."""
    program = request.argv[0]
    local = request.working_directory / program
    if os.sep not in program:
        if shutil.which(program, path=request.environment.get("PATH")) is None:
            hint = _find_beside(request, program, beside)
            hint = hint or "write its full path, or fix the PATH"
            if local.is_file():
                hint = f"one in {request.working_directory} is named ./{program}"
            yield Problem("doubt-program", f"there is no program '{program}' on the PATH", hint)
    elif not local.is_file():
        message = f"there is no program {program}"
        hint = _find_beside(request, program, beside) or WHERE_IT_RUNS
        yield Problem("doubt-program", message, hint)
    elif not os.access(local, os.X_OK):
        message = f"{program} is not executable"
        yield Problem("doubt-program", message, f"chmod +x {shlex.quote(str(local))}")


def _find_beside(request: LaunchRequest, word: str, beside: Path) -> str:
    """Return how a command finds a file that it names; "" where it is not beside the spec."""
    here = request.working_directory
    if not (beside / word).is_file() or beside.resolve() == here.resolve():
        return ""
    place = os.path.relpath(beside, here)
    dot = f", and write ./{word}" if os.sep not in word and word == request.argv[0] else ""
    return f"it is in {place}: cd there, or set working_directory: {place}{dot}"

"""Warnings of what looks wrong while a tuning job runs, with how to mend it.

No value of the objective, output that is held back until the end, jobs that are all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from hpt_cli.errors import Problem
from hpt_cli.formatting import count, format_bytes, format_seconds
from hpt_cli.metrics.curve import Curve
from hpt_cli.metrics.detection import detect_metrics, nearest_lines, write_definition
from hpt_cli.metrics.detection.vocabulary import find_data_set, guess_direction, is_quality
from hpt_cli.metrics.lint import ignore_case, lint_after, lint_definitions
from hpt_cli.spec.model import TuningSpec
from hpt_cli.spec.names import job_name
from hpt_cli.spec.resources import Resource, describe_resources
from hpt_cli.tuning.events import Warned
from hpt_cli.tuning.state import TuningState

PATIENCE_LINES = 200
PATIENCE_SECONDS = 60.0
"""After so many lines, or so long, a job should have printed a value of the objective."""
MAX_DEFINITIONS = 3

HELD_BACK_VALUES = 3
HELD_BACK_SECONDS = 2.0
"""Output is judged for being held back from so many values and seconds of a job on."""
END_SECONDS, END_SHARE = 0.2, 0.02
"""The end of a job: its last so many seconds, and this share of it before them."""

SAME_CURVES = 3
SAME_VALUES = 5
"""So many jobs with the same curve are worth a warning; of single values, so many."""

MAX_FILES = 3
OWN_FILES = (
    "each job has directories of its own: HPT_JOB_DIR, and HPT_CHECKPOINT_DIR for checkpoints"
)
FLUSH = (
    "flush after each line, or write 'stdbuf -oL' before the command, or set pty: true in the spec"
)


def warn_of_no_objective(
    spec: TuningSpec, number: int, lines: Sequence[str], seconds: float | None, now: float
) -> Warned:
    """Return the warning that a job shows no value of the objective.

    Args:
        lines: what it has printed, as a person would see it.
        seconds: how long it has run; None if it has ended.
    """
    name, metric = job_name(spec.name, number), spec.objective_metric_name
    file = find_file(spec)
    if file is not None and lines:
        return _warn_of_no_match(spec, name, file, lines, now)
    if file is not None:
        return Warned(
            at=now,
            slug="no-objective",
            message=f"{name} has no value of {metric} in {file}",
            hint=f"does the program write {file} into the directory that HPT_JOB_DIR names?",
        )
    after = "it has ended" if seconds is None else f"it has run for {seconds:.0f} s"
    printed = f"{count(len(lines), 'line')} but" if lines else "nothing, so there is"
    definitions = propose_for(spec, lines)
    hint = "ignore this if the first value normally takes longer"
    if seconds is None:
        hint = "look at what it printed with 'hpt logs', and at metric_definitions in the spec"
    if not lines and seconds is not None:
        hint = f"if it should have printed something by now, its output is buffered: {FLUSH}"
    return Warned(
        at=now,
        slug="no-objective",
        message=f"{name} has printed {printed} no value of {metric}; {after}",
        hint=_explain_no_match(spec, lines, definitions, hint),
        lines=tuple(nearest_lines(list(lines), metric)) or tuple(lines[-2:]),
        definitions=definitions,
    )


def _warn_of_no_match(
    spec: TuningSpec, name: str, file: str, lines: Sequence[str], now: float
) -> Warned:
    """Return the warning that nothing in a file is a value of the objective."""
    metric = spec.objective_metric_name
    definitions = propose_for(spec, lines)
    hint = "its definition in metric_definitions fits none of these lines"
    return Warned(
        at=now,
        slug="no-objective",
        message=(
            f"{name} has no value of {metric} in {file}, of which {count(len(lines), 'line')}"
            " have been read"
        ),
        hint=_explain_no_match(spec, lines, definitions, hint),
        lines=tuple(nearest_lines(list(lines), metric)) or tuple(lines[:2]),
        definitions=definitions,
    )


def find_file(spec: TuningSpec) -> str | None:
    """Return the file that the objective is read from; None if it is the output."""
    objective = spec.objective_metric_name
    return next(each.file for each in spec.metric_definitions if each.name == objective)


def propose_for(spec: TuningSpec, lines: Sequence[str]) -> tuple[str, ...]:
    """Return definitions of the objective that find something in a log, ready to paste.

    Where the case of letters is all that is wrong with the regex, that is its own definition.
    """
    if wider := _ignore_case(spec, lines):
        return wider
    proposals = detect_metrics(lines)
    same = [each for each in proposals if each.objective_type == spec.objective_type]
    file = find_file(spec)
    source = {"file": file} if file is not None else {}
    named = []
    for each in (same or proposals)[:MAX_DEFINITIONS]:
        metric = {"metric": each.name} if "preset" in each.definition else {}
        own = {**metric, **each.definition, "name": spec.objective_metric_name}
        named.append(own | source)
    return tuple(map(write_definition, named))


def _explain_no_match(
    spec: TuningSpec, lines: Sequence[str], definitions: Sequence[str], otherwise: str
) -> str:
    """Return why the objective is not found, and what would find it; or else `otherwise`."""
    causes: list[str] = []
    with suppress(TimeoutError):
        causes += (problem.message for problem in lint_after(_find_definition(spec), lines))
    return "; ".join([*causes, _describe_proposals(definitions) if definitions else otherwise])


def _describe_proposals(definitions: Sequence[str]) -> str:
    if "(?i)" in definitions[0]:
        return "its regex would match if upper and lower case were the same to it, as here:"
    return "these metric_definitions would find something:"


def _ignore_case(spec: TuningSpec, lines: Sequence[str]) -> tuple[str, ...]:
    """Return the objective's definition for letters of any case, ready to paste, if that helps."""
    with suppress(TimeoutError):
        if wider := ignore_case(_find_definition(spec), lines):
            return (write_definition(wider),)
    return ()


def _find_definition(spec: TuningSpec) -> Mapping[str, Any]:
    """Return the objective's definition, with the fields that were given."""
    objective = spec.objective_metric_name
    return next(each for each in spec.list_definitions() if each["name"] == objective)


def warn_of_misreadings(spec: TuningSpec, number: int, log: bytes, now: float) -> list[Warned]:
    """Return the warnings that values are read wrong, where nothing else would show it.

    Args:
        log: the beginning of what a training job has printed.
    """
    name = job_name(spec.name, number)
    return [
        Warned(at=now, slug=warning.slug, message=f"{name}: {warning.message}", hint=warning.hint)
        for warning in lint_definitions(spec.list_definitions(), log, only_silent=True)
    ]


def find_nothing_to_judge(
    spec: TuningSpec, values: Mapping[str, Sequence[float]], lines: Sequence[str]
) -> Problem | None:
    """Return that early stopping can never act, and by which metric it could; None if it can.

    Args:
        values: those of a training job that ran to its end, by metric.
        lines: what it has printed, in which there may be metrics that are not defined.
    """
    judged = spec.judged.metric
    if spec.stop_rule is None or len(values.get(judged, ())) != 1:
        return None
    message = f"{judged} has one value only, at the end of training: early stopping can never act"
    series = {name: each for name, each in values.items() if len(each) > 1}
    definition = ""
    if not series:
        detected = [each for each in detect_metrics(lines) if len(each.curve) > 1]
        series = {each.name: [value for _, value in each.curve] for each in detected}
    if not series:
        hint = "print and define one of each epoch, and name it: early_stopping: {metric: val_loss}"
        return Problem("nothing-to-judge", message, hint)
    best = min(series, key=_rank_for_judging)
    if best not in values:
        found = next(each.definition for each in detected if each.name == best)
        definition = (
            f"with - {write_definition({'name': best, **found})} in metric_definitions and "
        )
    asked = write_definition({"metric": best, "metric_type": guess_direction(best, series[best])})
    hint = f"it could judge by {best}, {definition}with this line: early_stopping: {asked}"
    return Problem("nothing-to-judge", message, hint)


def _rank_for_judging(name: str) -> tuple[int, bool]:
    """Return a sort key: metrics of validation data first, and those that are surely results."""
    places = {"validation": 0, "test": 1, "": 2, "training": 3}
    return places[find_data_set(name)], not is_quality(name)


def warn_of_nothing_to_judge(
    spec: TuningSpec, values: Mapping[str, Sequence[float]], lines: Sequence[str], now: float
) -> Warned | None:
    """Return the warning that early stopping can never act, as a first job shows; None if it can.

    Args:
        values: as for `find_nothing_to_judge`.
    """
    found = find_nothing_to_judge(spec, values, lines)
    if found is None:
        return None
    return Warned(at=now, slug=found.slug, message=found.message, hint=found.hint)


def warn_of_counted_steps(spec: TuningSpec, number: int, attempt: int, now: float) -> Warned:
    """Return the warning that the steps of several attempts were counted as one curve."""
    metric = spec.objective_metric_name
    return Warned(
        at=now,
        slug="steps-counted",
        message=(
            f"{job_name(spec.name, number)} printed {metric} in attempt {attempt} too, and no line"
            " says at which step: its values are counted on from the attempt before, and its curve"
            " is neither judged nor compared with others"
        ),
        hint="print the step beside the value, and write {step} into the regex",
    )


def warn_of_long_log(
    spec: TuningSpec, number: int, size: int, limit: int, seconds: float, now: float
) -> Warned:
    """Return the warning that a log is longer than `max_log_bytes`.

    Args:
        size: in bytes.
        limit: how long it may be, in bytes.
        seconds: since the job's attempt started.
    """
    rate = format_bytes(size / max(seconds, 1.0) * 3600)
    return Warned(
        at=now,
        slug="log-too-long",
        message=(
            f"{job_name(spec.name, number)} has printed {format_bytes(size)} in"
            f" {format_seconds(seconds)} ({rate} an hour), more than max_log_bytes"
            f" ({format_bytes(limit)})"
        ),
        hint="hpt keeps all of it: print less, or raise max_log_bytes",
    )


def warn_of_held_back_output(
    spec: TuningSpec, number: int, values: int, seen_after: float, seconds: float, now: float
) -> Warned | None:
    """Return the warning that all values of a job came when it ended, if they did.

    Args:
        values: how many there are.
        seen_after: when the first was seen, in seconds from the job's start.
        seconds: how long the job took.
    """
    end = seconds - END_SECONDS - END_SHARE * seconds
    if values < HELD_BACK_VALUES or seconds < HELD_BACK_SECONDS or seen_after < end:
        return None
    metric = spec.objective_metric_name
    return Warned(
        at=now,
        slug="output-held-back",
        message=(
            f"all {values} values of {metric} only came when {job_name(spec.name, number)} ended,"
            f" after {seconds:.0f} s: its output looks block-buffered, so jobs cannot be stopped"
            " early"
        ),
        hint=FLUSH,
    )


def warn_of_busy_gpus(
    spec: TuningSpec, state: TuningState, avoided: Iterable[str], now: float
) -> Warned | None:
    """Return the warning that jobs wait for GPUs that others use, if they do; given once.

    Args:
        state: after all was launched that could be.
        avoided: the GPUs that others use.
    """
    gpus = sorted(avoided)
    if not (gpus and _waits(spec, state)) or _has_warned(state, "gpus-busy"):
        return None
    return Warned(
        at=now,
        slug="gpus-busy",
        message=f"training jobs are waiting for GPUs in use by others: {', '.join(gpus)}",
        hint="nvidia-smi shows who uses them; without avoid_busy_gpus in the spec they are shared",
    )


def warn_of_claims(
    spec: TuningSpec, state: TuningState, claimed: Iterable[Resource], now: float
) -> Warned | None:
    """Return the warning that jobs wait for what other tuning jobs hold, if they do; given once.

    Args:
        state: after all was launched that could be.
        claimed: the cores and GPUs that other tuning jobs hold.
    """
    held = describe_resources(claimed)
    if not (held and _waits(spec, state)) or _has_warned(state, "resources-claimed"):
        return None
    return Warned(
        at=now,
        slug="resources-claimed",
        message=f"training jobs are waiting for what another tuning job holds: {held}",
        hint="'hpt doctor' shows which; a lower max_parallel_jobs there leaves more to others",
    )


def _waits(spec: TuningSpec, state: TuningState) -> bool:
    """Return whether a job waits that could run, but for what it needs."""
    waits = any(job.phase in ("Suggested", "Interrupted") for job in state.jobs.open)
    return waits and len(state.running) < spec.count_slots(state.pool)


def _has_warned(state: TuningState, slug: str) -> bool:
    """Return whether a warning has been given."""
    return any(each.slug == slug for each in state.warnings)


def warn_of_shared_files(files: Sequence[str], now: float) -> Warned:
    """Return the warning that training jobs change each other's files in their directory."""
    more = f" and {len(files) - MAX_FILES} more" if len(files) > MAX_FILES else ""
    return Warned(
        at=now,
        slug="files-shared",
        message=(
            "training jobs change each other's files in the working directory:"
            f" {', '.join(files[:MAX_FILES])}{more}"
        ),
        hint=OWN_FILES,
    )


def warn_of_same_curves(spec: TuningSpec, state: TuningState, now: float) -> Warned | None:
    """Return the warning that all completed jobs have the same curve, if they have.

    Jobs that continue from the checkpoint of the first have the end of its curve only.
    """
    metric = spec.objective_metric_name
    completed = [job for job in state.jobs.ended.values() if job.phase == "Completed"]
    first = [value for _, value in completed[0].curve(metric)] if completed else []
    if not first or not all(_is_end(job.curve(metric), first) for job in completed):
        return None
    shortest = min(len(job.curve(metric)) for job in completed)
    different = {tuple((job.hyperparameters or {}).items()) for job in completed}
    if len(different) < (SAME_CURVES if shortest > 1 else SAME_VALUES):
        return None
    unnamed = [name for name in spec.list_unnamed() if name in spec.hyperparameter_ranges]
    hint = "look at the command of one of them with 'hpt check', and at what the program reads"
    if unnamed:
        names = ", ".join(f"{{{name}}}" for name in unnamed)
        hint = f"the command does not name {names}: is it read from SM_HPS or HPT_HYPERPARAMETERS?"
    elif shortest < len(first):
        hint = f"do they continue from one checkpoint? {OWN_FILES}"
    return Warned(
        at=now,
        slug="same-curves",
        message=(
            f"{len(completed)} training jobs with different hyperparameters have the same"
            f" {metric}: do the hyperparameters reach the program?"
        ),
        hint=hint,
    )


def _is_end(curve: Curve, whole: Sequence[float]) -> bool:
    """Return whether the values of a curve are the last ones, or all, of these."""
    return bool(curve) and [value for _, value in curve] == list(whole[-len(curve) :])

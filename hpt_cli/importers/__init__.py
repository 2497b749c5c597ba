"""What other programs for tuning are told, as the fields of a spec."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hpt_cli.errors import UsageError, did_you_mean
from hpt_cli.importers.documents import is_json, read_cells, read_document
from hpt_cli.importers.from_log import complete_metrics, mark_blanks, mark_guesses
from hpt_cli.importers.hydra import OBJECTIVE, find_sweeper, import_sweeper
from hpt_cli.importers.others import describe_unknown
from hpt_cli.importers.python_source import read_calls
from hpt_cli.importers.tuner_calls import find_requests, find_sweeps
from hpt_cli.importers.wandb import import_sweep, is_sweep
from hpt_cli.metrics.detection.metric import DetectedMetric
from hpt_cli.sagemaker import Imported, import_request
from hpt_cli.sagemaker.import_request import is_config, is_request
from hpt_cli.sagemaker.names import NAME

__all__ = ["Imported", "import_text"]


def import_text(
    text: str,
    file: str,
    definition: str | None = None,
    log: str = "",
    detected: Sequence[DetectedMetric] = (),
) -> Imported:
    """Return the fields of a spec for what a file says.

    Args:
        text: of the file.
        file: its name.
        definition: of several tuning jobs or training job definitions, the name of the one to use.
        log: the name of an output of the training program; "" for none.
        detected: the metrics in it.

    Raises:
        UsageError: it is of no kind that is known, or lacks what a tuning job needs.
    """
    imported = _import(text, file, definition)
    if log:
        imported = complete_metrics(imported, detected, log, OBJECTIVE)
    return mark_blanks(mark_guesses(imported, file))


def _import(text: str, file: str, definition: str | None) -> Imported:
    if file.endswith(".py"):
        return _import_source([text], text, file, definition)
    if not is_json(text, file) and not file.endswith((".yaml", ".yml")):
        try:
            document = read_document(text, file)
        except UsageError:
            raise describe_unknown(None, text, file) from None
    else:
        document = read_document(text, file)
    cells = read_cells(document)
    if cells is not None:
        return _import_source(cells, "\n".join(cells), file, definition)
    stem = file.rpartition("/")[2].partition(".")[0]
    if is_request(document) or is_config(document):
        exact = read_document(text, file, as_written=True)
        return _check("SageMaker", file, lambda: import_request(exact, definition))
    if sweeper := find_sweeper(document):
        return _check("Hydra", file, lambda: import_sweeper(document, sweeper, stem))
    if is_sweep(document):
        return _check("W&B", file, lambda: import_sweep(document, stem))
    raise describe_unknown(document, text, file)


def _check(program: str, file: str, convert: Callable[[], Imported]) -> Imported:
    """Return what was converted; what has another structure than documented is refused."""
    try:
        return convert()
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        message = f"{file} does not have the structure that {program} documents: {error}"
        raise UsageError.of("request-unreadable", message) from None


def _import_source(parts: Sequence[str], text: str, file: str, definition: str | None) -> Imported:
    """Return the fields for a tuning job that Python source creates."""
    calls = read_calls(parts)
    requests = find_requests(calls)
    if requests:
        request, inner = _choose(requests, definition, file)
        return _check("SageMaker", file, lambda: import_request(request, inner))
    stem = file.rpartition("/")[2].partition(".")[0]
    sweep = next(filter(is_sweep, find_sweeps(calls)), None)
    if sweep is not None:
        return _check("W&B", file, lambda: import_sweep(sweep, stem))
    raise describe_unknown(None, text, file)


def _choose(
    requests: Sequence[Mapping[str, Any]], definition: str | None, file: str
) -> tuple[Mapping[str, Any], str | None]:
    """Return one of the tuning jobs in a file, and the definition to use within it."""
    if len(requests) == 1:
        return requests[0], definition
    names = [str(each.get(NAME)) for each in requests]
    if len({*names}) < len(names):
        names = [str(number) for number, _ in enumerate(requests, 1)]
    if definition in names:
        return requests[names.index(definition)], None
    raise UsageError.of(
        "request-definition",
        f"{file} creates several tuning jobs: {', '.join(names)}; a spec has one",
        did_you_mean(definition, names) if definition else f"choose one: --definition {names[0]}",
    )

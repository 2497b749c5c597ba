"""From a CreateHyperParameterTuningJob request, or a description, to the fields of a spec.

Numbers in a request are text, and script mode writes hyperparameters as JSON, so that "adam" has
quotes of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from hpt_cli.errors import Problem, UsageError, did_you_mean
from hpt_cli.metrics.patterns import VALUE_GROUP
from hpt_cli.sagemaker.left_out import list_left_out
from hpt_cli.sagemaker.names import CHANNEL, CONFIG, CONFIG_PATHS, FILL_IN, NAME, PROGRAM
from hpt_cli.scaffold.options import ProgramOption
from hpt_cli.scaffold.ranges import propose_range
from hpt_cli.spec.hyperparameters import Value, read_value

CONTAINER = "/opt/ml"
"""Where SageMaker's containers have data, models and results."""
INTERNAL = ("sagemaker_", "_tuning_objective_metric")
"""Prefixes of static hyperparameters that SageMaker adds for itself."""


@dataclass(frozen=True)
class Imported:
    """The fields of a spec, what they leave out of the document, and what must be filled in."""

    fields: dict[str, Any]
    left_out: tuple[str, ...]
    fill_in: tuple[tuple[str, str], ...] = ()
    """Fields that are guesses, or that lack what the document does not say; and why."""
    guessed: tuple[str, ...] = ()
    """Metrics whose definitions are guesses."""


def import_request(document: Any, definition: str | None = None) -> Imported:
    """Return the spec of a CreateHyperParameterTuningJob request, or of a description.

    Args:
        document: the JSON or YAML document; numbers may be text. A tuning job's configuration alone
            counts as a request.
        definition: the name of the training job definition to use, if there are several.

    Raises:
        UsageError: it is not such a document, or lacks what a tuning job needs.
        AttributeError, TypeError, ValueError: a field has another type than documented.
    """
    if is_config(document):
        document = {CONFIG: document}
    if not is_request(document):
        raise UsageError.of(
            "request",
            f"this is not a CreateHyperParameterTuningJob request: it has no {CONFIG}",
            "aws sagemaker describe-hyper-parameter-tuning-job ... prints one",
        )
    return _Importer(document, _choose_definition(document, definition)).convert()


def is_request(document: Any) -> bool:
    """Return whether a document is a request, or a description."""
    return isinstance(document, Mapping) and isinstance(document.get(CONFIG), Mapping)


def is_config(document: Any) -> bool:
    """Return whether a document is only the configuration of a tuning job."""
    return isinstance(document, Mapping) and {"ParameterRanges", "ResourceLimits"} <= {*document}


def _choose_definition(document: Mapping[str, Any], name: str | None) -> Mapping[str, Any]:
    several = [each for each in document.get("TrainingJobDefinitions") or [] if each]
    found = several or [document.get("TrainingJobDefinition") or {}]
    names = [str(each.get("DefinitionName", number)) for number, each in enumerate(found, 1)]
    if name is None and len(found) == 1:
        return dict(found[0])
    if name in names:
        return dict(found[names.index(name)])
    raise UsageError.of(
        "request-definition",
        f"the request has several training job definitions: {', '.join(names)}; a spec has one",
        did_you_mean(name, names) if name else f"choose one: --definition {names[0]}",
    )


class _Importer:
    """The conversion of one request, with what it left out and what is wrong."""

    def __init__(self, document: Mapping[str, Any], definition: Mapping[str, Any]) -> None:
        self._document = document
        self._definition = definition
        self._config: Mapping[str, Any] = document[CONFIG]
        self._algorithm = definition.get("AlgorithmSpecification") or {}
        self._left_out: list[str] = []
        self._fill_in: list[tuple[str, str]] = []
        self._guessed: list[str] = []
        self._problems: list[Problem] = []

    def convert(self) -> Imported:
        stopping = self._definition.get("StoppingCondition") or {}
        configured = {
            field: read_number(_find(self._config, path)) for field, path in CONFIG_PATHS.items()
        }
        if objective := self._definition.get("TuningObjective"):
            configured["objective_metric_name"] = objective.get("MetricName")
            configured["objective_type"] = objective.get("Type")
        metric = configured["objective_metric_name"]
        if not metric:
            self._complain("the request names no objective: HyperParameterTuningJobObjective")
        fields = {
            "name": self._document.get(NAME, "imported"),
            "command": self._make_command(),
            "environment": self._read_environment(),
            "hyperparameter_ranges": self._read_ranges(),
            "static_hyperparameters": self._read_static(),
            "metric_definitions": self._read_metrics(str(metric)),
            "warm_start": self._read_warm_start(),
            **configured,
            "complete_on_convergence": configured["complete_on_convergence"] == "Enabled" or None,
            "max_job_runtime_seconds": read_number(stopping.get("MaxRuntimeInSeconds")),
        }
        for field in ("command", "environment", "static_hyperparameters"):
            fields[field] = self._move_paths(field, fields[field])
        self._left_out += list_left_out(self._document, self._definition)
        if self._problems:
            raise UsageError(*self._problems)
        given = {name: value for name, value in fields.items() if value not in (None, {}, ())}
        return Imported(given, tuple(self._left_out), tuple(self._fill_in), tuple(self._guessed))

    def _complain(self, message: str) -> None:
        self._problems.append(Problem("request", message))

    def _read_ranges(self) -> dict[str, Any]:
        ranges = self._definition.get("HyperParameterRanges")
        ranges = ranges or self._config.get("ParameterRanges") or {}
        found: dict[str, Any] = {}
        for each in ranges.get("ContinuousParameterRanges") or []:
            found[str(each.get("Name"))] = self._read_bounds(each, "Continuous", float)
        for each in ranges.get("IntegerParameterRanges") or []:
            found[str(each.get("Name"))] = self._read_bounds(each, "Integer", _parse_whole)
        for each in ranges.get("CategoricalParameterRanges") or []:
            values = each.get("Values") or []
            values = [values] if isinstance(values, str) else values
            values = [decode_value(str(value)) for value in values]
            found[str(each.get("Name"))] = {"type": "Categorical", "values": values}
        for each in ranges.get("AutoParameters") or []:
            self._guess_range(str(each.get("Name")), str(each.get("ValueHint")), found)
        if not found:
            self._complain("the request has no ParameterRanges with bounds or values")
        return found

    def _guess_range(self, name: str, hint: str, found: dict[str, Any]) -> None:
        """Add a range around the example of a value that a request has instead of a range."""
        if FILL_IN in hint:
            found[name] = {"type": hint}
            return
        value = decode_value(hint)
        option = ProgramOption(f"--{name}", "int" if isinstance(value, int) else "float", value)
        proposed = None if isinstance(value, str) else propose_range(option)
        if proposed is None:
            self._fill_in.append(
                ("hyperparameter_ranges", f"{name}: Autotune chose its range, around {hint}")
            )
            return
        found[name] = dict(proposed.fields)
        words = f"{name}: Autotune chose its range; this one is a guess around {hint}"
        self._fill_in.append(("hyperparameter_ranges", words))

    def _read_bounds(
        self, each: Mapping[str, Any], kind: str, parse: Callable[[str], float]
    ) -> dict[str, Any]:
        name = each.get("Name")
        made: dict[str, Any] = {"type": kind}
        for field, ours in (("MinValue", "min_value"), ("MaxValue", "max_value")):
            if FILL_IN in str(each.get(field)):
                made[ours] = each[field]
                continue
            try:
                made[ours] = parse(str(each.get(field)))
            except ValueError:
                is_number = isinstance(read_number(each.get(field)), (int, float))
                kind_of = "whole number" if is_number else "number"
                self._complain(f"{name}: {field} {each.get(field)!r} is not a {kind_of}")
        scaling = each.get("ScalingType", "Auto")
        if kind == "Integer" and scaling == "ReverseLogarithmic":
            self._left_out.append(f"{name}: ReverseLogarithmic is only for Continuous ranges")
        elif scaling != "Auto":
            made["scaling_type"] = scaling
        return made

    def _read_static(self) -> dict[str, Value]:
        found = {}
        for name, text in (self._definition.get("StaticHyperParameters") or {}).items():
            if not name.startswith(INTERNAL):
                found[name] = decode_value(str(text))
            elif name != PROGRAM and not name.startswith("_"):
                self._left_out.append(
                    f"StaticHyperParameters.{name}: only SageMaker's container needs it"
                )
        return found

    def _make_command(self) -> str | list[str]:
        """Return the command without hyperparameters: hpt appends them as script mode does."""
        algorithm = self._algorithm
        if entry := algorithm.get("ContainerEntrypoint"):
            return [*entry, *(algorithm.get("ContainerArguments") or [])]
        program = _find(self._definition, f"StaticHyperParameters.{PROGRAM}")
        if program:
            script = str(decode_value(str(program)))
            return f"{'sh' if script.endswith('.sh') else 'python'} {script}"
        image = algorithm.get("TrainingImage") or algorithm.get("AlgorithmName") or "its image"
        self._fill_in.append(
            ("command", f"the program is inside {image}: write the command that trains here")
        )
        return "python train.py"

    def _move_paths(self, field: str, value: Any) -> Any:
        """Return a field with the directories of channels where they are here.

        What else is in a container's own directories must be filled in.
        """
        if isinstance(value, dict):
            return {name: self._move_paths(field, each) for name, each in value.items()}
        if isinstance(value, list):
            return [self._move_paths(field, each) for each in value]
        if not isinstance(value, str):
            return value
        moved = re.sub(rf"{CONTAINER}/input/data/([A-Za-z0-9._-]+)", r"data/\1", value)
        if CONTAINER in moved:
            self._fill_in.append((field, f"{moved} is in SageMaker's container: write a path here"))
        return moved

    def _read_environment(self) -> dict[str, str]:
        channels = {}
        for each in self._definition.get("InputDataConfig") or []:
            name = str(each.get("ChannelName"))
            source = next(iter((each.get("DataSource") or {}).values()), None) or {}
            uri = str(source.get("S3Uri") or source.get("DirectoryPath") or "its data")
            path = uri.removeprefix("file://") if uri.startswith("file://") else f"data/{name}"
            channels[f"{CHANNEL}{name.upper()}"] = path
            if path.startswith("data/"):
                self._left_out.append(f"InputDataConfig.{name}: copy {uri} to {path}")
        return channels | dict(self._definition.get("Environment") or {})

    def _read_metrics(self, name: str) -> list[dict[str, str]]:
        """Return the metric definitions; for the objective's name one is guessed if need be."""
        definitions = [
            {"name": str(each.get("Name")), "regex": translate_regex(str(each.get("Regex")))}
            for each in self._algorithm.get("MetricDefinitions") or []
        ]
        if name not in [each["name"] for each in definitions] and FILL_IN not in name:
            definitions.append({"name": name, "regex": guess_regex(name)})
            self._guessed.append(name)
        return definitions

    def _read_warm_start(self) -> dict[str, Any] | None:
        asked = self._document.get("WarmStartConfig") or {}
        parents = [each.get(NAME) for each in asked.get("ParentHyperParameterTuningJobs") or []]
        if not parents:
            return None
        self._left_out.append(
            f"WarmStartConfig: {', '.join(map(str, parents))} must exist here as tuning jobs too"
        )
        return {"type": asked.get("WarmStartType"), "parents": parents}


def _find(document: Any, path: str) -> Any:
    """Return the value at a path like `ResourceLimits.MaxRuntimeInSeconds`; None without one."""
    for name in path.split("."):
        document = (document or {}).get(name)
    return document


def _parse_whole(text: str) -> int:
    """Return a whole number, which may be written `10.0` or `1e2`."""
    if text.lstrip("+-").isdecimal():
        return int(text)
    number = float(text)
    if number != number // 1:
        raise ValueError(text)
    return int(number)


def read_number(value: Any) -> Any:
    """Return a number that stands in a field as text; any other value as it is."""
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return float(value) if re.search(r"[.eE]", value) else int(value)
    return value


def decode_value(text: str) -> Value:
    """Return the value of a hyperparameter: a number, decoded JSON text, or the text itself.

    Numbers remember how they are written. What JSON does not take for a number, such as 00123, is
    text for scripts at SageMaker too.
    """
    if _JSON_NUMBER.fullmatch(text):
        return read_value(text)
    if text.startswith('"'):
        with suppress(ValueError):
            return str(json.loads(text))
    return text


_JSON_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_TOKENS = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\((?!\?)", re.DOTALL)
"""An escape or a set, whose parentheses are not groups; or the start of a capturing group."""


def translate_regex(regex: str) -> str:
    """Return a regex for hpt: of several groups, the first is the value."""
    groups = [match.start() for match in _TOKENS.finditer(regex) if match.group() == "("]
    if len(groups) < 2:
        return regex
    return f"{regex[: groups[0]]}(?P<{VALUE_GROUP}>{regex[groups[0] + 1 :]}"


def guess_regex(metric: str) -> str:
    """Return a regex for a metric of which only the name is known: its words, then a number."""
    words = [re.escape(word) for word in re.split(r"[\W_]+", metric) if word]
    return r"\b" + r"[\W_]?".join(words) + r"[\s:=]+({num})"

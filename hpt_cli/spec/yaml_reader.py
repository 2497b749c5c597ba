"""YAML text -> TuningSpec, or every mistake with its line and column.

YAML 1.1 turns `Off`, `no` and `yes` into booleans and leaves `1e-4` text. Here a plain scalar is a
number, null, or the text that stands there; fields that are booleans read it from the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import yaml
from pydantic import BaseModel, ValidationError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.reader import ReaderError

from hpt_cli.errors import Place, Problem, UsageError, did_you_mean
from hpt_cli.plural import count
from hpt_cli.spec.checks import Location, find_conflicts
from hpt_cli.spec.command_template import find_placeholders
from hpt_cli.spec.env_references import find_references, is_variable_name, remove_references
from hpt_cli.spec.hyperparameters import name_variable
from hpt_cli.spec.model import (
    CHANGEABLE,
    LogRule,
    MetricDefinition,
    Notify,
    Resources,
    Retry,
    Slurm,
    TuningSpec,
    WarmStart,
    make_request,
)
from hpt_cli.spec.ranges import CategoricalRange, ContinuousRange, IntegerRange
from hpt_cli.spec.resources import Misfit, Request

MAX_DEPTH = 50
"""Deeper than this, no field stands."""

TOO_DEEP = f"nested more than {MAX_DEPTH} deep"

MAX_NODES = 100_000
"""More than this is an alias bomb, not a spec."""

MAX_DIGITS = 300
"""More than this is no whole number that means anything."""

MAX_SHOWN = 100
"""How many characters of a wrong value are shown."""

Survey: TypeAlias = Callable[[Request, Sequence[str] | None], Sequence[Misfit]]
"""Says what a machine does not have of what each training job needs, and of the GPUs listed."""

_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_NULL = ("", "~", "null", "Null", "NULL")
_RANGES: dict[str, type[BaseModel]] = {
    "Continuous": ContinuousRange,
    "Integer": IntegerRange,
    "Categorical": CategoricalRange,
}
_PARTS: dict[str, type[BaseModel]] = {
    "metric_definitions": MetricDefinition,
    "warm_start": WarmStart,
    "retry": Retry,
    "log_rules": LogRule,
    "notify": Notify,
    "slurm": Slurm,
    "resources": Resources,
}
_MESSAGES = {
    "int_parsing_size": "a whole number is needed, not one of so many digits",
    "int_parsing": "a whole number is needed, not {input}",
    "int_type": "a whole number is needed, not {input}",
    "int_from_float": "a whole number is needed, not {input}",
    "float_parsing": "a number is needed, not {input}",
    "float_type": "a number is needed, not {input}",
    "finite_number": "a finite number is needed, not {input}",
    "bool_parsing": "true or false is needed, not {input}",
    "bool_type": "true or false is needed, not {input}",
    "string_type": "text is needed, not {input}; put quotes around it",
    "dict_type": "a mapping (name: value) is needed, not {input}",
    "model_type": "a mapping (name: value) is needed, not {input}",
    "model_attributes_type": "a mapping (name: value) is needed, not {input}",
    "tuple_type": "a list is needed, not {input}",
    "missing": "the field is missing",
    "less_than_equal": "must be at most {le:g}, and is {input}",
    "greater_than_equal": "must be at least {ge:g}, and is {input}",
    "greater_than": "must be more than {gt:g}, and is {input}",
    "too_short": "must have at least {min_length}",
    "too_long": "must have at most {max_length}, and has {actual_length}",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must not be empty",
}


def find_end(text: str, file: str) -> Place:
    """Where what follows a text would stand."""
    lines = text.split("\n")
    return Place(file, len(lines), len(lines[-1]) + 1)


def parse_spec(
    text: str,
    file: str,
    overrides: Iterable[str] = (),
    variables: Mapping[str, str] | None = None,
    survey: Survey | None = None,
) -> TuningSpec:
    """The spec in YAML text; as `read_spec`.

    Raises:
        UsageError: with every mistake as a problem, in the order of the file.
    """
    root = _compose(text, file)
    raw = _Document(root, file)
    values = raw.to_values()
    values |= read_overrides(overrides)
    problems = [*raw.duplicates(), *_find_problems(values, raw)]
    problems += _find_placeholders(values, raw)
    if variables is not None:
        problems += _find_unset(values, raw, variables)
    if survey is not None:
        problems += _find_missing(values, raw, survey)
    if problems:
        raise UsageError(*sorted(problems, key=_by_place))
    return TuningSpec.model_validate(values)


def _find_placeholders(values: dict[str, Any], document: _Document) -> Iterator[Problem]:
    """Hyperparameters in `environment`, where nothing fills them in."""
    environment = values.get("environment")
    known = [
        name
        for field in ("hyperparameter_ranges", "static_hyperparameters")
        if isinstance(values.get(field), dict)
        for name in values[field]
    ]
    for name, value in environment.items() if isinstance(environment, dict) else ():
        for placeholder in find_placeholders(remove_references(str(value))):
            if placeholder in known:
                message = f"environment.{name}: {{{placeholder}}} is filled in the command only"
                hint = f"a training job finds it in {name_variable(placeholder)}, and all of them"
                hint += f" in HPT_HYPERPARAMETERS; or write {name}={{{placeholder}}} before the"
                hint += " command, with shell: true"
                place = document.find(("environment", name), key=False)
                yield Problem("placeholder-environment", message, hint, place)


def _find_unset(
    values: dict[str, Any], document: _Document, variables: Mapping[str, str]
) -> Iterator[Problem]:
    environment = values.get("environment")
    for name, value in environment.items() if isinstance(environment, dict) else ():
        for variable in find_references(str(value)):
            if is_variable_name(variable) and variable not in variables:
                place = document.find(("environment", name), key=False)
                yield describe_unset(name, variable, variables, place)


def _find_missing(values: dict[str, Any], document: _Document, survey: Survey) -> Iterator[Problem]:
    asked, listed = values.get("resources"), values.get("gpus")
    try:
        resources = None if asked is None else Resources.model_validate(asked)
    except ValidationError:  # reported already
        return
    names = [str(each) for each in listed] if isinstance(listed, list) else None
    request = make_request(resources, names)
    is_here = values.get("executor", "local") == "local"
    for misfit in survey(request, names) if request and is_here else ():
        yield describe_misfit(misfit, document.find(misfit.location, key=False))


def describe_misfit(misfit: Misfit, place: Place | None = None) -> Problem:
    """Something that this machine has too little of."""
    where = ".".join(each for each in misfit.location if isinstance(each, str))
    hint = "if nvidia-smi does not find them: gpus: [0, 1]" if where == "resources.gpus" else ""
    return Problem("resources-missing", f"{where}: {misfit.message}", hint, place)


def describe_unset(
    name: str, variable: str, variables: Iterable[str], place: Place | None = None
) -> Problem:
    """A variable that `environment` refers to and that is not set."""
    message = f"environment.{name}: the variable {variable} is not set"
    hint = did_you_mean(variable, variables) or f"export {variable}=... before you start hpt"
    return Problem("variable-unset", message, hint, place)


def read_overrides(overrides: Iterable[str]) -> dict[str, Any]:
    """The fields and values of `field=value` on the command line.

    Raises:
        UsageError: some are written otherwise.
    """
    overrides = list(overrides)
    pairs = [override.partition("=") for override in overrides]
    problems = [
        Problem("override", f"--set {field}: write it as FIELD=VALUE")
        for field, equals, _ in pairs
        if not equals
    ]
    problems += [
        Problem("override", f"--set {override!a} is not UTF-8 text")
        for override in overrides
        if _SURROGATE.search(override)
    ]
    if problems:
        raise UsageError(*problems)
    return {field.strip(): _read_value(value.strip()) for field, _, value in pairs}


def _read_value(text: str) -> Any:
    """A scalar; or a list or a mapping, in brackets."""
    if text[:1] not in ("[", "{"):
        return _read_scalar(text)
    try:
        return _Document(_compose(f"value: {text}", "--set"), "--set").to_values()["value"]
    except UsageError:
        return text


def change_spec(fields: Mapping[str, Any], changes: Mapping[str, Any], jobs: int) -> TuningSpec:
    """The spec of a tuning job that has begun, with other values in some fields.

    Args:
        fields: of the spec as it is.
        changes: of these fields.
        jobs: how many training jobs there are; max_jobs cannot be less.

    Raises:
        UsageError: these fields cannot change, or the values are wrong: all of them.
    """
    fixed = [field for field in changes if field not in CHANGEABLE]
    problems = [
        Problem(
            "field-fixed",
            f"'{field}' cannot change after a tuning job has begun",
            did_you_mean(field, CHANGEABLE) or f"these can: {', '.join(CHANGEABLE)}",
        )
        for field in fixed
    ]
    values = {**fields, **{field: changes[field] for field in changes if field not in fixed}}
    empty = _Document(_compose("{}", ""), "")
    problems += [replace(each, place=None) for each in _find_problems(values, empty)]
    if problems:
        raise UsageError(*problems)
    spec = TuningSpec.model_validate(values)
    if "max_jobs" in changes and spec.job_limit < jobs:
        raise UsageError.of(
            "max-jobs-passed",
            f"max_jobs cannot be {spec.job_limit}: it has {count(jobs, 'training job')} already",
            f"max_jobs={jobs} starts no more",
        )
    return spec


def _by_place(problem: Problem) -> tuple[int, int]:
    return (problem.place.line, problem.place.column) if problem.place else (0, 0)


class _Loader(yaml.SafeLoader):
    """Does not follow a text that is nested deeper than it can."""

    _depth = 0

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem=TOO_DEEP, problem_mark=mark)
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


def _compose(text: str, file: str) -> MappingNode:
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else None
        why = str(error.problem or error.context)
        why = "indent with blanks, not with tabs" if "'\\t'" in why else why
        message = f"this is not YAML: {why}"
        raise UsageError(Problem("yaml", message, place=place)) from None
    except ReaderError as error:
        place = find_end(text[: error.position], file)
        message = f"this is not YAML: the character {text[error.position]!a} is not allowed"
        raise UsageError(Problem("yaml", message, place=place)) from None
    if not isinstance(root, MappingNode):
        problem = Problem("yaml", "a spec is a mapping of fields", place=Place(file, 1, 1))
        raise UsageError(problem)
    return root


def _read_scalar(text: str) -> Any:
    if text in _NULL:
        return None
    if _INTEGER.fullmatch(text) and len(text) <= MAX_DIGITS:
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def is_plain_text(text: str) -> bool:
    """Whether a plain scalar is read as the text that stands there, and not as a number or null."""
    return isinstance(_read_scalar(text), str)


@dataclass(frozen=True)
class _Document:
    """A YAML document's nodes, which know where they stand."""

    root: MappingNode
    file: str

    def to_values(self) -> dict[str, Any]:
        """Plain values: dicts, lists, text, numbers and None."""
        values = _Converter(self).convert(self.root, 0)
        assert isinstance(values, dict)
        return values

    def place(self, node: Node) -> Place:
        """Where a node begins."""
        return Place(self.file, node.start_mark.line + 1, node.start_mark.column + 1)

    def find(self, location: Location, *, key: bool) -> Place:
        """The place of a location: of its key, or of its value.

        Parts that are not in the document are passed over: a field that is missing is reported
        where it is missing from.
        """
        node: Node = self.root
        name: Node = self.root
        for part in location:
            if isinstance(node, MappingNode):
                pair = next((pair for pair in _pairs(node) if pair[0].value == str(part)), None)
                if pair is not None:
                    name, node = pair
            elif (
                isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value)
            ):
                name = node = node.value[part]
        return self.place(name if key or isinstance(node, (MappingNode, SequenceNode)) else node)

    def duplicates(self) -> Iterator[Problem]:
        """Keys that stand twice in one mapping, of which YAML would forget the first."""
        seen: set[int] = set()
        waiting: list[Node] = [self.root]
        while waiting:
            node = waiting.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            if isinstance(node, SequenceNode):
                waiting += node.value
            elif isinstance(node, MappingNode):
                names: dict[str, Node] = {}
                for key, value in _pairs(node):
                    waiting.append(value)
                    first = names.setdefault(key.value, key)
                    if first is not key:
                        message = f"'{key.value}' stands twice; first on line "
                        message += str(first.start_mark.line + 1)
                        yield Problem("duplicate-key", message, place=self.place(key))


def _pairs(node: MappingNode) -> list[tuple[ScalarNode, Node]]:
    return [pair for pair in node.value if isinstance(pair[0], ScalarNode)]


class _Converter:
    """Turns nodes into plain values, within bounds on their number and depth."""

    def __init__(self, document: _Document) -> None:
        self._document = document
        self._count = 0

    def convert(self, node: Node, depth: int) -> Any:
        self._count += 1
        if self._count > MAX_NODES:
            raise self._refuse(f"the YAML unfolds to more than {MAX_NODES} values", node)
        if depth > MAX_DEPTH:  # an alias within what it stands for has no end
            raise self._refuse(TOO_DEEP, node)
        if isinstance(node, ScalarNode):
            self._check_characters(node)
            return _read_scalar(node.value) if node.style is None else node.value
        if isinstance(node, SequenceNode):
            return [self.convert(each, depth + 1) for each in node.value]
        assert isinstance(node, MappingNode)
        values: dict[str, Any] = {}
        for key, value in _pairs(node):
            self._check_characters(key)
            converted = self.convert(value, depth + 1)
            if key.value == "<<" and isinstance(converted, dict):
                values = converted | values
            else:
                values[key.value] = converted
        return values

    def _check_characters(self, node: ScalarNode) -> None:
        """Half a character, written `"\\ud800"`, can be stored nowhere."""
        if _SURROGATE.search(node.value):
            raise self._refuse(f"{node.value!a} has half a character", node)

    def _refuse(self, message: str, node: Node) -> UsageError:
        return UsageError(Problem("yaml", message, place=self._document.place(node)))


def _find_problems(values: dict[str, Any], document: _Document) -> Iterator[Problem]:
    conflicts = {(each.location, each.slug): each for each in find_conflicts(values)}
    told = {each.location for each in conflicts.values() if each.slug.startswith("stop-rule")}
    try:
        TuningSpec.model_validate(values)
    except ValidationError as error:
        for each in error.errors(include_url=False):
            if not each["loc"]:  # conflicts that show once "0" is 0
                found = each["ctx"]["error"].conflicts
                conflicts = {(each.location, each.slug): each for each in found} | conflicts
                continue
            is_echo = each["type"] == "too_short" and each["input"]  # its items have mistakes
            is_echo = is_echo or each["loc"] in told
            is_echo = is_echo or (bool(told) and each["loc"] == ("early_stopping", "rule"))
            if not is_echo:
                yield _explain(dict(each), values, document)
    except UnicodeEncodeError:  # of text that is none, which is a conflict
        pass
    for conflict in conflicts.values():
        place = document.find(conflict.location, key=False)
        yield Problem(conflict.slug, conflict.message, conflict.hint, place)


def _explain(error: Mapping[str, Any], values: dict[str, Any], document: _Document) -> Problem:
    """One of pydantic's errors in our words."""
    kind, context = error["type"], error.get("ctx", {})
    location = _strip_tags(error["loc"], values)
    field = str(context.get("field", ""))
    if field:
        location = (*location, field)
    name = str(location[-1]) if location else ""
    is_key = kind in ("extra_forbidden", "missing")
    place = document.find(location, key=is_key)
    label = ".".join(map(str, location))
    if kind == "extra_forbidden":
        allowed = _allowed_fields(location[:-1], values)
        hint = did_you_mean(name, allowed) or f"allowed: {', '.join(allowed)}"
        return Problem("field-unknown", f"there is no field '{name}' here", hint, place)
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        wrong = context.get("tag")
        said = f"type '{wrong}' is none of" if wrong else "a range needs a type, one of"
        hint = did_you_mean(str(wrong), _RANGES) if wrong else ""
        place = document.find((*location, "type"), key=False)
        return Problem("range-type", f"{label}: {said} {', '.join(_RANGES)}", hint, place)
    if kind == "literal_error":
        allowed = re.findall(r"'([^']*)'", str(context["expected"]))
        message = f"{label}: {_shorten(error['input'])} is none of {', '.join(allowed)}"
        return Problem("value-unknown", message, did_you_mean(str(error["input"]), allowed), place)
    slug = str(context.get("slug", kind.replace("_", "-")))
    hint = "in seconds: 5 minutes are 300" if _is_no_number(kind) and "_seconds" in name else ""
    return Problem(slug, f"{label}: {describe_mistake(error)}", hint, place)


def describe_mistake(error: Mapping[str, Any]) -> str:
    """What is wrong with a value, of one of pydantic's errors."""
    template = _MESSAGES.get(error["type"])
    if template is None:
        return str(error["msg"]).removeprefix("Value error, ")
    return template.format(input=_shorten(error["input"]), **error.get("ctx", {}))


def _is_no_number(kind: str) -> bool:
    return kind in ("number", "float_parsing", "float_type")


def _shorten(value: Any) -> str:
    """A value as it could be written, or the beginning of it."""
    text = repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def _strip_tags(location: Location, values: Any) -> Location:
    """A location without the names pydantic adds for the members of a union."""
    stripped: list[str | int] = []
    for index, part in enumerate(location):
        last = index == len(location) - 1
        if isinstance(values, dict) and (part in values or (last and part not in _RANGES)):
            stripped.append(part)
            values = values.get(part)
        elif isinstance(values, list) and isinstance(part, int):
            stripped.append(part)
            values = values[part] if part < len(values) else None
    return tuple(stripped)


def _allowed_fields(location: Location, values: dict[str, Any]) -> list[str]:
    """The fields that may stand in the mapping at a location."""
    if not location:
        return list(TuningSpec.model_fields)
    if location[0] == "hyperparameter_ranges":
        kind = values["hyperparameter_ranges"][location[1]].get("type")
        return list(_RANGES[kind].model_fields)
    part = _PARTS[str(location[0])]
    return [each.alias or name for name, each in part.model_fields.items()]

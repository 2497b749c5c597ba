"""YAML text -> TuningSpec, or every mistake with its line and column.

YAML 1.1 turns `Off`, `no` and `yes` into booleans and leaves `1e-4` text. Here a plain scalar is a
number, null, or the text that stands there; fields that are booleans read it from the text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from hpt_cli.errors import Problem, SourceLocation, UsageError, did_you_mean
from hpt_cli.spec.command_template import find_placeholders
from hpt_cli.spec.cross_field import find_conflicts, find_file_conflicts
from hpt_cli.spec.cross_field.command import list_names
from hpt_cli.spec.cross_field.conflict import Conflict, mapping
from hpt_cli.spec.env_references import remove_references
from hpt_cli.spec.fields.overrides import Overridden, Override, Sources, override
from hpt_cli.spec.fields.parts import leave_out_empty
from hpt_cli.spec.hyperparameters import name_variable
from hpt_cli.spec.model import CHANGEABLE, TuningSpec
from hpt_cli.spec.repeats import add_seed_range
from hpt_cli.spec.yaml.document import Document, compose
from hpt_cli.spec.yaml.messages import explain


@dataclass(frozen=True)
class RawSpec:
    """The fields of a spec as they were read, the mistakes in them, and where each field stands."""

    fields: Mapping[str, Any]
    mistakes: tuple[Problem, ...] = ()
    sources: Sources = field(default_factory=Sources)

    def extend(self, conflicts: Iterable[Conflict], **fields: Any) -> RawSpec:
        """Return the spec with more fields, and more mistakes."""
        mistakes = (*self.mistakes, *map(self.locate, conflicts))
        return replace(self, fields={**self.fields, **fields}, mistakes=mistakes)

    def validate(self, *conflicts: Conflict) -> TuningSpec:
        """Return the spec.

        Args:
            conflicts: what is wrong with the fields besides: with the machine, for example.

        Raises:
            UsageError: with every mistake as a problem, in the order of the file.
        """
        problems = [*self.mistakes, *map(self.locate, conflicts)]
        if problems:
            raise UsageError(*sorted(problems, key=_by_place))
        return TuningSpec.model_validate(self.fields)

    def locate(self, conflict: Conflict) -> Problem:
        """Return a conflict as a problem, at its place."""
        return _locate(conflict, self.sources)


def parse_spec(text: str, file: str, overrides: Iterable[Override] = ()) -> TuningSpec:
    """Return the spec in YAML text. Raises as `read_spec` does."""
    return parse_raw(text, file, overrides).validate()


def parse_raw(text: str, file: str, overrides: Iterable[Override] = ()) -> RawSpec:
    """Return the fields in YAML text, with those that the command line sets.

    Raises:
        UsageError: it is not YAML.
    """
    document = Document(compose(text, file), file)
    return _override(document.to_values(), document, overrides)


def read_fields(fields: Mapping[str, Any]) -> RawSpec:
    """Return the fields of a spec that stands in no file, and every mistake in them."""
    return _override(fields, None, ())


def _override(
    fields: Mapping[str, Any], document: Document | None, overrides: Iterable[Override]
) -> RawSpec:
    """Return fields with overrides, and every mistake in them."""
    changed = override(fields, overrides)
    values, sources = _complete(changed.fields), Sources(document, changed.overrides)
    duplicates = document.duplicates() if document else ()
    look = _find_problems if document is None else _find_file_problems
    problems = _blame(list(look(values, sources)), fields, changed, look)
    mistakes = (*changed.mistakes, *duplicates, *problems)
    return RawSpec(values, mistakes, sources)


def _complete(fields: Mapping[str, Any]) -> dict[str, Any]:
    return add_seed_range(leave_out_empty(fields))


def _blame(
    problems: Sequence[Problem],
    fields: Mapping[str, Any],
    changed: Overridden,
    look: Callable[[dict[str, Any], Sources], Iterator[Problem]],
) -> Iterator[Problem]:
    """Yield the problems; each that would not be there without an override, in its place."""
    remaining = []
    for each in changed.overrides if problems else ():
        others = [other for other in changed.overrides if other is not each]
        values = _complete(override(fields, others).fields)
        remaining.append((each, {problem.message for problem in look(values, Sources())}))
    for problem in problems:
        blamed = [each for each, messages in remaining if problem.message not in messages]
        in_document = problem.place is None or isinstance(problem.place, SourceLocation)
        place = blamed[-1].value_place if blamed and in_document else problem.place
        yield replace(problem, place=place)


def _find_file_problems(values: dict[str, Any], sources: Sources) -> Iterator[Problem]:
    """Yield every mistake in a file; tuning jobs that have begun may have some of them."""
    yield from _find_problems(values, sources)
    yield from (_locate(each, sources) for each in find_file_conflicts(values))
    yield from _find_placeholders(values, sources)


def _find_placeholders(values: dict[str, Any], sources: Sources) -> Iterator[Problem]:
    """Yield hyperparameters in `environment`, where nothing fills them in."""
    known = list_names(values)
    for name, value in mapping(values, "environment").items():
        for placeholder in find_placeholders(remove_references(str(value)), known):
            if placeholder in known:
                message = f"environment.{name}: {{{placeholder}}} is only replaced in the command"
                hint = f"training jobs find it in {name_variable(placeholder)}, and all values"
                hint += f" in HPT_HYPERPARAMETERS; or write {name}={{{placeholder}}} before the"
                hint += " command, with shell: true"
                place = sources.find(("environment", name), key=False)
                yield Problem("placeholder-environment", message, hint, place)


def override_spec(
    fields: Mapping[str, Any],
    overrides: Iterable[Override],
    find_more: Callable[[TuningSpec], Iterable[Conflict]],
) -> TuningSpec:
    """Return the spec of a tuning job that has begun, with fields that the command line sets.

    Args:
        fields: of the spec as it is.
        overrides: what changes.
        find_more: returns what is wrong with a spec in view of the training jobs that there are.

    Raises:
        UsageError: these fields cannot change, or the values are wrong: all of them.
    """
    overrides = list(overrides)
    allowed = [each for each in overrides if each.top in CHANGEABLE]
    raw = _override(fields, None, allowed)
    fixed = [_refuse_change(each) for each in overrides if each not in allowed]
    if fixed or raw.mistakes:
        raise UsageError(*fixed, *raw.mistakes)
    spec = raw.validate()
    if conflicts := [*find_more(spec)]:
        raise UsageError(*map(raw.locate, conflicts))
    return spec


def _refuse_change(asked: Override) -> Problem:
    return Problem(
        "field-fixed",
        f"'{asked.field}' cannot change after a tuning job has begun",
        did_you_mean(asked.top, CHANGEABLE) or f"these can: {', '.join(CHANGEABLE)}",
        asked.field_place,
    )


def _by_place(problem: Problem) -> tuple[int, int]:
    place = problem.place
    return (place.line, place.column) if isinstance(place, SourceLocation) else (0, 0)


def _find_problems(values: dict[str, Any], sources: Sources) -> Iterator[Problem]:
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
                yield explain(dict(each), values, sources)
    except UnicodeEncodeError:  # of text that is none, which is a conflict
        pass
    for conflict in conflicts.values():
        yield _locate(conflict, sources)


def _locate(conflict: Conflict, sources: Sources) -> Problem:
    place = sources.find(conflict.location, key=conflict.at_key)
    return Problem(conflict.slug, conflict.message, conflict.hint, place)

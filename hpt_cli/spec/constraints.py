"""The constraints between hyperparameters: which points of a search space may be tried."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hpt_cli.filter.constraint import Constraint, Domain, parse_constraint
from hpt_cli.spec.hyperparameters import Value
from hpt_cli.spec.points import list_grid
from hpt_cli.spec.ranges import CategoricalRange, ParameterRange


@dataclass(frozen=True)
class Constraints:
    """Constraints that points must meet; what is said of a hyperparameter that a point does not
    have is met."""

    parsed: tuple[Constraint, ...] = ()
    static: Mapping[str, Value] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.parsed)

    def find_broken(self, point: Mapping[str, Value]) -> Constraint | None:
        """Return the first constraint that a point breaks; None if it meets all."""
        values = {**self.static, **point} if self.parsed else {}
        return next((each for each in self.parsed if each.check(values) is False), None)

    def describe_broken(self, point: Mapping[str, Value]) -> str:
        """Return which constraint a point breaks, and by which values; empty if it meets all."""
        broken = self.find_broken(point)
        if broken is None:
            return ""
        known = {**self.static, **point}
        values = ", ".join(f"{name}={known[name]}" for name in broken.names if name in known)
        return f"{values} breaks the constraint '{broken.text}'"


def parse_constraints(
    texts: Iterable[str],
    ranges: Mapping[str, ParameterRange],
    static: Mapping[str, Value],
) -> Constraints:
    """Return the constraints of a spec.

    Raises:
        ConstraintError: one of them cannot be read.
    """
    domains = map_domains(ranges, static)
    return Constraints(tuple(parse_constraint(text, domains) for text in texts), dict(static))


def map_domains(
    ranges: Mapping[str, ParameterRange], static: Mapping[str, Value]
) -> dict[str, Domain]:
    """Return by name whether a hyperparameter is a number, or one of some texts."""
    values = {
        name: each.values if isinstance(each, CategoricalRange) else (0,)
        for name, each in ranges.items()
    }
    values |= {name: (value,) for name, value in static.items()}
    return {name: _find_domain(each) for name, each in values.items()}


def _find_domain(values: Iterable[Value]) -> Domain:
    listed = list(values)
    texts = tuple(each for each in listed if isinstance(each, str))
    return Domain(len(texts) < len(listed), texts)


def count_allowed(ranges: Mapping[str, ParameterRange], constraints: Constraints) -> int:
    """Return how many points of a grid meet the constraints."""
    return sum(constraints.find_broken(point) is None for point in list_grid(ranges))

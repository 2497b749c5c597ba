"""What other terminals ask of a tuning job that has begun, as events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpt_cli.errors import UsageError
from hpt_cli.spec.cross_field.conflict import ConflictError
from hpt_cli.spec.model import TuningSpec
from hpt_cli.spec.yaml.reader import change_spec
from hpt_cli.tuning.events import Event, SpecChanged
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.steering.proposals import propose, read_point


def answer_request(
    spec: TuningSpec, state: TuningState, request: Mapping[str, Any], at: float
) -> list[Event]:
    """Return what a request changes: nothing, where hpt itself would not have sent it."""
    try:
        match request:
            case {"changes": dict(changes)}:
                return _change(state, changes, at)
            case {"point": dict(given), "source": str(source), "count": int(count)}:
                anyway = request.get("anyway") is True
                point = read_point(spec, state, given, anyway=anyway)
                return propose(spec, state, [point] * count, source, at)
    except (UsageError, ConflictError):
        pass
    return []


def _change(state: TuningState, changes: Mapping[str, Any], at: float) -> list[Event]:
    fields = change_spec(state.spec, changes, len(state.jobs)).model_dump(mode="json")
    # As validation has left them, and not as they were sent.
    return [SpecChanged(at=at, changes={field: fields[field] for field in changes})]

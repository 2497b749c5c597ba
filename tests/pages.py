"""A tuning job made of events, and its report page and exports, for their tests."""

from __future__ import annotations

from hpt_cli.analysis.importance import measure_importance
from hpt_cli.exports import Results
from hpt_cli.reports.page.data import Record
from hpt_cli.reports.page.html import render_page
from hpt_cli.spec.model import TuningSpec
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.evidence import suggest_request
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.summary import summarize
from tests.builders import (
    created,
    exited,
    fold_all,
    launched,
    make_spec,
    observed,
    stop,
    suggested,
)

HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)> & \x1b[31m"
SECRET = "hunter2-not-to-be-seen"
RANGES = {
    "rate": {
        "type": "Continuous",
        "min_value": 1e-4,
        "max_value": 1,
        "scaling_type": "Logarithmic",
    },
    "layers": {"type": "Integer", "min_value": 1, "max_value": 9},
    "kind": {"type": "Categorical", "values": ["a", "b", HOSTILE]},
}
COUNT = 12
FIELDS = {
    "name": "story",
    "description": HOSTILE,
    "command": f"train '{HOSTILE}' {{args}}",
    "hyperparameter_ranges": RANGES,
    "environment": {"API_TOKEN": SECRET, "OTHER": "${MY_TOKEN}", "THIRD": f"${{A}}{SECRET}"},
    "early_stopping_type": "Auto",
    "max_jobs": COUNT,
}


def list_events() -> list[ev.Event]:
    """Return the events of twelve jobs of every kind, two at a time; job 8 is the best: 0.1."""
    events: list[ev.Event] = []
    for number in range(1, COUNT + 1):
        at = 10.0 * ((number - 1) // 2)
        settings = {
            "rate": 10 ** (-4 + number / 3),
            "layers": 1 + number % 9,
            "kind": ["a", "b", HOSTILE][number % 3],
        }
        final = 0.1 if number == 8 else 0.5 + number / 10
        events += [*suggested(number, at, **settings), *launched(number, at)]
        if number == 5:
            events += [observed(number, 9.0, 8.0, at=at), exited(number, 1, at=at + 4)]
        elif number in (6, 9):
            events += [observed(number, 3.0, 2.0, at=at), stop(number, at=at + 2)]
            events += [exited(number, -15, at=at + 2)]
        else:
            values = (final + 1, final + 0.5, final + 0.2, final)
            events += [observed(number, *values, at=at), exited(number, at=at + 8)]
    return events


def make_state(**changes: object) -> TuningState:
    """Return the state after these jobs."""
    return fold_all(*created(make_spec(**(FIELDS | changes))), *list_events())


def make_results(**changes: object) -> Results:
    """Return the results of these jobs, as exported; every epoch took 2 s."""
    state = make_state(**changes)
    moments = {
        (job.number, "loss", step): job.attempts[0].started_at + 2 * step
        for job in state.jobs.values()
        for step, _ in job.curve("loss")
    }
    return Results(summarize(state, 100.0, at_work=False), state, moments)


def make_record(name: str = "story", **changes: object) -> Record:
    """Return a record of these jobs."""
    state = make_state(name=name, **changes)
    spec = TuningSpec.model_validate(state.spec)
    return Record(
        summary=summarize(state, 100.0, at_work=False),
        state=state,
        importance=measure_importance(
            spec.hyperparameter_ranges, suggest_request(spec, state, 0).trials
        ),
        command=f"train '{HOSTILE}'",
        origin=[("directory", HOSTILE)],
    )


def make_page(*names: str) -> str:
    """Return the page on tuning jobs of these names."""
    return render_page([make_record(name) for name in names or ("story",)], 0.0)

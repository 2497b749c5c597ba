"""hpt importance NAME: which hyperparameters matter, and where their good values lie."""

from __future__ import annotations

from hpt_cli.cli.load import find_tuning_job, read_state
from hpt_cli.cli.options import Home, Json, OptionalName
from hpt_cli.cli.output import print_answer
from hpt_cli.errors import HptError
from hpt_cli.tuning.summary import MIN_RESULTS

EXAMPLES = ("hpt importance digits",)


def importance(name: OptionalName = None, json: Json = False, home: Home = None) -> None:
    """Show which hyperparameters matter for the objective.

    A model of the results estimates how much of the variance of the objective each
    hyperparameter accounts for, how certain that is, and where good values lie.
    """
    from hpt_cli.analysis.importance import measure_importance
    from hpt_cli.reports.importance import render, to_json
    from hpt_cli.spec.model import load_spec
    from hpt_cli.tuning.evidence import list_trials

    state = read_state(find_tuning_job(home, name))
    spec = load_spec(state.spec)
    measured = measure_importance(spec.searched_ranges, list_trials(spec, state))
    if measured is None:
        raise HptError.of(
            "importance-few",
            f"{spec.name} has too few results to learn from, or they are all the same",
            f"at least {MIN_RESULTS} training jobs must be Completed or Stopped with a value",
        )
    metric = spec.objective_metric_name
    print_answer(render, to_json, spec.name, metric, measured, as_json=json)

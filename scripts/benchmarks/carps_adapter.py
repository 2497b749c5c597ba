"""hpt as an optimizer of CARP-S, in the loop of CARP-S over its tasks (public_arena.py)."""

from __future__ import annotations

import contextlib
import io
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal

import numpy as np
from carps.loggers.abstract_logger import AbstractLogger
from carps.optimizers.optimizer import Optimizer
from carps.utils.exceptions import NotSupportedError
from carps.utils.running import make_optimizer, make_task
from carps.utils.trials import StatusType, TrialInfo, TrialValue
from ConfigSpace import Configuration, ConfigurationSpace, EqualsCondition, InCondition
from ConfigSpace import hyperparameters as kinds
from hydra import compose, initialize_config_module
from hydra.errors import InstantiationException
from omegaconf import OmegaConf
from problems import Ranges, parse_ranges
from threadpoolctl import threadpool_limits

from hpt_cli.strategies import SuggestRequest, Trial, load_strategy

TASKS = ("subselection/blackbox/dev", "subselection/blackbox/test", "Pymoo/SO/unconstraint")
"""Folders of CARP-S's configurations; of the first two, only BBOB's."""
MARKS = (20, 40)
MISSING = (ImportError, InstantiationException)
"""Raised where the package of an optimizer is not installed."""
DRAWN = 256


def convert_range(each: Any) -> dict[str, Any]:
    """Return one of ConfigSpace's hyperparameters as the fields of a range."""
    match each:
        case kinds.UniformFloatHyperparameter() | kinds.UniformIntegerHyperparameter():
            is_real = isinstance(each, kinds.UniformFloatHyperparameter)
            return {
                "type": "Continuous" if is_real else "Integer",
                "min_value": each.lower,
                "max_value": each.upper,
                "scaling_type": "Logarithmic" if each.log else "Linear",
            }
        case kinds.CategoricalHyperparameter():
            return {"type": "Categorical", "values": [*each.choices]}
        case kinds.OrdinalHyperparameter():
            return {"type": "Categorical", "values": [*each.sequence]}
        case kinds.Constant():
            return {"type": "Categorical", "values": [each.value]}
    raise NotSupportedError(f"hpt has no range like {each}")


def convert_space(space: ConfigurationSpace) -> Ranges:
    """Return the ranges of a space.

    Raises:
        NotSupportedError: it has what hpt has not.
    """
    if space.forbidden_clauses:
        raise NotSupportedError("hpt forbids no combinations")
    raw = {name: convert_range(each) for name, each in space.items()}
    for each in space.conditions:
        match each:
            case EqualsCondition():
                values = [each.value]
            case InCondition():
                values = [*each.values]
            case _:
                raise NotSupportedError(f"hpt has no condition like {each}")
        raw[each.child.name].setdefault("when", {})[each.parent.name] = values
    return parse_ranges(raw)


class Hpt(Optimizer):  # type: ignore[misc]
    """hpt's Bayesian strategy in the loop of CARP-S."""

    def __init__(self, task: Any, loggers: Sequence[Any], seed: int) -> None:
        super().__init__(task, [*loggers])
        self.seed = seed
        self.space = task.objective_function.configspace
        self.ranges = self.convert_configspace(self.space)
        self.trials: list[Trial] = []
        self.told: list[tuple[TrialInfo, TrialValue]] = []

    def _setup_optimizer(self) -> Any:
        return load_strategy("Bayesian")

    def convert_configspace(self, configspace: ConfigurationSpace) -> Ranges:
        return convert_space(configspace)

    def convert_to_trial(self, trial: Trial) -> TrialInfo:  # type: ignore[override, unused-ignore]
        config = Configuration(self.space, values=trial.hyperparameters)
        return TrialInfo(config=config, seed=self.seed, name=str(trial.number))

    def ask(self) -> TrialInfo:
        number, jobs = len(self.trials) + 1, self.task.optimization_resources.n_trials
        request = SuggestRequest(self.ranges, self.seed, number, jobs, 1, tuple(self.trials))
        answer = self.solver.suggest(request)
        if answer is None:
            raise LookupError("the space is used up")
        self.trials.append(Trial(number, answer, "Running", None))
        return self.convert_to_trial(self.trials[-1])

    def tell(self, trial_info: TrialInfo, trial_value: TrialValue) -> None:
        place = int(trial_info.name) - 1
        asked, has_failed = self.trials[place], trial_value.status != StatusType.SUCCESS
        loss = None if has_failed else float(trial_value.cost)
        status: Literal["Failed", "Completed"] = "Failed" if has_failed else "Completed"
        self.trials[place] = Trial(asked.number, asked.hyperparameters, status, loss)
        self.told.append((trial_info, trial_value))

    def get_current_incumbent(self) -> Any:
        return min(self.told, key=lambda each: float(each[1].cost))


class CostLogger(AbstractLogger):  # type: ignore[misc]
    """Keeps the cost of every trial."""

    def __init__(self) -> None:
        self.costs: list[float] = []

    def log_trial(self, *_: Any, trial_value: Any, **__: Any) -> None:
        self.costs.append(float(trial_value.cost))

    def log_incumbent(self, *_: Any, **__: Any) -> None:
        pass

    def log_arbitrary(self, *_: Any, **__: Any) -> None:
        pass


@dataclass(frozen=True)
class Run:
    """What an optimizer found on a task with one seed: regret by mark; CPU seconds a suggestion."""

    regrets: dict[str, float]
    seconds: float


def list_tasks() -> list[str]:
    """Return the names of CARP-S's configurations of tasks that need no data."""
    root = files("carps").joinpath("configs/task")
    found = [
        f"{folder}={path.name.removesuffix('.yaml')}"
        for folder in TASKS
        for path in root.joinpath(folder).iterdir()
    ]
    return sorted(each for each in found if "bbob" in each or each.startswith("Pymoo"))


def run(task_name: str, optimizer_name: str, seed: int) -> Run:
    """Return what an optimizer finds."""
    folder, _, config = optimizer_name.partition("/")
    overrides = [f"+task/{task_name}", f"seed={seed}"]
    if optimizer_name != "hpt":
        overrides.append(f"+optimizer/{folder}={config}")
    with initialize_config_module("carps.configs", version_base=None):
        chosen = compose("base", overrides)
    OmegaConf.set_struct(chosen, False)
    del chosen["loggers"]  # which write files, or to a database
    task, costs = make_task(chosen), CostLogger()
    function = task.objective_function
    sample = [
        float(function.evaluate(TrialInfo(config=each, seed=seed)).cost)
        for each in function.configspace.sample_configuration(DRAWN)
    ]
    task = make_task(chosen)  # anew: it counts
    task.objective_function.loggers = [costs]
    is_hpt = optimizer_name == "hpt"
    optimizer = Hpt(task, [costs], seed) if is_hpt else make_optimizer(chosen, task)
    before = time.process_time()
    optimizer.run()
    seconds = (time.process_time() - before) / len(costs.costs)
    least = function.f_min or 0.0  # of Pymoo's functions, which do not say theirs
    scale = float(np.median(sample)) - least
    best = (np.minimum.accumulate(costs.costs) - least) / scale
    marks = {str(mark): float(best[mark - 1]) for mark in MARKS}
    return Run(marks | {"end": float(best[-1])}, seconds)


def run_quietly(task: str, optimizer: str, seed: int) -> Run:
    """Return what an optimizer finds, without what it prints."""
    warnings.simplefilter("ignore")
    with threadpool_limits(1), contextlib.redirect_stdout(io.StringIO()):
        return run(task, optimizer, seed)

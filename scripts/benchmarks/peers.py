"""Other optimizers, behind the interface that the comparison uses: ask for a job, tell its loss."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from problems import Problem

from hpt_cli.spec.hyperparameters import Hyperparameters
from hpt_cli.spec.points import select_active
from hpt_cli.spec.ranges import CategoricalRange, IntegerRange, ParameterRange


class Peer:
    """What the peers have in common: ranges of their own, and losses that are capped."""

    def __init__(self, problem: Problem, seed: int, jobs: int, parallel: int) -> None:
        self.problem, self.seed, self.jobs, self.parallel = problem, seed, jobs, parallel
        self.pending: dict[int, Any] = {}

    def cap(self, loss: float | None) -> float:
        """Return a loss that is no further above the median than the best is below it; that much
        where a job failed.

        Recorded losses go up to 1e17, and some peers standardize what they are told.
        """
        most = 2 * self.problem.median - self.problem.best
        return most if loss is None else min(loss, most)

    def value(self, name: str, raw: Any) -> Any:
        """Return a peer's raw value as a hyperparameter; reals are searched on [0, 1]."""
        each = self.problem.ranges[name]
        if isinstance(each, CategoricalRange):
            return each.values[int(raw)]
        return int(raw) if isinstance(each, IntegerRange) else each.from_unit(float(raw))

    def raw(self, name: str, value: Any) -> Any:
        """Return a hyperparameter as a peer's raw value."""
        each = self.problem.ranges[name]
        if isinstance(each, CategoricalRange):
            return each.values.index(value)
        return int(value) if isinstance(each, IntegerRange) else each.to_unit(value)

    def keep_active(self, values: Hyperparameters) -> Hyperparameters:
        """Return the values of the ranges that are active."""
        return select_active(self.problem.ranges, values)


class Skopt(Peer):
    """`skopt.Optimizer` with its defaults; jobs in flight get the constant liar's loss."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        import skopt

        space = [self._dimension(each) for each in self.problem.ranges.values()]
        self.optimizer = skopt.Optimizer(
            space, random_state=self.seed, n_initial_points=min(10, self.jobs // 2)
        )
        self.known: list[float] = []

    @staticmethod
    def _dimension(each: ParameterRange) -> Any:
        from skopt.space import Categorical, Integer, Real

        if isinstance(each, CategoricalRange):
            return Categorical(list(range(len(each.values))))
        if isinstance(each, IntegerRange):
            prior = "log-uniform" if each.scaling == "Logarithmic" else "uniform"
            return Integer(each.min_value, each.max_value, prior=prior)
        return Real(0.0, 1.0)

    def ask(self, number: int) -> Hyperparameters:
        optimizer = self.optimizer
        if self.pending:
            optimizer = self.optimizer.copy(random_state=self.seed + number)
            lie = min(self.known, default=0.0)
            optimizer.tell(list(self.pending.values()), [lie] * len(self.pending))
        self.pending[number] = point = optimizer.ask()
        names = self.problem.ranges
        return self.keep_active(
            {name: self.value(name, raw) for name, raw in zip(names, point, strict=True)}
        )

    def replace(self, number: int, hyperparameters: Hyperparameters) -> None:
        self.pending[number] = [self.raw(*each) for each in hyperparameters.items()]

    def tell(self, number: int, loss: float | None) -> None:
        # It knows neither failures nor conditions: what is not active is told as it was asked.
        self.known.append(self.cap(loss))
        self.optimizer.tell(self.pending.pop(number), self.known[-1])


class Optuna(Peer):
    """Optuna with one of its samplers."""

    def __init__(self, sampler: Callable[[int], Any], *args: Any) -> None:
        super().__init__(*args)
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.study = optuna.create_study(sampler=sampler(self.seed))

    def ask(self, number: int) -> Hyperparameters:
        self.pending[number] = trial = self.study.ask()
        values: dict[str, Any] = {}
        for name, each in self.problem.ranges.items():
            # As its users write conditions: the ranges that decide stand before the others.
            if all(values.get(other) in allowed for other, allowed in each.when.items()):
                values[name] = self.value(name, self._suggest(trial, name, each))
        return values

    def _suggest(self, trial: Any, name: str, each: ParameterRange) -> Any:
        if isinstance(each, CategoricalRange):
            return trial.suggest_categorical(name, list(range(len(each.values))))
        if isinstance(each, IntegerRange):
            log = each.scaling == "Logarithmic"
            return trial.suggest_int(name, each.min_value, each.max_value, log=log)
        return trial.suggest_float(name, 0.0, 1.0)

    def replace(self, number: int, hyperparameters: Hyperparameters) -> None:
        from optuna.trial import TrialState, create_trial

        asked = self.pending[number]
        self.study.tell(asked, state=TrialState.FAIL)  # which its samplers leave out
        self.pending[number] = create_trial(
            params={name: self.raw(name, value) for name, value in hyperparameters.items()},
            distributions=asked.distributions,
            value=0.0,
        )

    def tell(self, number: int, loss: float | None) -> None:
        from optuna.trial import FrozenTrial, TrialState

        trial = self.pending.pop(number)
        if isinstance(trial, FrozenTrial):
            trial.value = self.cap(loss)
            self.study.add_trial(trial)
        elif loss is None:
            self.study.tell(trial, state=TrialState.FAIL)
        else:
            self.study.tell(trial, self.cap(loss))


def _never_called(config: Any, seed: int = 0) -> float:
    raise NotImplementedError(f"jobs are asked for and told: {config}, {seed}")


class Smac(Peer):
    """SMAC3's facade for hyperparameters: random forest, log EI."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        import tempfile

        from ConfigSpace import AndConjunction, ConfigurationSpace, InCondition
        from smac import HyperparameterOptimizationFacade, Scenario

        space = ConfigurationSpace(seed=self.seed)
        ranges = self.problem.ranges
        dimensions = {name: self._dimension(name, each) for name, each in ranges.items()}
        space.add(list(dimensions.values()))
        for name, each in ranges.items():
            conditions = [
                InCondition(
                    dimensions[name], dimensions[other], [self.raw(other, v) for v in wanted]
                )
                for other, wanted in each.when.items()
            ]
            if conditions:
                space.add(conditions[0] if len(conditions) == 1 else AndConjunction(*conditions))
        self.folder = tempfile.TemporaryDirectory()
        scenario = Scenario(
            space,
            deterministic=True,
            n_trials=self.jobs,
            seed=self.seed,
            output_directory=Path(self.folder.name),
        )
        self.facade = HyperparameterOptimizationFacade(
            scenario, _never_called, overwrite=True, logging_level=logging.ERROR
        )

    @staticmethod
    def _dimension(name: str, each: ParameterRange) -> Any:
        from ConfigSpace import CategoricalHyperparameter as Category
        from ConfigSpace import UniformFloatHyperparameter as Real
        from ConfigSpace import UniformIntegerHyperparameter as Integer

        if isinstance(each, CategoricalRange):
            return Category(name, list(range(len(each.values))))
        if isinstance(each, IntegerRange):
            log = each.scaling == "Logarithmic"
            return Integer(name, each.min_value, each.max_value, log=log)
        return Real(name, 0.0, 1.0)

    def ask(self, number: int) -> Hyperparameters:
        self.pending[number] = info = self.facade.ask()
        return {name: self.value(name, raw) for name, raw in info.config.items()}

    def replace(self, number: int, hyperparameters: Hyperparameters) -> None:
        """Do nothing: the result counts as that of the point it asked for, without which it goes on
        only after minutes."""

    def tell(self, number: int, loss: float | None) -> None:
        from smac.runhistory import StatusType, TrialValue

        status = StatusType.CRASHED if loss is None else StatusType.SUCCESS
        value = TrialValue(cost=self.cap(loss), status=status)
        self.facade.tell(self.pending.pop(number), value)


class Ax(Peer):
    """Ax with the generation strategy that it chooses: Sobol points, then a Gaussian process."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        import torch
        from ax import Client
        from ax.utils.common.logger import set_stderr_log_level

        torch.set_num_threads(1)
        set_stderr_log_level(logging.ERROR)
        self.client = Client(random_seed=self.seed)
        self.client.configure_experiment([*map(self._dimension, self.problem.ranges)])
        self.client.configure_optimization(objective="-loss")
        # By the job's number: the number of Ax's trial, and its raw values.
        self.pending: dict[int, tuple[int, Mapping[str, Any]]] = {}

    def _dimension(self, name: str) -> Any:
        from ax import ChoiceParameterConfig, RangeParameterConfig

        each = self.problem.ranges[name]
        if isinstance(each, CategoricalRange):
            places = list(range(len(each.values)))
            if len(places) == 1:  # which it refuses: it is asked for a number that counts nowhere
                return RangeParameterConfig(name, (0.0, 0.5), "float")
            return ChoiceParameterConfig(name, places, "int", is_ordered=False)
        if isinstance(each, IntegerRange):
            is_log = each.scaling == "Logarithmic"
            scaling: Literal["log", "linear"] = "log" if is_log else "linear"
            bounds = each.min_value, each.max_value
            return RangeParameterConfig(name, bounds, "int", scaling=scaling)
        return RangeParameterConfig(name, (0.0, 1.0), "float")

    def ask(self, number: int) -> Hyperparameters:
        ((trial, raw),) = self.client.get_next_trials(max_trials=1).items()
        self.pending[number] = trial, raw
        return self.keep_active({name: self.value(name, each) for name, each in raw.items()})

    def replace(self, number: int, hyperparameters: Hyperparameters) -> None:
        trial, raw = self.pending[number]
        self.client.mark_trial_abandoned(trial)
        raw = {**raw} | {name: self.raw(name, value) for name, value in hyperparameters.items()}
        self.pending[number] = self.client.attach_trial(raw), raw

    def tell(self, number: int, loss: float | None) -> None:
        trial, _ = self.pending.pop(number)
        if loss is None:
            self.client.mark_trial_failed(trial)
        else:
            self.client.complete_trial(trial, raw_data={"loss": self.cap(loss)})


class Hebo(Peer):
    """HEBO with its defaults; jobs in flight get the constant liar's loss.

    It knows neither failures nor conditions: what is not active is told as it was asked.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        try:
            from hebo.design_space.design_space import DesignSpace
            from hebo.optimizers.hebo import HEBO
        except ImportError as missing:
            why = "HEBO 0.3.6 asks for numpy < 1.25, hpt for more: pip install --no-deps hebo pymoo"
            raise ImportError(f"{missing}; {why}") from None

        space = DesignSpace().parse([*map(self._dimension, self.problem.ranges)])
        self.optimizer = HEBO(space, scramble_seed=self.seed)

    def _dimension(self, name: str) -> dict[str, Any]:
        each = self.problem.ranges[name]
        if isinstance(each, CategoricalRange):
            return {"name": name, "type": "cat", "categories": list(range(len(each.values)))}
        if isinstance(each, IntegerRange):
            kind = "pow_int" if each.scaling == "Logarithmic" else "int"
            return {"name": name, "type": kind, "lb": each.min_value, "ub": each.max_value}
        return {"name": name, "type": "num", "lb": 0.0, "ub": 1.0}

    def ask(self, number: int) -> Hyperparameters:
        points, losses = self.optimizer.X, self.optimizer.y
        if self.pending and len(losses):
            for each in self.pending.values():
                self.optimizer.observe(each, losses.min(keepdims=True))
        self.pending[number] = row = self.optimizer.suggest(n_suggestions=1)
        self.optimizer.X, self.optimizer.y = points, losses
        raw = row.iloc[0].to_dict()
        return self.keep_active({name: self.value(name, each) for name, each in raw.items()})

    def replace(self, number: int, hyperparameters: Hyperparameters) -> None:
        for name, value in hyperparameters.items():
            self.pending[number][name] = self.raw(name, value)

    def tell(self, number: int, loss: float | None) -> None:
        self.optimizer.observe(self.pending.pop(number), np.array([[self.cap(loss)]]))


def make_tpe(seed: int) -> Any:
    """Return TPE as Optuna 5 has it by default, whatever the version."""
    from optuna.samplers import TPESampler

    return TPESampler(seed=seed, multivariate=True, constant_liar=True)


def make_gp_sampler(seed: int) -> Any:
    """Return GPSampler, on one thread."""
    import torch
    from optuna.samplers import GPSampler

    torch.set_num_threads(1)
    return GPSampler(seed=seed)

"""Other optimizers, behind the interface that the comparison uses: ask for a job, tell its loss."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from problems import Problem

from hpt_cli.spec.hyperparameters import Hyperparameters
from hpt_cli.spec.ranges import CategoricalRange, IntegerRange, ParameterRange


class Peer:
    """What the peers have in common: ranges of their own, and losses that are capped."""

    def __init__(self, problem: Problem, seed: int, jobs: int, parallel: int) -> None:
        self.problem, self.seed, self.jobs, self.parallel = problem, seed, jobs, parallel
        self.pending: dict[int, Any] = {}

    def cap(self, loss: float) -> float:
        """Return a loss that is no further above the median than the best is below it.

        Recorded losses go up to 1e17, and some peers standardize what they are told.
        """
        return min(loss, 2 * self.problem.median - self.problem.best)

    def value(self, name: str, raw: Any) -> Any:
        """Return a peer's raw value as a hyperparameter; reals are searched on [0, 1]."""
        each = self.problem.ranges[name]
        if isinstance(each, CategoricalRange):
            return each.values[int(raw)]
        return int(raw) if isinstance(each, IntegerRange) else each.from_unit(float(raw))


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
        return {name: self.value(name, raw) for name, raw in zip(names, point, strict=True)}

    def tell(self, number: int, loss: float) -> None:
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
        return {
            name: self.value(name, self._raw(trial, name, each))
            for name, each in self.problem.ranges.items()
        }

    @staticmethod
    def _raw(trial: Any, name: str, each: ParameterRange) -> Any:
        if isinstance(each, CategoricalRange):
            return trial.suggest_categorical(name, list(range(len(each.values))))
        if isinstance(each, IntegerRange):
            log = each.scaling == "Logarithmic"
            return trial.suggest_int(name, each.min_value, each.max_value, log=log)
        return trial.suggest_float(name, 0.0, 1.0)

    def tell(self, number: int, loss: float) -> None:
        self.study.tell(self.pending.pop(number), self.cap(loss))


def _never_called(config: Any, seed: int = 0) -> float:
    raise NotImplementedError(f"jobs are asked for and told: {config}, {seed}")


class Smac(Peer):
    """SMAC3's facade for hyperparameters: random forest, log EI."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        import tempfile

        from ConfigSpace import ConfigurationSpace
        from smac import HyperparameterOptimizationFacade, Scenario

        space = ConfigurationSpace(seed=self.seed)
        space.add([self._dimension(name, each) for name, each in self.problem.ranges.items()])
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
        return {name: self.value(name, info.config[name]) for name in self.problem.ranges}

    def tell(self, number: int, loss: float) -> None:
        from smac.runhistory import TrialValue

        self.facade.tell(self.pending.pop(number), TrialValue(cost=self.cap(loss)))


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

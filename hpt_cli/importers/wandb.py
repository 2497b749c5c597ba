"""From the configuration of a W&B sweep to the fields of a spec."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from typing import Any

from hpt_cli.errors import did_you_mean
from hpt_cli.importers.parts import (
    guess_metric,
    list_categories,
    make_name,
    make_numbers,
    make_value,
    shorten,
)
from hpt_cli.sagemaker import Imported
from hpt_cli.sagemaker.names import FILL_IN

METHODS = {"grid": "Grid", "random": "Random", "bayes": "Bayesian"}
_WHY = {
    "project": "hpt has no projects",
    "entity": "hpt has no users",
    "controller": "the tuner runs here",
    "imageuri": "the command runs on this machine",
    "job": "the command runs on this machine",
    "scheduler": "the command runs on this machine",
}
_KNOWN = (
    *("program", "name", "description", "method", "metric", "parameters", "early_terminate"),
    *("command", "run_cap"),
)
_WORDS = {
    "${env}": [],
    "${interpreter}": ["python"],
    "${args}": ["{args}"],
    "${args_no_boolean_flags}": ["{args}"],
}


def is_sweep(document: Any) -> bool:
    """Return whether a document is the configuration of a sweep."""
    if not isinstance(document, Mapping) or not isinstance(document.get("parameters"), Mapping):
        return False
    return "method" in document or {"program", "metric"} <= {*document}


def import_sweep(document: Mapping[str, Any], file: str) -> Imported:
    """Return the spec of a sweep.

    Args:
        document: its configuration; booleans are booleans.
        file: its name, for the name of the tuning job.

    Raises:
        AttributeError, TypeError, ValueError: a field has another type than documented.
    """
    return _Importer(document).convert(str(document.get("name") or file))


class _Importer:
    """The conversion of one sweep."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._left_out: list[str] = []
        self._fill_in: list[tuple[str, str]] = []
        self._ranges: dict[str, Any] = {}
        self._static: dict[str, Any] = {}

    def convert(self, name: str) -> Imported:
        document = self._document
        method = str(document.get("method") or "bayes")
        metric = document.get("metric") or {}
        objective = metric.get("name")
        self._read_parameters(document["parameters"], "")
        if method not in METHODS:
            self._fill_in.append(("strategy", f"hpt has no method {method}"))
        fields = {
            "name": make_name(name),
            "description": document.get("description"),
            "command": self._make_command(),
            "hyperparameter_ranges": self._ranges,
            "static_hyperparameters": self._static or None,
            "metric_definitions": [guess_metric(str(objective or FILL_IN))],
            "objective_metric_name": str(objective or FILL_IN),
            "objective_type": str(metric.get("goal") or "minimize").capitalize(),
            "target_objective_metric_value": metric.get("target"),
            "strategy": METHODS.get(method, "Bayesian"),
            "max_jobs": document.get("run_cap"),
            **self._read_early_stopping(),
        }
        if fields["max_jobs"] is None and method != "grid":
            fields["max_jobs"] = 20
            self._fill_in.append(("max_jobs", "a sweep goes on until its agents are stopped"))
        self._list_the_rest()
        given = {key: value for key, value in fields.items() if value is not None}
        guessed = (str(objective),) if objective else ()
        return Imported(given, tuple(self._left_out), tuple(self._fill_in), guessed)

    def _read_parameters(self, parameters: Mapping[str, Any], above: str) -> None:
        for key, each in parameters.items():
            name = f"{above}{key}"
            if isinstance(each, Mapping) and isinstance(each.get("parameters"), Mapping):
                self._read_parameters(each["parameters"], f"{name}.")
                words = f"{name} is nested: hpt passes its parts as {name}.NAME"
                self._fill_in.append(("command", words))
            elif not isinstance(each, Mapping):
                raise TypeError(f"parameters.{name} is no mapping")
            elif "value" in each:
                self._static[name] = make_value(each["value"])
            elif "values" in each:
                self._ranges[name] = list_categories(list(each["values"]))
                if "probabilities" in each:
                    self._left_out.append(f"{name}.probabilities: values are equally likely here")
            else:
                self._ranges[name] = self._read_distribution(name, each)

    def _read_distribution(self, name: str, each: Mapping[str, Any]) -> dict[str, Any]:
        low, high = each.get("min"), each.get("max")
        are_whole = isinstance(low, int) and isinstance(high, int)
        distribution = str(each.get("distribution") or ("int_uniform" if are_whole else "uniform"))
        step = each.get("q", 1) if distribution.startswith("q_") else None
        plain = distribution.removeprefix("q_")
        if plain in ("normal", "log_normal", "beta"):
            return self._bound(name, plain, each, step)
        if low is None or high is None:
            self._fill_in.append(("hyperparameter_ranges", f"{name} has no bounds"))
            return make_numbers(low or 0, high or 1, "Auto", step)
        if plain in ("log_uniform", "inv_log_uniform"):
            sign = -1 if plain.startswith("inv") else 1
            ends = sorted((shorten(math.exp(sign * low)), shorten(math.exp(sign * high))))
            return make_numbers(ends[0], ends[1], "Logarithmic", step and float(step))
        if plain in ("log_uniform_values", "inv_log_uniform_values"):
            low, high = (low, high) if step and are_whole else (float(low), float(high))
            return make_numbers(low, high, "Logarithmic", step)
        if plain == "int_uniform":
            return make_numbers(int(low), int(high), "Linear")
        if plain != "uniform":
            words = f"{name}: hpt has no distribution {distribution}; it is uniform here"
            self._fill_in.append(("hyperparameter_ranges", words))
        whole = bool(step) and are_whole and isinstance(step, int)
        low, high = (low, high) if whole else (float(low), float(high))
        return make_numbers(low, high, "Linear", step)

    def _bound(
        self, name: str, plain: str, each: Mapping[str, Any], step: float | None
    ) -> dict[str, Any]:
        """Return a range for a distribution without bounds, to be checked."""
        middle, width = float(each.get("mu", 0.0)), float(each.get("sigma", 1.0))
        low, high = middle - 2 * width, middle + 2 * width
        scaling = "Linear"
        if plain == "beta":
            low, high = 0.0, 1.0
        elif plain == "log_normal":
            low, high, scaling = math.exp(low), math.exp(high), "Logarithmic"
        words = f"{name}: a {plain} distribution became a range without one; check the bounds"
        self._fill_in.append(("hyperparameter_ranges", words))
        return make_numbers(shorten(low), shorten(high), scaling, step and float(step))

    def _make_command(self) -> str | list[str]:
        program = self._document.get("program")
        given = self._document.get("command")
        words = shlex.split(given) if isinstance(given, str) else given
        words = words or ["${env}", "${interpreter}", "${program}", "${args}"]
        made: list[str] = []
        for word in map(str, words):
            made += self._translate(word, program)
        if any(not set(word) <= _PLAIN for word in made):
            return made
        return " ".join(made)

    def _translate(self, word: str, program: Any) -> list[str]:
        """Return a word of the command, with hpt's placeholders for W&B's."""
        if word == "${args_no_hyphens}":
            return [f"{name}={{{name}}}" for name in (*self._static, *self._ranges)]
        if word == "${args_no_boolean_flags}":
            words = "W&B passes a boolean as a flag, and only if it is true; hpt passes its value"
            self._fill_in.append(("command", words))
        if word in _WORDS:
            return list(_WORDS[word])
        if word == "${program}":
            if not program:
                self._fill_in.append(("command", "the sweep names no program"))
            return [str(program or "train.py")]
        if "${" in word:
            self._fill_in.append(("command", f"hpt has no {word}"))
        return [word]

    def _read_early_stopping(self) -> dict[str, Any]:
        asked = self._document.get("early_terminate")
        if not asked:
            return {}
        eta = asked.get("eta", 3)
        first = asked.get("min_iter")
        if first is None and asked.get("max_iter"):
            first = max(1, round(asked["max_iter"] / eta ** asked.get("s", 1)))
        rule = {"rule": "asha", "min_epochs": first, "reduction_factor": eta}
        given = {key: value for key, value in rule.items() if value is not None}
        return {"early_stopping_type": "Auto", "early_stopping": given}

    def _list_the_rest(self) -> None:
        for key in self._document:
            if key in _WHY:
                self._left_out.append(f"{key}: {_WHY[key]}")
            elif key not in _KNOWN:
                hint = did_you_mean(key, (*_KNOWN, *_WHY))
                words = f"{key}: it has no equivalent here"
                self._left_out.append(words + (f"; {hint}" if hint else ""))


_PLAIN = {*"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./{}=+-:,@%"}
"""Characters that need no quotes in a command."""

"""From the parameters of a Hydra sweeper to the fields of a spec."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpt_cli.importers.parts import guess_metric, list_categories, make_name, make_numbers
from hpt_cli.sagemaker import Imported
from hpt_cli.spec.hyperparameters import Value
from hpt_cli.spec.yaml.document import read_scalar

OBJECTIVE = "objective"
"""What a Hydra application returns has no name; this is the one it gets."""
_SAMPLERS = {"Random": "Random", "Grid": "Grid", "QMC": "Random"}
_LEFT_OUT = {
    "storage": "results are always kept in .hpt/NAME",
    "study_name": "the tuning job has a name of its own",
    "max_batch_size": "jobs are started one by one",
    "max_failure_rate": "see retry and fail_fast",
    "custom_search_space": "a function cannot be imported: see when",
}


def find_sweeper(document: Any) -> Mapping[str, Any] | None:
    """Return the configuration of a sweeper in a document; None without one."""
    if not isinstance(document, Mapping):
        return None
    hydra = document.get("hydra")
    inner = hydra.get("sweeper") if isinstance(hydra, Mapping) else document.get("sweeper")
    if isinstance(inner, Mapping) and _find_space(inner):
        return inner
    is_sweeper = any(key in document for key in ("n_trials", "direction", "sampler"))
    is_sweeper = is_sweeper or "Sweeper" in str(document.get("_target_"))
    return document if is_sweeper and _find_space(document) else None


def _find_space(sweeper: Mapping[str, Any]) -> Any:
    space = next((sweeper[key] for key in ("params", "search_space") if sweeper.get(key)), None)
    if isinstance(space, list):
        pairs = (str(each).partition("=") for each in space)
        space = {name: value for name, _, value in pairs}
    is_space = isinstance(space, Mapping) and all(
        isinstance(each, (str, int, float, list)) or (isinstance(each, Mapping) and "type" in each)
        for each in space.values()
    )
    return space if is_space else None


def import_sweeper(document: Mapping[str, Any], sweeper: Mapping[str, Any], file: str) -> Imported:
    """Return the spec of a sweeper.

    Args:
        document: the whole configuration.
        sweeper: the part of it for the sweeper.
        file: its name, for the name of the tuning job.

    Raises:
        AttributeError, TypeError, ValueError: a field has another type than documented.
    """
    return _Importer(document, sweeper).convert(file)


@dataclass(frozen=True)
class Sweep:
    """A function of Hydra's override grammar, such as `choice(a, b)`."""

    function: str
    arguments: tuple[str, ...]
    keywords: Mapping[str, str]

    def get(self, keyword: str, place: int) -> str | None:
        """Return an argument by its name, or by its place."""
        if keyword in self.keywords:
            return self.keywords[keyword]
        return self.arguments[place] if place < len(self.arguments) else None


class _Importer:
    """The conversion of one sweeper."""

    def __init__(self, document: Mapping[str, Any], sweeper: Mapping[str, Any]) -> None:
        self._sweeper = sweeper
        defaults = document.get("defaults") or []
        sweepers = [str(each) for each in defaults if "hydra/sweeper" in str(each)]
        is_named = bool(sweepers) and "basic" not in " ".join(sweepers)
        tuned = ("n_trials", "direction", "sampler", "search_space", "optim", "ax_config")
        self._is_basic = not (is_named or any(sweeper.get(key) is not None for key in tuned))
        self._left_out: list[str] = []
        self._fill_in: list[tuple[str, str]] = []
        self._ranges: dict[str, Any] = {}
        self._static: dict[str, Value] = {}

    def convert(self, file: str) -> Imported:
        sweeper = self._sweeper
        for name, text in _find_space(sweeper).items():
            self._read_parameter(str(name), text)
        command = " ".join(
            ["python train.py", *(f"{name}={{{name}}}" for name in (*self._static, *self._ranges))]
        )
        self._fill_in.append(("command", "the file does not name the program"))
        sampler = sweeper.get("sampler") or {}
        kind = str(sampler.get("_target_") or "").rpartition(".")[2].removesuffix("Sampler")
        optim = sweeper.get("optim") or {}
        jobs = sweeper.get("n_trials") or optim.get("budget") or sweeper.get("max_trials")
        fields = {
            "name": make_name(str(sweeper.get("study_name") or file)),
            "command": command,
            "hyperparameter_ranges": self._ranges,
            "static_hyperparameters": self._static or None,
            "metric_definitions": [guess_metric(OBJECTIVE)],
            "objective_metric_name": OBJECTIVE,
            "objective_type": self._read_direction(optim),
            "strategy": "Grid" if self._is_basic else _SAMPLERS.get(kind, "Bayesian"),
            "random_seed": sampler.get("seed"),
            "max_jobs": jobs,
            "max_parallel_jobs": sweeper.get("n_jobs") or optim.get("num_workers"),
        }
        if jobs is None and not self._is_basic:
            fields["max_jobs"] = 20
            self._fill_in.append(("max_jobs", "the sweeper does not say how many trials"))
        words = "Hydra's application returns the objective; name a metric that it prints instead"
        self._fill_in.append(("objective_metric_name", words))
        for key, why in _LEFT_OUT.items():
            if sweeper.get(key) is not None:
                self._left_out.append(f"{key}: {why}")
        given = {key: value for key, value in fields.items() if value is not None}
        return Imported(given, tuple(self._left_out), tuple(self._fill_in), (OBJECTIVE,))

    def _read_direction(self, optim: Mapping[str, Any]) -> str:
        direction = self._sweeper.get("direction")
        if isinstance(direction, list):
            if len(direction) > 1:
                words = "the sweeper has several objectives; a spec has one"
                self._fill_in.append(("objective_type", words))
            direction = direction[0] if direction else None
        if str(optim.get("maximize")).lower() == "true":
            direction = "maximize"
        if direction is None:
            words = "the sweeper does not say whether less or more is better"
            self._fill_in.append(("objective_type", words))
        return str(direction or "minimize").capitalize()

    def _read_parameter(self, name: str, text: Any) -> None:
        if isinstance(text, Mapping):
            self._ranges[name] = _read_distribution(text)
            return
        read = parse_sweep(str(text))
        if isinstance(read, str):
            self._static[name] = _read_value(read)
            return
        made, tags, cast = read, set[str](), ""
        while made.function in (
            "tag",
            "int",
            "float",
            "str",
            "shuffle",
            "sort",
            "bool",
            "json_str",
        ):
            tags |= set(made.arguments[:-1]) if made.function == "tag" else set()
            cast = made.function if made.function in ("int", "float") else cast
            inner = parse_sweep(made.arguments[-1]) if made.arguments else ""
            made = inner if isinstance(inner, Sweep) else Sweep("choice", made.arguments, {})
        self._ranges[name] = self._convert(name, made, tags, cast)

    def _convert(self, name: str, sweep: Sweep, tags: set[str], cast: str) -> dict[str, Any]:
        scaling = "Logarithmic" if "log" in tags else "Linear"
        if sweep.function == "choice":
            return list_categories(list(map(_read_value, sweep.arguments)))
        if sweep.function == "interval":
            low = _read_number(sweep.get("start", 0), cast)
            high = _read_number(sweep.get("end", 1), cast)
            if isinstance(low, float) or isinstance(high, float):
                low, high = float(low), float(high)
            return make_numbers(low, high, scaling)
        if sweep.function == "range":
            start, stop = sweep.get("start", 0), sweep.get("stop", 1)
            start, stop = ("0", start) if stop is None else (start, stop)
            step = _read_number(sweep.get("step", 2) or "1", cast)
            low, high = _read_number(start, cast), _read_number(stop, cast)
            if self._is_basic:  # which leaves out the stop
                count = max(1, math.ceil((high - low) / step - 1e-9))
                high = low + (count - 1) * step
            if any(isinstance(each, float) for each in (low, high, step)):
                low, high, step = float(low), float(high), float(step)
            return make_numbers(low, high, scaling, step)
        words = f"{name}: hpt does not know {sweep.function}(...)"
        self._fill_in.append(("hyperparameter_ranges", words))
        return list_categories([",".join(sweep.arguments)])


def _read_distribution(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the range of a search space as Hydra 1.1 wrote it."""
    if given["type"] == "categorical":
        return list_categories(list(given["choices"]))
    cast = "int" if given["type"] == "int" else "float"
    low, high = (_read_number(str(given[key]), cast) for key in ("low", "high"))
    is_log = str(given.get("log")).lower() == "true"
    step = given.get("step")
    scaling = "Logarithmic" if is_log else "Linear"
    return make_numbers(low, high, scaling, None if step is None else _read_number(str(step), cast))


def _read_number(text: str | None, cast: str) -> float:
    number = read_scalar((text or "").strip())
    if isinstance(number, str) or number is None:
        raise ValueError(f"'{text}' is not a number")
    return int(number) if cast == "int" else float(number) if cast == "float" else number


def _read_value(text: str) -> Value:
    """Return a value as it stands on a command line; without the quotes around it."""
    quoted = re.fullmatch(r"(['\"])(.*)\1", text, re.DOTALL)
    value = quoted[2] if quoted else read_scalar(text)
    return text if value is None else value


def parse_sweep(text: str) -> Sweep | str:
    """Return the sweep that a value of an override stands for; the text where it is none.

    A list with commas is a choice.
    """
    text = text.strip()
    parts = split_arguments(text)
    if len(parts) > 1:
        return Sweep("choice", tuple(parts), {})
    called = re.fullmatch(r"([A-Za-z_]\w*)\((.*)\)", text, re.DOTALL)
    if not called:
        return text
    arguments, keywords = [], {}
    for each in split_arguments(called[2]):
        named = re.match(r"([A-Za-z_]\w*)\s*=(?!=)\s*", each)
        if named:
            keywords[named[1]] = each[named.end() :]
        else:
            arguments.append(each)
    listed = keywords.pop("list", None)
    if listed is None and called[1] in ("shuffle", "sort") and len(arguments) > 1:
        return Sweep("choice", tuple(arguments), {})
    return Sweep(called[1], tuple([*arguments, listed] if listed else arguments), keywords)


def split_arguments(text: str) -> Sequence[str]:
    """Return the parts between commas that stand outside quotes and brackets."""
    parts, part, depth, quote = [], "", 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif character == "," and not depth:
            parts.append(part.strip())
            part = ""
            continue
        part += character
    return [*parts, part.strip()] if part.strip() or parts else []

"""From an option of a program to a range to search, by its name and around its default.

Rules of thumb in a table: the first rule that has a word of the name applies. The ranges are a
start, to be changed by whoever knows the program.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

from hpt_cli.scaffold.options import ProgramOption
from hpt_cli.spec.ranges import AUTO_RATIO, MAX_CATEGORIES

Fields: TypeAlias = dict[str, Any]
"""The fields of a range in a spec."""
Rule: TypeAlias = Callable[[float], Fields | None]
"""Returns the range for an option's default, which is 0 without one."""

LEARNING_RATE = 1e-3
DECAY = 1e-4
"""The middles of the ranges for a learning rate and a weight decay whose default is 0."""
USUAL_AWAY = 0.1
"""The distance from 1 that is assumed for a momentum without a default."""
LARGE = 32
"""Integers from here on are searched logarithmically."""


@dataclass(frozen=True)
class RangeProposal:
    """An option and a range for it; `is_likely` if a rule knows it as a hyperparameter."""

    option: ProgramOption
    fields: Mapping[str, Any]
    is_likely: bool


def propose_range(option: ProgramOption) -> RangeProposal | None:
    """Return the range to search for an option; None if nobody tunes it or nothing suggests one."""
    words = _split_words(option)
    if words & _NEVER:
        return None
    if option.kind == "choice":
        if not 2 <= len(option.choices) <= MAX_CATEGORIES:
            return None
        values = {"type": "Categorical", "values": list(option.choices)}
        return RangeProposal(option, values, is_likely=bool(words & _CHOSEN))
    is_unknown = option.kind == "text" and option.default is None
    if (option.kind not in ("float", "int") and not is_unknown) or isinstance(option.default, str):
        return None
    known = _find_rule(words) or _find_rule(_split_about(option))
    if known is None and is_unknown:
        return None
    rule = known or (_by_factors if option.kind == "float" else _whole)
    default = float(option.default or 0.0)
    if not math.isfinite(default):  # such as "no limit": nothing to search around
        return None
    fields = rule(default if option.kind == "float" else float(int(default)))
    fields = _keep_within(fields, option) if fields else None
    if fields is None or fields["min_value"] >= fields["max_value"]:
        return None
    return RangeProposal(option, fields, is_likely=known is not None)


def _find_rule(words: set[str]) -> Rule | None:
    return next((rule for known, rule in _RULES if words & known), None)


def _split_about(option: ProgramOption) -> set[str]:
    """Return the name of a hyperparameter at the beginning of an option's help, as one word."""
    told = _ABOUT.search(option.about)
    return {told[1].lower().replace(" ", "")} if told else set()


def list_switches(options: Iterable[ProgramOption]) -> list[ProgramOption]:
    """Return the options that are on or off, and may matter."""
    return [each for each in options if each.kind == "switch" and not _split_words(each) & _NEVER]


def _split_words(option: ProgramOption) -> set[str]:
    """Return the words of the last part of an option and of its aliases: hidden and size."""
    texts = (flag.strip("-=").rpartition(".")[2] for flag in (option.flag, *option.aliases))
    parts = [part for text in texts for part in re.split(r"[-_]", text.lower())]
    pairs = {f"{first}{second}" for first, second in pairwise(parts)}
    return {*parts, *pairs}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NEVER = _words(
    "seed epoch epochs step steps iters iterations numiterations rounds workers worker device"
    " devices gpu gpus cpu cpus rank world port host node nodes log logging interval freq"
    " frequency every save checkpoint resume data dataset path dir file output input project run"
    " verbose verbosity print eval test val valid timeout threads jobs patience folds cv classes"
    " img image crop resolution version precision amp fp16 bf16 backend id tags entity download"
    " limit cache task mode split format level trials"
)
"""What is configured or counted, not tuned; the length of training is up to Hyperband."""
_ABOUT = re.compile(
    r"(?:^|  )(?:(?:the|initial|base|peak|maximum|starting) )*"
    r"(learning rate|step size|weight decay|momentum|dropout|batch size)\b"
    r"(?! (?:decay|schedule|scheduler|step|warmup|policy|factor|multiplier))",
    re.IGNORECASE,
)
"""For options whose help is clearer than their name, such as `--eta0` of scikit-learn."""
_CHOSEN = _words(
    "optimizer opt optim scheduler schedule activation act kernel solver penalty norm init"
    " initializer booster boosting augmentation"
)


def _nice(value: float) -> float:
    return float(f"{value:.3g}")


def _continuous(low: float, high: float, scaling: str) -> Fields:
    return {
        "type": "Continuous",
        "min_value": _nice(low),
        "max_value": _nice(high) if scaling != "ReverseLogarithmic" else high,
        "scaling_type": scaling,
    }


def _by_hundreds(middle: float) -> Fields:
    """Return a hundredth to a hundredfold, at most 1."""
    return _continuous(middle / 100, max(middle, min(1.0, middle * 100)), "Logarithmic")


def _close_to_one(default: float) -> Fields:
    """Return from ten times to a tenth of the default's distance from 1."""
    away = _nice(1 - default) if 0.5 <= default < 1 else USUAL_AWAY
    return _continuous(
        max(0.0, round(1 - 10 * away, 9)), round(1 - away / 10, 9), "ReverseLogarithmic"
    )


def _up_to(usual: float, default: float) -> Fields:
    """Return 0 to twice the default, at least to the usual limit and at most to 0.9."""
    return _continuous(0.0, min(0.9, max(usual, 2 * default)), "Linear")


def _warmup(default: float) -> Fields | None:
    """Return a range of shares of the training, or of steps."""
    return _whole(default) if default >= 1 else _up_to(0.3, default)


def _by_factors(default: float) -> Fields | None:
    """Return a tenth to tenfold; None without a positive default."""
    if default <= 0:
        return None
    high = min(1.0, default * 10) if default < 1 else default * 10
    return _continuous(default / 10, high, "Logarithmic")


def _whole(default: float) -> Fields | None:
    """Return a quarter to fourfold of a large default, half to double of a small one."""
    if default != int(default):
        return _by_factors(default)
    if default < 2:
        return None if default < 1 else _integer(1, 4, "Linear")
    if default < LARGE:
        return _integer(default // 2, default * 2, "Linear")
    return _integer(default // 4, default * 4, "Logarithmic")


def _batch_size(default: float) -> Fields | None:
    return _whole(default if default >= 1 else 64)


def _integer(low: float, high: float, scaling: str) -> Fields:
    return {
        "type": "Integer",
        "min_value": max(1, int(low)),
        "max_value": int(high),
        "scaling_type": scaling,
    }


_RULES: tuple[tuple[frozenset[str], Rule], ...] = (
    (
        _words("lr lr0 learningrate eta stepsize"),
        lambda default: _by_hundreds(default or LEARNING_RATE),
    ),
    (
        _words("decay wd weightdecay l1 l2 reg regularization alpha lambda lambd c"),
        lambda default: _by_hundreds(default or DECAY),
    ),
    (_words("warmup warmupratio warmupproportion"), _warmup),
    (_words("momentum beta1 beta2 ema"), _close_to_one),
    (_words("dropout drop droppath"), lambda default: _up_to(0.5, default)),
    (
        _words("subsample colsample ratio prob probability smoothing mixup cutmix fraction"),
        lambda default: _continuous(0.5 if default >= 0.8 else 0.0, 1.0, "Linear"),
    ),
    (_words("batch batchsize bs"), _batch_size),
    (
        _words(
            "hidden units width dim channels filters embed embedding leaves numleaves layers depth"
            " heads blocks maxdepth neighbors minchildweight bins trees nestimators"
        ),
        _whole,
    ),
    (_words("gamma tau temperature clip epsilon eps sigma noise margin"), _by_factors),
)


def _keep_within(fields: Fields, option: ProgramOption) -> Fields:
    """Return the range within the bounds in the help of the program."""
    low, high = option.low, option.high
    kind = int if fields["type"] == "Integer" else float
    if low is not None and fields["min_value"] < low:
        fields["min_value"] = kind(low)
    if high is not None and fields["max_value"] > high:
        fields["max_value"] = kind(high)
    if fields["scaling_type"] == "Logarithmic" and fields["min_value"] <= 0:
        fields["scaling_type"] = "Linear"
    if fields["type"] == "Integer" and fields["max_value"] / fields["min_value"] >= AUTO_RATIO:
        fields["scaling_type"] = "Logarithmic"
    return fields

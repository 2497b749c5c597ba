"""From an option of a program to a range to search, by its name and around its default.

Rules of thumb in tables: the rule of the last known word of the name applies, as `lr_decay` is a
decay. The ranges are a start, to be changed by whoever knows the program.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, TypeAlias

from hpt_cli.scaffold.options import ProgramOption
from hpt_cli.spec.ranges import AUTO_RATIO

Fields: TypeAlias = dict[str, Any]
"""The fields of a range in a spec."""
Rule: TypeAlias = Callable[[float], Fields | None]
"""Returns the range for an option's default, which is 0 without one."""

MAX_CHOICES = 30
"""An option with more is not tuned unless somebody says so."""
LEARNING_RATE = 1e-3
DECAY = 1e-4
"""The middles of the ranges for a learning rate and a weight decay whose default is 0."""
USUAL_AWAY = 0.1
"""The distance from 1 that is assumed for a momentum without a default."""
SHARE_KEPT = 0.5
"""From here on a decay, or a gamma, is what is kept in each step; it lies close to 1."""
LARGE = 32
"""Integers from here on are searched logarithmically."""


@dataclass(frozen=True)
class RangeProposal:
    """An option and a range for it; `is_likely` if a rule knows it as a hyperparameter."""

    option: ProgramOption
    fields: Mapping[str, Any]
    is_likely: bool


def propose_ranges(
    options: Iterable[ProgramOption], wanted: Container[str] = ()
) -> list[RangeProposal]:
    """Return the ranges to search for options, in which every width is a multiple of its heads.

    Args:
        wanted: the names of options that the user wants tuned, even if nobody else does.
    """
    found = (propose_range(each, is_wanted=each.name in wanted) for each in options)
    proposals = [each for each in found if each is not None]
    heads = [each for each in proposals if _is_named(each.option, _HEADS)]
    defaults = [int(each.option.default or 0) for each in heads if _is_whole(each.option.default)]
    most = 2 * math.lcm(*defaults) if defaults else 0
    if not most:
        return proposals
    return [
        _fit_heads(each)
        if each in heads
        else _fit_width(each, most)
        if _is_named(each.option, _WIDTHS)
        else each
        for each in proposals
    ]


def propose_range(option: ProgramOption, *, is_wanted: bool = False) -> RangeProposal | None:
    """Return the range to search for an option; None if nobody tunes it or nothing suggests one."""
    words = _list_words(option)
    if _is_never_tuned(words) and not is_wanted:
        return None
    if option.kind == "choice":
        if not 2 <= len(option.choices) <= MAX_CHOICES:
            return None
        values = {"type": "Categorical", "values": list(option.choices)}
        return RangeProposal(option, values, is_likely=bool(set(words) & _CHOSEN))
    is_unknown = option.kind == "text" and option.default is None
    is_number = option.kind in ("float", "int", "number")
    if not (is_number or is_unknown) or isinstance(option.default, str):
        return None
    if is_unknown and not _is_sure(words, option):
        return None
    whole, share = _find_rule(words, option)
    if option.kind == "number" and whole and share:  # a share of the training, or steps of it
        return None
    is_integer = option.kind == "int" or (option.kind == "number" and share is None)
    rule = whole if is_integer or share is None else share
    if rule is None and is_unknown:
        return None
    default = float(option.default or 0.0)
    if not math.isfinite(default):  # such as "no limit": nothing to search around
        return None
    fields = (rule or (_whole if is_integer else _by_factors))(default)
    fields = _keep_within(fields, option) if fields else None
    if fields is None or fields["min_value"] >= fields["max_value"]:
        return None
    return RangeProposal(option, fields, is_likely=rule is not None)


def _find_rule(words: Sequence[str], option: ProgramOption) -> tuple[Rule | None, Rule | None]:
    """Return the rule for whole numbers and that for others: of the last word that has any."""
    told = _ABOUT.search(option.about)
    about = [told[1].lower().replace(" ", "")] if told else []
    general = [word for word in reversed(words) if word in _GENERAL]
    for word in (*(each for each in reversed(words) if each not in _GENERAL), *general, *about):
        whole = next((rule for known, rule in _WHOLE_RULES if word in known), None)
        share = next((rule for known, rule in _RULES if word in known), None)
        if whole or share:
            return whole, share
    return None, None


def _is_sure(words: Sequence[str], option: ProgramOption) -> bool:
    """Return whether an option of which neither type nor default is known is surely a number."""
    if set(words) & _THINGS:
        return False
    told = [word for word in words if word not in _GENERAL]
    return bool({*words[-1:], *told[-2:]} & _SURE) or bool(_ABOUT.search(option.about))


def list_switches(options: Iterable[ProgramOption]) -> list[ProgramOption]:
    """Return the options that are on or off, and may matter."""
    return _list_kind(options, "switch")


def list_several(options: Iterable[ProgramOption]) -> list[ProgramOption]:
    """Return the options that take several values, and may matter."""
    return _list_kind(options, "list")


def _list_kind(options: Iterable[ProgramOption], kind: str) -> list[ProgramOption]:
    return [
        each for each in options if each.kind == kind and not _is_never_tuned(_list_words(each))
    ]


def _list_words(option: ProgramOption) -> list[str]:
    """Return the words of the last part of an option and of its aliases: hidden, hiddensize, size.

    Those of the option itself stand last.
    """
    aliases = [each for each in option.aliases if each.startswith("--") and each != option.negative]
    return [word for flag in (*aliases, option.flag) for word in _split_flag(flag)]


def _split_flag(flag: str) -> Iterator[str]:
    text = flag.strip("-=").rpartition(".")[2]
    parts = [part.lower() for part in re.split(r"[-_]|(?<=[a-z])(?=[A-Z])", text) if part]
    yield from parts[:1]
    for first, second in pairwise(parts):
        yield second
        yield f"{first}{second}"


def _is_named(option: ProgramOption, words: frozenset[str]) -> bool:
    return bool(set(_list_words(option)) & words)


def _is_never_tuned(words: Sequence[str]) -> bool:
    """Return whether an option is configured or counted; a warm-up is counted, and tuned."""
    never = set(words) & _NEVER
    return bool(never - _LENGTHS if set(words) & _WARMUP else never)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_LENGTHS = _words("epoch epochs step steps iters iterations")
_WARMUP = _words("warmup warm")
_NEVER = _LENGTHS | _words(
    "seed numiterations rounds workers worker device devices gpu gpus cpu cpus localrank"
    " globalrank noderank world port host node nodes log logging interval freq"
    " frequency every save checkpoint resume data dataset path dir file output input project run"
    " verbose verbosity print eval test val valid timeout threads jobs patience folds cv classes"
    " img image crop resolution version precision amp fp16 bf16 backend id tags entity download"
    " limit cache task mode split format level trials micro minibatches accumulation minlr lrmin"
    " etamin"
)
"""What is configured or counted, not tuned; the length of training is up to Hyperband."""
_THINGS = _words(
    "type name schedule scheduler policy mode kind method function fn func class style strategy"
    " config which"
)
"""With such a word, an option of which neither type nor default is known may be a text."""
_SURE = _words(
    "lr lr0 learningrate eta stepsize wd weightdecay momentum beta1 beta2 dropout dropoutrate"
    " droppath batch batchsize bs"
)
"""Names that are numbers of one kind everywhere; `alpha` may be whole or not."""
_GENERAL = _words(
    "rate ratio prob probability fraction coef coefficient factor size weight value p dim"
)
"""Words that say little beside another: `hidden_dropout_prob` is a dropout."""
_ABOUT = re.compile(
    r"(?:^|  )(?:(?:the|initial|base|peak|maximum|starting|first) )*"
    r"(learning rate|step size|weight decay|momentum|dropout|batch size)\b"
    r"(?! (?:decay|schedule|scheduler|step|warmup|policy|factor|multiplier|name|type))",
    re.IGNORECASE,
)
"""For options whose help is clearer than their name, such as `--eta0` of scikit-learn."""
_CHOSEN = _words(
    "optimizer opt optim scheduler schedule activation act kernel solver penalty norm init"
    " initializer booster boosting augmentation"
)
_HEADS = _words("heads head nheads nhead numheads")
_WIDTHS = _words("hidden width dim embed embd embedding dmodel hiddensize hiddendim")


def _nice(value: float) -> float:
    return float(f"{value:.3g}")


def _continuous(low: float, high: float, scaling: str) -> Fields:
    return {
        "type": "Continuous",
        "min_value": _nice(low) if scaling != "ReverseLogarithmic" else low,
        "max_value": _nice(high) if scaling != "ReverseLogarithmic" else high,
        "scaling_type": scaling,
    }


def _by_hundreds(middle: float) -> Fields | None:
    """Return a hundredth to a hundredfold, at most 1; a tenth to tenfold of more than 1."""
    if middle > 1 or middle < 0:
        return _by_factors(middle)
    return _continuous(middle / 100, min(1.0, middle * 100), "Logarithmic")


def _decay(default: float) -> Fields | None:
    """Return the range of what is taken off (a weight decay), or is kept (a decay rate)."""
    if SHARE_KEPT <= default <= 1:
        return _close_to_one(default)
    return _by_hundreds(default or DECAY)


def _close_to_one(default: float) -> Fields | None:
    """Return from ten times to a tenth of the default's distance from 1."""
    if not 0 <= default <= 1:
        return None
    if default == 1:
        return _continuous(0.9, 1.0, "Linear")
    away = _nice(1 - default) if default >= SHARE_KEPT else USUAL_AWAY
    low, high = max(0.0, round(1 - 10 * away, 9)), round(1 - away / 10, 9)
    return _continuous(min(low, default) if default else 0.0, high, "ReverseLogarithmic")


def _gamma(default: float) -> Fields | None:
    """Return .9 to .9999 for a discount; around the default of a rate that falls faster."""
    if default == 0 or 0.9 <= default < 1:
        return _continuous(0.9, max(0.9999, round(1 - (1 - default) / 10, 9)), "ReverseLogarithmic")
    return _close_to_one(default) if SHARE_KEPT <= default <= 1 else _by_factors(default)


def _up_to(usual: float, default: float) -> Fields | None:
    """Return 0 to twice the default, at least to the usual limit and at most to 0.9."""
    if not 0 <= default <= 1:
        return None
    return _continuous(0.0, max(default, min(0.9, max(usual, 2 * default))), "Linear")


def _share(default: float) -> Fields | None:
    """Return a range of probabilities."""
    if not 0 <= default <= 1:
        return _by_factors(default)
    return _continuous(0.5 if default >= 0.8 else 0.0, 1.0, "Linear")


def _part(default: float) -> Fields | None:
    """Return a range of the part of rows or columns that is used, which cannot be none."""
    if not 0 <= default <= 1:
        return _by_factors(default)
    return _continuous(0.5 if default >= 0.8 or not default else 0.1, 1.0, "Linear")


def _warmup(default: float) -> Fields | None:
    """Return a range of shares of the training, or of steps."""
    return _whole(default) if default >= 1 else _up_to(0.3, default)


def _by_factors(default: float) -> Fields | None:
    """Return a tenth to tenfold, at most 1 for less than 1; None without a positive default."""
    if default <= 0:
        return None
    high = min(1.0, default * 10) if default < 1 else default * 10
    return _continuous(default / 10, high, "Logarithmic")


def _up_to_one(default: float) -> Fields | None:
    """Return a tenth to tenfold, at most 1; None without a positive default."""
    if default <= 0:
        return None
    return _continuous(default / 10, min(1.0, default * 10), "Logarithmic")


def _by_thousands(default: float) -> Fields:
    """Return a hundredth to a hundredfold, which may be more than 1."""
    return _continuous((default or 1.0) / 100, (default or 1.0) * 100, "Logarithmic")


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
        _words("wd weightdecay l1 l2 reg regularization alpha"),
        lambda default: _by_hundreds(default or DECAY),
    ),
    (_words("decay decayrate lambda lambd"), _decay),
    (_words("lrdrop lrgamma lrfactor"), _by_factors),
    (_words("c"), lambda default: _by_thousands(max(0.0, default))),
    (_words("warmup warm warmupratio warmupproportion"), _warmup),
    (_words("momentum beta1 beta2 betas ema polyak"), _close_to_one),
    (_words("gamma discount gaelambda"), _gamma),
    (_words("dropout drop droppath dropoutrate stochasticdepth"), lambda d: _up_to(0.5, d)),
    (_words("smoothing labelsmoothing"), lambda default: _up_to(0.3, default)),
    (_words("ratio prob probability mixup cutmix p"), _share),
    (_words("subsample colsample fraction"), _part),
    (_words("tau"), lambda default: _by_factors(default) if default > 1 else _up_to_one(default)),
    (_words("temperature clip epsilon eps sigma noise margin"), _by_factors),
)
"""For numbers that need not be whole."""
_WHOLE_RULES: tuple[tuple[frozenset[str], Rule], ...] = (
    (_words("batch batchsize bs"), _batch_size),
    (_words("warmup warm"), _whole),
    (
        _words(
            "hidden units width dim channels filters embed embd embedding leaves numleaves layer"
            " layers depth head heads nhead nheads blocks maxdepth neighbors minchildweight bins"
            " trees nestimators estimators rank lorar loraalpha dmodel"
        ),
        _whole,
    ),
)
"""For whole numbers, and for others with such a name whose default is not whole."""


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


# Attention: a width is a multiple of the number of heads


def _is_whole(value: object) -> bool:
    return isinstance(value, (int, float)) and value >= 1 and value == int(value)


def _fit_heads(proposal: RangeProposal) -> RangeProposal:
    """Return half, once and twice the heads, as most other numbers divide no usual width."""
    default = int(proposal.option.default or 0)
    halves = [default // 2] if default % 2 == 0 else []
    values = [*halves, default, 2 * default]
    return replace(proposal, fields={"type": "Categorical", "values": values})


def _fit_width(proposal: RangeProposal, step: int) -> RangeProposal:
    """Return the range of a width in steps, if its default is one of them."""
    fields, default = proposal.fields, proposal.option.default
    if fields["type"] != "Integer" or not _is_whole(default) or int(default or 0) % step:
        return proposal
    low = max(step, fields["min_value"] // step * step)
    return replace(proposal, fields={**fields, "min_value": low, "step": step})

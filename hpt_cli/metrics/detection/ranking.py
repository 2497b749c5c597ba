"""Which of the metrics of a log is the likeliest objective, and what is no metric at all."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import fmean

from hpt_cli.metrics.detection.metric import DetectedMetric
from hpt_cli.metrics.detection.pairs import is_training_line
from hpt_cli.metrics.detection.templates import is_counter
from hpt_cli.metrics.detection.vocabulary import (
    ADVERSARIES,
    MEANS,
    find_kind,
    is_quality,
    split_words,
)
from hpt_cli.metrics.presets import PRESETS

_DATA_SET_COSTS = {"validation": 0.0, "test": 1.0, "": 2.0, "training": 5.0}
_TRAINING_LINE_COST = 3.5
"""Of a metric that names no data set, on lines of training steps."""
_BESIDE_LOSS_COST = 0.5
"""Of a score that names no data set, as often as a loss on data held out, where no score does."""
_KIND_COSTS = {"score": 0.0, "loss": 1.2, "detail": 2.5, "unknown": 4.0, "beside": 9.0}
_PRESET_BONUS = 1.5
"""For what is known of a program, against guesses on its other lines."""
_SINGLE_COST = 0.5
_END_COST = 1.5
"""Of what is printed at the end, where another result on data held out is followed on the way."""
_END_VALUES = 2
_FOLLOWED = 3
"""So many times as many values has a result that is followed."""
_WITHIN_STEP_COST = 0.6
"""Of values that come several times in a step: a value of each epoch says more."""
_BEST_COST = 1.5
"""Of the best so far: where there is one, what it is the best of is printed too."""
_MANY_PER_STEP = 1.5
_MEAN_BONUS = 0.2
"""For the mean, against the values of single classes that are printed before it."""
_PART_COST = 0.8
"""For one of several parts whose sum or mean is printed too."""
_MEAN_TOLERANCE = 1e-3
"""The relative difference of a mean that is printed with few digits."""
_COUNT_COST = 1.5
"""Of a name that nobody knows, or says `correct`, with whole numbers alone: it counts."""
_ADVERSARY_COST = 1.0
"""Of what a discriminator does: it is trained to hinder what is made."""
_IMPROVED_COST = 0.7
"""Of what is printed where a model is saved, which is only where it has improved."""
_IMPROVED = re.compile(r"(?i)\bsav(?:e|ed|ing)\b|\bnew best\b|保存")
_HEADLINES = (
    *(
        "map50-95",
        "50-95",
        "0.50:0.95",
        "0.5:0.95",
        "map",
        "miou",
        "accuracy",
        "acc",
        "accuracies",
        "auc",
        "bleu",
    ),
    *("reward", "return", "fid", "wer"),
)
"""Scores that stand before others of the same evaluation."""


def rank_metrics(detected: Iterable[DetectedMetric]) -> tuple[DetectedMetric, ...]:
    """Return the metrics, the likeliest objective first; none where nothing is a result."""
    found = [each for each in detected if _may_be_metric(each)]
    if all(find_kind(each.name) == "beside" for each in found):
        return ()
    return tuple(sorted(found, key=_Ranks(found).rank))


def _may_be_metric(metric: DetectedMetric) -> bool:
    """Return whether a definition finds more than a setting, a counter or an unknown number."""
    kind, values = find_kind(metric.name), [value for _, value in metric.curve]
    if not any(math.isfinite(value) and value for value in values):
        return False  # what is only ever 0 has not been measured
    if "regex" in metric.definition and len(values) > 1 and _is_setting(values):
        return False
    if kind in ("score", "loss", "detail"):
        # A data set alone is a name only of what looks like a score.
        is_named = is_quality(metric.name) or "preset" in metric.definition
        return is_named or any(not value.is_integer() for value in values)
    is_constant = len(set(values)) == 1
    if len(values) < 2 or (is_constant and len(values) > 2):
        return False
    if kind == "beside" and "preset" not in metric.definition:
        return "regex" not in metric.definition or len(values) > 1
    if is_counter(values) or is_constant:
        return False
    if "regex" not in metric.definition:
        return metric.has_steps or "column" not in metric.definition
    fractions = sum(not value.is_integer() for value in values)
    return len(values) > 2 and 2 * fractions > len(values)


def _is_setting(values: Sequence[float]) -> bool:
    """Return whether these are one whole number again and again, as of `KERNEL_MAP=512`."""
    return len(set(values)) == 1 and values[0].is_integer() and values[0] > 1


def _is_objective(metric: DetectedMetric) -> bool:
    """Return whether it is what a program with a preset compares its models by."""
    preset = metric.definition.get("preset")
    return preset is not None and metric.name == PRESETS[preset].objective


class _Ranks:
    """The order of the metrics of one log."""

    def __init__(self, metrics: Sequence[DetectedMetric]) -> None:
        self._places = {each.name: place for place, each in enumerate(metrics)}
        held_out = [each for each in metrics if each.data_set in ("validation", "test")]
        results = [each for each in held_out if find_kind(each.name) in ("score", "loss")]
        followed = [each for each in results if len(each.curve) > _END_VALUES]
        self._has_score = any(find_kind(each.name) == "score" for each in followed)
        self._means = {
            frozenset(words): each.curve[-1][1]
            for each in metrics
            if not MEANS.isdisjoint(words := split_words(each.name))
        }
        self._longest = max((len(each.curve) for each in results), default=0)

    def rank(self, metric: DetectedMetric) -> tuple[float, ...]:
        """Return a sort key: the lowest is the likeliest objective."""
        values = [value for _, value in metric.curve]
        return (
            metric.is_cut,
            find_kind(metric.name) == "beside",
            # What never changes is a setting rather than a metric; a result may be printed twice.
            len(values) > 2 and len(set(values)) == 1,
            round(self._estimate_cost(metric), 3),
            not _is_objective(metric),
            self._place_headline(metric.name),
            "final" not in split_words(metric.name),
            len(metric.curve) if len(metric.curve) > 1 else 1e9,
            self._places[metric.name],
        )

    def _estimate_cost(self, metric: DetectedMetric) -> float:
        words = set(split_words(metric.name))
        cost = _DATA_SET_COSTS[metric.data_set]
        if not metric.data_set and is_training_line(metric.example):
            cost = _TRAINING_LINE_COST
        elif self._is_beside_loss(metric):
            cost = _BESIDE_LOSS_COST
        if _is_objective(metric):
            cost = 0.0
        kind, values = find_kind(metric.name), [value for _, value in metric.curve]
        cost = max(cost, _DATA_SET_COSTS[""]) if kind == "unknown" else cost
        cost += _KIND_COSTS[kind]
        cost -= _PRESET_BONUS * ("preset" in metric.definition)
        count = len(metric.curve)
        if count <= _END_VALUES and count * _FOLLOWED <= self._longest:
            cost += _END_COST
        elif count == 1:
            cost += _SINGLE_COST
        cost -= _MEAN_BONUS * bool(words & MEANS)
        cost += _PART_COST * (self._is_part(metric) or self._is_averaged(metric))
        if (kind == "unknown" or "correct" in words) and all(map(float.is_integer, values)):
            cost += _COUNT_COST
        cost += _ADVERSARY_COST * bool(words & ADVERSARIES)
        if metric.is_best:
            cost += _BEST_COST
        elif _IMPROVED.search(metric.example):
            cost += _IMPROVED_COST
        steps = Counter(step for step, _ in metric.curve)
        if metric.has_steps and len(metric.curve) > _MANY_PER_STEP * len(steps):
            cost += _WITHIN_STEP_COST
        return cost

    def _is_beside_loss(self, metric: DetectedMetric) -> bool:
        """Return whether a score comes as often as the loss on data held out that has no score."""
        is_as_long = len(metric.curve) == self._longest > _END_VALUES
        is_score = not metric.data_set and find_kind(metric.name) == "score"
        return is_as_long and is_score and not self._has_score

    def _is_part(self, metric: DetectedMetric) -> bool:
        """Return whether the sum is printed too: `reward` beside `rewards/format`."""
        groups = [metric.name[: sign.start()] for sign in re.finditer("/", metric.name)]
        return any(
            whole in self._places
            for group in groups
            for whole in (group.removesuffix("s"), group.removesuffix("es"))
        )

    def _is_averaged(self, metric: DetectedMetric) -> bool:
        """Return whether the mean of these values is printed too: `mean AP` below each `AP`."""
        words = frozenset(split_words(metric.name))
        values = [value for _, value in metric.curve]
        if len(values) < 2 or metric.objective_value == "mean" or not MEANS.isdisjoint(words):
            return False
        means = (self._means[words | {word}] for word in MEANS if words | {word} in self._means)
        return any(math.isclose(mean, fmean(values), rel_tol=_MEAN_TOLERANCE) for mean in means)

    @staticmethod
    def _place_headline(name: str) -> int:
        words, lowered = set(split_words(name)), name.lower()
        words |= {"map"} if {"average", "precision"} <= words or {"mean", "ap"} <= words else set()
        for place, headline in enumerate(_HEADLINES):
            if headline in words or (not headline.isalpha() and headline in lowered):
                return place
        return len(_HEADLINES)

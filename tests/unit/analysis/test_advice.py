"""What is advised of made-up searches, each with a known flaw, and of a healthy one."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hpt_cli.analysis.advice import Advice, advise
from hpt_cli.analysis.importance import measure_importance
from hpt_cli.cli.next_steps import name_advised
from hpt_cli.reports.advise import is_healthy, write_next
from hpt_cli.spec.model import TuningSpec
from hpt_cli.spec.yaml.reader import parse_spec
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.tuning.evidence import list_trials
from tests import builders as b

RANGES: dict[str, Any] = {
    "x": {"type": "Continuous", "min_value": 0.1, "max_value": 1.0},
    "y": {"type": "Continuous", "min_value": 0.1, "max_value": 1.0},
}
RATE = {"type": "Continuous", "min_value": 1e-4, "max_value": 1e-1}
KIND = {"type": "Categorical", "values": ["a", "b", "c"]}
JOBS = 30

Loss = Callable[[dict[str, Any]], float | None]


def bowl(x: float, y: float) -> float:
    return (x - 0.5) ** 2 + (y - 0.6) ** 2


def search(
    loss: Loss, strategy: str = "Bayesian", **ranges: Any
) -> tuple[TuningSpec, list[Advice]]:
    """Random points, whatever the strategy; a job without a loss fails."""
    fields = {"hyperparameter_ranges": RANGES | ranges, "strategy": strategy, "max_jobs": JOBS}
    spec = b.make_spec(command="train", **fields)
    rng, events = random.Random(0), list(b.created(spec))
    for number in range(1, JOBS + 1):
        point = {n: each.from_unit(rng.random()) for n, each in spec.hyperparameter_ranges.items()}
        value, at = loss(point), float(number)
        events += [*b.suggested(number, at, **point), *b.launched(number, at)]
        if value is not None:
            events.append(b.observed(number, value, at=at))
        events.append(b.exited(number, 0 if value is not None else 1, at=at + 1))
    state = b.fold_all(*events)
    importance = measure_importance(spec.hyperparameter_ranges, list_trials(spec, state))
    return spec, advise(spec, state, importance)


FLAWS: list[tuple[str, str, Loss, dict[str, Any]]] = [
    ("edge", "x", lambda p: 4 * (p["x"] - 1.4) ** 2 + (p["y"] - 0.6) ** 2, {}),
    ("edge", "y", lambda p: (p["x"] - 0.5) ** 2 + 4 * (p["y"] + 0.3) ** 2, {}),
    ("edge", "rate", lambda p: -math.log(p["rate"]) + bowl(p["x"], p["y"]), {"rate": RATE}),
    ("unimportant", "idle", lambda p: bowl(p["x"], p["y"]), {"idle": RANGES["x"]}),
    ("unimportant", "kind", lambda p: bowl(p["x"], p["y"]), {"kind": KIND}),
    ("failures", "x >=", lambda p: None if p["x"] > 0.8 else bowl(p["x"], p["y"]), {}),
    ("failures", "rate >=", lambda p: None if p["rate"] > 0.02 else p["y"], {"rate": RATE}),
    ("failures", "kind = b", lambda p: None if p["kind"] == "b" else p["y"], {"kind": KIND}),
    ("failures", "x * y", lambda p: None if p["x"] * p["y"] > 0.4 else p["y"], {}),
    ("noise", "noise", lambda p: random.Random(str(p)).random(), {}),
]


@pytest.mark.parametrize(("slug", "what", "loss", "ranges"), FLAWS)
def test_a_flaw_is_named_first(slug: str, what: str, loss: Loss, ranges: dict[str, Any]) -> None:
    spec, advice = search(loss, **ranges)
    first = advice[0]
    assert (first.slug, what in first.message) == (slug, True), first
    command = name_advised(first, JobDir(Path(".hpt/story")))
    assert command.startswith("hpt ")
    assert ("hpt confirm story" in command) == (slug == "noise")
    following = parse_spec(write_next(spec, advice, "next"), "next.yaml")
    if slug in ("edge", "failures"):
        is_wider = following.hyperparameter_ranges != spec.hyperparameter_ranges
        assert following.constraints or is_wider


def test_a_logarithmic_range_becomes_a_decade_wider_at_most() -> None:
    rate = {"type": "Continuous", "min_value": 1e-6, "max_value": 1e-1}
    _, advice = search(lambda p: -math.log(p["rate"]) + bowl(p["x"], p["y"]), rate=rate)
    assert advice[0].changes == {"hyperparameter_ranges.rate.max_value": 1.0}


def test_a_healthy_search_is_said_to_be_so() -> None:
    _, advice = search(lambda p: bowl(p["x"], p["y"]))
    assert is_healthy(advice)
    assert [each.slug for each in advice][-1] in ("more", "stop")


def test_random_jobs_are_as_likely_to_improve_whatever_went_before() -> None:
    """The latest third improved nothing: of a strategy that learns, more would not, either."""

    def loss(point: dict[str, Any]) -> float:
        return max(0.02, bowl(point["x"], point["y"]))

    *_, learned = search(loss)[1]
    *_, random_ = search(loss, strategy="Random")[1]
    assert (learned.slug, random_.slug) == ("stop", "more")
    assert "20 more random jobs improve the best with a chance of 40%" in random_.message

"""Specs as somebody writes who gets things wrong: drawn from a seed, as text or as bytes.

A spec is put together of good sections, some of its values are spoiled, it is written in any of the
ways that YAML has, and sometimes the text is spoiled too.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

from hpt_cli.metrics.presets import PRESETS
from hpt_cli.spec.cross_field.execution import SLURM_FIELDS, SLURM_OWN
from hpt_cli.spec.model import TuningSpec
from hpt_cli.stop_rules import STOP_RULES, list_parameters

BASE: dict[str, Any] = {
    "name": "good",
    "command": "train --lr {lr} --opt {opt}",
    "hyperparameter_ranges": {
        "lr": {"type": "Continuous", "min_value": 0.0001, "max_value": 1.0},
        "opt": {"type": "Categorical", "values": ["sgd", "adam", 3, 0.5]},
    },
    "metric_definitions": [{"name": "loss", "regex": "loss=({num})"}],
    "objective_metric_name": "loss",
    "objective_type": "Minimize",
}
RANGES: list[dict[str, Any]] = [
    {"type": "Continuous", "min_value": 1e-6, "max_value": 1, "scaling_type": "Logarithmic"},
    {
        "type": "Continuous",
        "min_value": 0,
        "max_value": 0.999,
        "scaling_type": "ReverseLogarithmic",
    },
    {"type": "Continuous", "min_value": -1, "max_value": 1, "step": 0.25, "prior": [0.25, 1]},
    {"type": "Continuous", "min_value": 2, "max_value": 2, "grid_points": 3},
    {"type": "Integer", "min_value": 1, "max_value": 1000, "scaling_type": "Auto"},
    {"type": "Integer", "min_value": -8, "max_value": 8, "step": 4, "scaling_type": "Linear"},
    {"type": "Integer", "min_value": 1, "max_value": 9, "when": {"opt": ["adam", 3]}},
    {"type": "Categorical", "values": ["on", "off"], "when": {"opt": "sgd"}, "prior": "on"},
]
DEFINITIONS: list[dict[str, Any]] = [
    {"name": "acc", "regex": "acc: {ratio}", "step": "epoch {step}"},
    {"name": "acc", "regex": r"^(?P<step>\d+) .*acc=(?P<value>\S+)"},
    {"name": "acc", "json": "eval.acc", "step": "epoch"},
    {"name": "acc", "column": "acc", "step": "epoch", "file": "out/metrics.csv"},
    *({"name": "acc", "preset": preset, "metric": "val_acc"} for preset in PRESETS),
    *({"name": name, "preset": key} for key, each in PRESETS.items() for name in each.metrics),
]
SECTIONS: dict[str, list[Any]] = {
    "description": ["for people", "é 漢 \U0001f600"],
    "command": [["train", "{lr}", "--opt={opt}"], "train {args}", "train", "a '{lr}' \"b {opt}\""],
    "shell": [True],
    "pty": [True],
    "working_directory": [".", "/tmp"],
    "environment": [{"A": "${HOME}", "B": 1, "C": "$${x}"}],
    "executor": ["local", "slurm"],
    "slurm": [
        {"partition": "gpu", "time": "1-12:00:00", "setup": ["module load x"], "extra": ["--x=1"]},
        *({field: "1"} for field in SLURM_FIELDS),
        *({"extra": [option]} for option in SLURM_OWN),
    ],
    "static_hyperparameters": [{"epochs": 10, "mode": "on", "rate": 0.1}],
    "strategy": ["Bayesian", "Random", "Grid", "Hyperband"],
    "random_seed": [7],
    "min_resource": [1, 3],
    "max_resource": [9],
    "initial_hyperparameters": [[{"lr": 0.1}, {"opt": "adam"}], [{}]],
    "warm_start": [
        {"type": "TransferLearning", "parents": ["p"]},
        {"type": "IdenticalDataAndAlgorithm", "parents": ["p", "../q"]},
    ],
    "max_jobs": [10],
    "resources": [{"cpus": 1, "gpus": 0.5, "memory_gb": 0.1}, {"gpus": 0}, {"cpus": 1}],
    "gpus": [[0, 1], ["GPU-1a2b"]],
    "avoid_busy_gpus": [True],
    "max_parallel_jobs": [2],
    "max_runtime_seconds": [60],
    "target_objective_metric_value": [0.5],
    "max_jobs_not_improving": [3],
    "complete_on_convergence": [True],
    "on_completion": ["drain", "stop"],
    "max_job_runtime_seconds": [60],
    "max_silence_seconds": [60],
    "max_log_bytes": [1 << 20],
    "retry": [{"max_attempts": 2, "when": ["x", "exit code 3"], "not_when": ["y"]}],
    "fail_fast": [True],
    "log_rules": [
        [{"pattern": "oom", "action": action}] for action in ("stop", "fail", "retry", "warn")
    ],
    "stop_grace_seconds": [0, 5.5],
    "early_stopping_type": ["Off", "Auto"],
    "early_stopping": [{"rule": rule, **list_parameters(rule)} for rule in STOP_RULES],
    "pausing": [
        {},
        {"method": "signal", "max_paused": 8, "max_memory_gb": 4.5},
        {"method": "checkpoint", "max_paused": 2},
    ],
    "notify": [{"command": "mail me", "on": ["end", "best"]}],
}
TOGETHER = {
    "slurm": ("executor", "slurm"),
    "early_stopping": ("early_stopping_type", "Auto"),
    "pausing": ("early_stopping_type", "Auto"),
}
"""What a section is nothing without."""

NUMBERS = ["0", "-1", "1e999", "-1e999", "1e308", "-1e308", "5e-324", "nan", ".nan", "-.inf", "inf"]
NUMBERS += ["9" * 30, "9" * 400, "9" * 5000, "0x1F", "0b1", "1_000", "1:30:00", "007", "+5", "1."]
WORDS = ["", " ", "~", "null", "Off", "yes", "True", "=", "<<", "-", "?", "{x}", "{", "${", "${A"]
WORDS += ["${NOT SET}", "((", "(a+)+$", "(.*)", "[", "\\", "'", "../../x", "/etc", "a" * 600, "%s"]
WORDS += [
    "\x1b[31m",
    "\u202e",
    "\x7f\x85",
    "\ud800",
    "é",
    "e\u0301",
    "\ufeff",
    "\x00",
    "2024-01-01",
]
SCALARS: list[Callable[[random.Random], Any]] = [
    lambda rng: rng.choice([None, True, False, 0, -1, 1.5, 10**17, -(10**300), 1e300, 2**63]),
    lambda rng: rng.choice([float("inf"), float("-inf"), float("nan"), 5e-324]),
    lambda rng: Plain(rng.choice(NUMBERS)),
    lambda rng: Plain(rng.choice(WORDS)),
    lambda rng: rng.choice(NUMBERS + WORDS),
    lambda rng: "".join(map(chr, (rng.choice([rng.randrange(128), rng.randrange(0x3000)]),) * 3)),
]


class Plain(str):
    """Text that is written as it stands, without quotes."""


def draw_scalar(rng: random.Random) -> Any:
    return rng.choice(SCALARS)(rng)


def draw_anything(rng: random.Random) -> Any:
    """A scalar, or a small collection of anything."""
    kind = rng.randrange(10)
    if kind < 6:
        return draw_scalar(rng)
    if kind == 6:
        return rng.choice([[], {}])
    if kind == 7:
        return [draw_anything(rng) for _ in range(rng.randrange(1, 4))]
    if kind == 8:
        names = [rng.choice([draw_scalar(rng), "name", "type", "rule"]) for _ in range(2)]
        return {name: draw_anything(rng) for name in names}
    left, right = rng.choice(["[]", ("{a: ", "}"), ("[{a: [", "]}]")])
    depth = rng.choice([2, 20, 49, 50, 400])
    return Plain(left * depth + "x" + right * depth)


def draw_fields(rng: random.Random) -> dict[str, Any]:
    """A good spec, or one whose sections do not go together."""
    spec = copy.deepcopy(BASE)
    ranges, definitions = spec["hyperparameter_ranges"], spec["metric_definitions"]
    for number in range(rng.choice([0, 0, 0, 0, 1, 1, 1, 2, 2, 31])):
        ranges[f"x{number}"] = copy.deepcopy(rng.choice(RANGES))
    for _ in range(rng.choice([0, 0, 0, 1, 1, 1, 2])):
        definitions.append(copy.deepcopy(rng.choice(DEFINITIONS)))
    for field in rng.sample(list(SECTIONS), rng.choice([0, 1, 2, 3, 6])):
        spec[field] = copy.deepcopy(rng.choice(SECTIONS[field]))
        if field in TOGETHER and rng.random() < 0.9:
            other, value = TOGETHER[field]
            spec[other] = value
    return spec


def list_places(value: Any) -> Iterator[tuple[Any, Any]]:
    """(collection, key) of everything in a value."""
    items = value.items() if isinstance(value, dict) else ()
    for key, each in enumerate(value) if isinstance(value, list) else items:
        yield value, key
        yield from list_places(each)


def spoil_value(rng: random.Random, spec: dict[str, Any]) -> None:
    """One mistake in the values."""
    places = list(list_places(spec))
    if not places:
        return
    parent, key = rng.choice(places)
    other_parent, other_key = rng.choice(places)
    kind = rng.randrange(9)
    if kind <= 2:
        parent[key] = draw_anything(rng)
    elif kind == 3:
        del parent[key]
    elif kind == 4 and isinstance(parent, dict):
        parent[rng.choice([f"{key}s", str(key)[:-1], str(key).upper(), draw_scalar(rng)])] = (
            parent.pop(key)
        )
    elif kind == 5:
        parent[key] = copy.deepcopy(other_parent[other_key])
    elif kind == 6:
        parent[key] = rng.choice([[parent[key]], {"a": parent[key]}, str(parent[key])])
    elif kind == 7 and isinstance(parent, list):
        parent.extend(copy.deepcopy(parent) * rng.choice([1, 1, 40]))
    else:
        field = rng.choice([*TuningSpec.model_fields, "max_jbos"])
        spec[field] = draw_anything(rng)


def write_scalar(rng: random.Random, value: Any) -> str:
    if isinstance(value, Plain):
        return str(value)
    if not isinstance(value, str):
        return json.dumps(value)
    if value and value.isidentifier() and rng.random() < 0.8:
        return value
    if value.isprintable() and rng.random() < 0.7:
        return "'" + value.replace("'", "''") + "'"
    return json.dumps(value, ensure_ascii=rng.random() < 0.5)


def write_yaml(rng: random.Random, value: Any, indent: int = 0) -> str:
    """YAML in one of its styles; keys stand twice now and then, and values get anchors."""
    mark = rng.choice(["&a ", "!!str ", "!x ", "!!python/name:os.system "])
    mark = mark if rng.random() < 0.004 else ""
    if rng.random() < 0.004:
        return rng.choice(["*a", "*nowhere", "|\n" + " " * (indent + 1) + "x\n", ">-\n x"])
    if not isinstance(value, (dict, list)):
        return mark + write_scalar(rng, value)
    if not value or indent > 8 or rng.random() < 0.5:
        return mark + write_flow(rng, value)
    pad = " " * indent
    lines = []
    for each in value.items() if isinstance(value, dict) else value:
        key, item = each if isinstance(value, dict) else (None, each)
        head = "-" if key is None else write_scalar(rng, key) + ":"
        for _ in range(2 if rng.random() < 0.004 else 1):
            text = write_yaml(rng, item, indent + 2)
            is_block = text.startswith("\n")
            lines.append(f"{pad}{head}{text if is_block else ' ' + text}")
    return mark + "\n" + "\n".join(lines)


def write_flow(rng: random.Random, value: Any) -> str:
    if isinstance(value, dict):
        pairs = (f"{write_scalar(rng, k)}: {write_flow(rng, v)}" for k, v in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(write_flow(rng, each) for each in value) + "]"
    return write_scalar(rng, value)


PIECES = ["{", "}", "[", "]", ":", ",", "&a", "*a", "!", "|", ">", "'", '"', "%", "@", "`", "- "]
PIECES += ["? ", "#", " ", "\n", "\t", "\x00", "é", "\r\n", "---\n", "...\n", "<<: *a\n", "\ufeff"]
PIECES += ["a: [&b [*b]]\n", "[" * 200, "{a: " * 200, "- " * 200, "? " * 200, "\x85", "\u2028"]
BOMB = "".join(f"b{n}: &b{n} [{', '.join([f'*b{n - 1}'] * 9 if n else 'x')}]\n" for n in range(9))


def spoil_text(rng: random.Random, text: str) -> str:
    """One mistake in the text."""
    kind, at = rng.randrange(8), rng.randrange(len(text) + 1)
    if kind <= 3:
        return text[:at] + rng.choice(PIECES) + text[at + rng.choice([0, 0, 1, 8]) :]
    if kind == 4:
        return text[:at]
    if kind == 5:
        return rng.choice([text.replace("  ", "\t"), text.replace("\n", "\r\n"), "\ufeff" + text])
    if kind == 6:
        return rng.choice([text + text, f"---\n{text}\n...\n---\n{text}", BOMB + text, text[::-1]])
    lines = text.split("\n")
    rng.shuffle(lines)
    return "\n".join(lines)


def spoil_bytes(rng: random.Random, data: bytes) -> bytes:
    """One mistake in the bytes."""
    kind, at = rng.randrange(4), rng.randrange(len(data) + 1)
    if kind == 0:
        return data[:at] + rng.randbytes(rng.randrange(1, 9)) + data[at:]
    if kind == 1:
        return rng.randbytes(rng.randrange(200))
    text = data.decode("utf-8", "replace")
    return text.encode(rng.choice(["utf-16", "utf-32", "latin-1", "utf-7"]), "replace")


def draw_spec(seed: int) -> bytes:
    """What stands in a file that somebody takes for a spec; the same for the same seed."""
    rng = random.Random(seed)
    fields = draw_fields(rng)
    for _ in range(rng.choice([0, 1, 1, 2, 3])):
        spoil_value(rng, fields)
    text = write_yaml(rng, fields).lstrip("\n")
    for _ in range(rng.choice([0, 0, 0, 0, 0, 1, 2])):
        text = spoil_text(rng, text)
    data = text.encode("utf-8", "surrogatepass")
    return spoil_bytes(rng, data) if rng.random() < 0.03 else data

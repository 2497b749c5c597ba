"""Fuzzing of the log reader.

    python scripts/reliability/fuzz_reader.py -max_total_time=600 CORPUS_DIRECTORY \\
        tests/unit/metrics/samples
    python scripts/reliability/fuzz_reader.py --short    # 300 mutated samples, without atheris

The first is guided by coverage (`pip install -e '.[fuzz]'`). For any bytes, cut into blocks of any
sizes:

* the observations are those of the whole at once, and of every line searched on its own;
* offsets identify them: no two are the same, and they are in the order of the log;
* nothing is raised, and what is held back stays bounded;
* metrics can be detected in the lines.

Lines are cut at 300 bytes here, so that cutting is tried too.
"""

from __future__ import annotations

import contextlib
import random
import sys
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

SHORT = "--short" in sys.argv[1:]
if not SHORT:
    import atheris

with contextlib.nullcontext() if SHORT else atheris.instrument_imports(include=["hpt_cli.metrics"]):
    from hpt_cli.metrics import lines
    from hpt_cli.metrics.curve import Observation
    from hpt_cli.metrics.detection import detect_metrics
    from hpt_cli.metrics.extractors import compile_definition, iterate_matches
    from hpt_cli.metrics.log_rules import compile_rule
    from hpt_cli.metrics.reader import MetricReader

lines.MAX_LINE_BYTES = 300
SAMPLES = Path(__file__).parents[2] / "tests" / "unit" / "metrics" / "samples"

EXTRACTORS = [
    compile_definition({"name": f"m{number}", **fields})
    for number, fields in enumerate(
        [
            {"regex": "loss=({num})"},
            {"regex": r"(?i)acc: {num}", "step": r"Epoch {step}"},
            {"regex": r"^\d+/\d+ .*({ratio})$"},
            {"regex": "é=(?P<value>.*?)(?:;|$)"},
            {"json": "a.b", "step": "epoch"},
            {"column": "c", "step": "epoch"},
            {"preset": "xgboost", "metric": "validation-auc"},
            {"preset": "keras", "metric": "val_loss"},
            {"preset": "lightning", "metric": "val_loss"},
        ]
    )
]
RULES = [compile_rule("Traceback", "fail"), compile_rule("(?i)nan", "warn")]


def check_input(data: bytes) -> None:
    """Check one input: sizes of blocks in its first bytes, and a log in the rest."""
    provider = atheris.FuzzedDataProvider(data)
    cuts = [provider.ConsumeIntInRange(0, 1200) for _ in range(provider.ConsumeIntInRange(0, 6))]
    check(provider.ConsumeBytes(sys.maxsize), cuts)


def check_mutated_samples(count: int) -> None:
    """Check so many samples, each with some bytes changed and some lines repeated."""
    rng = random.Random(0)
    logs = [path.read_bytes()[:4000] for path in sorted(SAMPLES.glob("*.log"))]
    for _ in range(count):
        log = bytearray(rng.choice(logs))
        for _ in range(rng.randrange(20)):
            log[rng.randrange(len(log))] = rng.choice(b"\r\n\t\x1b\xff{}0123456789.e:=")
        start = rng.randrange(len(log))
        log += log[start : start + rng.randrange(1000)]
        check(bytes(log), [rng.randrange(1200) for _ in range(rng.randrange(6))])
    print(f"{count} mutated samples of {len(logs)} logs")


def check(log: bytes, cuts: Sequence[int]) -> None:
    """Raise AssertionError if a log is read in another way when it is cut into blocks."""
    edges = sorted({0, *(min(cut, len(log)) for cut in cuts), len(log)})
    whole, parts = MetricReader(EXTRACTORS, RULES), MetricReader(EXTRACTORS, RULES)
    expected = whole.feed(log) + whole.finish()
    found: list[Observation] = []
    for start, end in pairwise(edges):
        found += parts.feed(log[start:end])
        assert len(parts._cutter._rest) <= lines.MAX_LINE_BYTES
    found += parts.finish()
    assert repr(found) == repr(expected), "blocks change what is found"
    assert parts.pop_matches() == whole.pop_matches()
    _check_offsets(expected, len(log))
    shown = lines.split_lines(log)
    if not whole.cut_lines:
        _check_values(expected, shown)
    detect_metrics(shown)


def _check_offsets(observations: list[Observation], size: int) -> None:
    last: dict[str, int] = {}
    for each in observations:
        assert last.get(each.metric, -1) < each.offset < size
        last[each.metric] = each.offset


def _check_values(observations: list[Observation], shown: list[str]) -> None:
    """Check that every line searched on its own has the same values."""
    for extractor in EXTRACTORS:
        counts = Counter(
            repr(each.value) for each in observations if each.metric == extractor.metric
        )
        single = Counter(repr(match.value) for _, match in iterate_matches(extractor, shown))
        assert counts == single, extractor.metric


if __name__ == "__main__":
    if SHORT:
        check_mutated_samples(300)
    else:
        atheris.Setup(sys.argv, check_input)
        atheris.Fuzz()

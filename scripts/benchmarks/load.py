"""What a large tuning job costs its tuner: time for each event, and memory, as jobs are added.

    python scripts/benchmarks/load.py [--jobs 5000] [--parallel 64] [--epochs 200] [--metrics 10]
        [--rule auto:20] [--readings load.json] [--plot docs/pictures/load.png]
    python scripts/benchmarks/load.py --short    # 50 training jobs of 20 epochs

The tuner's own code (`fold`, `decide` and the journal) with simulated training jobs: 64 in parallel
report an epoch of ten metrics in turn. One line for each tenth of the jobs: the mean time for one
event, and the memory of the process, which is why a run measures one rule. A rule may have epochs
of its own: `auto:20`. With --readings, what is measured is kept in a file beside that of other
runs, and the plot shows all of it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from hpt_cli.metrics.curve import Observation
from hpt_cli.spec.model import TuningSpec
from hpt_cli.storage.journal import create_journal, describe_creation, open_journal
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.decide import decide
from hpt_cli.tuning.fold import fold
from hpt_cli.tuning.state import TuningState, forget_curve

TENTHS = 10


@dataclass(frozen=True)
class Reading:
    """What was measured when so many jobs had ended."""

    jobs: int
    microseconds: float
    """For one event, of processor time: to fold it, and to decide what follows."""
    write_microseconds: float
    """For one event, of processor time: to write it down."""
    megabytes: float


def make_spec(jobs: int, parallel: int, metrics: int, rule: str) -> TuningSpec:
    """Return the spec of the simulated tuning job."""
    return TuningSpec.model_validate(
        {
            "name": "load",
            "command": "train {x}",
            "hyperparameter_ranges": {
                "x": {"type": "Continuous", "min_value": 0.0, "max_value": 1.0}
            },
            "metric_definitions": [
                {"name": f"m{i}", "regex": f"m{i}=({{num}})"} for i in range(metrics)
            ],
            "objective_metric_name": "m0",
            "objective_type": "Minimize",
            "strategy": "Random",
            "max_jobs": jobs,
            "max_parallel_jobs": parallel,
            "early_stopping_type": "Off" if rule == "Off" else "Auto",
            **({} if rule == "Off" else {"early_stopping": {"rule": rule}}),
        }
    )


def tell(spec: TuningSpec, epochs: int) -> Iterator[tuple[ev.Event, bool]]:
    """Yield the events of a whole tuning job, and whether each reports the objective."""
    running: dict[int, int] = {}
    names = [each.name for each in spec.metric_definitions]
    slots = spec.max_parallel_jobs or 1
    number, at = 0, 1.0
    while number < spec.job_limit or running:
        while len(running) < slots and number < spec.job_limit:
            number += 1
            running[number] = number % slots * epochs // slots
            x = number / spec.job_limit
            yield ev.JobPlanned(at=at, number=number), False
            yield (
                ev.JobSuggested(at=at, number=number, hyperparameters={"x": x}, seconds=0.0),
                False,
            )
            yield ev.JobSubmitting(at=at, number=number, attempt=1), False
            yield ev.JobLaunched(at=at, number=number, attempt=1, handle={"pid": number}), False
        for job in list(running):
            at += 0.01
            running[job] += 1
            epoch = running[job]
            told = tuple(
                Observation(name, 1000 * epoch + i, float(epoch), 1 / epoch + job / 5000)
                for i, name in enumerate(names)
            )
            yield ev.ObservationsRead(at=at, number=job, attempt=1, observations=told), True
            if epoch >= epochs:
                yield ev.JobExited(at=at, number=job, attempt=1, exit_code=0, ended_at=at), False
                del running[job]


def measure(spec: TuningSpec, epochs: int) -> Iterator[Reading]:
    """Yield a reading at each tenth of the jobs."""
    process = psutil.Process()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "journal.sqlite"
        created = describe_creation(spec, Path(directory))
        create_journal(path, created)
        state = fold(TuningState(), created)
        with open_journal(path, write=True) as journal:
            spent, written, count = 0.0, 0.0, 0
            batch: list[ev.Event] = []
            for event, is_told in tell(spec, epochs):
                begun = time.process_time()
                number = getattr(event, "number", 0)
                if isinstance(event, ev.JobExited):
                    state = forget_curve(state, "m0", number)
                state = fold(state, event)
                decide(spec, state, event.at, {number} if is_told else ())
                spent += time.process_time() - begun
                count += 1
                batch.append(event)
                if len(batch) >= 500:
                    begun = time.process_time()
                    journal.append(batch)
                    written += time.process_time() - begun
                    batch = []
                ended = len(state.jobs.ended)
                if isinstance(event, ev.JobExited) and ended % (spec.job_limit // TENTHS) == 0:
                    yield Reading(
                        jobs=ended,
                        microseconds=1e6 * spent / count,
                        write_microseconds=1e6 * written / count,
                        megabytes=process.memory_info().rss / 1e6,
                    )
                    spent, written, count = 0.0, 0.0, 0


def main() -> None:
    """Measure, print and plot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=5000)
    parser.add_argument("--parallel", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--metrics", type=int, default=10)
    parser.add_argument("--rule", default="Off", help="Off, auto, median:20 ...")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--readings", type=Path)
    parser.add_argument("--short", action="store_true", help="50 training jobs of 20 epochs")
    options = parser.parse_args()
    if options.short:
        options.jobs, options.parallel, options.epochs = 50, 8, 20
    rule, _, given = options.rule.partition(":")
    epochs = int(given or options.epochs)
    spec = make_spec(options.jobs, options.parallel, options.metrics, rule)
    print(f"early stopping {rule}: {options.parallel} in parallel, {epochs} epochs")
    print(f"{'jobs':>6} {'µs an event':>12} {'µs to write':>12} {'MB':>7}")
    readings = []
    for each in measure(spec, epochs):
        readings.append(each)
        print(
            f"{each.jobs:>6} {each.microseconds:>12.0f} {each.write_microseconds:>12.0f}"
            f" {each.megabytes:>7.0f}",
            flush=True,
        )
    print(f"last tenth / first: {readings[-1].microseconds / readings[0].microseconds:.2f} in time")
    found = {f"{rule}, {epochs} epochs": readings}
    if options.readings:
        found = keep(found, options.readings)
    if options.plot:
        plot(found, options.plot)


def keep(found: dict[str, list[Reading]], path: Path) -> dict[str, list[Reading]]:
    """Add readings to those in a file, and return all of them."""
    known = json.loads(path.read_text()) if path.exists() else {}
    known |= {label: [asdict(each) for each in readings] for label, readings in found.items()}
    path.write_text(json.dumps(known))
    return {label: [Reading(**each) for each in rows] for label, rows in known.items()}


def plot(found: dict[str, list[Reading]], path: Path) -> None:
    """Draw time and memory against the number of jobs."""
    from matplotlib import pyplot

    figure, (times, memory) = pyplot.subplots(1, 2, figsize=(9, 3.2))
    for label, readings in found.items():
        jobs = [each.jobs for each in readings]
        times.plot(jobs, [each.microseconds / 1000 for each in readings], "o-", label=label)
        memory.plot(jobs, [each.megabytes for each in readings], "o-", label=label)
    times.set(xlabel="training jobs that have ended", ylabel="ms for one event", ylim=(0, None))
    memory.set(xlabel="training jobs that have ended", ylabel="memory, MB", ylim=(0, None))
    times.legend(title="early stopping", frameon=False)
    for axes in (times, memory):
        axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()

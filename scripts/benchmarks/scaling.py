"""How far one tuner goes on a cluster: what many training jobs in flight cost it.

    python scripts/benchmarks/scaling.py [--slots 1000] [--jobs 2000] [--epochs 20]
        [--epoch-seconds 60]
    python scripts/benchmarks/scaling.py --short    # 20 slots, 40 training jobs, 10 attempts

First a simulated cluster of so many slots under a virtual clock: the tuner's own `fold` and
`decide`, with early stopping Auto. Then one look at the files of 10, 100 and 1,000 attempts in a
real directory: the Slurm executor and the log readers. Processor time is measured, and compared
with the time that passes on the cluster.
"""

from __future__ import annotations

import argparse
import heapq
import random
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hpt_cli.executors import launcher
from hpt_cli.executors.slurm import SlurmExecutor
from hpt_cli.executors.slurm.client import QueueSnapshot
from hpt_cli.executors.slurm.commands import QueuedJob, name_job
from hpt_cli.logs.tail import AttemptTail
from hpt_cli.metrics.curve import Observation
from hpt_cli.spec.model import TuningSpec
from hpt_cli.spec.parts import Slurm
from hpt_cli.storage.journal import describe_creation
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.commands import Launch, Plan, Stop
from hpt_cli.tuning.decide import decide
from hpt_cli.tuning.fold import fold
from hpt_cli.tuning.state import TuningState, forget_curve

METRIC = "loss"


def make_spec(slots: int, jobs: int) -> TuningSpec:
    """Return a tuning job of so many training jobs, with early stopping."""
    return TuningSpec.model_validate(
        {
            "name": "scaling",
            "command": "train {x}",
            "hyperparameter_ranges": {"x": {"type": "Continuous", "min_value": 0, "max_value": 1}},
            "metric_definitions": [{"name": METRIC, "regex": "loss=({num})"}],
            "objective_metric_name": METRIC,
            "objective_type": "Minimize",
            "strategy": "Random",
            "max_jobs": jobs,
            "max_parallel_jobs": slots,
            "early_stopping_type": "Auto",
            "executor": "slurm",
        }
    )


class Cluster:
    """A simulated cluster; times are virtual seconds."""

    def __init__(self, spec: TuningSpec, epochs: int, seconds: float) -> None:
        self._spec = spec
        self._epochs = epochs
        self._seconds = seconds
        self._random = random.Random(0)
        self._due: list[tuple[float, int]] = []
        self._pace: dict[int, float] = {}
        self._quality: dict[int, float] = {}
        self.state = fold(TuningState(), describe_creation(spec, Path("/")))
        self.now = self.state.created_at
        self.fold(ev.TunerStarted(at=self.now, pid=0, host=""))
        self.observations = 0

    def fold(self, *events: ev.Event) -> None:
        """Fold events into the state."""
        for event in events:
            self.state = fold(self.state, event)

    def decide(self, observed: Iterable[int]) -> None:
        """Carry out commands until there are none but to wait."""
        while commands := decide(self._spec, self.state, self.now, observed):
            observed, acted = (), False
            for command in commands:
                acted = self._act(command) or acted
            if not acted:
                return

    def _act(self, command: object) -> bool:
        match command:
            case Plan(number):
                self._quality[number] = x = self._random.random()
                suggested = ev.JobSuggested(
                    at=self.now, number=number, hyperparameters={"x": x}, seconds=0.0
                )
                self.fold(ev.JobPlanned(at=self.now, number=number), suggested)
            case Launch(number):
                self.fold(
                    ev.JobSubmitting(at=self.now, number=number, attempt=1),
                    ev.JobLaunched(at=self.now, number=number, attempt=1, handle={"job": number}),
                )
                self._pace[number] = self._seconds * self._random.uniform(0.5, 1.5)
                heapq.heappush(self._due, (self.now + self._pace[number], number))
            case Stop(number, reason):
                self.fold(ev.JobStopRequested(at=self.now, number=number, reason=reason))
                self._end(number, -15)
            case _:
                return False
        return True

    def run_on(self) -> bool:
        """Run the next second in which something happens; return False when all is over."""
        if not self._due:
            return False
        self.now = max(self.now, self._due[0][0])
        observed = []
        while self._due and self._due[0][0] <= self.now + 1:
            at, number = heapq.heappop(self._due)
            job = self.state.jobs[number]
            if not job.is_running:
                continue
            epoch = len(job.curve(METRIC)) + 1
            value = self._quality[number] + 1 / epoch + self._random.gauss(0, 0.02)
            seen = (Observation(METRIC, epoch, float(epoch), value),)
            self.fold(ev.ObservationsRead(at=self.now, number=number, attempt=1, observations=seen))
            self.observations += 1
            if epoch == self._epochs:
                self._end(number, 0)
            else:
                observed.append(number)
                heapq.heappush(self._due, (at + self._pace[number], number))
        self.decide(observed)
        return True

    def _end(self, number: int, code: int) -> None:
        self.fold(
            ev.JobExited(at=self.now, number=number, attempt=1, exit_code=code, ended_at=self.now)
        )
        self.state = forget_curve(self.state, METRIC, number)


def simulate(slots: int, jobs: int, epochs: int, seconds: float) -> None:
    """Print what the simulated cluster costs its tuner."""
    cluster = Cluster(make_spec(slots, jobs), epochs, seconds)
    begun, start = time.process_time(), cluster.now
    cluster.decide(())
    print(f"{slots} launches at once: {time.process_time() - begun:.1f} s of processor time")
    begun = time.process_time()
    while cluster.run_on():
        pass
    spent, passed = time.process_time() - begun, cluster.now - start
    stopped = cluster.state.jobs.count("Stopped")
    print(
        f"{jobs} training jobs of up to {epochs} epochs of {seconds:.0f} s in {slots} slots:"
        f" {passed / 3600:.1f} h, {cluster.observations} values, {stopped} stopped early"
    )
    print(
        f"fold and decide: {spent:.1f} s, {1000 * spent / cluster.observations:.2f} ms a value,"
        f" {100 * spent / passed:.2f} % of a core"
    )


class RunningClient:
    """A Slurm client that answers at once that all jobs run."""

    def __init__(self, jobs: Mapping[int, QueuedJob]) -> None:
        self._answer = QueueSnapshot(1.0, frozenset(jobs), jobs)

    def watch(self, numbers: Any, urgent: bool) -> QueueSnapshot:  # noqa: ARG002
        """Return the one answer."""
        return self._answer


def look_at_files(attempts: int, passes: int = 20) -> None:
    """Print what one look at the files of so many attempts costs, each with a new line to read."""
    spec = make_spec(attempts, attempts)
    with tempfile.TemporaryDirectory() as temporary:
        directories = [Path(temporary, f"{number:04d}", "a1") for number in range(attempts)]
        for number, directory in enumerate(directories):
            directory.mkdir(parents=True)
            (directory / launcher.CLAIM).write_text(f"1 boot:1 {number} 0")
        executor = SlurmExecutor(Slurm())
        jobs = {
            number: QueuedJob(number, name_job(directory), "RUNNING")
            for number, directory in enumerate(directories)
        }
        executor._client = RunningClient(jobs)  # type: ignore[assignment]
        handles = [{"job": n, "directory": str(each)} for n, each in enumerate(directories)]
        tails = [
            AttemptTail(spec.extractors, each / "output.log", each.parent, 0.0, {})
            for each in directories
        ]
        spent = {"with a new line in each": 0.0, "with nothing new": 0.0}
        for index in range(passes):
            for directory in directories:
                with open(directory / "output.log", "a") as log:
                    log.write(f"epoch={index} loss={1 / (index + 1):.4f}\n")
            for case in spent:
                begun = time.process_time()
                executor.poll(handles)
                for tail in tails:
                    tail.read(final=False)
                spent[case] += time.process_time() - begun
    pause = executor.poll_seconds
    opens = 2 * attempts / pause
    print(f"{attempts} attempts, looked at every {pause:g} s, {opens:.0f} opens a second")
    for case, seconds in spent.items():
        each = seconds / passes
        print(f"  {case}: {1000 * each:.1f} ms, {100 * each / pause:.1f} % of a core")


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--slots", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--epoch-seconds", type=float, default=60.0)
    parser.add_argument("--short", action="store_true", help="20 slots, 40 jobs, 10 attempts")
    options = parser.parse_args()
    if options.short:
        options.slots, options.jobs, options.epochs = 20, 40, 5
    simulate(options.slots, options.jobs, options.epochs, options.epoch_seconds)
    for attempts in (10,) if options.short else (10, 100, 1000):
        look_at_files(attempts)


if __name__ == "__main__":
    main()

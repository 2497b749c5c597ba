"""How a training job is launched: its arguments, its environment variables, its directories."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hpt_cli.errors import HptError
from hpt_cli.executors import LaunchRequest
from hpt_cli.machine.capacity import list_cores
from hpt_cli.machine.gpus import NO_GPU, VISIBLE, split_visible
from hpt_cli.sagemaker.names import CHANNEL
from hpt_cli.spec.command_template import Filling, render_argv
from hpt_cli.spec.config_files import render_config
from hpt_cli.spec.env_references import resolve
from hpt_cli.spec.hyperparameters import Hyperparameters, format_value, name_variable
from hpt_cli.spec.model import TuningSpec
from hpt_cli.spec.names import job_name
from hpt_cli.spec.resources import Request
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.tuning.allocation import Share

TERMINAL = "xterm-256color"
"""The type of a pseudo-terminal, unless the tuner's own terminal has a better one."""
THREADS = ("OMP", "MKL", "OPENBLAS", "NUMEXPR")
"""Libraries that read their number of threads from a variable ..._NUM_THREADS."""
HOST = "algo-1"
"""SageMaker's name for the first host, which here is the only one."""


@dataclass(frozen=True)
class JobContext:
    """One attempt of a training job, and what its command inherits from the tuner."""

    spec: TuningSpec
    jobdir: JobDir
    base: Mapping[str, str]
    """The tuner's own environment."""
    directory: str
    """Where the tuning job was started; relative paths in the spec begin there."""
    number: int
    attempt: int
    tuned: Hyperparameters
    share: Share | None = None
    """What it may use of this machine, where the spec says what it needs."""
    slot: int | None = 0
    """The number, from 0, that no other running job has; None for an attempt of an older hpt."""
    config_directory: Path | None = None
    """Where its config files are, if not in the training job's directory."""

    @property
    def hyperparameters(self) -> Hyperparameters:
        """The tuned and the static ones."""
        # Its own values, also of what is static for others, in this order.
        return {**self.tuned, **self.spec.static_hyperparameters, **self.tuned}

    @property
    def filling(self) -> Filling:
        """What its placeholders stand for."""
        absent = [name for name in self.spec.hyperparameter_ranges if name not in self.tuned]
        there = self.config_directory or self.jobdir.config_files(self.number).resolve()
        paths = {each.name: str(there / each.file_name) for each in self.spec.config_files}
        return Filling(self.hyperparameters, absent, paths)

    @property
    def config_files(self) -> dict[Path, str]:
        """The path and the text of each of its config files."""
        texts, filling = self.spec.template_texts, self.filling
        return {
            Path(filling.paths[each.name]): render_config(each, texts[each.name], filling)
            for each in self.spec.config_files
        }

    @property
    def asked(self) -> Request:
        """The resources that the spec asks for."""
        return self.spec.request or Request()


def make_launch_request(job: JobContext) -> LaunchRequest:
    """Return what to launch for one attempt of a training job.

    Raises:
        HptError: `environment` refers to a variable that is not set.
    """
    spec, asked = job.spec, job.asked
    there = JobDir(job.jobdir.path.resolve())
    return LaunchRequest(
        argv=render_argv(spec.command, job.filling, shell=spec.shell),
        environment=_make_environment(job, there),
        working_directory=Path(job.directory, spec.working_directory),
        directory=there.attempt(job.number, job.attempt).path,
        pty=spec.pty,
        cpus=asked.cpus,
        gpus=asked.gpus,
        memory_gb=asked.memory_gb,
        cores=job.share.cores if job.share else (),
        inherits_claim=spec.children == "end",
        grace=spec.stop_grace_seconds,
        files=job.config_files,
    )


def _make_environment(job: JobContext, there: JobDir) -> dict[str, str]:
    """Return all variables; later ones hide earlier ones, and hpt's own cannot be hidden."""
    spec, number = job.spec, job.number
    own = resolve_variables(spec, job.base)
    resources = _resource_variables(job.asked, job.share)
    return {
        **job.base,
        "PYTHONUNBUFFERED": "1",
        **({"TERM": TERMINAL} if spec.pty and job.base.get("TERM", "dumb") == "dumb" else {}),
        **resources,
        **_sagemaker_variables(job.hyperparameters, {**job.base, **resources, **own}, job.asked),
        "SM_MODEL_DIR": str(there.model(number)),
        "SM_OUTPUT_DIR": str(there.output(number)),
        "SM_OUTPUT_DATA_DIR": str(there.output_data(number)),
        **own,
        "HPT_TUNING_JOB": spec.name,
        "HPT_TRAINING_JOB": job_name(spec.name, number),
        "HPT_TRAINING_JOB_NUMBER": str(number),
        **({} if job.slot is None else {"HPT_SLOT": str(job.slot)}),
        "HPT_JOB_DIR": str(there.training_job(number)),
        "HPT_ATTEMPT_DIR": str(there.attempt(number, job.attempt).path),
        "HPT_CHECKPOINT_DIR": str(there.checkpoints(number)),
        "HPT_ATTEMPT": str(job.attempt),
        "HPT_HYPERPARAMETERS": json.dumps(job.hyperparameters),
    }


def _resource_variables(asked: Request, share: Share | None) -> dict[str, str]:
    """Return what keeps a job to its cores and GPUs.

    GPUs are numbered as nvidia-smi does it: CUDA's own order is by speed.
    """
    variables: dict[str, str] = {}
    if asked.cpus:
        variables |= {f"{name}_NUM_THREADS": str(asked.cpus) for name in THREADS}
    if share and share.gpus is not None:
        names = ",".join(share.gpus) or NO_GPU
        variables |= dict.fromkeys(VISIBLE, names) | {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    return variables


def resolve_variables(spec: TuningSpec, base: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of the spec's `environment`, references to others resolved.

    Raises:
        HptError: one refers to a variable that is not set.
    """
    try:
        return {name: resolve(value, base) for name, value in spec.environment.items()}
    except KeyError as error:
        name = error.args[0]
        raise HptError.of(
            "variable-unset",
            f"environment: the variable {name} is not set",
            f"set it with 'export {name}=...' and continue with 'hpt resume {spec.name}'",
        ) from None


def _sagemaker_variables(
    hyperparameters: Hyperparameters, environment: Mapping[str, str], asked: Request
) -> dict[str, str]:
    """Return what scripts written for SageMaker read, but for directories: one host, this machine.

    Source: ENVIRONMENT_VARIABLES.md of sagemaker-training-toolkit.
    """
    texts = {name: format_value(value) for name, value in hyperparameters.items()}
    channels = sorted(
        name.removeprefix(CHANNEL).lower() for name in environment if name.startswith(CHANNEL)
    )
    options = [word for name, text in texts.items() for word in (f"--{name}", text)]
    return {
        "SM_HPS": json.dumps(hyperparameters),
        **{name_variable(name): text for name, text in texts.items()},
        "SM_USER_ARGS": json.dumps(options),
        "SM_CHANNELS": json.dumps(channels),
        "SM_CURRENT_HOST": HOST,
        "SM_HOSTS": json.dumps([HOST]),
        "SM_NUM_CPUS": str(asked.cpus or _count_cpus()),
        "SM_NUM_GPUS": str(_count_gpus(environment.get("CUDA_VISIBLE_DEVICES"), asked.gpus)),
        "SM_LOG_LEVEL": "20",
    }


@cache
def _count_cpus() -> int:
    """Return how many CPUs this process may use."""
    return len(list_cores())


@cache
def _count_gpus(visible: str | None, asked: float | None) -> int:
    """Return how many NVIDIA devices a job may see.

    Those that CUDA_VISIBLE_DEVICES lists, else what it asks a cluster for, else all that this
    machine has.
    """
    if visible is not None:
        return len(split_visible(visible))
    if asked is not None:
        return math.ceil(asked)
    return len(list(Path("/dev").glob("nvidia[0-9]*")))

"""Cores, GPUs and memory: what there is, and what a training job asks for.

A pool is what the tuner may hand out, a request is what one training job needs, and a share is the
part of the pool that an attempt holds until nothing of it is left. Pure: looking at the machine is
done elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

Resource: TypeAlias = int | str
"""The number of a core, or the name of a GPU, as CUDA_VISIBLE_DEVICES takes it."""
TOLERANCE = 1e-9
"""For rounding: three times a third of a GPU is a whole GPU."""


@dataclass(frozen=True, slots=True)
class Pool:
    """What the tuner may hand out; memory in GiB."""

    cores: tuple[int, ...] = ()
    """Numbers of cores, in the order in which they are handed out."""
    gpus: tuple[str, ...] = ()
    """Names of GPUs, as CUDA_VISIBLE_DEVICES takes them."""
    memory_gb: float = 0.0


@dataclass(frozen=True, slots=True)
class Request:
    """What one training job needs; None where it does not matter. Memory in GiB.

    `gpus` is a whole number, or less than 1: a part of one GPU, shared with other jobs.
    """

    cpus: int | None = None
    gpus: float | None = None
    memory_gb: float | None = None


def list_exclusive(request: Request, pool: Pool) -> list[Resource]:
    """Return the cores and GPUs of a pool that such training jobs do not share with others."""
    return [*(pool.cores if request.cpus else ()), *(pool.gpus if request.gpus else ())]


@dataclass(frozen=True, slots=True)
class ResourceShortage:
    """Something that one training job asks for and the whole pool does not have."""

    location: tuple[str | int, ...]
    """Where the spec asks for it."""
    message: str


def find_shortages(request: Request, pool: Pool) -> Iterator[ResourceShortage]:
    """Yield why a training job can never run; nothing if it can."""
    need = "a training job needs"
    if (request.cpus or 0) > len(pool.cores):
        message = f"{need} {_count(request.cpus, 'core')}; only {len(pool.cores)} available"
        yield ResourceShortage(("resources", "cpus"), message)
    if (request.gpus or 0) > len(pool.gpus):
        names = f": {', '.join(pool.gpus)}" if pool.gpus else ""
        message = f"{need} {_count(request.gpus, 'GPU')}; there are {len(pool.gpus)}{names}"
        yield ResourceShortage(("resources", "gpus"), message)
    if (request.memory_gb or 0) > pool.memory_gb:
        message = f"{need} {request.memory_gb:g} GiB of memory"
        message = f"{message}; the machine has {pool.memory_gb:.1f}"
        yield ResourceShortage(("resources", "memory_gb"), message)


def _count(number: float | None, word: str) -> str:
    return f"{number:g} {word}" if number == 1 else f"{number:g} {word}s"


def count_fitting(request: Request, pool: Pool) -> int | None:
    """Return how many such jobs can run at once; None if nothing that they ask for runs out."""
    counts = []
    if request.cpus:
        counts.append(len(pool.cores) // request.cpus)
    if request.gpus:
        counts.append(_count_by_gpus(request.gpus, len(pool.gpus)))
    if request.memory_gb:
        counts.append(int(pool.memory_gb / request.memory_gb + TOLERANCE))
    return min(counts, default=None)


def _count_by_gpus(wanted: float, there: int) -> int:
    if wanted < 1:
        return there * math.floor(1 / wanted + TOLERANCE)
    return there // int(wanted)


def describe_resources(resources: Iterable[Resource]) -> str:
    """Return cores and GPUs in words: `cores 0, 1, GPU 0`; empty for none."""
    named = list(resources)
    cores = sorted(each for each in named if isinstance(each, int))
    gpus = sorted(each for each in named if isinstance(each, str))
    parts = [
        f"{word}{'s' if len(each) > 1 else ''} {', '.join(map(str, each))}"
        for word, each in (("core", cores), ("GPU", gpus))
        if each
    ]
    return ", ".join(parts)

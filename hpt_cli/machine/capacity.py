"""The cores, memory and GPUs of this machine that training jobs may use.

Where no tool reports GPUs they can still be listed in the spec or in CUDA_VISIBLE_DEVICES.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from hpt_cli.machine.gpus import VISIBLE, Gpu, find_gpu, read_gpus, split_visible
from hpt_cli.spec.resources import Pool, Request, ResourceShortage, find_shortages

GIB = 1 << 30
CGROUPS = Path("/sys/fs/cgroup")
CACHED = ("inactive_file", "active_file")
"""What a control group's memory.stat calls the memory that files have been read into."""
MIG = "MIG-"
"""The prefix of the name of a slice of a GPU; nvidia-smi lists whole GPUs only."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """The resources of the machine, those it lacks, and how its GPUs are used now."""

    pool: Pool
    shortages: tuple[ResourceShortage, ...] = ()
    gpus: tuple[Gpu, ...] = ()


def measure_capacity(
    request: Request, listed: Sequence[str] | None, environment: Mapping[str, str]
) -> Capacity:
    """Return what this machine has of what each training job needs.

    GPUs are asked for only where they are needed: it takes a second.

    Args:
        listed: the GPUs that the spec allows.
        environment: the tuner's own, which may hide GPUs.
    """
    found = read_gpus() if request.gpus else []
    names = tuple(_choose_gpus(listed, environment, found)) if request.gpus else ()
    pool = Pool(cores=tuple(list_cores()), gpus=names, memory_gb=round(read_memory() / GIB, 2))
    shortages = [*_find_unknown(listed or (), found), *find_shortages(request, pool)]
    return Capacity(pool, tuple(shortages), tuple(found))


def _choose_gpus(
    listed: Sequence[str] | None, environment: Mapping[str, str], found: Sequence[Gpu]
) -> Iterable[str]:
    """Return those that the spec lists, else those that the tuner itself may see, else all."""
    if listed:
        return listed
    visible = next((environment[name] for name in VISIBLE if name in environment), None)
    return [gpu.index for gpu in found] if visible is None else split_visible(visible)


def _find_unknown(listed: Sequence[str], found: Sequence[Gpu]) -> Iterator[ResourceShortage]:
    """Yield each listed GPU that does not exist, or is listed twice: by its number and its UUID."""
    known = ", ".join(gpu.index for gpu in found)
    seen: dict[Gpu, str] = {}
    for index, name in enumerate(listed if found else ()):
        gpu = find_gpu(name, found)
        if gpu is not None and gpu in seen:
            yield ResourceShortage(("gpus", index), f"{name} and {seen[gpu]} are the same GPU")
        elif gpu is not None:
            seen[gpu] = name
        elif not name.startswith(MIG):
            yield ResourceShortage(("gpus", index), f"there is no GPU {name}; there are: {known}")


# Cores and memory


def list_cores() -> list[int]:
    """Return the cores that may be used, threads of one physical core beside each other.

    A container may be allowed less time than its cores have: then only so many are returned.
    """
    if hasattr(os, "sched_getaffinity"):
        cores = sorted(os.sched_getaffinity(0), key=_locate_core)
    else:
        cores = list(range(os.cpu_count() or 1))
    return cores[: min(map(math.ceil, _read_quotas()), default=None)]


def _locate_core(core: int) -> tuple[int, int, int]:
    """Return (package, physical core, core), to sort by."""
    topology = Path(f"/sys/devices/system/cpu/cpu{core}/topology")
    try:
        package, physical = (
            int((topology / name).read_text()) for name in ("physical_package_id", "core_id")
        )
    except (OSError, ValueError):
        return (0, core, core)
    return (package, physical, core)


def _read_quotas() -> Iterator[float]:
    """Yield the limits on CPU time of this process and of its containers, in cores."""
    for words in _read_limits("cpu.max"):
        if len(words) == 2 and words[0] != "max":
            yield max(1.0, float(words[0]) / float(words[1]))


def read_memory() -> float:
    """Return the memory of the machine, or of the container, in bytes."""
    limits = [float(words[0]) for words in _read_limits("memory.max") if words[0] != "max"]
    return min([float(psutil.virtual_memory().total), *limits])


def read_available_memory() -> float:
    """Return how much memory may be used before the machine swaps, or the container is full; in
    bytes."""
    free = [float(psutil.virtual_memory().available)]
    limits, uses, parts = map(_read_limits, ("memory.max", "memory.current", "memory.stat"))
    for limit, use, stat in zip(limits, uses, parts, strict=False):
        if limit[0] != "max":
            # What files have been read into is given back.
            bytes_by_name = dict(zip(stat[::2], stat[1::2], strict=False))
            cached = sum(float(bytes_by_name.get(name, "0")) for name in CACHED)
            free.append(float(limit[0]) - float(use[0]) + cached)
    return max(0.0, min(free))


def _read_limits(name: str) -> Iterator[list[str]]:
    """Yield the words in a file of the own control group, and of each around it (cgroup v2)."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    own = next((line[3:] for line in lines if line.startswith("0::")), "")
    group = CGROUPS / own.lstrip("/")
    for directory in (group, *group.parents):
        if directory == CGROUPS.parent:
            return
        with suppress(OSError):
            words = (directory / name).read_text().split()
            if words:
                yield words

"""What this machine has to hand out to training jobs: its cores, its memory, its GPUs.

Where no tool tells of GPUs they can still be listed in the spec or in CUDA_VISIBLE_DEVICES.
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
MIG = "MIG-"
"""How the name of a slice of a GPU begins; nvidia-smi lists only whole ones."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """What the machine has for training jobs, what of it is missing, and its GPUs as they are."""

    pool: Pool
    shortages: tuple[ResourceShortage, ...] = ()
    gpus: tuple[Gpu, ...] = ()


def measure_capacity(
    request: Request, listed: Sequence[str] | None, environment: Mapping[str, str]
) -> Capacity:
    """Return what this machine has of what each training job needs.

    GPUs are looked for only where they are needed: that takes a second.

    Args:
        listed: the GPUs that may be used, by the spec.
        environment: the tuner's own, which may hide GPUs.
    """
    there = read_gpus() if request.gpus else []
    names = tuple(_choose_gpus(listed, environment, there)) if request.gpus else ()
    pool = Pool(cores=tuple(list_cores()), gpus=names, memory_gb=round(read_memory() / GIB, 2))
    shortages = [*_find_unknown(listed or (), there), *find_shortages(request, pool)]
    return Capacity(pool, tuple(shortages), tuple(there))


def _choose_gpus(
    listed: Sequence[str] | None, environment: Mapping[str, str], there: Sequence[Gpu]
) -> Iterable[str]:
    """Those listed in the spec, else those that the tuner itself may see, else all."""
    if listed:
        return listed
    visible = next((environment[name] for name in VISIBLE if name in environment), None)
    return [gpu.index for gpu in there] if visible is None else split_visible(visible)


def _find_unknown(listed: Sequence[str], there: Sequence[Gpu]) -> Iterator[ResourceShortage]:
    """What is listed and is not there, or twice: once by its number, once by its UUID."""
    known = ", ".join(gpu.index for gpu in there)
    seen: dict[Gpu, str] = {}
    for index, name in enumerate(listed if there else ()):
        gpu = find_gpu(name, there)
        if gpu is not None and gpu in seen:
            yield ResourceShortage(("gpus", index), f"{name} and {seen[gpu]} are the same GPU")
        elif gpu is not None:
            seen[gpu] = name
        elif not name.startswith(MIG):
            yield ResourceShortage(("gpus", index), f"there is no GPU {name}; there are: {known}")


# Cores and memory


def list_cores() -> list[int]:
    """The cores that may be used; threads of one physical core stand side by side.

    Where a container may use less time than its cores have, only so many of them.
    """
    if hasattr(os, "sched_getaffinity"):
        cores = sorted(os.sched_getaffinity(0), key=_locate_core)
    else:
        cores = list(range(os.cpu_count() or 1))
    quotas = [math.ceil(quota) for quota in _read_quotas()]
    return cores[: min([len(cores), *quotas])]


def _locate_core(core: int) -> tuple[int, int, int]:
    topology = Path(f"/sys/devices/system/cpu/cpu{core}/topology")
    try:
        package, physical = (
            int((topology / name).read_text()) for name in ("physical_package_id", "core_id")
        )
    except (OSError, ValueError):
        return (0, core, core)
    return (package, physical, core)


def _read_quotas() -> Iterator[float]:
    """How many cores' time this process and its containers may use, where that is limited."""
    for words in _read_limits("cpu.max"):
        if len(words) == 2 and words[0] != "max":
            yield max(1.0, float(words[0]) / float(words[1]))


def read_memory() -> float:
    """The memory of the machine, or of the container, in bytes."""
    limits = [float(words[0]) for words in _read_limits("memory.max") if words[0] != "max"]
    return min([float(psutil.virtual_memory().total), *limits])


def _read_limits(name: str) -> Iterator[list[str]]:
    """What a file of the own control group, and of each around it, says (cgroup v2)."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    own = next((line[3:] for line in lines if line.startswith("0::")), "")
    place = CGROUPS / own.lstrip("/")
    for directory in (place, *place.parents):
        if directory == CGROUPS.parent:
            return
        with suppress(OSError):
            words = (directory / name).read_text().split()
            if words:
                yield words

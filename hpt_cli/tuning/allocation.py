"""Which cores and GPUs a training job gets."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from hpt_cli.spec.resources import TOLERANCE, Pool, Request, Resource


@dataclass(frozen=True, slots=True)
class Share:
    """What one attempt holds: of each of its GPUs the part `gpu_part`, of the memory some GiB.

    `gpus` is None where the request says nothing of them, and empty where it asks for none.
    """

    cores: tuple[int, ...] = ()
    gpus: tuple[str, ...] | None = None
    gpu_part: float = 1.0
    memory_gb: float = 0.0

    @property
    def gpu_names(self) -> str:
        """Its GPUs for people, in one line; empty for none."""
        return ", ".join(self.gpus or ())

    def while_paused(self, *, share_gpus: bool) -> Share:
        """Return what is held of it while its attempt stands still: memory, but no core."""
        return replace(self, cores=(), gpus=() if share_gpus else self.gpus)


def allocate(
    request: Request, pool: Pool, held: Sequence[Share], avoided: Collection[Resource] = ()
) -> Share | None:
    """Return a share of what is free; None while there is too little.

    Args:
        held: the shares of all attempts that may be alive.
        avoided: what others hold or use; a GPU on which jobs of this tuner run is not among them.
    """
    cores = _choose_cores(request, pool, held, avoided)
    gpus = _choose_gpus(request, pool, held, avoided)
    memory = request.memory_gb or 0.0
    left = pool.memory_gb - sum(share.memory_gb for share in held)
    if cores is None or gpus is None or memory > left + TOLERANCE:
        return None
    return Share(
        cores=cores,
        gpus=None if request.gpus is None else gpus,
        gpu_part=min(1.0, request.gpus or 1.0),
        memory_gb=memory,
    )


def is_free(share: Share, held: Sequence[Share], avoided: Collection[Resource] = ()) -> bool:
    """Return whether a paused attempt may have its cores and GPUs again; its memory it has kept.

    Args:
        held: the shares of all other attempts that may be alive.
        avoided: what others hold or use; the GPUs of the attempt may be among them, as it uses
            their memory.
    """
    taken, loads = {core for each in held for core in each.cores}, _count_loads(held)
    return not any(core in taken or core in avoided for core in share.cores) and all(
        loads.get(gpu, 0.0) + share.gpu_part <= 1 + TOLERANCE for gpu in share.gpus or ()
    )


def _count_loads(held: Sequence[Share]) -> dict[str, float]:
    """Return which part of each GPU is held."""
    loads: dict[str, float] = {}
    for share in held:
        for gpu in share.gpus or ():
            loads[gpu] = loads.get(gpu, 0.0) + share.gpu_part
    return loads


def _choose_cores(
    request: Request, pool: Pool, held: Sequence[Share], avoided: Collection[Resource]
) -> tuple[int, ...] | None:
    taken = {core for share in held for core in share.cores}
    free = [core for core in pool.cores if core not in taken and core not in avoided]
    wanted = request.cpus or 0
    return tuple(free[:wanted]) if wanted <= len(free) else None


def _choose_gpus(
    request: Request, pool: Pool, held: Sequence[Share], avoided: Collection[Resource]
) -> tuple[str, ...] | None:
    """Return the least-loaded GPUs first, so that jobs spread."""
    wanted = request.gpus or 0.0
    loads = dict.fromkeys(pool.gpus, 0.0) | _count_loads(held)
    part, number = min(1.0, wanted), math.ceil(wanted)
    fitting = [
        gpu for gpu in pool.gpus if gpu not in avoided and loads[gpu] + part <= 1 + TOLERANCE
    ]
    fitting.sort(key=lambda gpu: loads[gpu])
    return tuple(fitting[:number]) if number <= len(fitting) else None

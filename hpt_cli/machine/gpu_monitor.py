"""Keeps an eye on the GPUs of a running tuning job: who else uses them, and who does not let go."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence

from hpt_cli.machine.gpus import BUSY_PART, Gpu, describe_use, find_gpu, read_gpus
from hpt_cli.tuning.allocation import Share

LOOK_SECONDS = 5.0
"""How often it is asked who uses the GPUs."""
RELEASE_SECONDS = 5.0
"""How long a driver may take to free the memory of a process that was killed."""
PAUSE_SECONDS = 0.2


class GpuWatch:
    """Watches the GPUs that one tuning job may use."""

    def __init__(
        self,
        names: Sequence[str],
        gpus: Iterable[Gpu] = (),
        held: Iterable[Share] = (),
        *,
        avoid_busy: bool = False,
    ) -> None:
        """Watch GPUs by their names.

        Args:
            gpus: how they are now.
            held: what attempts hold that may be alive.
            avoid_busy: whether GPUs that others use are to be left to them.
        """
        self._names = names
        self._avoid_busy = avoid_busy
        self._idle_use: dict[str, float] = {}
        """The memory in use on each, in MiB, when no job of ours was on it last."""
        self._looked_at = time.monotonic()
        self._look: threading.Thread | None = None
        self._busy: frozenset[str] = frozenset()
        self._note_use(gpus, _list_gpus(held))

    def list_avoided(self, held: Iterable[Share]) -> frozenset[str]:
        """The GPUs to leave to others, as they were some seconds ago; returns at once."""
        if not self._avoid_busy:
            return frozenset()
        ours = _list_gpus(held)
        is_looking = self._look is not None and self._look.is_alive()
        if not is_looking and time.monotonic() - self._looked_at >= LOOK_SECONDS:
            self._looked_at = time.monotonic()
            # Nothing waits for it in the end: a driver that is broken may never answer.
            self._look = threading.Thread(target=self._look_around, args=(ours,), daemon=True)
            self._look.start()
        return self._busy - ours

    def _look_around(self, ours: frozenset[str]) -> None:
        self._note_use(read_gpus(), ours)

    def _note_use(self, gpus: Iterable[Gpu], ours: frozenset[str]) -> None:
        gpus = list(gpus)
        found = {name: find_gpu(name, gpus) for name in self._names if name not in ours}
        others = {name: gpu for name, gpu in found.items() if gpu is not None}
        self._idle_use |= {name: gpu.used for name, gpu in others.items()}
        self._busy = frozenset(name for name, gpu in others.items() if gpu.is_busy)

    def wait_for_release(self, share: Share, others: Iterable[Share]) -> list[str]:
        """Wait until the memory of processes that were killed is free; call it in a thread.

        Args:
            share: what they held.
            others: what the jobs beside them hold; GPUs in common are not looked at.

        Returns:
            What is still in use after some seconds, in words; the same is not said again.
        """
        names = _list_gpus([share]) - _list_gpus(others)
        deadline = time.monotonic() + RELEASE_SECONDS
        while holding := self._find_holding(names):
            if time.monotonic() > deadline:
                self._idle_use |= {name: gpu.used for name, gpu in holding.items()}
                return [f"still in use: {describe_use(name, gpu)}" for name, gpu in holding.items()]
            time.sleep(PAUSE_SECONDS)
        return []

    def _find_holding(self, names: Iterable[str]) -> dict[str, Gpu]:
        """The GPUs of which much more is in use than when no job of ours was on them."""
        gpus = read_gpus() if names else []
        found = {name: find_gpu(name, gpus) for name in names}
        return {
            name: gpu
            for name, gpu in found.items()
            if gpu is not None and gpu.used - self._idle_use.get(name, 0.0) > BUSY_PART * gpu.total
        }


def _list_gpus(shares: Iterable[Share]) -> frozenset[str]:
    return frozenset(gpu for share in shares for gpu in share.gpus or ())

"""Watching the GPUs of a running tuning job: which ones others use, and which are not released."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable, Sequence

from hpt_cli.machine.gpus import BUSY_PART, Gpu, describe_use, find_gpu, read_gpus
from hpt_cli.tuning.allocation import Share

LOOK_SECONDS = 5.0
"""How often nvidia-smi is asked who uses the GPUs."""
RELEASE_SECONDS = 5.0
"""How long a driver may take to free the memory of a process that was killed."""
PAUSE_SECONDS = 0.2


class GpuMonitor:
    """The GPUs that one tuning job may use, and their use by others."""

    def __init__(
        self,
        names: Sequence[str],
        gpus: Iterable[Gpu] = (),
        held: Iterable[Share] = (),
        *,
        avoid_busy: bool = False,
    ) -> None:
        """Monitor GPUs by their names.

        Args:
            gpus: how they are used now.
            held: the shares of attempts that may be alive.
            avoid_busy: whether to leave GPUs that others use to them.
        """
        self._names = names
        self._avoid_busy = avoid_busy
        self._idle_use: dict[str, float] = {}
        """The memory in use on each, in MiB, when none of our jobs was on it last."""
        self._updated_at = time.monotonic()
        self._updating: threading.Thread | None = None
        self._busy: frozenset[str] = frozenset()
        self._note_use(gpus, _list_gpus(held))

    def list_avoided(self, held: Iterable[Share]) -> frozenset[str]:
        """Return the GPUs to leave to others, as of some seconds ago; return at once."""
        if not self._avoid_busy:
            return frozenset()
        ours = _list_gpus(held)
        is_updating = self._updating is not None and self._updating.is_alive()
        if not is_updating and time.monotonic() - self._updated_at >= LOOK_SECONDS:
            self._updated_at = time.monotonic()
            # A daemon, so that nobody waits for it at exit: a broken driver may never answer.
            self._updating = threading.Thread(target=self._update, args=(ours,), daemon=True)
            with contextlib.suppress(RuntimeError):  # no thread is to be had: next time
                self._updating.start()
        # A GPU may have become ours since they were asked.
        return self._busy - ours

    def _update(self, ours: frozenset[str]) -> None:
        self._note_use(read_gpus(), ours)

    def _note_use(self, gpus: Iterable[Gpu], ours: frozenset[str]) -> None:
        # What is in use beside a job of ours may be the job's own.
        others = _find_gpus(set(self._names) - ours, list(gpus))
        self._idle_use |= {name: gpu.used for name, gpu in others.items()}
        self._busy = frozenset(name for name, gpu in others.items() if gpu.is_busy)

    def wait_for_release(self, share: Share, others: Iterable[Share]) -> list[str]:
        """Wait until the memory of processes that were killed is free; call it in a thread.

        Args:
            share: what they held.
            others: what the jobs beside them hold; GPUs in common are not checked.

        Returns:
            What is still in use after RELEASE_SECONDS, in words; once for the same memory.
        """
        names = _list_gpus([share]) - _list_gpus(others)
        deadline = time.monotonic() + RELEASE_SECONDS
        while holding := self._find_holding(names):
            if time.monotonic() > deadline:
                # What was not released is now the normal state: it is reported only once.
                self._idle_use |= {name: gpu.used for name, gpu in holding.items()}
                return [f"still in use: {describe_use(name, gpu)}" for name, gpu in holding.items()]
            time.sleep(PAUSE_SECONDS)
        return []

    def _find_holding(self, names: Iterable[str]) -> dict[str, Gpu]:
        """Return the GPUs with much more memory in use than when none of our jobs was on them."""
        return {
            name: gpu
            for name, gpu in _find_gpus(names, read_gpus() if names else []).items()
            if gpu.used - self._idle_use.get(name, 0.0) > BUSY_PART * gpu.total
        }


def _find_gpus(names: Iterable[str], gpus: Sequence[Gpu]) -> dict[str, Gpu]:
    """Return the GPUs that names mean, without the names that mean none."""
    found = {name: find_gpu(name, gpus) for name in names}
    return {name: gpu for name, gpu in found.items() if gpu is not None}


def _list_gpus(shares: Iterable[Share]) -> frozenset[str]:
    return frozenset(gpu for share in shares for gpu in share.gpus or ())

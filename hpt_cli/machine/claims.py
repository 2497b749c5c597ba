"""Claims of training jobs on cores and GPUs, which the tuning jobs of one user respect.

A claim is a lock on bytes of a file. A core or a GPU has a region in it, in which each tuning job
has one byte: its training jobs share that, and allot the machine among themselves, but a region
with another's byte is not theirs. The locks are Linux's open file description locks (fcntl(2)): the
launcher and its command inherit them, so a claim lasts as long as either lives, whatever becomes of
the tuner, and no longer.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import struct
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

from hpt_cli.files import find_state_directory
from hpt_cli.machine.capacity import Capacity
from hpt_cli.machine.gpus import Gpu, find_gpu
from hpt_cli.spec.resources import Request, Resource, list_exclusive
from hpt_cli.tuning.allocation import Share

OWNER_BITS, RESOURCE_BITS = 24, 39
"""Together, those of an offset in a file."""
GET_LOCK, SET_LOCK = 36, 37
"""Linux's F_OFD_GETLK and F_OFD_SETLK: not every build of Python has their names."""
FLOCK = "hhqqi"
"""Linux's struct flock: type, whence, start, length, pid (0 for these locks)."""
LOOK_SECONDS = 0.5
"""How old what is known of the claims of others may be."""


class Claim:
    """An open file with locks: they hold until all have closed it that have inherited it."""

    def __init__(self, descriptor: int | None) -> None:
        """Own a descriptor; None where there is nothing to hold, or no means to."""
        self.descriptor = descriptor

    def __enter__(self) -> Claim:
        return self

    def __exit__(self, *_: object) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)


class Claims:
    """The claims on this machine, as one tuning job sees them.

    Where they can neither be written nor locked, nothing is claimed, and all is free.
    """

    def __init__(
        self,
        directory: Path,
        request: Request | None,
        capacity: Capacity | None,
        environment: Mapping[str, str],
    ) -> None:
        """Prepare to claim for a tuning job.

        Args:
            directory: the tuning job's.
            request: what each of its training jobs asks for, if anything.
            capacity: what this machine has of that.
            environment: the tuner's own; one that is part of a training job may use what that
                holds.
        """
        self._own = number_owner(directory)
        around = [environment["HPT_JOB_DIR"]] if "HPT_JOB_DIR" in environment else []
        self._ours = sorted({self._own, *(number_owner(Path(each, "../..")) for each in around)})
        self._resources = list_exclusive(request, capacity.pool) if request and capacity else []
        self._gpus = capacity.gpus if capacity else ()
        self._held: dict[int, Claim] = {}
        self._others: frozenset[Resource] = frozenset()
        self._looked_at = -LOOK_SECONDS

    def list_others(self) -> frozenset[Resource]:
        """Return the cores and GPUs that other tuning jobs hold, as of a moment ago."""
        if self._resources and time.monotonic() - self._looked_at >= LOOK_SECONDS:
            self._looked_at = time.monotonic()
            with Claim(_open()) as file:
                self._others = frozenset(
                    each
                    for each in self._resources
                    if self._is_others(file, find_region(each, self._gpus))
                )
        return self._others

    def take(self, number: int, share: Share | None) -> Claim | None:
        """Return the claim of a job on its share; None where another tuning job holds some of it.

        It holds until it is released, and until what has inherited it is gone.
        """
        if number not in self._held:
            claim = self._try(share)
            if claim is None:
                self._looked_at = -LOOK_SECONDS
                return None
            self._held[number] = claim
        return self._held[number]

    def release(self, number: int) -> None:
        """Give up what is held for a job, if anything is."""
        with self._held.pop(number, Claim(None)):
            pass

    def _try(self, share: Share | None) -> Claim | None:
        held: list[Resource] = [*share.cores, *(share.gpus or ())] if share else []
        claim = Claim(_open() if held else None)
        regions = [find_region(each, self._gpus) for each in held]
        try:
            for each in regions:
                _lock(claim, each + self._own)
        except OSError:  # not on this file system
            return claim
        # Locked before: of two that claim at the same moment, at least one sees the other.
        if any(self._is_others(claim, each) for each in regions):
            with claim:
                return None
        return claim

    def _is_others(self, file: Claim, region: int) -> bool:
        """Return whether a lock in a region is not ours."""
        bounds = [-1, *self._ours, 1 << OWNER_BITS]
        gaps = ((low + 1, high - low - 1) for low, high in pairwise(bounds))
        return any(_find_lock(file, region + low, size) is not None for low, size in gaps if size)


def number_owner(directory: Path) -> int:
    """Return the place of a tuning job in each region, by its directory."""
    return _hash(os.fsencode(directory.resolve()), OWNER_BITS)


def find_region(resource: Resource, gpus: Sequence[Gpu]) -> int:
    """Return where the region of a core or a GPU of this machine begins."""
    name = f"core {resource}"
    if isinstance(resource, str):
        gpu = find_gpu(resource, gpus)
        name = f"GPU {(gpu.uuid or gpu.index) if gpu else resource}"
    return _hash(_read_boot_id() + name.encode(), RESOURCE_BITS) << OWNER_BITS


@cache
def _read_boot_id() -> bytes:
    """Return what tells this machine from others, and is the same in all of its containers."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_bytes()
    except OSError:
        return b""


def _hash(data: bytes, bits: int) -> int:
    return int.from_bytes(hashlib.sha256(data).digest()[:8]) >> (64 - bits)


def find_owners(resources: Iterable[Resource], gpus: Sequence[Gpu]) -> dict[Resource, int]:
    """Return the numbers of the tuning jobs that hold cores and GPUs; only what is held."""
    size = 1 << OWNER_BITS
    with Claim(_open()) as file:
        places = {each: _find_lock(file, find_region(each, gpus), size) for each in resources}
    return {each: place % size for each, place in places.items() if place is not None}


def _open() -> int | None:
    """Return a descriptor of the file of claims; None where there can be none."""
    if sys.platform != "linux":
        return None
    try:
        path = find_state_directory() / "claims"
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except (OSError, RuntimeError):
        return None


def _lock(file: Claim, place: int) -> None:
    if file.descriptor is not None:
        _call(file.descriptor, SET_LOCK, fcntl.F_RDLCK, place, 1)


def _find_lock(file: Claim, start: int, size: int) -> int | None:
    """Return the place of the first lock of another open file; None if there is none."""
    try:
        if file.descriptor is None:
            return None
        kind, _, place, *_ = _call(file.descriptor, GET_LOCK, fcntl.F_WRLCK, start, size)
    except OSError:
        return None
    return None if kind == fcntl.F_UNLCK else max(place, start)


def _call(descriptor: int, command: int, kind: int, start: int, size: int) -> tuple[int, ...]:
    request = struct.pack(FLOCK, kind, os.SEEK_SET, start, size, 0)
    return struct.unpack(FLOCK, fcntl.fcntl(descriptor, command, request))

"""The training jobs of a tuning job, indexed: a change costs the same however many there are.

Almost all of them have ended, and nothing happens to those any more. They are apart from the few
that are open, counted by phase, and what is computed from them is kept until another one ends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import is_
from types import MappingProxyType
from typing import Any, Generic, Protocol, TypeVar, cast


class _Job(Protocol):
    @property
    def number(self) -> int: ...

    @property
    def phase(self) -> str: ...

    @property
    def has_ended(self) -> bool: ...


J = TypeVar("J", bound=_Job)
T = TypeVar("T")


class Jobs(Mapping[int, J], Generic[J]):
    """Immutable training jobs by number; `put` and `drop` return new ones."""

    __slots__ = ("_counts", "_derived", "_ended", "_known", "_open", "_sums")

    def __init__(self, jobs: Iterable[J] = ()) -> None:
        self._ended: dict[int, J] = {}
        self._open: dict[int, J] = {}
        for job in jobs:
            (self._ended if job.has_ended else self._open)[job.number] = job
        self._counts = Counter(job.phase for job in self._ended.values())
        self._derived: dict[Any, Any] = {}
        self._sums: dict[Any, tuple[list[J], Any]] = {}
        self._known: dict[int, tuple[J, dict[Any, Any]]] = {}

    def __getitem__(self, number: int) -> J:
        found = self._open.get(number)
        return self._ended[number] if found is None else found

    def __iter__(self) -> Iterator[int]:
        return iter(sorted([*self._ended, *self._open]))

    def __len__(self) -> int:
        return len(self._ended) + len(self._open)

    def __contains__(self, number: object) -> bool:
        return number in self._open or number in self._ended

    def __repr__(self) -> str:
        return repr(dict(self))

    def put(self, job: J) -> Jobs[J]:
        """Return the jobs with a new one, or with one as it is now."""
        return self._follow(job.number, job)

    def drop(self, number: int) -> Jobs[J]:
        """Return the jobs without one."""
        return self._follow(number, None)

    def _follow(self, number: int, job: J | None) -> Jobs[J]:
        following: Jobs[J] = Jobs.__new__(Jobs)
        following._known = self._known
        # Only the few open jobs are copied at each change. The rest is shared, and replaced below
        # where an ended job is concerned.
        following._open = {key: each for key, each in self._open.items() if key != number}
        following._ended, following._counts = self._ended, self._counts
        following._derived, following._sums = self._derived, self._sums
        if job is not None and not job.has_ended:
            following._open[number] = job
        if number in self._ended or (job is not None and job.has_ended):
            following._ended, following._counts = dict(self._ended), Counter(self._counts)
            # The sums stay: cached_fold itself sees which jobs are in them.
            following._derived = {}
            before = following._ended.pop(number, None)
            if before is not None:
                following._counts[before.phase] -= 1
            if job is not None and job.has_ended:
                following._known.pop(number, None)
                following._ended[number] = job
                following._counts[job.phase] += 1
        return following

    @property
    def open(self) -> list[J]:
        """Those that have not ended, in order of number."""
        return [self._open[number] for number in sorted(self._open)]

    @property
    def ended(self) -> Mapping[int, J]:
        """Those that have ended, in no order."""
        return MappingProxyType(self._ended)

    def count(self, phase: str) -> int:
        """Return how many have ended in a phase."""
        return self._counts[phase]

    def cached(self, key: Any, make: Callable[[Mapping[int, J]], T]) -> T:
        """Return what `make` computes from the ended jobs: cached until another one ends."""
        if key not in self._derived:
            self._derived[key] = make(self.ended)
        return cast(T, self._derived[key])

    def cached_fold(self, key: Any, begin: Callable[[], T], add: Callable[[T, J], T]) -> T:
        """Return the left fold of `add` over the ended jobs, in the order in which they ended.

        It is cached, and each job is folded once.
        """
        ended = list(self._ended.values())
        known = self._sums.get(key)
        # A sum holds for any jobs that begin with those that went into it.
        if known is None or len(known[0]) > len(ended) or not all(map(is_, known[0], ended)):
            known = ([], begin())
        added, total = known
        for job in ended[len(added) :]:
            total = add(cast(T, total), job)
        self._sums[key] = (ended, total)
        return cast(T, total)

    def cached_per_job(self, key: Any, job: J, make: Callable[[J], T]) -> T:
        """Return what `make` computes from a job: cached until it changes."""
        known = self._known.get(job.number)
        if known is None or known[0] is not job:
            known = self._known[job.number] = (job, {})
        if key not in known[1]:
            known[1][key] = make(job)
        return cast(T, known[1][key])

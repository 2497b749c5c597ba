"""Suggestions in a thread, so that reading logs and stopping jobs never wait for one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from threading import Thread

from hpt_cli.spec.model import TuningSpec
from hpt_cli.strategies import prepare_strategy
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.suggest import suggest


class Suggester:
    """Chooses hyperparameters for one training job at a time."""

    def __init__(self, clock: Callable[[], float], wake: Callable[[], None]) -> None:
        """`wake` is called when a suggestion is ready."""
        self._clock = clock
        self._wake = wake
        self._suggestion: asyncio.Task[ev.Event] | None = None
        self._preparation: Thread | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a suggestion has been asked for and not been popped."""
        return self._suggestion is not None

    def suggest(self, spec: TuningSpec, state: TuningState, number: int) -> None:
        """Begin to choose for job `number`, from what was known when it was planned."""
        self._suggestion = asyncio.create_task(self._suggest(spec, state, number))
        self._suggestion.add_done_callback(lambda _: self._wake())

    async def _suggest(self, spec: TuningSpec, state: TuningState, number: int) -> ev.Event:
        begun = time.perf_counter()
        hyperparameters = await asyncio.to_thread(suggest, spec, state, number)
        seconds = round(time.perf_counter() - begun, 4)
        at = self._clock()
        if hyperparameters is None:
            return ev.SpaceExhausted(at=at, number=number)
        return ev.JobSuggested(
            at=at, number=number, hyperparameters=hyperparameters, seconds=seconds
        )

    def pop_done(self) -> list[ev.Event]:
        """Return the event of a suggestion that is ready, if there is one."""
        if self._suggestion is None or not self._suggestion.done():
            return []
        event, self._suggestion = self._suggestion.result(), None
        return [event]

    def prepare(self, strategy: str) -> None:
        """Import in a thread, once, what later suggestions of a strategy need."""
        if self._preparation is None:
            self._preparation = Thread(target=prepare_strategy, args=(strategy,), daemon=True)
            self._preparation.start()

    def cancel(self) -> None:
        """Drop the suggestion under way."""
        if self._suggestion is not None:
            self._suggestion.cancel()

"""What the tuner shows its progress to: the terminal, notifications, or several of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from hpt_cli.tuning.events import Event
from hpt_cli.tuning.state import TuningState


class View(Protocol):
    """Shows a tuning job while it runs."""

    def show(self, state: TuningState, events: Iterable[Event], now: float) -> None:
        """Show events that led to this state; called several times a second, also without any."""
        ...


class Views:
    """Several views as one."""

    def __init__(self, *views: View) -> None:
        self._views = views

    def show(self, state: TuningState, events: Iterable[Event], now: float) -> None:
        """Show it on each of them."""
        events = list(events)
        for view in self._views:
            view.show(state, events, now)

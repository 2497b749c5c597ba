"""What a signal asks for, by its kind and by what came before."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from hpt_cli.runtime import signals as module
from hpt_cli.runtime.signals import INTERRUPTS, Signals, find_exit_code

INT, QUIT, TERM, HUP = INTERRUPTS


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """The handlers of signals, put back."""
    before = {number: signal.getsignal(number) for number in INTERRUPTS}
    for number in INTERRUPTS:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def signals() -> Iterator[Signals]:
    with Signals() as signals:
        yield signals


DURING_IMPORTS = """
import signal, sys
from hpt_cli.runtime.signals import Signals

class Freed:
    def __del__(self):
        signal.raise_signal(int(sys.argv[1]))

with Signals():
    Freed()
    print("goes on")
"""


@pytest.mark.parametrize(("number", "code"), [(INT, 130), (QUIT, 130), (TERM, 143), (HUP, 143)])
def test_before_anything_is_begun_a_signal_ends_the_process(number: int, code: int) -> None:
    """Also where Python would lose an exception: in a `__del__`."""
    command = [sys.executable, "-c", DURING_IMPORTS, str(int(number))]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, "", "")
    assert code == find_exit_code(number)


@pytest.mark.parametrize("number", INTERRUPTS)
def test_then_the_first_one_interrupts(signals: Signals, number: int) -> None:
    signals.remember()
    assert not signals.pop_interrupt()
    signal.raise_signal(number)
    assert signals.first == number
    assert [signals.pop_interrupt(), signals.pop_interrupt()] == [True, False]
    assert not signals.pop_impatience()


@pytest.mark.parametrize(
    ("numbers", "is_impatient"),
    [
        ([INT, INT], True),
        ([INT, QUIT], True),
        ([QUIT, QUIT], True),
        ([HUP, INT], True),
        ([TERM, INT], True),
        ([HUP, HUP, HUP], False),
        ([INT, HUP], False),
        ([HUP, TERM], False),
        ([TERM, HUP], False),
        ([TERM, TERM], False),
    ],
)
@pytest.mark.usefixtures("signals")
def test_only_a_further_wish_kills(
    signals: Signals, numbers: list[int], is_impatient: bool
) -> None:
    signals.remember()
    for number in numbers:
        signal.raise_signal(number)
    assert signals.first == numbers[0]
    assert [signals.pop_impatience(), signals.pop_impatience()] == [is_impatient, False]
    assert signals.pop_interrupt()


@pytest.mark.parametrize(
    ("numbers", "is_impatient"), [([TERM, TERM], True), ([INT, TERM], True), ([HUP, TERM], False)]
)
def test_sigterm_again_some_time_later_is_a_further_wish(
    signals: Signals, numbers: list[int], is_impatient: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SAME_SECONDS", -1.0)
    signals.remember()
    for number in numbers:
        signal.raise_signal(number)
    assert signals.pop_impatience() == is_impatient


def test_at_the_end_a_signal_ends_what_is_left_to_say(signals: Signals) -> None:
    signals.exit_with(7)
    signal.raise_signal(HUP)
    with pytest.raises(SystemExit) as caught:
        signal.raise_signal(TERM)
    assert caught.value.code == 7


def test_after_the_block_only_two_end_the_process() -> None:
    with Signals():
        pass
    kinds = {number: signal.getsignal(number) for number in INTERRUPTS}
    ends, is_ignored = signal.SIG_DFL, signal.SIG_IGN
    assert kinds == {INT: ends, TERM: ends, QUIT: is_ignored, HUP: is_ignored}


def test_what_nohup_ignores_stays_ignored() -> None:
    signal.signal(HUP, signal.SIG_IGN)
    with Signals() as signals:
        signals.remember()
        signal.raise_signal(HUP)
        assert signals.first is None
        assert signal.getsignal(HUP) is signal.SIG_IGN


def test_a_signal_ends_a_wait(signals: Signals) -> None:
    async def wait() -> float:
        signals.listen()
        loop = asyncio.get_running_loop()
        loop.call_later(0.05, signal.raise_signal, TERM)
        begin = loop.time()
        await signals.wait(60)
        return loop.time() - begin

    signals.remember()
    assert asyncio.run(wait()) < 30
    assert signals.pop_interrupt()

"""Which errors are over in a while, and how they are told."""

from __future__ import annotations

import errno

import pytest

from hpt_cli.cli import app
from hpt_cli.errors import TransientError
from hpt_cli.machine.shortage import describe_shortage, is_shortage

SHORT = [
    OSError(errno.EAGAIN, "busy"),
    OSError(errno.EMFILE, "too many open files"),
    OSError(errno.ENOSPC, "no space"),
    RuntimeError("can't start new thread"),
    MemoryError(),
    TransientError.of("journal-write", "it is locked"),
]


@pytest.mark.parametrize("error", SHORT, ids=repr)
def test_what_is_short_says_so_and_is_no_bug(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert is_shortage(error)

    def fail(**options: object) -> None:
        raise error

    monkeypatch.setattr(app, "app", fail)
    with pytest.raises(SystemExit) as caught:
        app.main()
    assert caught.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith("error[")
    assert "bug" not in said


@pytest.mark.parametrize(
    "error",
    [OSError(errno.EINVAL, "no"), RuntimeError("dictionary changed"), ValueError("no")],
    ids=repr,
)
def test_others_do_not_pass(error: Exception) -> None:
    assert not is_shortage(error)


def test_the_way_out_is_named() -> None:
    for error in (BlockingIOError(errno.EAGAIN, "busy"), RuntimeError("can't start new thread")):
        assert "ulimit -u" in describe_shortage(error)
    full = OSError(errno.ENOSPC, "no space", "/x/y")
    assert describe_shortage(full) == "/x/y: no space"

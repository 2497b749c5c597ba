"""Entry point of `hpt` and `python -m hpt_cli`.

The imports take some tenths of a second. Until they are done Ctrl-C ends the process without a
traceback, and a system that refuses to open files is reported as such. An exception of Ctrl-C could
also be lost in an import: a command that tunes would go on. Such commands import more, and then
handle all signals themselves.
"""

from __future__ import annotations

import os
import signal
import sys

TUNERS = ("run", "resume")
"""The commands that tune."""


def main() -> None:
    """Run the command line and exit with its code."""
    _open_missing_streams()
    interrupts = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if interrupts:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        from hpt_cli.cli import app as cli
    except OSError as error:
        print(f"error[system]: hpt cannot be loaded: {error}", file=sys.stderr)
        sys.exit(1)
    if interrupts and not set(TUNERS).intersection(sys.argv[1:2]):
        signal.signal(signal.SIGINT, signal.default_int_handler)
    cli.main()


def _open_missing_streams() -> None:
    """Open /dev/null for each standard stream that is closed (`2>&-`).

    Else the next file that is opened, say the journal, would get its number, and what is printed.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free is this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115


if __name__ == "__main__":
    main()

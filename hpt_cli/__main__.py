"""Entry point of `hpt` and `python -m hpt_cli`.

The imports take some tenths of a second. Until they are done Ctrl-C ends the process without a
traceback, and a system that refuses to open files is reported as such.
"""

from __future__ import annotations

import signal
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    interrupts = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if interrupts:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        from hpt_cli.cli import app as cli
    except OSError as error:
        print(f"error[system]: hpt cannot be loaded: {error}", file=sys.stderr)
        sys.exit(1)
    if interrupts:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    cli.main()


if __name__ == "__main__":
    main()

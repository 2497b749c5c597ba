"""The table of commands, and the error boundary around them.

`main` prints the problems of an expected failure, ends quietly on an interruption, and writes
anything else, which is a bug, to a crash file that can be pasted into a report.
"""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import sys
import tempfile
import traceback
from typing import Any

import typer
from typer.core import TyperGroup

from hpt_cli import __version__
from hpt_cli.cli.catalog import COMMANDS, GROUPS, USAGE_ERROR, load_command, make_command
from hpt_cli.cli.console import print_message
from hpt_cli.cli.help import measure_width, summarize, write_overview
from hpt_cli.errors import ArgumentLocation, ExitCode, HptError, Problem
from hpt_cli.formatting import hide_passwords, plain, plain_lines
from hpt_cli.live.output import drain_outputs
from hpt_cli.machine.shortage import describe_shortage, is_shortage

MAX_PROBLEMS = 100
"""How many problems are printed: a log given instead of a spec has one in every line."""

MAX_MARKED = 60
"""How many characters of a wrong argument are marked, and as many are shown before it."""


class _Commands(TyperGroup):
    """The group of all commands, each created when it is asked for."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(**fields)
        self.commands: Any = dict.fromkeys(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        return make_command(cmd_name) if cmd_name in COMMANDS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return what is to be done; `hpt help COMMAND` is `hpt COMMAND --help`."""
        if args[0] == "help":
            if len(args) == 1:
                print(ctx.get_help())
                raise typer.Exit
            args = [args[1], "--help"]
        if args[0] not in COMMANDS and not ctx.resilient_parsing:
            from hpt_cli.cli.usage import refuse_command

            raise refuse_command(args, ctx)
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """Write the help: the commands in groups, each with the first line of its own help."""
        groups = {
            group: {name: summarize(load_command(name)[0]) for name in names}
            for group, names in GROUPS.items()
        }
        formatter.write(write_overview(self.help or "", groups, measure_width()))


app = typer.Typer(
    name="hpt",
    cls=_Commands,
    help="Automatic model tuning with early stopping, for any training command.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"hpt {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Print the version."
    ),
) -> None:
    pass


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        _call_command()
    finally:
        drain_outputs()


def _call_command() -> None:
    """Run the command line; print what ends it early, and exit with the code for that."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # Question marks are better than no table.
            stream.reconfigure(errors="replace")
    try:
        sys.exit(app(standalone_mode=False) or ExitCode.OK)
    except USAGE_ERROR as error:
        _print_usage_error(error)
        sys.exit(ExitCode.USAGE)
    except typer.Abort:
        print_message("aborted")
        sys.exit(ExitCode.FAILED)
    except HptError as error:
        _print_error(error)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader of a pipe has left; keep Python from complaining about it at exit.
        null = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            os.dup2(null, stream.fileno())
        sys.exit(ExitCode.FAILED)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print_problems(HptError.of("system", f"{where}{error.strerror or error}"))
        sys.exit(ExitCode.FAILED)
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
    except Exception as error:
        if is_shortage(error):
            print_problems(HptError.of("system", describe_shortage(error)))
            sys.exit(ExitCode.FAILED)
        _print_crash(error)
        sys.exit(ExitCode.BUG)


def _print_usage_error(error: Any) -> None:
    """Print what is wrong with the command line; the help, where nothing stands on it."""
    from hpt_cli.cli.usage import explain

    words = sys.argv[1:]
    if words:
        print_problems(explain(error, words))
    else:
        print(error.format_message())


def _print_error(error: HptError) -> None:
    """Print an expected failure; what is said of an option, in its place on the command line."""
    from hpt_cli.cli.usage import locate

    print_problems(HptError(*(locate(each, sys.argv[1:]) for each in error.problems)))


def print_problems(error: HptError) -> None:
    """Print each problem of an expected failure with its place and its hint."""
    for problem in error.problems[:MAX_PROBLEMS]:
        print(_write_problem(problem), file=sys.stderr)
    if (more := len(error.problems) - MAX_PROBLEMS) > 0:
        print(f"and {more} more", file=sys.stderr)


def _write_problem(problem: Problem) -> str:
    """Return a problem as text: after its place in a file, or above it on the command line."""
    place, shown = "", list[str]()
    if isinstance(problem.place, ArgumentLocation):
        shown = _point_at(problem.place)
    elif problem.place is not None:
        place = f"{problem.place}: "
    hint = [problem.hint] if problem.hint else []
    text = "\n    ".join([f"{place}error[{problem.slug}]: {problem.message}", *shown, *hint])
    return plain_lines(text)


def _point_at(place: ArgumentLocation) -> list[str]:
    """Return a part of the command line, and marks below it; of a long one, what is around it."""
    start, end = place.start, min(place.end, place.start + MAX_MARKED)
    first = max(0, start - MAX_MARKED)
    last = max(end, first + 2 * MAX_MARKED)
    before, after = "..." if first else "", "..." if last < len(place.line) else ""
    shown = f"{before}{plain(place.line[first:last])}{after}"
    return [shown, " " * (len(before) + start - first) + "^" * max(1, end - start)]


def _print_crash(error: Exception) -> None:
    text = "".join(traceback.format_exception(error))
    report = f"hpt {__version__}, Python {sys.version}\n{shlex.join(sys.argv)}\n\n{text}"
    report = hide_passwords(report)
    message = hide_passwords(f"hpt has a bug: {type(error).__name__}: {error}")
    print(plain_lines(message), file=sys.stderr)
    with (
        contextlib.suppress(OSError),
        tempfile.NamedTemporaryFile(prefix="hpt-crash-", suffix=".txt", delete=False) as file,
    ):
        file.write(report.encode(errors="backslashreplace"))
        print(f"please report it with {file.name}; nothing recorded is lost", file=sys.stderr)

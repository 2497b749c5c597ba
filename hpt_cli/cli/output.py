"""Results for people or as JSON, on standard output or in a file that only --force overwrites."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console, RenderableType

from hpt_cli.cli.console import print_message
from hpt_cli.errors import HptError, UsageError
from hpt_cli.formatting import write_json
from hpt_cli.reports import load_report

if TYPE_CHECKING:
    from hpt_cli.reports.render.plot import Plot
    from hpt_cli.tuning.summary import Summary


def print_report(name: str, summaries: Sequence[Summary], *, as_json: bool) -> None:
    """Print a report, for people or as JSON."""
    report = load_report(name)
    print_answer(report.render, report.to_json, summaries, as_json=as_json)


def print_answer(
    render: Callable[..., RenderableType],
    to_json: Callable[..., Any],
    *values: Any,
    as_json: bool,
    crop: bool = True,
) -> None:
    """Print values for people or as JSON, made from them by one of two functions.

    Args:
        crop: whether lines that do not wrap end where the terminal does; commands to paste do not.
    """
    if as_json:
        print_json(to_json(*values))
    else:
        Console().print(render(*values), crop=crop)


def print_json(document: Any) -> None:
    """Print one JSON document, in UTF-8 whatever the locale (RFC 8259)."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    print(write_json(document))


def is_standard_output(path: Path | None) -> bool:
    """Return whether no file is meant: none was named, or `-`."""
    return path is None or str(path) == "-"


def refuse_existing(path: Path | None, *, force: bool) -> None:
    """Raise UsageError if a file exists that `write_file` would not overwrite."""
    if not force and path is not None and path.is_file():
        raise UsageError.of("file-exists", f"{path} already exists", "--force overwrites it")


def write_output(content: str | bytes, path: Path | None, *, force: bool) -> None:
    """Write to a file and say so, or to standard output. Raises as `write_file` does."""
    if path is not None and not is_standard_output(path):
        write_file(content, path, force=force)
        print_message(f"written to {path}")
    elif isinstance(content, str):
        sys.stdout.write(content)
    else:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()


def write_file(content: str | bytes, path: Path, *, force: bool) -> None:
    """Write a file.

    Raises:
        UsageError: the file already exists; devices and pipes do not count.
        HptError: it cannot be written.
    """
    refuse_existing(path, force=force)
    data = content.encode(errors="replace") if isinstance(content, str) else content
    try:
        # "xb" does not follow a dangling link: nobody asked for a file where it points.
        with open(path, "wb" if force or path.exists() else "xb") as file:
            file.write(data)
    except OSError as error:
        raise HptError.of("file-write", f"{path} cannot be written: {error.strerror}") from error


def write_picture(plots: Sequence[Plot], path: Path, *, force: bool) -> None:
    """Write plots as a picture in the format of the file's suffix.

    Raises:
        UsageError: there is no such format, or the file already exists.
        HptError: it cannot be written, or matplotlib is not installed.
    """
    from hpt_cli.reports.render.picture import FORMATS, draw_picture

    suffix = path.suffix.removeprefix(".").lower() or "png"
    if suffix not in FORMATS:
        known = f"one of {', '.join(FORMATS)}"
        raise UsageError.of("picture-format", f"{path}: .{suffix} is not a picture format", known)
    refuse_existing(path, force=force)
    write_output(draw_picture(plots, suffix), path, force=force)

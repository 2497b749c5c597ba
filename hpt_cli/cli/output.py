"""Writing what the user asked for to a file: one that is there stays as it is without --force."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hpt_cli.cli.console import say
from hpt_cli.errors import HptError, UsageError

if TYPE_CHECKING:
    from hpt_cli.reports.render.plot import Plot


def is_standard_output(path: Path | None) -> bool:
    """Whether no file is meant: none was named, or `-`."""
    return path is None or str(path) == "-"


def refuse_existing(path: Path | None, *, force: bool) -> None:
    """Say early that a file would not be written; devices and pipes always are.

    Raises:
        UsageError: the file is there already.
    """
    if not force and path is not None and path.is_file():
        raise UsageError.of("file-exists", f"{path} is there already", "--force overwrites it")


def write_output(content: str | bytes, path: Path | None, *, force: bool) -> None:
    """Write to a file and say so, or to standard output.

    Raises:
        UsageError: the file is there already.
        HptError: it cannot be written.
    """
    if path is not None and not is_standard_output(path):
        write_file(content, path, force=force)
        say(f"written to {path}")
    elif isinstance(content, str):
        sys.stdout.write(content)
    else:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()


def write_file(content: str | bytes, path: Path, *, force: bool) -> None:
    """Write a file. Raises as `write_output` does."""
    refuse_existing(path, force=force)
    data = content.encode(errors="replace") if isinstance(content, str) else content
    try:
        # A link that leads nowhere is not followed: nobody asked for a file where it points to.
        with open(path, "wb" if force or path.exists() else "xb") as file:
            file.write(data)
    except OSError as error:
        raise HptError.of("file-write", f"{path} cannot be written: {error.strerror}") from error


def write_picture(plots: Sequence[Plot], path: Path, *, force: bool) -> None:
    """Write plots as a picture; the file's suffix says in which format.

    Raises:
        UsageError: there is no such format, or the file is there already.
        HptError: it cannot be written, or matplotlib is not installed.
    """
    from hpt_cli.reports.render.picture import FORMATS, draw_picture

    form = path.suffix.removeprefix(".").lower() or "png"
    if form not in FORMATS:
        known = f"one of {', '.join(FORMATS)}"
        raise UsageError.of("picture-format", f"{path}: .{form} is no format for pictures", known)
    refuse_existing(path, force=force)
    write_output(draw_picture(plots, form), path, force=force)

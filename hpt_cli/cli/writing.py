"""Writing a file that the user asked for, without harm to one that is there."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hpt_cli.errors import UsageError

if TYPE_CHECKING:
    from hpt_cli.reports.plot import Plot


def write_output(text: str, path: Path | None, *, force: bool) -> None:
    """Write text to a file, or without one to standard output.

    Raises:
        UsageError: the file is there already, or cannot be written.
    """
    if path is None:
        sys.stdout.write(text)
        return
    try:
        with open(path, "w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError.of("file-exists", f"{path} is there already", "--force") from None
    except OSError as error:
        raise UsageError.of("file-write", f"{path}: {error.strerror}") from error


def write_picture(plots: Sequence[Plot], path: Path) -> None:
    """Write plots as a picture; the file's suffix says in which format.

    Raises:
        UsageError: there is no such format, or the file cannot be written.
        HptError: matplotlib is not installed.
    """
    from hpt_cli.reports.picture import FORMATS, draw_picture

    form = path.suffix.removeprefix(".").lower() or "png"
    if form not in FORMATS:
        known = f"one of {', '.join(FORMATS)}"
        raise UsageError.of("picture-format", f"{path}: .{form} is no format for pictures", known)
    picture = draw_picture(plots, form)
    try:
        path.write_bytes(picture)
    except OSError as error:
        raise UsageError.of("file-write", f"{path}: {error.strerror}") from error
    print(f"written to {path}", file=sys.stderr)

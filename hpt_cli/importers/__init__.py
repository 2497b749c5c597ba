"""What other programs for tuning are told, as the fields of a spec."""

from __future__ import annotations

from dataclasses import replace

from hpt_cli.errors import UsageError
from hpt_cli.importers.documents import read_document
from hpt_cli.sagemaker import Imported, import_request

__all__ = ["Imported", "import_text"]


def import_text(text: str, file: str, definition: str | None = None) -> Imported:
    """Return the fields of a spec for what a file says.

    Args:
        text: of the file.
        file: its name.
        definition: of several training job definitions, the name of the one to use.

    Raises:
        UsageError: it is of no kind that is known, or lacks what a tuning job needs.
    """
    document = read_document(text, file, as_written=True)
    try:
        imported = import_request(document, definition)
    except (AttributeError, TypeError, ValueError) as error:
        message = f"{file} does not have the structure that SageMaker documents: {error}"
        raise UsageError.of("request-unreadable", message) from None
    return _mark_guesses(imported)


def _mark_guesses(imported: Imported) -> Imported:
    """Return the fields with a mark for each metric whose definition is a guess."""
    words = "is a guess, as the file does not say how the program prints it; compare it with"
    marks = tuple(
        ("metric_definitions", f"the regex of {name} {words} hpt metrics LOG")
        for name in imported.guessed
    )
    return replace(imported, fill_in=(*imported.fill_in, *marks))

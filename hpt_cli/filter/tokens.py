"""The tokens of a text, read one after the other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Token:
    """A word, number, text or operator, and where it begins."""

    kind: str
    text: str
    column: int


class TokenReader:
    """Tokens, of which the last is one of the kind `end`."""

    def __init__(self, tokens: Iterable[Token]) -> None:
        self._tokens = list(tokens)
        self._place = 0

    @property
    def next(self) -> Token:
        """The token that comes next."""
        return self._tokens[self._place]

    def skip(self) -> None:
        """Go past the next token."""
        self._place += 1

    def take(self, *texts: str) -> Token | None:
        """Return the next token and go past it, if it is one of these words or operators."""
        token = self.next
        if token.kind in ("word", "operator") and token.text in texts:
            self.skip()
            return token
        return None

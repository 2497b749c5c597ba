"""Conditions over a row of named values, as `hpt jobs --where` takes them.

    condition  = term ("or" term)*
    term       = factor ("and" factor)*
    factor     = "not" factor | "(" condition ")" | comparison
    comparison = column OPERATOR value | column ["not"] "in" "(" value ("," value)* ")"
    value      = a number, a word, 'quoted text', or another column's name

Text is compared whatever its case; a missing value meets no comparison but `!=`. Nothing is
evaluated as code. tests/data/conditions.json has the cases that every reader of this grammar keeps.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from hpt_cli.errors import ArgumentLocation, Problem, UsageError, did_you_mean
from hpt_cli.filter.tokens import Token, TokenReader

Values: TypeAlias = Mapping[str, Any]
Condition: TypeAlias = Callable[[Values], bool]
Value: TypeAlias = Callable[[Values], Any]

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
WORDS = ("and", "or", "not", "in")
MAX_DEPTH = 50
"""How deep parentheses may nest."""

_TOKEN = re.compile(
    r"""\s*(?: (?P<number> [-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.]) )
          | (?P<operator> [<>=!]=|[<>=(),] )
          | (?P<text> '[^']*'|"[^"]*" )
          | (?P<word> [^\s<>=!(),'"]+ ) )""",
    re.VERBOSE,
)


def parse_condition(text: str, columns: Iterable[str]) -> Condition:
    """Return a predicate of rows, which are mappings of column names to values.

    Raises:
        UsageError: the text does not follow the grammar, or names an unknown column; the hint
            points at the place.
    """
    return _Parser(text, set(columns)).parse()


class _Parser:
    """Recursive descent over the grammar above.

    By hand, since `ast.parse` would save 50 lines and lose what is missing and where: Python's own
    messages are about Python.
    """

    def __init__(self, text: str, columns: set[str]) -> None:
        self._text = text
        self._columns = columns
        self._tokens = TokenReader(self._split())

    def _split(self) -> Iterable[Token]:
        place, end = 0, len(self._text.rstrip())
        while place < end:
            match = _TOKEN.match(self._text, place)
            if match is None or match.lastgroup is None:
                rest = self._text[place:]
                raise self._error("this cannot be read", end - len(rest.strip()))
            kind = match.lastgroup
            yield Token(kind, match[kind], match.start(kind))
            place = match.end()
        yield Token("end", "", end)

    def parse(self) -> Condition:
        condition = self._parse_or(0)
        if self._tokens.next.kind != "end":
            raise self._error("'and' or 'or' is missing before this")
        return condition

    def _expect(self, text: str) -> None:
        if self._tokens.take(text) is None:
            raise self._error(f"'{text}' is missing here")

    def _parse_or(self, depth: int) -> Condition:
        if depth > MAX_DEPTH:
            raise self._error("parentheses are nested too deep")
        parts = [self._parse_and(depth)]
        while self._tokens.take("or"):
            parts.append(self._parse_and(depth))
        return parts[0] if len(parts) == 1 else lambda row: any(part(row) for part in parts)

    def _parse_and(self, depth: int) -> Condition:
        parts = [self._parse_not(depth)]
        while self._tokens.take("and"):
            parts.append(self._parse_not(depth))
        return parts[0] if len(parts) == 1 else lambda row: all(part(row) for part in parts)

    def _parse_not(self, depth: int) -> Condition:
        negated = False
        while self._tokens.take("not"):
            negated = not negated
        if self._tokens.take("("):
            condition = self._parse_or(depth + 1)
            self._expect(")")
        else:
            condition = self._parse_comparison()
        return (lambda row: not condition(row)) if negated else condition

    def _parse_comparison(self) -> Condition:
        left = self._parse_column()
        negated = self._tokens.take("not") is not None
        if negated or self._tokens.next.text == "in":
            self._expect("in")
            allowed = self._parse_list()
            return lambda row: any(_is_equal(left(row), each(row)) for each in allowed) != negated
        symbol = self._tokens.take(*COMPARISONS)
        if symbol is None:
            raise self._error(f"a comparison is missing here: one of {', '.join(COMPARISONS)}, in")
        compare, right = COMPARISONS[symbol.text], self._parse_value()
        return lambda row: _compare(compare, left(row), right(row))

    def _parse_column(self) -> Value:
        token = self._tokens.next
        if token.kind not in ("word", "text") or token.text in WORDS:
            raise self._error("a column's name is missing here")
        name = token.text.strip("'\"") if token.kind == "text" else token.text
        if name not in self._columns:
            hint = did_you_mean(name, self._columns)
            known = f"one of {', '.join(sorted(self._columns))}"
            raise self._error(f"there is no column '{name}'", hint=hint or known)
        self._tokens.skip()
        return operator.methodcaller("get", name)

    def _parse_list(self) -> list[Value]:
        self._expect("(")
        values = [self._parse_value()]
        while self._tokens.take(","):
            values.append(self._parse_value())
        self._expect(")")
        return values

    def _parse_value(self) -> Value:
        token = self._tokens.next
        if token.kind in ("operator", "end") or token.text in WORDS:
            raise self._error("a value is missing here")
        self._tokens.skip()
        if token.kind == "word" and token.text in self._columns:
            return operator.methodcaller("get", token.text)
        return _make_constant(token)

    def _error(self, message: str, place: int | None = None, hint: str = "") -> UsageError:
        column = self._tokens.next.column if place is None else place
        before = len("--where ") + column
        pointer = ArgumentLocation(f"--where {self._text}", before, before + 1)
        return UsageError(Problem("where-syntax", f"--where: {message}", hint, pointer))


def _make_constant(token: Token) -> Value:
    value: Any = token.text
    if token.kind == "number":
        value = float(token.text)
    elif token.kind == "text":
        value = token.text[1:-1]
    return lambda _: value


def _is_equal(left: Any, right: Any) -> bool:
    return _compare(operator.eq, left, right)


def _compare(compare: Callable[[Any, Any], bool], left: Any, right: Any) -> bool:
    """Return whether a comparison holds: of numbers, or else of text.

    Other things can be equal or not, but none is less than another.
    """
    if left is None or right is None:
        return compare is operator.ne and left is not right
    numbers = _to_number(left), _to_number(right)
    if None not in numbers:
        return compare(*numbers)
    if compare in (operator.eq, operator.ne) or (isinstance(left, str) and isinstance(right, str)):
        return compare(str(left).casefold(), str(right).casefold())
    return False


def _to_number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return None if isinstance(value, str) and math.isnan(number) else number

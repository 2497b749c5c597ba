"""Constraints between named values, as `constraints` and `metric_constraints` of a spec hold them.

    condition  = term ("or" term)*
    term       = factor ("and" factor)*
    factor     = "not" factor | sum (OPERATOR sum)* | sum ["not"] "in" "(" sum ("," sum)* ")"
    sum        = product (("+" | "-") product)*
    product    = signed (("*" | "/") signed)*
    signed     = ("+" | "-") signed | NUMBER | name | word | 'quoted text' | "(" condition ")"

The conditions of `hpt jobs --where`, with arithmetic on both sides. What is said of a value that is
absent is neither met nor broken (Kleene's logic), and a number divided by 0 is infinite, or NaN,
which is broken. Nothing is evaluated as code.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

from hpt_cli.errors import did_you_mean
from hpt_cli.filter.condition import COMPARISONS, MAX_DEPTH, WORDS, Values
from hpt_cli.filter.tokens import Token, TokenReader

Kind: TypeAlias = Literal["number", "text", "any", "condition"]
ROUNDING = 1e-9
"""Numbers that differ by less, as a share of them, are equal: the rest is rounding."""


class Domain(NamedTuple):
    """What a name stands for: a number, one of some texts, or either."""

    has_numbers: bool = True
    texts: tuple[str, ...] = ()


class ConstraintError(ValueError):
    """A constraint cannot be read; `column` counts its characters from 0."""

    def __init__(self, message: str, column: int, hint: str = "") -> None:
        self.column = column
        self.hint = hint
        super().__init__(message)


@dataclass(frozen=True)
class Constraint:
    """A constraint, and the names in it."""

    text: str
    names: tuple[str, ...]
    check: Callable[[Values], bool | None]
    """Returns whether values meet it; None where that depends on values that are absent."""


class _Node(NamedTuple):
    """A part of a constraint: what kind of value it has, and how that is found."""

    kind: Kind
    find: Callable[[Values], Any]
    token: Token
    texts: tuple[str, ...] = ()
    """Of a name: the texts that it may be."""
    is_free: bool = False
    """Whether it is a word, or a text, that names nothing."""


def parse_constraint(text: str, domains: Mapping[str, Domain]) -> Constraint:
    """Return the constraint that a text says.

    Args:
        domains: what may be named in it.

    Raises:
        ConstraintError: it does not follow the grammar, names something unknown, or compares a text
            with a number.
    """
    return _Parser(text, domains).parse()


class _Parser:
    """Recursive descent over the grammar above."""

    def __init__(self, text: str, domains: Mapping[str, Domain]) -> None:
        self._text = text
        self._domains = domains
        self._tokens = TokenReader(_split(text, domains))
        self._depth = 0
        self._names: dict[str, None] = {}

    def parse(self) -> Constraint:
        node = self._parse_or()
        if self._tokens.next.kind != "end":
            raise _error("this is one too many", self._tokens.next)
        if node.kind != "condition":
            raise _error(f"a comparison is missing: one of {_OPERATORS}", self._tokens.next)
        if not self._names:
            raise _error(f"it names none of {', '.join(self._domains)}", node.token)
        return Constraint(self._text, tuple(self._names), node.find)

    def _expect(self, text: str) -> None:
        if self._tokens.take(text) is None:
            raise _error(f"'{text}' is missing here", self._tokens.next)

    def _parse_or(self) -> _Node:
        return self._join("or", self._parse_and, decisive=True)

    def _parse_and(self) -> _Node:
        return self._join("and", self._parse_not, decisive=False)

    def _join(self, word: str, parse: Callable[[], _Node], *, decisive: bool) -> _Node:
        """Return conditions that a word joins, one of which may decide it alone."""
        parts = [parse()]
        while self._tokens.take(word):
            parts.append(parse())
        if len(parts) == 1:
            return parts[0]
        finds = [_need_condition(part).find for part in parts]
        return _Node("condition", _decide(finds, decisive=decisive), parts[0].token)

    def _parse_not(self) -> _Node:
        token = self._tokens.take("not")
        if token is None:
            return self._parse_comparison()
        condition = _need_condition(self._parse_not()).find

        def find(values: Values) -> bool | None:
            answer = condition(values)
            return None if answer is None else not answer

        return _Node("condition", find, token)

    def _parse_comparison(self) -> _Node:
        left = self._parse_sum()
        negated = self._tokens.take("not") is not None
        if negated or self._tokens.next.text == "in":
            self._expect("in")
            return self._parse_list(left, negated=negated)
        parts: list[Callable[[Values], bool | None]] = []
        node = left
        while symbol := self._tokens.take(*COMPARISONS):
            right = self._parse_sum()
            parts.append(self._compare(node, symbol, right))
            node = right
        return _Node("condition", _decide(parts, decisive=False), left.token) if parts else left

    def _parse_list(self, left: _Node, *, negated: bool) -> _Node:
        """Return whether a value is one of a list."""
        equal = Token("operator", "!=" if negated else "==", self._tokens.next.column)
        self._expect("(")
        parts = [self._compare(left, equal, self._parse_sum())]
        while self._tokens.take(","):
            parts.append(self._compare(left, equal, self._parse_sum()))
        self._expect(")")
        return _Node("condition", _decide(parts, decisive=not negated), left.token)

    def _parse_sum(self) -> _Node:
        return self._calculate(self._parse_product, "+", "-")

    def _parse_product(self) -> _Node:
        return self._calculate(self._parse_signed, "*", "/")

    def _calculate(self, parse: Callable[[], _Node], *symbols: str) -> _Node:
        node = parse()
        while symbol := self._tokens.take(*symbols):
            left, right = self._need_number(node), self._need_number(parse())
            node = _Node("number", _combine(_ARITHMETIC[symbol.text], left, right), node.token)
        return node

    def _parse_signed(self) -> _Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _error("parentheses are nested too deep", self._tokens.next)
        try:
            if sign := self._tokens.take("+", "-"):
                number = self._need_number(self._parse_signed())
                zero = _Node("number", lambda _: 0.0, sign)
                return _Node("number", _combine(_ARITHMETIC[sign.text], zero, number), sign)
            if self._tokens.take("("):
                node = self._parse_or()
                self._expect(")")
                return node
            return self._parse_atom()
        finally:
            self._depth -= 1

    def _parse_atom(self) -> _Node:
        token = self._tokens.next
        if token.kind in ("operator", "end") or (token.kind == "word" and token.text in WORDS):
            raise _error("a value is missing here", token)
        self._tokens.skip()
        if token.kind == "number":
            number = float(token.text)
            return _Node("number", lambda _: number, token)
        text = token.text.strip("'\"") if token.kind == "text" else token.text
        domain = self._domains.get(text)
        if domain is None:
            return _Node("text", lambda _: text, token, is_free=True)
        self._names[text] = None
        kind: Kind = "any" if domain.has_numbers and domain.texts else "number"
        if not domain.has_numbers:
            kind = "text"
        return _Node(kind, operator.methodcaller("get", text), token, domain.texts)

    def _need_number(self, node: _Node) -> _Node:
        """Return a node that can be calculated with."""
        if node.is_free and node.token.kind == "word":
            raise self._unknown(node.token)
        if node.kind in ("text", "condition"):
            what = "a text" if node.kind == "text" else "a comparison"
            raise _error(f"{node.token.text} is {what}: only numbers can be calculated", node.token)
        return node

    def _compare(self, left: _Node, symbol: Token, right: _Node) -> Callable[[Values], bool | None]:
        """Return whether a comparison holds, of two numbers or of two texts."""
        for one, other in ((left, right), (right, left)):
            if one.kind == "condition":
                raise _error("a comparison cannot be compared", one.token)
            if one.is_free:
                self._check_text(one, other)
        kinds = {left.kind, right.kind}
        if kinds == {"number", "text"}:
            text = left if left.kind == "text" else right
            number = right if text is left else left
            message = f"{text.token.text} is a text, and {number.token.text} is a number"
            raise _error(message, text.token)
        compare = COMPARISONS[symbol.text]
        if "text" in kinds and compare not in (operator.eq, operator.ne):
            raise _error("texts can only be equal (==, !=, in)", symbol)

        def hold(values: Values) -> bool | None:
            one, other = left.find(values), right.find(values)
            return None if one is None or other is None else _holds(compare, one, other)

        return hold

    def _check_text(self, text: _Node, other: _Node) -> None:
        """Raise where a word or a text is no value of the name that it is compared with."""
        is_word, meant = text.token.kind == "word", text.token.text.strip("'\"")
        if is_word and not other.texts:
            raise self._unknown(text.token)
        known = [each.casefold() for each in other.texts]
        if other.texts and meant.casefold() not in known:
            message = f"'{meant}' is no value of '{other.token.text}'"
            hint = did_you_mean(meant, [*other.texts, *self._domains])
            raise _error(message, text.token, hint or f"one of {', '.join(other.texts)}")

    def _unknown(self, token: Token) -> ConstraintError:
        hint = did_you_mean(token.text, self._domains) or f"there are: {', '.join(self._domains)}"
        return _error(f"there is no '{token.text}'", token, hint)


_OPERATORS = "<, <=, ==, !=, >=, >, in"
_NUMBER = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?!\w)")
_SYMBOL = re.compile(r"[<>=!]=|[<>=(),+*/-]")
_TEXT = re.compile(r"'[^']*'|\"[^\"]*\"")
_WORD = re.compile(r"[^\s<>=!(),'\"+*/-]+")


def _split(text: str, names: Mapping[str, Domain]) -> Iterator[Token]:
    """Yield the tokens of a constraint; names may hold characters that are operators elsewhere."""
    longest_first = sorted(names, key=len, reverse=True)
    name = re.compile(rf"(?:{'|'.join(map(re.escape, longest_first)) or '(?!)'})(?![\w.:])")
    place = 0
    while place < len(text):
        if text[place].isspace():
            place += 1
            continue
        for kind, pattern in (
            *(("word", name), ("number", _NUMBER), ("operator", _SYMBOL)),
            *(("text", _TEXT), ("word", _WORD)),
        ):
            if match := pattern.match(text, place):
                yield Token(kind, match[0], place)
                place = match.end()
                break
        else:
            raise ConstraintError("this cannot be read", place)
    yield Token("end", "", len(text))


def _error(message: str, token: Token, hint: str = "") -> ConstraintError:
    return ConstraintError(message, token.column, hint)


def _need_condition(node: _Node) -> _Node:
    """Return a node that is true or false."""
    if node.kind != "condition":
        raise _error(f"a comparison is missing: one of {_OPERATORS}", node.token)
    return node


def _decide(
    parts: Sequence[Callable[[Values], bool | None]], *, decisive: bool
) -> Callable[[Values], bool | None]:
    """Return what conditions say together: the answer that decides it alone, where one gives it."""

    def find(values: Values) -> bool | None:
        answers = [part(values) for part in parts]
        if decisive in answers:
            return decisive
        return None if None in answers else not decisive

    return find


def _combine(
    calculate: Callable[[float, float], float], left: _Node, right: _Node
) -> Callable[[Values], float | None]:
    """Return a sum, a product ... of two nodes; None where one of them is absent."""

    def find(values: Values) -> float | None:
        one, other = left.find(values), right.find(values)
        if one is None or other is None:
            return None
        try:
            return calculate(float(one), float(other))
        except ValueError:  # a category that is a text, beside others that are numbers
            return math.nan

    return find


def _divide(left: float, right: float) -> float:
    if right:
        return left / right
    return math.nan if not left else math.copysign(math.inf, left) * math.copysign(1.0, right)


_ARITHMETIC: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide,
}


def _holds(compare: Callable[[Any, Any], bool], left: Any, right: Any) -> bool:
    """Return whether a comparison holds: of numbers but for rounding, of texts whatever case."""
    if isinstance(left, str) or isinstance(right, str):
        is_equality = compare in (operator.eq, operator.ne)
        return is_equality and compare(str(left).casefold(), str(right).casefold())
    one, other = float(left), float(right)
    if math.isclose(one, other, rel_tol=ROUNDING):
        return compare(0, 0)
    return compare(one, other)

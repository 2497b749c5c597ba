"""Calls in Python source with the values of their arguments, as far as these are literals.

The source is read and never run. A name stands for what was last assigned to it; where that
depends on a condition, on an argument or on what another program returns, it is Unknown.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from hpt_cli.errors import UsageError

MAX_POWER = 64


@dataclass(frozen=True)
class Unknown:
    """A value that the source does not say."""

    source: str
    """How it is written there."""

    def __str__(self) -> str:
        return self.source


@dataclass(frozen=True)
class Call:
    """A call, with values, Unknown and further calls as arguments."""

    function: str
    """As it is written: `sagemaker.tuner.HyperparameterTuner`."""
    arguments: tuple[Any, ...] = ()
    keywords: Mapping[str, Any] = field(default_factory=dict)
    methods: tuple[Call, ...] = ()
    """What is called of its result, in this order: `set_hyperparameters`, `fit`."""

    def __str__(self) -> str:
        return f"{self.function}(...)"

    @property
    def name(self) -> str:
        """The last part of the function's name."""
        return self.function.rpartition(".")[2]

    def get(self, keyword: str, place: int | None = None, default: Any = None) -> Any:
        """Return an argument by its name, or by its place; without it, a default."""
        if place is not None and place < len(self.arguments):
            return self.arguments[place]
        return self.keywords.get(keyword, default)


def read_calls(parts: Iterable[str]) -> tuple[Call, ...]:
    """Return the calls in source texts that follow one another, in order.

    Args:
        parts: a script, or the cells of a notebook. What is no Python is left out.

    Raises:
        UsageError: none of them is Python.
    """
    reader = _Reader()
    failed = count = 0
    for text in parts:
        count += 1
        try:
            tree = ast.parse(_drop_magics(text))
            reader.read(tree.body)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            failed += 1
    if count and failed == count:
        raise UsageError.of("request-unreadable", "this is not Python that can be read")
    return tuple(reader.finish())


def _drop_magics(text: str) -> str:
    """Return a cell without the lines that are for IPython."""
    lines = text.split("\n")
    if text.lstrip().startswith("%%"):
        first = lines[0].split()[0]
        return "\n".join(lines[1:]) if first in ("%%time", "%%capture", "%%timeit") else ""
    return "\n".join("" if each.lstrip()[:1] in ("%", "!") else each for each in lines)


_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_BLOCKS = (ast.If, ast.For, ast.While, ast.Try, ast.With)


class _Reader:
    """What names stand for, statement by statement, and the calls that were found."""

    def __init__(self, names: Mapping[str, Any] | None = None) -> None:
        self._names: dict[str, Any] = dict(names or {})
        self._calls: list[Call] = []
        self._functions: list[ast.FunctionDef | ast.AsyncFunctionDef] = []
        self._depth = 0

    def read(self, body: Iterable[ast.stmt]) -> None:
        """Take in statements, but for the bodies of functions."""
        for statement in body:
            if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self._functions.append(statement)
            elif isinstance(statement, ast.ClassDef):
                self.read(statement.body)
            elif isinstance(statement, _BLOCKS):
                self._read_block(statement)
            else:
                self._read_simple(statement)

    def finish(self) -> Iterator[Call]:
        """Yield the calls, and those of functions, where names of the module are known."""
        yield from self._calls
        for function in self._functions:
            arguments = (*function.args.args, *function.args.kwonlyargs, *function.args.posonlyargs)
            unknown = {each.arg: Unknown(each.arg) for each in arguments}
            inner = _Reader({**self._names, **unknown})
            with suppress(RecursionError):
                inner.read(function.body)
                yield from inner.finish()

    def _read_block(self, block: ast.stmt) -> None:
        is_certain = isinstance(block, (ast.With, ast.Try))
        if isinstance(block, (ast.For,)):
            self._assign(block.target, Unknown(ast.unparse(block.target)))
        self._depth += not is_certain
        for field_name in ("body", "handlers", "orelse", "finalbody"):
            for each in getattr(block, field_name, ()):
                self.read(each.body if isinstance(each, ast.ExceptHandler) else [each])
        self._depth -= not is_certain

    def _read_simple(self, statement: ast.stmt) -> None:
        if isinstance(statement, ast.Assign):
            value = self.evaluate(statement.value)
            for target in statement.targets:
                self._assign(target, value)
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            self._assign(statement.target, self.evaluate(statement.value))
        elif isinstance(statement, ast.AugAssign):
            self._assign(statement.target, Unknown(ast.unparse(statement)))
        elif isinstance(statement, (ast.Expr, ast.Return)) and statement.value is not None:
            self.evaluate(statement.value)

    def _assign(self, target: ast.expr, value: Any) -> None:
        if isinstance(target, ast.Name):
            known = self._names.get(target.id, value)
            is_certain = not self._depth or known == value
            self._names[target.id] = value if is_certain else Unknown(target.id)
        elif isinstance(target, (ast.Tuple, ast.List)):
            values = value if isinstance(value, (list, tuple)) else ()
            is_same = len(values) == len(target.elts)
            for place, each in enumerate(target.elts):
                self._assign(each, values[place] if is_same else Unknown(ast.unparse(each)))
        elif isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name):
            held, key = self._names.get(target.value.id), self.evaluate(target.slice)
            if isinstance(held, dict) and isinstance(key, (str, int, float)):
                held[key] = value

    def evaluate(self, node: ast.expr) -> Any:
        """Return the value of an expression; Unknown where it is not said."""
        match node:
            case ast.Constant(value=str() | int() | float() | bool() | None as value):
                return value
            case ast.Name(id=name):
                return self._names.get(name, Unknown(name))
            case ast.List() | ast.Tuple() | ast.Set():
                return [self.evaluate(each) for each in node.elts]
            case ast.Dict():
                return self._evaluate_dict(node)
            case ast.Call():
                return self._evaluate_call(node)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                value = self.evaluate(operand)
                if isinstance(value, (int, float)):
                    return -value
            case ast.BinOp():
                return self._evaluate_operation(node)
            case ast.JoinedStr():
                return self._evaluate_text(node)
            case ast.Subscript():
                held, key = self.evaluate(node.value), self.evaluate(node.slice)
                if isinstance(held, (dict, list)) and isinstance(key, (str, int, float)):
                    with suppress(KeyError, IndexError, TypeError):
                        return held[key]  # type: ignore[index]
        return Unknown(ast.unparse(node))

    def _evaluate_dict(self, node: ast.Dict) -> Any:
        found: dict[Any, Any] = {}
        for key, each in zip(node.keys, node.values, strict=True):
            value = self.evaluate(each)
            if key is None:
                if not isinstance(value, dict):
                    return Unknown(ast.unparse(node))
                found |= value
                continue
            name = self.evaluate(key)
            if isinstance(name, (str, int, float)):
                found[name] = value
        return found

    def _evaluate_operation(self, node: ast.BinOp) -> Any:
        left, right = self.evaluate(node.left), self.evaluate(node.right)
        if isinstance(node.op, ast.BitOr) and isinstance(left, dict) and isinstance(right, dict):
            return left | right
        are_numbers = isinstance(left, (int, float)) and isinstance(right, (int, float))
        are_texts = isinstance(left, str) and isinstance(right, str)
        are_lists = isinstance(left, list) and isinstance(right, list)
        apply = _OPERATORS.get(type(node.op))
        if isinstance(node.op, ast.Pow) and are_numbers and abs(right) <= MAX_POWER:
            apply = operator.pow
        is_sum = isinstance(node.op, ast.Add)
        if apply and (are_numbers or (is_sum and (are_texts or are_lists))):
            with suppress(ArithmeticError, ValueError):
                value = apply(left, right)
                if not isinstance(value, float) or math.isfinite(value):
                    return value
        return Unknown(ast.unparse(node))

    def _evaluate_text(self, node: ast.JoinedStr) -> Any:
        parts: list[str] = []
        for each in node.values:
            is_plain = isinstance(each, ast.FormattedValue) and each.format_spec is None
            value = self.evaluate(each.value if isinstance(each, ast.FormattedValue) else each)
            if not isinstance(value, (str, int, float)) or not (
                is_plain or isinstance(each, ast.Constant)
            ):
                return Unknown(ast.unparse(node))
            parts.append(str(value))
        return "".join(parts)

    def _evaluate_call(self, node: ast.Call) -> Any:
        arguments = tuple(
            self.evaluate(each.value if isinstance(each, ast.Starred) else each)
            for each in node.args
        )
        keywords: dict[str, Any] = {}
        for each in node.keywords:
            value = self.evaluate(each.value)
            if each.arg is not None:
                keywords[each.arg] = value
            elif isinstance(value, dict):
                keywords |= {str(key): item for key, item in value.items()}
        if isinstance(node.func, ast.Name) and node.func.id == "dict" and not arguments:
            return keywords
        function = ast.unparse(node.func)
        if isinstance(node.func, ast.Attribute):
            self._call_method(node.func, arguments, keywords)
        if function in ("str", "int", "float") and len(arguments) == 1:
            with suppress(TypeError, ValueError, OverflowError):
                if isinstance(arguments[0], (str, int, float)):
                    return {"str": str, "int": int, "float": float}[function](arguments[0])
        call = Call(function, arguments, keywords)
        self._calls.append(call)
        return call

    def _call_method(
        self, function: ast.Attribute, arguments: tuple[Any, ...], keywords: dict[str, Any]
    ) -> None:
        """Take in what is called of a value that has a name, or of a dictionary."""
        if not isinstance(function.value, ast.Name):
            return
        held = self._names.get(function.value.id)
        if isinstance(held, dict) and function.attr == "update":
            held.update({**(arguments[0] if _is_dict(arguments) else {}), **keywords})
        if isinstance(held, Call):
            called = Call(function.attr, arguments, keywords)
            changed = replace(held, methods=(*held.methods, called))
            self._names[function.value.id] = changed
            self._calls = [changed if each is held else each for each in self._calls]


def _is_dict(arguments: tuple[Any, ...]) -> bool:
    return len(arguments) == 1 and isinstance(arguments[0], dict)

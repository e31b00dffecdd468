"""Parses the expressions of templates: what stands between `[` and `]`."""

import re
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

_TOKEN = re.compile(r"\s*(?:('(?:[^']|'')*')|(-?\d+)|([A-Za-z_][\w.]*)|([()\[\],.]))")


class TemplateError(ValueError):
    """A template that Azure would refuse, or that this evaluation does not understand."""


@dataclass(frozen=True)
class Constant:
    """A text or a number."""

    value: str | int


@dataclass(frozen=True)
class FunctionCall:
    """A function and its arguments."""

    name: str
    arguments: "tuple[Node, ...]"


@dataclass(frozen=True)
class Get:
    """A property or an item of a value."""

    base: "Node"
    key: "Node"


Node: TypeAlias = Constant | FunctionCall | Get


def is_expression(value: object) -> bool:
    """Tell whether a value of a template is an expression; `[[` begins a plain text."""
    return (
        isinstance(value, str)
        and value.startswith("[")
        and value.endswith("]")
        and not value.startswith("[[")
    )


@cache
def parse(text: str) -> Node:
    """Parse an expression with its brackets.

    Raises:
        TemplateError: it is none.
    """
    reader = _Reader(text[1:-1])
    node = reader.node()
    reader.end()
    return node


class _Reader:
    def __init__(self, text: str) -> None:
        self._text, self._tokens, at = text, [], 0
        while text[at:].strip():
            match = _TOKEN.match(text, at)
            if not match:
                raise TemplateError(f"[{text}]: {text[at:]!r} is not understood")
            self._tokens.append(match.group().strip())
            at = match.end()
        self._at = 0

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self, wanted: str = "") -> str:
        token = self._peek()
        if not token or (wanted and token != wanted):
            raise TemplateError(f"[{self._text}]: {wanted or 'more'} is expected at {token!r}")
        self._at += 1
        return token

    def end(self) -> None:
        """Raise an error unless everything was read."""
        if self._peek():
            raise TemplateError(f"[{self._text}]: {self._peek()!r} is too much")

    def node(self) -> Node:
        """Read a value, and the properties and items that are taken of it."""
        node = self._value()
        while self._peek() in (".", "["):
            if self._take() == ".":
                for name in self._take().split("."):
                    node = Get(node, Constant(name))
            else:
                node = Get(node, self.node())
                self._take("]")
        return node

    def _value(self) -> Node:
        token = self._take()
        if token.startswith("'"):
            return Constant(token[1:-1].replace("''", "'"))
        if token.lstrip("-").isdigit():
            return Constant(int(token))
        self._take("(")
        arguments: list[Node] = []
        while self._peek() != ")":
            arguments.append(self.node())
            if self._peek() != ")":
                self._take(",")
        self._take(")")
        return FunctionCall(token, tuple(arguments))

"""Parses Bicep files."""

from dataclasses import replace
from functools import cache
from pathlib import Path

from infra.arm.cursor import Cursor
from infra.arm.expression_parser import body, expression
from infra.arm.lexer import tokens_of
from infra.arm.syntax import (
    Conditional,
    Expression,
    File,
    Function,
    Literal,
    Loop,
    Module,
    Object,
    Output,
    Parameter,
    Resource,
    Type,
    Variable,
)

Decorators = dict[str, tuple[Expression, ...]]
_TYPES = {"string", "int", "bool", "array", "object"}


def parse_file(path: Path) -> File:
    """Parse a file.

    Raises:
        BicepError: of a syntax that is wrong, or that this parser does not know.
    """
    return replace(_parse(path.name, path.read_text("utf-8")), path=path)


@cache
def _parse(name: str, text: str) -> File:
    """Parse a text once: the gates read many copies of the same files."""
    cursor = Cursor(name, tokens_of(name, text))
    file = File(Path(name))
    cursor.skip_lines()
    while cursor.token.kind != "end":
        _declaration(cursor, file, _decorators(cursor))
        if cursor.token.kind not in ("newline", "end"):
            cursor.fail(f"the end of the line is expected before {cursor.token.text!r}")
        cursor.skip_lines()
    return file


def _decorators(cursor: Cursor) -> Decorators:
    decorators: Decorators = {}
    while cursor.takes("@"):
        call = expression(cursor)
        name, arguments = getattr(call, "name", None), getattr(call, "arguments", None)
        if not isinstance(name, str) or not isinstance(arguments, tuple):
            cursor.fail("a decorator is a call")
        decorators[name] = arguments
        cursor.skip_lines()
    return decorators


def _declaration(cursor: Cursor, file: File, decorators: Decorators) -> None:
    line = cursor.token.line
    keyword = cursor.word()
    if keyword == "targetScope":
        cursor.expect("=")
        file.scope = cursor.plain()
        return
    if keyword == "metadata":  # says nothing that a deployment needs
        cursor.word()
        cursor.expect("=")
        expression(cursor)
        return
    parse = _KINDS.get(keyword)
    if parse is None:
        cursor.fail(f"{keyword!r} can't be translated; infra/arm/parser.py knows {list(_KINDS)}")
    parse(cursor, file, cursor.word(), line, decorators)


def _parameter(cursor: Cursor, file: File, name: str, line: int, decorators: Decorators) -> None:
    kind = _type(cursor)
    default = expression(cursor) if cursor.takes("=") else None
    file.parameters[name] = Parameter(name, line, decorators, kind, default)


def _variable(cursor: Cursor, file: File, name: str, line: int, decorators: Decorators) -> None:
    cursor.expect("=")
    file.variables[name] = Variable(name, line, decorators, expression(cursor))


def _output(cursor: Cursor, file: File, name: str, line: int, decorators: Decorators) -> None:
    kind = _type(cursor)
    cursor.expect("=")
    file.outputs[name] = Output(name, line, decorators, kind, expression(cursor))


def _function(cursor: Cursor, file: File, name: str, line: int, decorators: Decorators) -> None:
    parameters: list[tuple[str, Type]] = []
    cursor.expect("(")
    while not cursor.takes(")"):
        parameters.append((cursor.word(), _type(cursor)))
        cursor.takes(",")
    kind = _type(cursor)
    cursor.expect("=>")
    cursor.skip_lines()
    file.functions[name] = Function(
        name, line, decorators, tuple(parameters), kind, expression(cursor)
    )


def _resource(cursor: Cursor, file: File, name: str, line: int, decorators: Decorators) -> None:
    kind, _, version = cursor.plain().partition("@")
    existing = cursor.takes("existing")
    properties, loop, condition = _deployed(cursor)
    file.resources[name] = Resource(
        name, line, decorators, properties, loop, condition, kind, version, existing
    )


def _module(cursor: Cursor, file: File, name: str, line: int, decorators: Decorators) -> None:
    path = cursor.plain()
    properties, loop, condition = _deployed(cursor)
    file.modules[name] = Module(name, line, decorators, properties, loop, condition, path)


def _deployed(cursor: Cursor) -> tuple[Object, Loop | None, Expression | None]:
    """Parse a body, and the `for` and `if` around it."""
    cursor.expect("=")
    value = body(cursor)
    loop = condition = None
    if isinstance(value, Loop):
        loop, value = value, value.body
    if isinstance(value, Conditional):
        condition, value = value.condition, value.body
    if not isinstance(value, Object):
        cursor.fail("an object is expected")
    return value, loop, condition


def _type(cursor: Cursor) -> Type:
    """Parse a type: a name, a list of one, literals with | between; `?` allows null."""
    if cursor.token.kind == "string":
        allowed = [cursor.plain()]
        while cursor.takes("|"):
            allowed.append(cursor.plain())
        return Type("string", allowed=tuple(allowed), nullable=cursor.takes("?"))
    name = cursor.word()
    if name not in _TYPES:
        cursor.fail(f"the type {name} can't be translated; known are {sorted(_TYPES)}")
    kind = Type(name)
    while cursor.sees("[") and cursor.following(1).text == "]":
        cursor.expect("[")
        cursor.expect("]")
        kind = Type("array", items=kind)
    return Type(kind.name, kind.items, nullable=cursor.takes("?"))


def literal(value: Expression) -> str | int | bool | None:
    """Return the value of a literal.

    Raises:
        ValueError: it is an expression.
    """
    if not isinstance(value, Literal):
        raise ValueError("a literal is expected")
    return value.value


_KINDS = {
    "param": _parameter,
    "var": _variable,
    "output": _output,
    "func": _function,
    "resource": _resource,
    "module": _module,
}

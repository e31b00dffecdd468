"""Parses the expressions of Bicep."""

from collections.abc import Callable

from infra.arm.cursor import Cursor
from infra.arm.lexer import Token
from infra.arm.syntax import (
    Access,
    Array,
    Call,
    Conditional,
    Expression,
    Interpolation,
    Lambda,
    Literal,
    Loop,
    Name,
    Object,
    Operation,
)

# Operators that bind equally, weakest first.
_LEVELS = (
    ("??",),
    ("||",),
    ("&&",),
    ("==", "!=", "=~", "!~"),
    ("<", "<=", ">", ">="),
    ("+", "-"),
    ("*", "/", "%"),
)
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None}


def expression(cursor: Cursor) -> Expression:
    """Parse an expression.

    Raises:
        BicepError: it is not one that is understood.
    """
    condition = _binary(cursor, 0)
    if not (cursor.sees("?") or cursor.sees_on_later_line("?")):
        return condition
    cursor.expect("?")
    cursor.skip_lines()
    when_true = expression(cursor)
    cursor.skip_lines()
    cursor.expect(":")
    cursor.skip_lines()
    return Operation("?", (condition, when_true, expression(cursor)))


def _binary(cursor: Cursor, level: int) -> Expression:
    if level == len(_LEVELS):
        return _unary(cursor)
    left = _binary(cursor, level + 1)
    while cursor.sees(*_LEVELS[level]):
        operator = cursor.take().text
        cursor.skip_lines()
        left = Operation(operator, (left, _binary(cursor, level + 1)))
    return left


def _unary(cursor: Cursor) -> Expression:
    if cursor.sees("!", "-", "+"):
        operator = cursor.take().text
        return Operation(operator, (_unary(cursor),))
    return _accesses(cursor, _primary(cursor))


def _accesses(cursor: Cursor, base: Expression) -> Expression:
    """Parse what follows a value: properties, indexes, calls; `!` says only that it is not null."""
    while True:
        if cursor.sees(".", ".?"):
            safe = cursor.take().text == ".?"
            name = cursor.word()
            if cursor.sees("("):
                base = Call(name, _arguments(cursor), base)
            else:
                base = Access(base, Literal(name), safe)
        elif cursor.sees("[", "[?"):
            safe = cursor.take().text == "[?"
            base = Access(base, expression(cursor), safe)
            cursor.expect("]")
        elif not cursor.takes("!"):
            return base


def _arguments(cursor: Cursor) -> tuple[Expression, ...]:
    return _items(cursor, "(", ")", expression)


def _items(
    cursor: Cursor, begin: str, end: str, parse: Callable[[Cursor], Expression]
) -> tuple[Expression, ...]:
    """Parse a list, whose items have commas or ends of lines between them."""
    items: list[Expression] = []
    cursor.expect(begin)
    cursor.skip_lines()
    while not cursor.takes(end):
        items.append(parse(cursor))
        if not (cursor.takes(",") or cursor.token.kind == "newline" or cursor.sees(end)):
            cursor.fail(f"a comma or {end} is expected before {cursor.token.text!r}")
        cursor.skip_lines()
    return tuple(items)


def _primary(cursor: Cursor) -> Expression:
    token = cursor.token
    if token.kind == "string":
        return _text(cursor, cursor.take())
    if token.kind == "number":
        return Literal(int(cursor.take().text))
    if token.kind == "word":
        return _word(cursor)
    if cursor.sees("("):
        return _parentheses(cursor)
    if cursor.sees("["):
        return _array(cursor)
    if cursor.sees("{"):
        return _object(cursor)
    cursor.fail(f"a value is expected before {token.text!r}")


def _word(cursor: Cursor) -> Expression:
    name = cursor.word()
    if name in _WORDS:
        return Literal(_WORDS[name])
    if name in ("sys", "az") and cursor.sees("."):  # the namespaces of Bicep's own functions
        cursor.take()
        name = cursor.word()
    if cursor.sees("("):
        return Call(name, _arguments(cursor))
    if cursor.takes("=>"):
        return Lambda((name,), expression(cursor))
    return Name(name)


def _parentheses(cursor: Cursor) -> Expression:
    """Parse `(value)`, or `(a, b) => value`."""
    cursor.expect("(")
    cursor.skip_lines()
    values = [expression(cursor)]
    cursor.skip_lines()
    while cursor.takes(","):
        values.append(expression(cursor))
    cursor.expect(")")
    names = tuple(value.name for value in values if isinstance(value, Name))
    if cursor.takes("=>"):
        if len(names) < len(values):
            cursor.fail("a lambda's parameters are names")
        cursor.skip_lines()
        return Lambda(names, expression(cursor))
    if len(values) > 1:
        cursor.fail("=> is expected")
    return values[0]


def _array(cursor: Cursor) -> Expression:
    if cursor.following(1).text != "for":
        return Array(_items(cursor, "[", "]", expression))
    cursor.expect("[")
    loop = _loop(cursor)
    cursor.skip_lines()
    cursor.expect("]")
    return loop


def _loop(cursor: Cursor) -> Loop:
    cursor.expect("for")
    index = None
    if cursor.takes("("):
        item = cursor.word()
        cursor.expect(",")
        index = cursor.word()
        cursor.expect(")")
    else:
        item = cursor.word()
    cursor.expect("in")
    source = expression(cursor)
    cursor.expect(":")
    return Loop(item, index, source, body(cursor))


def body(cursor: Cursor) -> Expression:
    """Parse an expression, or `if (condition) expression`."""
    if not cursor.takes("if"):
        return expression(cursor)
    cursor.expect("(")
    condition = expression(cursor)
    cursor.expect(")")
    return Conditional(condition, expression(cursor))


def _object(cursor: Cursor) -> Object:
    entries: list[tuple[Expression, Expression]] = []
    cursor.expect("{")
    cursor.skip_lines()
    while not cursor.takes("}"):
        token = cursor.take()
        if token.kind == "string":
            key = _text(cursor, token)
        elif token.kind == "word" and cursor.sees(":"):
            key = Literal(token.text)
        else:
            cursor.fail(f"a property and : are expected at {token.text!r}")
        cursor.expect(":")
        cursor.skip_lines()
        entries.append((key, expression(cursor)))
        if not (cursor.takes(",") or cursor.token.kind == "newline" or cursor.sees("}")):
            cursor.fail(f"the end of the property is expected before {cursor.token.text!r}")
        cursor.skip_lines()
    return Object(tuple(entries))


def _text(cursor: Cursor, token: Token) -> Literal | Interpolation:
    parts: list[str | Expression] = []
    for part in token.parts:
        if isinstance(part, str):
            parts += [part] if part else []
            continue
        inner = Cursor(cursor.file, [*part, Token("end", "}", token.line)])
        parts.append(expression(inner))
        if inner.token.kind != "end":
            inner.fail(f"}} is expected before {inner.token.text!r}")
    if all(isinstance(part, str) for part in parts):
        return Literal("".join(str(part) for part in parts))
    return Interpolation(tuple(parts))

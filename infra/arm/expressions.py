"""Translates expressions of Bicep into values of a template."""

import json
import re
from functools import cached_property
from typing import NoReturn, TypeAlias

from infra.arm.functions import OPERATORS, SAME, SINGLE
from infra.arm.lexer import BicepError
from infra.arm.names import Bindings, Names, quoted
from infra.arm.syntax import (
    Access,
    Array,
    Call,
    Expression,
    File,
    Interpolation,
    Lambda,
    Literal,
    Loop,
    Name,
    Object,
    Operation,
)

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

_PLAIN = re.compile(r"'(?!\[)[^']*'")
# Known before anything is deployed, unlike the other properties of a resource.
_EARLY = {"id", "name", "type", "apiVersion"}


class Expressions:
    """Translates the expressions of one file.

    Attributes:
        file: the file.
        names: of its resources.
        line: of the declaration that is translated, for messages.
    """

    def __init__(self, file: File) -> None:
        self.file, self.line = file, 1
        self.names = Names(self)

    def value(self, value: Expression, bindings: Bindings) -> Json:
        """Return an expression as JSON: written out where it can be, else in brackets."""
        if isinstance(value, Literal):
            escaped = isinstance(value.value, str) and value.value.startswith("[")
            return f"[{value.value}" if escaped else value.value
        if isinstance(value, Array):
            return [self.value(item, bindings) for item in value.items]
        if isinstance(value, Object):
            return self.object(value, bindings)
        if isinstance(value, Call) and value.name.startswith("load"):
            return self._loaded(value)
        code = self.code(value, bindings)
        if _PLAIN.fullmatch(code):  # the name of a resource may be nothing but a text
            return code[1:-1]
        return f"[{code}]"

    def object(self, value: Object, bindings: Bindings) -> dict[str, Json]:
        """Return an object; lists that a loop makes become its `copy`."""
        done: dict[str, Json] = {}
        copies: list[Json] = []
        for key, item in value.entries:
            name = self.value(key, bindings)
            if isinstance(item, Loop):
                copies.append(self.copy(str(name), item, bindings))
            else:
                done[str(name)] = self.value(item, bindings)
        return {"copy": copies, **done} if copies else done

    def copy(self, name: str, loop: Loop, bindings: Bindings) -> dict[str, Json]:
        """Return a loop that makes a list."""
        source = self.code(loop.source, bindings)
        index = f"copyIndex({quoted(name)})"
        bound = {**bindings, loop.item: f"{source}[{index}]"}
        bound |= {loop.index: index} if loop.index else {}
        return {"name": name, "count": f"[length({source})]", "input": self.value(loop.body, bound)}

    def code(self, value: Expression, bindings: Bindings) -> str:
        """Return an expression in the language of templates, without the brackets.

        Raises:
            BicepError: a name is not defined, or the expression can't be translated.
        """
        match value:
            case Literal():
                return _literal(value)
            case Interpolation():
                return self._interpolation(value, bindings)
            case Name():
                return self._name(value.name, bindings)
            case Call():
                return self._call(value, bindings)
            case Access():
                return self._access(value, bindings)
            case Operation():
                parts = [self.code(operand, bindings) for operand in value.operands]
                return (SINGLE if len(parts) == 1 else OPERATORS)[value.operator].format(*parts)
            case Array():
                return f"createArray({self._list(value.items, bindings)})"
            case Object():
                pairs = [part for entry in value.entries for part in entry]
                return f"createObject({self._list(pairs, bindings)})"
            case Lambda():
                return self._lambda(value, bindings)
        self._fail(f"{type(value).__name__.lower()} can't stand within an expression")

    def _list(self, values: "tuple[Expression, ...] | list[Expression]", bindings: Bindings) -> str:
        return ", ".join(self.code(value, bindings) for value in values)

    def _interpolation(self, value: Interpolation, bindings: Bindings) -> str:
        text = ""
        parts: list[str] = []
        for part in value.parts:
            if isinstance(part, str):
                text += part.replace("{", "{{").replace("}", "}}")
            else:
                text += f"{{{len(parts)}}}"
                parts.append(self.code(part, bindings))
        return f"format({', '.join([quoted(text), *parts])})"

    def _name(self, name: str, bindings: Bindings) -> str:
        if name in bindings:
            return bindings[name]
        if name in self.file.parameters:
            return f"parameters({quoted(name)})"
        if name in self.file.variables:
            variable = self.file.variables[name]
            if self.is_late(variable.value):  # a template's variables can't wait for a resource
                return self.code(variable.value, {})
            return f"variables({quoted(name)})"
        if name in self.file.resources or name in self.file.modules:
            self._fail(f"{name} is a resource: name a property of it")
        self._fail(f"{name} is not defined")

    def _lambda(self, value: Lambda, bindings: Bindings) -> str:
        bound = {**bindings, **{name: f"lambdaVariables({quoted(name)})" for name in value.names}}
        names = [quoted(name) for name in value.names]
        return f"lambda({', '.join([*names, self.code(value.body, bound)])})"

    def _call(self, call: Call, bindings: Bindings) -> str:
        if call.base is not None:
            target = self.names.target(call.base, bindings)
            if target is None or not call.name.startswith("list"):
                self._fail(f"the function {call.name} of a value can't be translated")
            return self.names.listing(call, target, bindings)
        if call.name == "any":  # only silences Bicep's types
            return self.code(call.arguments[0], bindings)
        if call.name.startswith("load"):
            loaded = self._loaded(call)
            return f"json({quoted(json.dumps(loaded))})"
        if call.name in self.file.functions:
            wanted = len(self.file.functions[call.name].parameters)
            if len(call.arguments) != wanted:
                self._fail(f"{call.name} takes {wanted} arguments, not {len(call.arguments)}")
            return f"__bicep.{call.name}({self._list(call.arguments, bindings)})"
        if call.name not in SAME:
            self._fail(f"there is no function {call.name} (infra/arm/functions.py lists them)")
        return f"{call.name}({self._list(call.arguments, bindings)})"

    def _access(self, access: Access, bindings: Bindings) -> str:
        target = self.names.target(access.base, bindings)
        if target is not None:
            return self.names.property_of(target, access.key)
        base = self.code(access.base, bindings)
        if access.safe:
            return f"tryGet({base}, {self.code(access.key, bindings)})"
        name = access.key.value if isinstance(access.key, Literal) else None
        if isinstance(name, str) and name.isidentifier():
            return f"{base}.{name}" + (".value" if self._is_outputs(access.base, bindings) else "")
        return f"{base}[{self.code(access.key, bindings)}]"

    def _is_outputs(self, value: Expression, bindings: Bindings) -> bool:
        """Tell whether a value is the outputs of a module."""
        if not isinstance(value, Access) or value.key != Literal("outputs"):
            return False
        target = self.names.target(value.base, bindings)
        return target is not None and target.declaration.name in self.file.modules

    def _loaded(self, call: Call) -> Json:
        """Return what a file holds, as Bicep puts it into the template."""
        path = call.arguments[0]
        if call.name not in ("loadTextContent", "loadJsonContent") or len(call.arguments) > 1:
            self._fail(f"{call.name} with these arguments can't be translated")
        text = (self.file.path.parent / str(getattr(path, "value", ""))).read_text("utf-8")
        loaded: Json = json.loads(text) if call.name == "loadJsonContent" else text
        return f"[{loaded}" if isinstance(loaded, str) and loaded.startswith("[") else loaded

    def is_late(self, value: Expression) -> bool:
        """Tell whether a value is known only after something was deployed."""
        if isinstance(value, Name):
            variable = self.file.variables.get(value.name)
            return variable is not None and self.is_late(variable.value)
        if isinstance(value, Call) and value.base is not None:
            return True
        if isinstance(value, Access) and self.names.target(value.base, self._no_names) is not None:
            return not (isinstance(value.key, Literal) and value.key.value in _EARLY)
        return any(self.is_late(part) for part in children(value))

    @cached_property
    def _no_names(self) -> Bindings:
        """Bindings that know every name, so that only the kind of a target is looked at."""
        return _Any(self.file)

    def _fail(self, reason: str) -> NoReturn:
        raise BicepError(f"{self.file.path.name}: line {self.line}: {reason}")


class _Any(dict[str, str]):
    """Knows every name that is neither a resource nor a module."""

    def __init__(self, file: File) -> None:
        super().__init__()
        self._file = file

    def __contains__(self, name: object) -> bool:
        return name not in self._file.resources and name not in self._file.modules

    def __missing__(self, name: str) -> str:
        return name


def _literal(literal: Literal) -> str:
    if isinstance(literal.value, str):
        return quoted(literal.value)
    if literal.value is None or isinstance(literal.value, bool):
        return f"{json.dumps(literal.value)}()"
    return str(literal.value)


def children(value: Expression) -> tuple[Expression, ...]:
    """Return the expressions that one consists of."""
    match value:
        case Interpolation():
            return tuple(part for part in value.parts if not isinstance(part, str))
        case Call():
            return (*((value.base,) if value.base else ()), *value.arguments)
        case Access():
            return (value.base, value.key)
        case Operation():
            return value.operands
        case Array():
            return value.items
        case Object():
            return tuple(part for entry in value.entries for part in entry)
        case Loop():
            return (value.source, value.body)
        case Lambda():
            return (value.body,)
    return ()

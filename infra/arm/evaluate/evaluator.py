"""Evaluates expressions of a template."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from infra.arm.evaluate.expression import (
    Constant,
    FunctionCall,
    Get,
    Node,
    TemplateError,
    is_expression,
    parse,
)
from infra.arm.evaluate.functions import PLAIN
from infra.arm.evaluate.values import Late, Value, get


class Surroundings(Protocol):
    """What a template knows: the deployment that it is part of."""

    def parameter(self, name: str) -> Value:
        """Return the value of a parameter."""

    def variable(self, name: str) -> Value:
        """Return the value of a variable."""

    def reference(self, name: str, *, full: bool) -> Value:
        """Return what is known of a resource when it was deployed."""

    def function(self, name: str) -> dict[str, Value] | None:
        """Return a function of the template's own."""


@dataclass(frozen=True)
class Local:
    """Names that mean something at one place only.

    Attributes:
        copies: index of each loop around; that of the resource's own under "".
        names: parameters of lambdas.
        parameters: of the function that is evaluated; None outside of functions.
    """

    copies: dict[str, int] = field(default_factory=dict)
    names: dict[str, Value] = field(default_factory=dict)
    parameters: dict[str, Value] | None = None


class Evaluator:
    """Evaluates values and expressions."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._around = surroundings
        self._lazy: dict[str, Callable[[tuple[Node, ...], Local], Value]] = {
            "if": self._if,
            "and": lambda parts, here: all(self._node(part, here) for part in parts),
            "or": lambda parts, here: any(self._node(part, here) for part in parts),
            "coalesce": self._coalesce,
            "map": self._map,
            "filter": self._filter,
            "toobject": self._to_object,
            "parameters": self._parameter,
            "variables": lambda parts, here: self._around.variable(self._text(parts[0], here)),
            "lambdavariables": lambda parts, here: here.names[self._text(parts[0], here)],
            "copyindex": self._copy_index,
            "reference": self._reference,
        }

    def value(self, value: Value, here: Local) -> Value:
        """Return a value of a template with every expression in it evaluated.

        Raises:
            TemplateError: Azure would refuse it.
        """
        if isinstance(value, str):
            if is_expression(value):
                return self._node(parse(value), here)
            return value[1:] if value.startswith("[[") else value
        if isinstance(value, list):
            return [self.value(item, here) for item in value]
        if isinstance(value, dict):
            return self._object(value, here)
        return value

    def _object(self, value: dict[str, Value], here: Local) -> dict[str, Value]:
        done: dict[str, Value] = {}
        for name, item in value.items():
            if name == "copy" and isinstance(item, list):
                done |= {str(get(loop, "name")): self.loop(loop, here) for loop in item}
            else:
                done[str(self.value(name, here))] = self.value(item, here)
        return done

    def loop(self, loop: Value, here: Local) -> list[Value]:
        """Return the list that an entry of `copy` makes."""
        count, name = self.value(get(loop, "count"), here), str(get(loop, "name", safe=True) or "")
        if not isinstance(count, int):
            raise TemplateError(f"copy {name}: its count is no number")
        return [
            self.value(get(loop, "input"), replace(here, copies={**here.copies, name: index}))
            for index in range(count)
        ]

    def _node(self, node: Node, here: Local) -> Value:
        if isinstance(node, Constant):
            return node.value
        if isinstance(node, Get):
            return get(self._node(node.base, here), self._node(node.key, here))
        name = node.name.lower()
        if name in self._lazy:
            return self._lazy[name](node.arguments, here)
        own = self._around.function(node.name)
        arguments = [self._node(part, here) for part in node.arguments]
        if own is not None:
            return self._own(node.name, own, arguments)
        if name.startswith("list"):
            return Late(f"«{arguments[0]}».{node.name}()")
        if name not in PLAIN:
            raise TemplateError(f"the function {node.name} is not known here")
        try:
            return PLAIN[name](*arguments)
        except (TypeError, AttributeError, IndexError) as problem:
            raise TemplateError(f"{node.name}{tuple(arguments)}: {problem}") from problem

    def _own(self, name: str, function: dict[str, Value], arguments: list[Value]) -> Value:
        declared = function.get("parameters") or []
        if not isinstance(declared, list) or len(declared) != len(arguments):
            raise TemplateError(f"{name} takes another number of arguments")
        names = [str(get(parameter, "name")) for parameter in declared]
        here = Local(parameters=dict(zip(names, arguments, strict=True)))
        return self.value(get(function["output"], "value"), here)

    def _text(self, node: Node, here: Local) -> str:
        return str(self._node(node, here))

    def _if(self, parts: tuple[Node, ...], here: Local) -> Value:
        condition = self._node(parts[0], here)
        if not isinstance(condition, bool):
            raise TemplateError(f"if({condition!r}) asks for true or false")
        return self._node(parts[1] if condition else parts[2], here)

    def _coalesce(self, parts: tuple[Node, ...], here: Local) -> Value:
        for part in parts:
            value = self._node(part, here)
            if value is not None:
                return value
        return None

    def _parameter(self, parts: tuple[Node, ...], here: Local) -> Value:
        name = self._text(parts[0], here)
        return self._around.parameter(name) if here.parameters is None else here.parameters[name]

    def _copy_index(self, parts: tuple[Node, ...], here: Local) -> Value:
        name = self._text(parts[0], here) if parts else ""
        if name not in here.copies:
            raise TemplateError(f"copyIndex({name!r}) stands in no such loop")
        return here.copies[name]

    def _reference(self, parts: tuple[Node, ...], here: Local) -> Value:
        full = len(parts) > 2 and self._text(parts[2], here).lower() == "full"
        return self._around.reference(self._text(parts[0], here), full=full)

    def _each(
        self, parts: tuple[Node, ...], here: Local
    ) -> tuple[list[Value], Callable[[Node, Value], Value]]:
        """Return the items of a list, and what evaluates a lambda for one of them."""
        items = self._node(parts[0], here)
        if not isinstance(items, list):
            raise TemplateError("map, filter and toObject take a list")

        def apply(function: Node, item: Value) -> Value:
            if not isinstance(function, FunctionCall) or function.name.lower() != "lambda":
                raise TemplateError("a lambda is expected")
            *names, body = function.arguments
            bound = {self._text(name, here): item for name in names}
            return self._node(body, replace(here, names={**here.names, **bound}))

        return items, apply

    def _map(self, parts: tuple[Node, ...], here: Local) -> Value:
        items, apply = self._each(parts, here)
        return [apply(parts[1], item) for item in items]

    def _filter(self, parts: tuple[Node, ...], here: Local) -> Value:
        items, apply = self._each(parts, here)
        return [item for item in items if apply(parts[1], item)]

    def _to_object(self, parts: tuple[Node, ...], here: Local) -> Value:
        items, apply = self._each(parts, here)
        value = parts[2] if len(parts) > 2 else None
        return {
            str(apply(parts[1], item)): item if value is None else apply(value, item)
            for item in items
        }

"""Values of an evaluation: JSON, and what only Azure will know."""

import json
from typing import TypeAlias

from infra.arm.evaluate.expression import TemplateError

Value: TypeAlias = "str | int | float | bool | list[Value] | dict[str, Value] | None"

SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-000000000001"
GROUP = f"{SUBSCRIPTION}/resourceGroups/group"


class Late(str):
    """A value that is known only after a resource was deployed: `«id».property`."""

    def get(self, key: "str | int") -> "Late":
        """Return a property or an item of it, which is late too."""
        return Late(f"{self}.{key}")


def get(base: Value, key: Value, *, safe: bool = False) -> Value:
    """Return a property or an item.

    Raises:
        TemplateError: there is none, and the access is not safe.
    """
    if isinstance(base, Late):
        return base.get(str(key))
    if isinstance(base, dict) and isinstance(key, str):
        for name, value in base.items():
            if name.lower() == key.lower():
                return value
    elif isinstance(base, list) and isinstance(key, int) and 0 <= key < len(base):
        return base[key]
    if safe:
        return None
    raise TemplateError(f"{json.dumps(base)[:80]} has no {key!r}")


def text_of(value: Value) -> str:
    """Return a value as `format` and `string` write it."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "True" if value else "False"
    return str(value) if isinstance(value, int) else json.dumps(value, separators=(",", ":"))


def texts_in(value: Value) -> list[str]:
    """Return every text in a value, keys too."""
    if isinstance(value, str):
        return [str(value)]
    if isinstance(value, list):
        return [text for item in value for text in texts_in(item)]
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in texts_in(part)]
    return []


def has_type(value: Value, kind: str) -> bool:
    """Tell whether a value is of a parameter's type."""
    if isinstance(value, Late):
        return True
    name = kind.lower().removeprefix("secure")
    if name == "int":
        return isinstance(value, int) and not isinstance(value, bool)
    wanted = {"string": str, "bool": bool, "array": list, "object": dict}[name]
    return isinstance(value, wanted)

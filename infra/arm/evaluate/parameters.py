"""Checks the values that a template's parameters are given, as Azure does before it deploys."""

from infra.arm.evaluate.expression import TemplateError
from infra.arm.evaluate.values import Late, Value, get, has_type

_BOUNDS = {"minLength": 1, "minValue": 1, "maxLength": -1, "maxValue": -1}


def unknown(declared: dict[str, Value], given: dict[str, Value]) -> list[str]:
    """Return a problem for each parameter that is given and not declared, or the reverse."""
    known = {name.lower() for name in declared}
    names = {name.lower() for name in given}
    return [
        *(f"there is no parameter {name}" for name in given if name.lower() not in known),
        *(
            f"the parameter {name} is not given"
            for name, entry in declared.items()
            if name.lower() not in names and isinstance(entry, dict) and not _optional(entry)
        ),
    ]


def _optional(entry: dict[str, Value]) -> bool:
    return "defaultValue" in entry or entry.get("nullable") is True


def checked(name: str, entry: Value, value: Value) -> Value:
    """Return a value that fits its declaration.

    Raises:
        TemplateError: it is of another type, or not allowed.
    """
    if not isinstance(entry, dict):
        raise TemplateError(f"the parameter {name} is declared wrongly")
    if value is None and entry.get("nullable"):
        return value
    kind = str(entry["type"])
    if not has_type(value, kind):
        raise TemplateError(f"the parameter {name} is of type {kind}, which {value!r} is not")
    if isinstance(value, Late):
        return value
    allowed = entry.get("allowedValues")
    if isinstance(allowed, list) and value not in allowed:
        raise TemplateError(f"the parameter {name} is none of {allowed}: {value!r}")
    size = len(value) if isinstance(value, str | list) else value
    if isinstance(size, int):
        for bound, sign in _BOUNDS.items():
            limit = get(entry, bound, safe=True)
            if isinstance(limit, int) and (size - limit) * sign < 0:
                raise TemplateError(f"the parameter {name} breaks {bound} {limit}: {value!r}")
    return value

"""Checks every resource type, version and property against Microsoft's schema."""

from typing import Any

from pycep.models import BicepElement

from infra.gates.model import Resource, Template, keys
from infra.gates.schemas import Definitions, Schemas

# Keywords of Bicep in a resource's body, which no schema lists.
_BICEP = {"parent", "scope", "dependsOn", "depends_on", "name"}
_PRIMITIVE = {"string": str, "int": int, "bool": bool}


class Properties:
    """Checks resources, and collects the problems.

    Attributes:
        problems: one line each.
        looked_up: number of values that were compared with a schema.
    """

    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas
        self.problems: list[str] = []
        self.looked_up = 0

    def check(self, template: Template) -> None:
        """Check the resources of a file."""
        for resource in template.resources:
            try:
                newest, body, definitions = self._schemas.of(resource.type)
            except KeyError:
                self.problems.append(f"{resource.place}: there is no type {resource.type}")
                continue
            if resource.version != newest:
                self.problems.append(
                    f"{resource.place}: {resource.type}@{resource.version} can't be checked, "
                    f"its schema is {newest}: use that"
                )
            elif not resource.existing:
                _Walk(self, template, definitions).resource(resource, body)


class _Walk:
    """Walks through one resource's properties."""

    def __init__(self, report: Properties, template: Template, definitions: Definitions) -> None:
        self._report, self._template, self._definitions = report, template, definitions

    def _wrong(self, place: str, text: str) -> None:
        self._report.problems.append(f"{place}: {text}")

    def resource(self, resource: Resource, schema: dict[str, Any]) -> None:
        """Check a resource; of a type with several schemas, its name chooses one."""
        body = {name: value for name, value in resource.body.items() if name not in _BICEP}
        if schema["$type"] == "DiscriminatedObject":
            name = resource.body.get("name")
            chosen = [
                element
                for element in schema["elements"]
                if any(p["name"] == "name" and p["type"] == name for p in element["properties"])
            ]
            if len(chosen) != 1:
                self._wrong(resource.place, f"name {name!r} is none that this type knows")
                return
            schema = chosen[0]
        self._object(body, schema, resource.place, top=True)

    def _value(self, expression: Any, kind: str, place: str) -> None:
        """Check every known value that an expression may take against a type."""
        for value in self._template.values(expression):
            if value is not None and not isinstance(value, BicepElement):
                self._report.looked_up += 1
                self._one(value, kind, place)

    def _one(self, value: Any, kind: str, place: str) -> None:
        """Check one value against a type: a list, a definition, a primitive, or words."""
        if kind == "any" or value == "null":
            return
        if kind.endswith("[]"):
            if not isinstance(value, list):
                self._wrong(place, f"a list is wanted, not {value!r}")
                return
            for index, item in enumerate(value):
                self._value(item, kind.removesuffix("[]"), f"{place}[{index}]")
        elif kind in self._definitions:
            self._defined(value, self._definitions[kind], place)
        elif kind in _PRIMITIVE:
            wanted = _PRIMITIVE[kind]
            if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
                self._wrong(place, f"{kind} is wanted, not {value!r}")
        else:
            self._word(value, kind, place)

    def _word(self, value: Any, kind: str, place: str) -> None:
        """Check a text against the words of `A | B`; `string` among them allows any text."""
        words = kind.split(" | ")
        if not isinstance(value, str):
            self._wrong(place, f"one of {kind} is wanted, not {value!r}")
        elif "string" not in words and value not in words and "${" not in value:
            self._wrong(place, f"{value!r} is none of {kind}")

    def _defined(self, value: Any, schema: dict[str, Any], place: str) -> None:
        """Check a value against a definition, if it is one of an object."""
        if schema["$type"] != "Object":
            return
        if isinstance(value, dict):
            self._object(keys(value), schema, place)
        else:
            self._wrong(place, f"an object is wanted, not {value!r}")

    def _object(
        self, value: dict[str, Any], schema: dict[str, Any], place: str, *, top: bool = False
    ) -> None:
        known = {prop["name"]: prop for prop in schema["properties"]}
        others = schema.get("additionalPropertiesType")
        for name, item in value.items():
            where = f"{place}.{name}"
            if name in known:
                if "ReadOnly" in str(known[name].get("flags")):
                    self._wrong(where, "can't be set")
                else:
                    self._value(item, known[name]["type"], where)
            elif others:
                self._value(item, others, where)
            else:
                self._wrong(where, f"unknown; there are {', '.join(sorted(known))}")
        for name, prop in known.items():
            required = "Required" in str(prop.get("flags"))
            if required and name not in value and not (top and name in _BICEP):
                self._wrong(f"{place}.{name}", "is missing")

"""Reads Bicep files, and finds the values that their expressions may take."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from pycep import BicepParser
from pycep.models import BicepElement
from pycep.typing import BicepJson


@dataclass(frozen=True)
class Resource:
    """A resource of a Bicep file.

    Attributes:
        file: the Bicep file.
        symbol: name of the resource in the file.
        type: such as `Microsoft.Web/sites`.
        version: API version.
        existing: whether the file only refers to it.
        body: its properties, without the `if` and `for` around them.
        conditional: whether there is an `if`.
        loop: the list that `for` iterates over; None without a loop.
    """

    file: Path
    symbol: str
    type: str
    version: str
    existing: bool
    body: dict[str, Any]
    conditional: bool = False
    loop: Any = None

    @property
    def place(self) -> str:
        """Return file and symbol, for messages."""
        return f"{self.file.name}: {self.symbol}"


@dataclass
class Template:
    """A parsed Bicep file."""

    path: Path
    parameters: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)
    modules: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    resources: list[Resource] = field(default_factory=list)

    def values(self, expression: Any) -> Iterator[Any]:
        """Yield the values that an expression may take; None for one that can't be known."""
        if isinstance(expression, BicepElement):
            value = self.variables.get(str(expression))
            if value is None:
                yield None
            else:
                yield from self.values(value)
        elif isinstance(expression, dict) and "loop_type" in expression:
            for value in self.values(expression["config"]):
                yield [value]
        elif isinstance(expression, dict) and set(expression) == {"operator"}:
            yield from self._of_operator(expression["operator"])
        elif isinstance(expression, dict) and set(expression) == {"function"}:
            yield from self._of_function(expression["function"])
        else:
            yield expression

    def _of_operator(self, operator: dict[str, Any]) -> Iterator[Any]:
        parts = operator["operands"]
        if operator["type"] == "conditional":
            yield from self.values(parts["true_value"])
            yield from self.values(parts["false_value"])
        else:
            yield None

    def _of_function(self, function: dict[str, Any]) -> Iterator[Any]:
        if function["type"] in ("union", "concat"):
            for part in function["parameters"].values():
                yield from self.values(part)
        else:
            yield None


@cache
def _parsed(text: str) -> BicepJson:
    """Parse a text once: for each break all files are read again, and one differs."""
    return _parser().parse(text=text)


@cache
def _parser() -> BicepParser:
    """Make the parser once: that takes longer than to parse a file."""
    return BicepParser()


def read_template(path: Path) -> Template:
    """Parse a Bicep file.

    Raises:
        ValueError: its syntax is wrong; says where.
    """
    try:
        parsed = _parsed(path.read_text("utf-8"))
    except Exception as problem:  # the parser's own class differs by version
        raise ValueError(f"{path.name}: {problem}") from None
    template = Template(
        path,
        parameters=parsed.get("parameters", {}),
        variables={name: entry["value"] for name, entry in parsed.get("variables", {}).items()},
        modules=parsed.get("modules", {}),
        outputs=parsed.get("outputs", {}),
    )
    for symbol, entry in parsed.get("resources", {}).items():
        template.resources.append(
            Resource(
                file=path,
                symbol=symbol,
                type=entry["type"],
                version=entry["api_version"],
                existing=entry["existing"],
                **_unwrapped(entry["config"]),
            )
        )
    return template


def _unwrapped(body: dict[str, Any]) -> dict[str, Any]:
    """Return a resource's properties, and the `if` and `for` around them."""
    conditional, loop = False, None
    while "loop_type" in body or {"condition", "config"} <= set(body):
        if "loop_type" in body:
            loop = body["loop_type"]["detail"]["array_name"]
        conditional |= body.get("condition") is not None
        body = body["config"]
    known = keys(body)
    if "properties" in known:
        known["properties"] = _ours(known["properties"])
    return {"body": known, "conditional": conditional, "loop": loop}


def _ours(properties: Any) -> Any:
    """Return the part of `union(parameter, {…})` that stands in the file; others as they are."""
    function = properties.get("function", {}) if isinstance(properties, dict) else {}
    if function.get("type") != "union":
        return properties
    parts = function["parameters"].values()
    written = [part for part in parts if isinstance(part, dict)]
    return keys(written[0]) if len(written) == 1 else properties


def _key(name: str) -> str:
    return name[1:-1] if name[:1] == name[-1:] == "'" else name


def keys(value: dict[str, Any]) -> dict[str, Any]:
    """Return an object with the quotes around its keys removed."""
    return {_key(name): item for name, item in value.items()}


def read_templates(folder: Path) -> list[Template]:
    """Parse main.bicep and its modules."""
    return [read_template(path) for path in sorted(folder.rglob("*.bicep"))]

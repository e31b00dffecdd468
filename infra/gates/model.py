"""Reads Bicep files, and looks through their expressions at the values they may take."""

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
    """A resource of a file.

    Attributes:
        body: without `if` and `for` around it.
        conditional: there is an `if`.
        loop: what `for` goes through; None without one.
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
        """Return where it stands."""
        return f"{self.file.name}: {self.symbol}"


@dataclass
class Template:
    """A file."""

    path: Path
    parameters: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)
    modules: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    resources: list[Resource] = field(default_factory=list)

    def values(self, expression: Any) -> Iterator[Any]:
        """Return the values that an expression may take; None for one that is not known here."""
        if isinstance(expression, BicepElement):
            known = self.variables.get(str(expression))
            if known is None:
                yield None
            else:
                yield from self.values(known)
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
    return BicepParser().parse(text=text)


def read_template(path: Path) -> Template:
    """Return a file.

    Raises:
        ValueError: it is no Bicep; says where.
    """
    try:
        found = _parsed(path.read_text("utf-8"))
    except Exception as problem:  # the parser's own class differs by version
        raise ValueError(f"{path.name}: {problem}") from None
    template = Template(
        path,
        parameters=found.get("parameters", {}),
        variables={name: each["value"] for name, each in found.get("variables", {}).items()},
        modules=found.get("modules", {}),
        outputs=found.get("outputs", {}),
    )
    for symbol, each in found.get("resources", {}).items():
        template.resources.append(
            Resource(
                file=path,
                symbol=symbol,
                type=each["type"],
                version=each["api_version"],
                existing=each["existing"],
                **_unwrapped(each["config"]),
            )
        )
    return template


def _unwrapped(body: dict[str, Any]) -> dict[str, Any]:
    """Return a body, and what was around it."""
    conditional, loop = False, None
    while "loop_type" in body or {"condition", "config"} <= set(body):
        if "loop_type" in body:
            loop = body["loop_type"]["detail"]["array_name"]
        conditional |= body.get("condition") is not None
        body = body["config"]
    plain = {_key(name): value for name, value in body.items()}
    return {"body": plain, "conditional": conditional, "loop": loop}


def _key(name: str) -> str:
    return name[1:-1] if name[:1] == name[-1:] == "'" else name


def keys(value: dict[str, Any]) -> dict[str, Any]:
    """Return an object with its quoted keys bare."""
    return {_key(name): item for name, item in value.items()}


def read_templates(folder: Path) -> list[Template]:
    """Return main.bicep and its modules."""
    return [read_template(path) for path in sorted(folder.rglob("*.bicep"))]

"""What a Bicep file consists of: expressions and declarations."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias


@dataclass(frozen=True)
class Literal:
    """A text, a number, true, false or null."""

    value: str | int | bool | None


@dataclass(frozen=True)
class Interpolation:
    """A text with expressions in it."""

    parts: "tuple[str | Expression, ...]"


@dataclass(frozen=True)
class Name:
    """A parameter, variable, resource, module, or what a loop or lambda binds."""

    name: str


@dataclass(frozen=True)
class Call:
    """A function, or a function of a resource (`account.listKeys()`)."""

    name: str
    arguments: "tuple[Expression, ...]"
    base: "Expression | None" = None


@dataclass(frozen=True)
class Access:
    """`base.name`, `base[key]`; safe with a question mark."""

    base: "Expression"
    key: "Expression"
    safe: bool = False


@dataclass(frozen=True)
class Operation:
    """One, two or three operands and an operator; `?` is the one with three."""

    operator: str
    operands: "tuple[Expression, ...]"


@dataclass(frozen=True)
class Array:
    """A list."""

    items: "tuple[Expression, ...]"


@dataclass(frozen=True)
class Object:
    """Properties; a key may be an interpolation."""

    entries: "tuple[tuple[Expression, Expression], ...]"

    def get(self, name: str) -> "Expression | None":
        """Return a property's value."""
        return next((value for key, value in self.entries if key == Literal(name)), None)


@dataclass(frozen=True)
class Loop:
    """`[for item in source: body]`."""

    item: str
    index: str | None
    source: "Expression"
    body: "Expression"


@dataclass(frozen=True)
class Conditional:
    """`if (condition) body` of a resource or module."""

    condition: "Expression"
    body: "Expression"


@dataclass(frozen=True)
class Lambda:
    """`(a, b) => body`."""

    names: tuple[str, ...]
    body: "Expression"


Expression: TypeAlias = (
    Literal
    | Interpolation
    | Name
    | Call
    | Access
    | Operation
    | Array
    | Object
    | Loop
    | Conditional
    | Lambda
)


@dataclass(frozen=True)
class Type:
    """Of a parameter or output.

    Attributes:
        name: `string`, `int`, `bool`, `array` or `object`.
        items: type of the items, if it was written `type[]`.
        allowed: the literals of a union.
        nullable: whether there is a `?` after it.
    """

    name: str
    items: "Type | None" = None
    allowed: tuple[str | int | bool, ...] = ()
    nullable: bool = False


@dataclass(frozen=True)
class Declaration:
    """What all declarations have.

    Attributes:
        name: by which the file knows it.
        line: where it begins.
        decorators: those before it, by name.
    """

    name: str
    line: int
    decorators: dict[str, tuple[Expression, ...]]


@dataclass(frozen=True)
class Parameter(Declaration):
    """A parameter; `default` is None where the caller must give it."""

    type: Type
    default: Expression | None


@dataclass(frozen=True)
class Variable(Declaration):
    """A variable."""

    value: Expression


@dataclass(frozen=True)
class Output(Declaration):
    """An output."""

    type: Type
    value: Expression


@dataclass(frozen=True)
class Function(Declaration):
    """A function of the file's own."""

    parameters: tuple[tuple[str, Type], ...]
    type: Type
    body: Expression


@dataclass(frozen=True)
class Deployed(Declaration):
    """What resources and modules have.

    Attributes:
        body: their properties, without the `for` and `if` around them.
        loop: the loop around them.
        condition: the condition around them.
    """

    body: Object
    loop: Loop | None
    condition: Expression | None


@dataclass(frozen=True)
class Resource(Deployed):
    """A resource; `existing` if the file only refers to it."""

    type: str
    version: str
    existing: bool


@dataclass(frozen=True)
class Module(Deployed):
    """A module; `path` as written, relative to the file."""

    path: str


@dataclass
class File:
    """A parsed file."""

    path: Path
    scope: str = "resourceGroup"
    parameters: dict[str, Parameter] = field(default_factory=dict)
    variables: dict[str, Variable] = field(default_factory=dict)
    functions: dict[str, Function] = field(default_factory=dict)
    resources: dict[str, Resource] = field(default_factory=dict)
    modules: dict[str, Module] = field(default_factory=dict)
    outputs: dict[str, Output] = field(default_factory=dict)

"""Names, ids and references of resources, as expressions of a template."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.arm.lexer import BicepError
from infra.arm.syntax import Access, Call, Deployed, Expression, Literal, Module, Name, Resource

if TYPE_CHECKING:
    from infra.arm.expressions import Expressions

# What a name of Bicep stands for in a template: loop items, parameters of lambdas and functions.
Bindings = Mapping[str, str]


def quoted(text: str) -> str:
    """Return a text as a literal of template expressions."""
    return "'" + text.replace("'", "''") + "'"


@dataclass(frozen=True)
class Target:
    """A resource or module that an expression means, and which one of a loop's."""

    declaration: Resource | Module
    index: str | None = None

    @property
    def symbol(self) -> str:
        """Return its symbolic name, as an expression."""
        name = self.declaration.name
        return quoted(name) if self.index is None else f"format('{name}[{{0}}]', {self.index})"


class Names:
    """Writes names, ids and references of a file's resources."""

    def __init__(self, expressions: "Expressions") -> None:
        self._expressions, self._file = expressions, expressions.file

    def target(self, value: Expression, bindings: Bindings) -> Target | None:
        """Return what `symbol` or `symbol[index]` means; None if it is no resource or module."""
        index = None
        if isinstance(value, Access) and isinstance(value.base, Name):
            declaration = self._declared(value.base, bindings)
            if declaration is None or declaration.loop is None:
                return None
            index = self._expressions.code(value.key, bindings)
        else:
            declaration = self._declared(value, bindings)
        return None if declaration is None else Target(declaration, index)

    def _declared(self, value: Expression, bindings: Bindings) -> Resource | Module | None:
        if not isinstance(value, Name) or value.name in bindings:
            return None
        return self._file.resources.get(value.name) or self._file.modules.get(value.name)

    def bindings(self, declaration: Deployed, index: str | None = "copyIndex()") -> Bindings:
        """Return what the names of a declaration's loop stand for."""
        loop = declaration.loop
        if loop is None:
            return {}
        if index is None:
            raise BicepError(f"{self._file.path.name}: {declaration.name} is a loop: say which one")
        bound = {loop.item: f"{self._expressions.code(loop.source, {})}[{index}]"}
        return bound | ({loop.index: index} if loop.index else {})

    def segments(self, target: Target, bindings: Bindings | None = None) -> list[str]:
        """Return the names of a resource and of those it is in, outermost first."""
        resource = target.declaration
        bound = self.bindings(resource, target.index) if bindings is None else bindings
        own = self._expressions.code(self._name(resource), bound)
        parent = resource.body.get("parent")
        if parent is None:
            return [own]
        above = self.target(parent, bound)
        if above is None:
            raise self._error(resource, "its parent is no resource")
        return [*self.segments(above), own]

    def own_name(self, target: Target) -> str:
        """Return the name that the resource itself is given."""
        return self.segments(target)[-1]

    def _name(self, declaration: Deployed) -> Expression:
        name = declaration.body.get("name")
        if name is None:
            raise self._error(declaration, "it has no name")
        return name

    def id(self, target: Target, bindings: Bindings | None = None) -> str:
        """Return the id of a resource."""
        resource = target.declaration
        if not isinstance(resource, Resource):
            raise self._error(resource, "the id of a module can't be translated")
        segments = self.segments(target, bindings)
        if len(segments) != resource.type.count("/"):
            raise self._error(resource, "it has fewer names than its type: use parent")
        names = ", ".join([quoted(resource.type), *segments])
        scope = self.scope(resource, target.index, bindings)
        return f"resourceId({names})" if scope is None else f"extensionResourceId({scope}, {names})"

    def scope(
        self, resource: Deployed, index: str | None, bindings: Bindings | None = None
    ) -> str | None:
        """Return the id of the resource that another one extends; None for the group."""
        scope = resource.body.get("scope")
        if scope is None or scope == Call("resourceGroup", ()):
            return None
        bound = self.bindings(resource, index) if bindings is None else bindings
        target = self.target(scope, bound)
        if target is None:
            raise self._error(resource, "only resources and resourceGroup() can be its scope")
        return self.id(target)

    def property_of(self, target: Target, key: Expression) -> str:
        """Return a property of a resource or module."""
        declaration = target.declaration
        if not isinstance(key, Literal) or not isinstance(key.value, str):
            raise self._error(declaration, "its properties are named, not computed")
        if key.value == "name":
            return self.own_name(target)
        if isinstance(declaration, Module):
            if key.value == "outputs":
                return f"reference({target.symbol}).outputs"
            raise self._error(declaration, f"a module has no {key.value}")
        known = {"id": self.id, "type": self._type, "apiVersion": self._version}
        if key.value in known:
            return known[key.value](target)
        if key.value == "properties":
            return self._reference(target)
        return f"{self._reference(target, full=True)}.{key.value}"

    def _reference(self, target: Target, *, full: bool = False) -> str:
        """Return what Azure knows of a resource.

        One that exists is named by its id: were it in the template, Azure would read it whether
        or not anything asks for it.
        """
        resource = target.declaration
        existing = isinstance(resource, Resource) and resource.existing
        named = self.id(target) if existing else target.symbol
        version = [self._version(target)] if existing or full else []
        return f"reference({', '.join([named, *version, *([quoted('full')] if full else [])])})"

    @staticmethod
    def _type(target: Target) -> str:
        return quoted(getattr(target.declaration, "type", ""))

    @staticmethod
    def _version(target: Target) -> str:
        return quoted(getattr(target.declaration, "version", ""))

    def listing(self, call: Call, target: Target, bindings: Bindings) -> str:
        """Return `account.listKeys()` as a function."""
        given = [self._expressions.code(value, bindings) for value in call.arguments]
        version = given or [self._version(target)]
        return f"{call.name}({', '.join([self.id(target), *version])})"

    def _error(self, declaration: Deployed, reason: str) -> BicepError:
        place = f"{self._file.path.name}: line {declaration.line}: {declaration.name}"
        return BicepError(f"{place}: {reason}")

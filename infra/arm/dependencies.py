"""Finds what a resource must wait for: every resource and module that its properties name."""

from infra.arm.expressions import Expressions, children
from infra.arm.syntax import Access, Deployed, Expression, Lambda, Loop, Name


class Dependencies:
    """Collects the dependencies of one resource or module."""

    def __init__(self, expressions: Expressions, declaration: Deployed) -> None:
        self._expressions, self._file = expressions, expressions.file
        self._own = declaration.name
        self._loop = declaration.loop
        self._found: set[str] = set()
        self._of(declaration, frozenset())

    def _of(self, declaration: Deployed, inner: frozenset[str]) -> None:
        parts = (declaration.body, declaration.condition, getattr(declaration.loop, "source", None))
        for part in parts:
            if part is not None:
                self._visit(part, inner)

    def sorted(self) -> list[str]:
        """Return values of `dependsOn`: symbolic names, or expressions of those in loops."""
        whole = {name for name in self._found if not name.startswith("[")}
        return sorted(
            name
            for name in self._found
            if name in whole or not any(name.startswith(f"[format('{w}[") for w in whole)
        )

    def _visit(self, value: Expression, inner: frozenset[str]) -> None:
        """Visit an expression.

        Args:
            value: the expression.
            inner: names of loops and lambdas around it that mean nothing where dependsOn stands.
        """
        if isinstance(value, Name):
            self._name(value.name, inner)
        elif isinstance(value, Lambda):
            self._visit(value.body, inner | set(value.names))
        elif isinstance(value, Loop):
            self._visit(value.source, inner)
            self._visit(value.body, inner | {value.item, value.index or value.item})
        elif isinstance(value, Access) and self._is_of_loop(value, inner):
            self._one_of_loop(value, inner)
        else:
            for part in children(value):
                self._visit(part, inner)

    def _is_of_loop(self, value: Access, inner: frozenset[str]) -> bool:
        """Tell whether a value is `symbol[index]` of resources that a loop makes."""
        if not isinstance(value.base, Name) or value.base.name in inner:
            return False
        declared = {**self._file.resources, **self._file.modules}.get(value.base.name)
        return declared is not None and declared.loop is not None

    def _one_of_loop(self, value: Access, inner: frozenset[str]) -> None:
        """Note one of a loop's resources, or all where its index is known only further inside."""
        symbol = value.base.name if isinstance(value.base, Name) else ""
        if self._names_in(value.key) & inner:
            self._visit(value.base, inner)
        else:
            index = self._expressions.code(value.key, self._bindings())
            self._add(symbol, f"[format('{symbol}[{{0}}]', {index})]")
        self._visit(value.key, inner)

    def _bindings(self) -> dict[str, str]:
        if self._loop is None:
            return {}
        source = self._expressions.code(self._loop.source, {})
        bound = {self._loop.item: f"{source}[copyIndex()]"}
        return bound | ({self._loop.index: "copyIndex()"} if self._loop.index else {})

    def _names_in(self, value: Expression) -> set[str]:
        if isinstance(value, Name):
            return {value.name}
        return {name for part in children(value) for name in self._names_in(part)}

    def _name(self, name: str, inner: frozenset[str]) -> None:
        bound = {self._loop.item, self._loop.index} if self._loop else set()
        if name in inner or name in bound:
            return
        if name in self._file.variables:
            self._visit(self._file.variables[name].value, frozenset())
        elif name in self._file.resources or name in self._file.modules:
            self._add(name, name)

    def _add(self, symbol: str, written: str) -> None:
        """Note a dependency; of a resource that exists already, those of its own."""
        resource = self._file.resources.get(symbol)
        if resource is not None and resource.existing:
            loop = resource.loop
            names = {loop.item, loop.index or loop.item} if loop else set()
            self._of(resource, frozenset(names))
        elif symbol != self._own:
            self._found.add(written)

"""Import-linter contracts of our own, which `pyproject.toml` sets up.

import-linter knows only the first part of an outside package's name, so it can't tell
`azure.storage` from `azure.functions`. These contracts read the import statements themselves.
"""

import ast
import functools
import sys
from collections.abc import Iterator
from pathlib import Path

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


def is_inside(name: str, package: str) -> bool:
    """Tell whether a dotted name is a package or something in it."""
    return name == package or name.startswith(f"{package}.")


def imported_names(tree: ast.AST, package: str) -> Iterator[tuple[int, str]]:
    """Yield line and dotted name of each import, those in functions too.

    `from a import b` gives `a.b`, be `b` a module or a name in `a`.

    Args:
        tree: of a file.
        package: that the file is in, from which relative imports start.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: len(package.split(".")) - node.level + 1]
            start = [".".join(parts)] if node.level else []
            source = ".".join([*start, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{source}.{alias.name}") for alias in node.names)


def imports_of(package: str) -> Iterator[tuple[str, int, str]]:
    """Yield importing module, line and imported name of each import in a package's files."""
    for path in sorted(Path(*package.split(".")).rglob("*.py")):
        parts = path.with_suffix("").parts
        folder = ".".join(path.parent.parts)
        module = folder if path.name == "__init__.py" else ".".join(parts)
        yield from ((module, line, name) for line, name in _imports_in(path.read_bytes(), folder))


@functools.cache
def _imports_in(source: bytes, package: str) -> list[tuple[int, str]]:
    """Return the imports of a file; it is read for several contracts."""
    return list(imported_names(ast.parse(source), package))


def _rule(text: str) -> tuple[str, list[str]]:
    """Read `package: name, name`."""
    package, _, names = text.partition(":")
    return package.strip(), [name.strip() for name in names.split(",")]


class PackagesInRooms(Contract):
    """Each outside package is imported only in the rooms (our packages) that are named for it.

    An outside package without a rule is a violation too: a new dependency gets its room first.

    Attributes:
        rooms: rules, each as `package: room, room`.
    """

    rooms = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Compare every import of an outside package with the most specific rule for it."""
        rules = dict(_rule(text) for text in self.rooms)  # type: ignore[attr-defined]  # a field
        problems = [
            f"{importer} (l.{line}) imports {name}: {_allowed(name, rules)}"
            for root in self.session_options["root_packages"]
            for importer, line, name in imports_of(root)
            if not _may_import(importer, name, rules)
        ]
        return ContractCheck(kept=not problems, metadata={"problems": problems})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print a line for each import that is on the wrong side of a wall."""
        for problem in check.metadata["problems"]:
            output.print_error(problem)
        output.new_line()


def _rule_for(name: str, rules: dict[str, list[str]]) -> str | None:
    """Return the package of the most specific rule for a name."""
    fitting = [package for package in rules if is_inside(name, package)]
    return max(fitting, key=len) if fitting else None


def _may_import(importer: str, name: str, rules: dict[str, list[str]]) -> bool:
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names or top in ("imaginem", "steps"):
        return True
    rule = _rule_for(name, rules)
    return rule is not None and any(is_inside(importer, room) for room in rules[rule])


def _allowed(name: str, rules: dict[str, list[str]]) -> str:
    rule = _rule_for(name, rules)
    if rule is None:
        return "no room is named for it in pyproject.toml"
    return f"{rule} belongs in {', '.join(rules[rule])}"


class AllowedImports(Contract):
    """A package imports nothing of `imaginem` but itself and the named modules.

    Attributes:
        rules: each as `package: module, module`; the module `imaginem` stands for the names
            that it gives out, not for the modules in it.
    """

    rules = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Compare every import of `imaginem` in these packages with their lists."""
        rules = dict(_rule(text) for text in self.rules)  # type: ignore[attr-defined]  # a field
        problems = [
            f"{importer} (l.{line}) imports {name}: {package} may import {', '.join(allowed)}"
            for package, allowed in rules.items()
            for importer, line, name in imports_of(package)
            if is_inside(name, "imaginem")
            and not any(_covers(entry, name, graph) for entry in (package, *allowed))
        ]
        return ContractCheck(kept=not problems, metadata={"problems": problems})

    render_broken_contract = PackagesInRooms.render_broken_contract


def _covers(allowed: str, name: str, graph: ImportGraph) -> bool:
    """Tell whether an entry of a list allows a name."""
    if allowed == "imaginem":  # `from imaginem import step` is fine, `… import runtime` is not
        return name.rpartition(".")[0] == "imaginem" and name not in graph.modules
    return is_inside(name, allowed)

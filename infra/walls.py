"""Import-linter contracts of our own, which `pyproject.toml` sets up.

import-linter knows only the first part of an outside package's name, so it can't tell
`azure.storage` from `azure.functions`. These contracts read the import lines themselves.
"""

import re
import sys
from collections.abc import Iterator

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

_FROM = re.compile(r"\s*from\s+([\w.]+)\s+import\s+(.+)")
_IMPORT = re.compile(r"\s*import\s+(.+)")


def imported_names(line: str) -> list[str]:
    """Return the dotted names that a line imports: `from a import b` gives `a.b`."""
    if match := _FROM.match(line):
        package, names = match.groups()
        parts = [part.split(" as ")[0].strip(" ()\\") for part in names.split(",")]
        return [f"{package}.{part}" for part in parts if part] or [package]
    if match := _IMPORT.match(line):
        return [part.split(" as ")[0].strip() for part in match.group(1).split(",")]
    return []


def is_inside(name: str, package: str) -> bool:
    """Tell whether a dotted name is a package or something in it."""
    return name == package or name.startswith(f"{package}.")


def imports_of(graph: ImportGraph, package: str) -> Iterator[tuple[str, int, str]]:
    """Yield importing module, line number and imported name of each import in a package."""
    for importer in sorted(name for name in graph.modules if is_inside(name, package)):
        for imported in graph.find_modules_directly_imported_by(importer):
            for detail in graph.get_import_details(importer=importer, imported=imported):
                for name in imported_names(detail["line_contents"]):
                    if is_inside(name, imported) or is_inside(imported, name):
                        yield importer, detail["line_number"], name


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
            for importer, line, name in imports_of(graph, root)
            if not _may_import(importer, name, rules)
        ]
        return ContractCheck(kept=not problems, metadata={"problems": sorted(set(problems))})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print a line for each import that is in the wrong room."""
        for problem in check.metadata["problems"]:
            output.print_error(problem)
        output.new_line()


def _rule(text: str) -> tuple[str, list[str]]:
    """Read `package: room, room`."""
    package, _, rooms = text.partition(":")
    return package.strip(), [room.strip() for room in rooms.split(",")]


def _rule_for(name: str, rules: dict[str, list[str]]) -> str | None:
    """Return the most specific package with a rule that covers an imported name."""
    packages = [package for package in rules if is_inside(name, package)]
    return max(packages, key=len) if packages else None


def _may_import(importer: str, name: str, rules: dict[str, list[str]]) -> bool:
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names or top in ("imaginem", "steps"):
        return True
    rule = _rule_for(name, rules)
    return rule is not None and any(is_inside(importer, room) for room in rules[rule])


def _allowed(name: str, rules: dict[str, list[str]]) -> str:
    """Return where a name may be imported, for the message."""
    rule = _rule_for(name, rules)
    if rule is None:
        return "no room is named for it in pyproject.toml"
    return f"{rule} belongs in {', '.join(rules[rule])}"


class AllowedImports(Contract):
    """A package imports only the named modules of `imaginem`.

    Attributes:
        source: the package.
        allowed: modules that it may import; `=name` allows the module but not its submodules.
    """

    source = fields.StringField()
    allowed = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Compare every import of `imaginem` with the list."""
        source = str(self.source)
        allowed = list(self.allowed)  # type: ignore[call-overload]  # a field
        problems = [
            f"{importer} (l.{line}) imports {name}: {source} may import {_in_words(allowed)}"
            for importer, line, name in imports_of(graph, source)
            if is_inside(name, "imaginem") and not any(_covers(entry, name) for entry in allowed)
        ]
        return ContractCheck(kept=not problems, metadata={"problems": problems})

    render_broken_contract = PackagesInRooms.render_broken_contract


def _in_words(allowed: list[str]) -> str:
    return ", ".join(f"{e[1:]} itself" if e.startswith("=") else e for e in allowed)


def _covers(allowed: str, name: str) -> bool:
    """Tell whether an entry of the list allows an imported name."""
    if allowed.startswith("="):  # allows `from imaginem import step`, whose name is `imaginem.step`
        module = allowed[1:]
        return name == module or name.rpartition(".")[0] == module
    return is_inside(name, allowed)

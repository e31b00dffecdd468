"""Works out the resources that a template deploys with given parameters."""

from dataclasses import dataclass, field
from functools import cached_property

from infra.arm.evaluate.evaluator import Evaluator, Local
from infra.arm.evaluate.expression import TemplateError
from infra.arm.evaluate.parameters import checked, unknown
from infra.arm.evaluate.values import GROUP, Late, Value, get

DEPLOYMENTS = "Microsoft.Resources/deployments"
# What says how a resource is deployed, and is no property of it.
_AROUND = {"condition", "copy", "dependsOn", "existing", "type", "apiVersion", "name", "scope"}


@dataclass
class Deployed:
    """A resource that is deployed, with nothing in it left to be worked out.

    Attributes:
        symbol: key of the resource, with the index of a loop; or its type and name.
        type: such as `Microsoft.Web/sites`.
        version: API version.
        name: its whole name, with those of the resources that it is in.
        id: its id.
        made: whether its condition holds and the template is to deploy it.
        entries: of `dependsOn`, as they are written.
        body: its other properties; of a nested deployment without the template.
        inner: what a nested deployment deploys.
    """

    symbol: str
    type: str
    version: str
    name: str
    id: str
    made: bool
    entries: list[str]
    body: dict[str, Value]
    inner: "Deployment | None" = None
    aliases: set[str] = field(default_factory=set)


class Deployment:
    """A template with its parameters."""

    def __init__(
        self, template: dict[str, Value], given: dict[str, Value], place: str = "azuredeploy"
    ) -> None:
        """Take a template and the values of its parameters.

        Args:
            template: as JSON.
            given: values by name, without `{"value": …}` around them.
            place: the symbols of the deployments around it, for messages.

        Raises:
            TemplateError: a parameter is missing, unknown, or not of its type.
        """
        self.place, self._template = place, template
        self._given = {name.lower(): value for name, value in given.items()}
        self._evaluator = Evaluator(self)
        self._values: dict[str, Value] = {}
        self._working: set[str] = set()
        problems = unknown(self._part("parameters"), given)
        if problems:
            raise TemplateError(f"{place}: {'; '.join(problems)}")
        for name in self._part("parameters"):
            self.parameter(name)

    def _part(self, name: str) -> dict[str, Value]:
        part = self._template.get(name) or {}
        if not isinstance(part, dict):
            raise TemplateError(f"{self.place}: {name} is no object")
        return part

    @property
    def declared(self) -> list[str]:
        """Names of its parameters."""
        return list(self._part("parameters"))

    def parameter(self, name: str) -> Value:
        """Return the value of a parameter, as it was given or by default."""
        declared = self._part("parameters")
        if name not in declared:
            raise TemplateError(f"{self.place}: parameters('{name}') is not declared")
        entry = declared[name]
        if name.lower() in self._given:
            return checked(name, entry, self._given[name.lower()])
        default = get(entry, "defaultValue", safe=True)
        return checked(name, entry, self._evaluator.value(default, Local()))

    def variable(self, name: str) -> Value:
        """Return the value of a variable."""
        if name in self._values:
            return self._values[name]
        if name in self._working:
            raise TemplateError(f"{self.place}: the variable {name} needs itself")
        self._working.add(name)
        declared = self._part("variables")
        copies = declared.get("copy")
        loops = (
            {str(get(loop, "name")): loop for loop in copies} if isinstance(copies, list) else {}
        )
        if name in loops:
            self._values[name] = self._evaluator.loop(loops[name], Local())
        elif name in declared:
            self._values[name] = self._evaluator.value(declared[name], Local())
        else:
            raise TemplateError(f"{self.place}: variables('{name}') is not declared")
        return self._values[name]

    def function(self, name: str) -> dict[str, Value] | None:
        """Return a function of the template's own, by `namespace.name`."""
        spaces = self._template.get("functions")
        for space in spaces if isinstance(spaces, list) else []:
            members = get(space, "members")
            for member, function in members.items() if isinstance(members, dict) else ():
                if f"{get(space, 'namespace')}.{member}".lower() == name.lower():
                    return function if isinstance(function, dict) else None
        return None

    def reference(self, name: str, *, full: bool) -> Value:
        """Return what is known of a resource: of a nested deployment its real outputs.

        Raises:
            TemplateError: it is not in the template, or is not deployed.
        """
        resource = self.by_alias.get(name.lower())
        if resource is None:
            if not name.startswith("/subscriptions/"):
                raise TemplateError(f"{self.place}: reference('{name}') is no resource")
            return Late(f"«{name}»" if full else f"«{name}».properties")
        if not resource.made:
            raise TemplateError(f"{self.place}: reference('{name}') is not deployed")
        if resource.type.lower() == DEPLOYMENTS.lower():
            outputs: Value = {"outputs": self._nested(resource).outputs}
            return {"properties": outputs} if full else outputs
        return Late(f"«{resource.id}»" if full else f"«{resource.id}».properties")

    @cached_property
    def outputs(self) -> dict[str, Value]:
        """Outputs by name, each with its type and value."""
        done: dict[str, Value] = {}
        for name, output in self._part("outputs").items():
            copy = get(output, "copy", safe=True)
            if copy is None:
                value = self._evaluator.value(get(output, "value"), Local())
            else:
                value = list[Value](self._evaluator.loop(copy, Local()))
            checked(name, {"type": get(output, "type")}, value)
            done[name] = {"type": get(output, "type"), "value": value}
        return done

    @cached_property
    def resources(self) -> list[Deployed]:
        """The resources of this template; those of nested ones are in `inner` of theirs."""
        for resource in self._outlines.values():
            self._fill(*resource)
        return [resource for resource, *_ in self._outlines.values()]

    @cached_property
    def by_alias(self) -> dict[str, Deployed]:
        """Resources by symbol, id and name: everything that `dependsOn` and `reference` take."""
        found: dict[str, Deployed] = {}
        for resource, *_ in self._outlines.values():
            for alias in resource.aliases:
                found.setdefault(alias.lower(), resource)
        return found

    @cached_property
    def _outlines(self) -> "dict[str, tuple[Deployed, dict[str, Value], Local]]":
        """Resources with their names, and without properties, which may need each other's."""
        declared = self._template.get("resources")
        entries = list((declared or {}).items()) if isinstance(declared, dict) else []
        if isinstance(declared, list):  # up to language version 1, resources have no symbols
            entries = [("", entry) for entry in declared]
        found = {}
        for symbol, entry in entries:
            if not isinstance(entry, dict):
                raise TemplateError(f"{self.place}: {symbol} is no object")
            for here, suffix in self._copies(entry):
                outline = self._outline(symbol, suffix, entry, here)
                found[outline.symbol + (outline.id if not symbol else "")] = (outline, entry, here)
        return found

    def _copies(self, entry: dict[str, Value]) -> list[tuple[Local, str]]:
        copy = entry.get("copy")
        if copy is None:
            return [(Local(), "")]
        count = self._evaluator.value(get(copy, "count"), Local())
        name = str(get(copy, "name"))
        if not isinstance(count, int):
            raise TemplateError(f"{self.place}: {name}: the count of its loop is no number")
        return [(Local({"": n, name: n}), f"[{n}]") for n in range(count)]

    def _outline(self, symbol: str, suffix: str, entry: dict[str, Value], here: Local) -> Deployed:
        kind, name = str(entry["type"]), self._evaluator.value(entry["name"], here)
        condition = self._evaluator.value(entry.get("condition", True), here)
        if not isinstance(name, str) or not isinstance(condition, bool):
            raise TemplateError(f"{self.place}: {symbol or kind}: name or condition is wrong")
        scope = self._evaluator.value(entry.get("scope"), here)
        resource_id = _id(kind, name, str(scope) if scope else None)
        aliases = {resource_id, name, *({symbol + suffix, symbol} if symbol else ())}
        if entry.get("copy") is not None:
            aliases.add(str(get(entry["copy"], "name")))
        return Deployed(
            symbol=symbol + suffix if symbol else f"{kind}/{name}",
            type=kind,
            version=str(entry["apiVersion"]),
            name=name,
            id=resource_id,
            made=condition and entry.get("existing") is not True,
            entries=[],
            body={},
            aliases=aliases,
        )

    def _fill(self, resource: Deployed, entry: dict[str, Value], here: Local) -> None:
        entries = entry.get("dependsOn") or []
        if not isinstance(entries, list):
            raise TemplateError(f"{self.place}: {resource.symbol}: dependsOn is no list")
        resource.entries = [str(self._evaluator.value(one, here)) for one in entries]
        if not resource.made:
            return
        try:
            self._fill_body(resource, entry, here)
        except TemplateError as problem:
            where = f"{self.place}/{resource.symbol}"
            text = str(problem)
            raise TemplateError(
                text if text.startswith(self.place) else f"{where}: {text}"
            ) from None

    def _fill_body(self, resource: Deployed, entry: dict[str, Value], here: Local) -> None:
        rest: dict[str, Value] = {name: v for name, v in entry.items() if name not in _AROUND}
        if resource.type.lower() != DEPLOYMENTS.lower():
            body = self._evaluator.value(rest, here)
            resource.body = body if isinstance(body, dict) else {}
            return
        self._nested(resource)

    def _nested(self, resource: Deployed) -> "Deployment":
        """Return a nested deployment; each is made once, when somebody first asks for it."""
        if resource.inner is None:
            (entry, here), *_ = [
                (entry, here) for one, entry, here in self._outlines.values() if one is resource
            ]
            resource.inner = self._inner(resource, entry, here)
        return resource.inner

    def _inner(self, resource: Deployed, entry: dict[str, Value], here: Local) -> "Deployment":
        properties = get(entry, "properties")
        scope = get(get(properties, "expressionEvaluationOptions"), "scope")
        template, parameters = get(properties, "template"), get(properties, "parameters")
        if scope != "inner" or not isinstance(template, dict) or not isinstance(parameters, dict):
            raise TemplateError("a nested template is evaluated in its own scope")
        given = {
            name: get(self._evaluator.value(value, here), "value", safe=True)
            for name, value in parameters.items()
        }
        return Deployment(template, given, f"{self.place}/{resource.symbol}")


def _id(kind: str, name: str, scope: str | None) -> str:
    space, *types = kind.split("/")
    names = name.split("/")
    if len(types) != len(names):
        raise TemplateError(f"{kind} has {len(types)} names, {name!r} has {len(names)}")
    own = "/".join(f"{one}/{part}" for one, part in zip(types, names, strict=True))
    base = GROUP
    if scope is not None:
        base = scope if scope.startswith("/") else f"{GROUP}/providers/{scope}"
    return f"{base}/providers/{space}/{own}"

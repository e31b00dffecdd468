"""Translates a Bicep file and its modules into a template of Azure Resource Manager."""

from pathlib import Path

from infra.arm.dependencies import Dependencies
from infra.arm.expressions import Expressions, Json
from infra.arm.lexer import BicepError
from infra.arm.names import Target
from infra.arm.parser import literal, parse_file
from infra.arm.syntax import (
    Deployed,
    Expression,
    File,
    Function,
    Loop,
    Module,
    Object,
    Output,
    Parameter,
    Resource,
    Type,
)

Template = dict[str, Json]

SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
# Of nested deployments: the one that Bicep used for years.
_DEPLOYMENTS = "2022-09-01"
_DECORATORS = {
    "allowed": "allowedValues",
    "minLength": "minLength",
    "maxLength": "maxLength",
    "minValue": "minValue",
    "maxValue": "maxValue",
}
# What Bicep calls otherwise, or says by other means.
_BICEP_ONLY = {"name", "parent", "scope", "dependsOn"}


def template_of(path: Path) -> Template:
    """Return the template of a file, with its modules inside.

    Language version 2.0: resources have their symbolic names, which references and `dependsOn`
    use. Azure accepts it, and Bicep writes it whenever a file needs it.

    Raises:
        BicepError: a file has something that can't be translated.
    """
    text = path.read_text("utf-8")
    if "\nmodule " in text or "load" in text:  # it depends on other files
        return _template(path)
    return _template_of_text(path, text)


def _template(path: Path) -> Template:
    file = parse_file(path)
    if file.scope != "resourceGroup":
        raise BicepError(f"{path.name}: only resource groups can be deployed to")
    return _FileTemplate(file).template()


_known: dict[tuple[str, str], Template] = {}


def _template_of_text(path: Path, text: str) -> Template:
    """Translate a text once: the gates translate many copies of the same files."""
    key = (path.name, text)
    if key not in _known:
        _known[key] = _template(path)
    return _known[key]


class _FileTemplate:
    def __init__(self, file: File) -> None:
        self._file, self._expressions = file, Expressions(file)

    def template(self) -> Template:
        file = self._file
        parts: dict[str, Json] = {
            "parameters": {p.name: self._parameter(p) for p in file.parameters.values()},
            "functions": self._functions(),
            "variables": self._variables(),
            "resources": {
                **{r.name: self._resource(r) for r in file.resources.values() if not r.existing},
                **{m.name: self._module(m) for m in file.modules.values()},
            },
            "outputs": {output.name: self._output(output) for output in file.outputs.values()},
        }
        filled = {name: part for name, part in parts.items() if part or name == "resources"}
        return {
            "$schema": SCHEMA,
            "languageVersion": "2.0",
            "contentVersion": "1.0.0.0",
            **filled,
        }

    def _parameter(self, parameter: Parameter) -> Json:
        self._expressions.line = parameter.line
        secure = "secure" in parameter.decorators
        done = _type(parameter.type, secure=secure)
        if parameter.default is not None:
            done["defaultValue"] = self._expressions.value(parameter.default, {})
        for name, arguments in parameter.decorators.items():
            if name in _DECORATORS:
                done[_DECORATORS[name]] = self._expressions.value(arguments[0], {})
            elif name == "description":
                done["metadata"] = {"description": literal(arguments[0])}
            elif name != "secure":
                raise self._error(parameter, f"@{name} can't be translated")
        return done

    def _functions(self) -> Json:
        members: dict[str, Json] = {}
        for function in self._file.functions.values():
            members[function.name] = self._function(function)
        return [{"namespace": "__bicep", "members": members}] if members else None

    def _function(self, function: Function) -> Json:
        self._expressions.line = function.line
        bindings = {name: f"parameters('{name}')" for name, _ in function.parameters}
        return {
            "parameters": [{**_type(kind), "name": name} for name, kind in function.parameters],
            "output": {
                **_type(function.type),
                "value": self._expressions.value(function.body, bindings),
            },
        }

    def _variables(self) -> dict[str, Json]:
        done: dict[str, Json] = {}
        copies: list[Json] = []
        for variable in self._file.variables.values():
            self._expressions.line = variable.line
            if self._expressions.is_late(variable.value):
                continue  # stands where it is used
            if isinstance(variable.value, Loop):
                copies.append(self._expressions.copy(variable.name, variable.value, {}))
            else:
                done[variable.name] = self._expressions.value(variable.value, {})
        return {"copy": copies, **done} if copies else done

    def _resource(self, resource: Resource) -> Json:
        self._expressions.line = resource.line
        names = self._expressions.names
        bindings = names.bindings(resource)
        target = Target(resource, "copyIndex()" if resource.loop else None)
        done = self._common(resource)
        done |= {"type": resource.type, "apiVersion": resource.version}
        scope = names.scope(resource, target.index)
        if scope is not None:
            done["scope"] = f"[{scope}]"
        segments = names.segments(target)
        if len(segments) == 1:
            done["name"] = self._expressions.value(_named(resource), bindings)
        else:
            pattern = "/".join(f"{{{index}}}" for index in range(len(segments)))
            done["name"] = f"[format('{pattern}', {', '.join(segments)})]"
        names.id(target)  # fails where the names don't fit the type
        rest = tuple(
            entry for entry in resource.body.entries if literal(entry[0]) not in _BICEP_ONLY
        )
        done |= self._expressions.object(Object(rest), bindings)
        return {**done, **self._depends_on(resource)}

    def _module(self, module: Module) -> Json:
        self._expressions.line = module.line
        bindings = self._expressions.names.bindings(module)
        if self._expressions.names.scope(module, None) is not None:
            raise self._error(module, "its scope can't be translated")
        path = (self._file.path.parent / module.path).resolve()
        if not path.exists():
            raise self._error(module, f"there is no {path.name}")
        given = module.body.get("params") or Object(())
        if not isinstance(given, Object):
            raise self._error(module, "params must be written out")
        return {
            **self._common(module),
            "type": "Microsoft.Resources/deployments",
            "apiVersion": _DEPLOYMENTS,
            "name": self._expressions.value(_named(module), bindings),
            "properties": {
                "expressionEvaluationOptions": {"scope": "inner"},
                "mode": "Incremental",
                "parameters": {
                    str(literal(key)): {"value": self._expressions.value(value, bindings)}
                    for key, value in given.entries
                },
                "template": template_of(path),
            },
            **self._depends_on(module),
        }

    def _common(self, deployed: Deployed) -> Template:
        """Return the condition of a resource or module, and its loop."""
        done: Template = {}
        bindings = self._expressions.names.bindings(deployed)
        if deployed.condition is not None:
            done["condition"] = self._expressions.value(deployed.condition, bindings)
        if deployed.loop is not None:
            count = self._expressions.code(deployed.loop.source, {})
            done["copy"] = {"name": deployed.name, "count": f"[length({count})]"}
        for name, arguments in deployed.decorators.items():
            if name == "batchSize" and isinstance(done.get("copy"), dict):
                batch = {"mode": "serial", "batchSize": literal(arguments[0])}
                done["copy"] = {"name": deployed.name, "count": f"[length({count})]", **batch}
            elif name != "description":
                raise self._error(deployed, f"@{name} can't be translated")
        return done

    def _depends_on(self, deployed: Deployed) -> Template:
        found = Dependencies(self._expressions, deployed).sorted()
        return {"dependsOn": list(found)} if found else {}

    def _output(self, output: Output) -> Json:
        self._expressions.line = output.line
        done = _type(output.type, secure="secure" in output.decorators)
        if isinstance(output.value, Loop):
            copy = self._expressions.copy("", output.value, {})
            text = str(copy["input"]).replace("copyIndex('')", "copyIndex()")
            if not isinstance(copy["input"], str):
                raise self._error(output, "a loop of an output gives texts")
            done["copy"] = {"count": copy["count"], "input": text}
        else:
            done["value"] = self._expressions.value(output.value, {})
        return done

    def _error(self, place: Parameter | Deployed | Output, reason: str) -> BicepError:
        return BicepError(f"{self._file.path.name}: line {place.line}: {place.name}: {reason}")


def _named(deployed: Deployed) -> Expression:
    name = deployed.body.get("name")
    if name is None:
        raise BicepError(f"line {deployed.line}: {deployed.name} has no name")
    return name


def _type(kind: Type, *, secure: bool = False) -> Template:
    name = kind.name
    if secure:
        name = {"string": "securestring", "object": "secureObject"}[name]
    done: Template = {"type": name}
    if kind.items is not None:
        done["items"] = _type(kind.items)
    if kind.allowed:
        done["allowedValues"] = list(kind.allowed)
    if kind.nullable:
        done["nullable"] = True
    return done

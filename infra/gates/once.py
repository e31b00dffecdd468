"""Checks what Azure takes when a resource is made, and refuses at the next deployment.

Of an SQL server: its administrators, and a password while Entra ID alone is allowed
(bicep#6858, bicep-types-az#1436 and #2320). Of a budget: its first month ("Start date of budgets
cannot be updated", azure-quickstart-templates#7095).
"""

from typing import Any

from infra.gates.model import Resource, Template

_SERVER = "Microsoft.Sql/servers"
_ONLY_AT_CREATION = ("administratorLogin", "administratorLoginPassword", "administrators")


def problems(templates: list[Template]) -> list[str]:
    """Return what would fail when the files are deployed for the second time."""
    by_name = {template.path.name: template for template in templates}
    return [*_sql(by_name["sql.bicep"]), *_notes(by_name["main.bicep"], by_name)]


def _sql(template: Template) -> list[str]:
    found: list[str] = []
    (server,) = [item for item in template.resources if item.type == _SERVER]
    for name in _ONLY_AT_CREATION:
        if not _is_for_creation(template, server.body["properties"].get(name)):
            found.append(
                f"once: {server.place}.{name}: only a server that is made may get it, "
                "or the next deployment fails"
            )
    found += _child(template, "administrators", "ActiveDirectory")
    found += _child(template, "azureADOnlyAuthentications", "Default")
    for item in template.resources:
        if item.type == f"{_SERVER}/azureADOnlyAuthentications":
            only = item.body["properties"].get("azureADOnlyAuthentication")
            if "'empty'" not in str(only) or "administratorLogin" not in str(only):
                found.append(
                    f"once: {item.place}.azureADOnlyAuthentication must follow from the parameters"
                )
            if "administrator" not in map(str, item.body.get("dependsOn", [])):
                found.append(f"once: {item.place} must wait for the administrator")
    return found


def _is_for_creation(template: Template, value: Any) -> bool:
    """Tell whether a value is null for a server that exists."""
    operator = value.get("operator", {}) if isinstance(value, dict) else {}
    if operator.get("type") != "conditional" or operator["operands"]["false_value"] is not None:
        return False
    condition = template.variables.get(str(operator["operands"]["condition"]))
    parts = condition.get("operator", {}) if isinstance(condition, dict) else {}
    negated = {"operator": {"type": "not", "operands": {"bool_value": "serverExists"}}}
    return parts.get("type") == "and" and parts["operands"]["operand_1"] == negated


def _child(template: Template, kind: str, name: str) -> list[str]:
    """Check that a child resource of the server is there, under its only name, unconditionally."""
    children: list[Resource] = [
        item for item in template.resources if item.type == f"{_SERVER}/{kind}"
    ]
    good = len(children) == 1 and not children[0].conditional
    if good and children[0].body.get("name") == name:
        return []
    return [f"once: sql.bicep: there must be one {kind} named {name}, without a condition"]


def _notes(main: Template, by_name: dict[str, Template]) -> list[str]:
    """Check that what the next deployment must know is noted, and read where it is noted."""
    found: list[str] = []
    notes = str(main.modules.get("memory", {}).get("config"))
    for parameter, note in (
        ("sqlServerExists", "imaginem-sql-${postFix}"),
        ("budgetMonth", "imaginem-budget-${postFix}"),
    ):
        default = str(main.parameters.get(parameter, {}).get("default"))
        if "groupTags" not in default or note not in default:
            found.append(f"once: main.bicep: {parameter} must be what the tag {note} says")
        if note not in notes:
            found.append(f"once: main.bicep: nothing writes the tag {note}")
    tags = "".join(str(item.body["properties"]) for item in by_name["memory.bicep"].resources)
    if "'union'" not in tags or "'resource_group'" not in tags:
        found.append("once: memory.bicep must keep the tags that the group has")
    months = [item.body for item in by_name["budget.bicep"].resources]
    if [body["properties"]["timePeriod"]["startDate"] for body in months] != ["${month}-01"]:
        found.append("once: budget.bicep: a budget begins on the first of the month that is noted")
    given = main.modules.get("budget", {}).get("config", {})
    if str(given.get("config", given).get("params", {}).get("month")) != "budgetMonth":
        found.append("once: main.bicep: the budget must begin in budgetMonth")
    return found

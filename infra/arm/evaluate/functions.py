"""The functions of templates, as Azure documents them.

Written from Azure's reference and not from the translation, so that a mistake there shows here.
"""

import hashlib
import json
import re
import uuid
from collections.abc import Callable

from infra.arm.evaluate.expression import TemplateError
from infra.arm.evaluate.values import GROUP, SUBSCRIPTION, Late, Value, get, text_of

Plain = Callable[..., Value]


def _format(pattern: str, *values: Value) -> Value:
    text = re.sub(
        r"\{\{|\}\}|\{(\d+)\}",
        lambda m: text_of(values[int(m.group(1))]) if m.group(1) else m.group()[0],
        pattern,
    )
    return text


def _concat(*parts: Value) -> Value:
    if any(isinstance(part, list) for part in parts):
        return [item for part in parts if isinstance(part, list) for item in part]
    return "".join(text_of(part) for part in parts)


def _union(*parts: Value) -> Value:
    merged: dict[str, Value] = {}
    items: list[Value] = []
    for part in parts:
        if isinstance(part, dict):
            merged |= part
        elif isinstance(part, list):
            items += [item for item in part if item not in items]
    return merged or items or parts[0]


def _equals(one: Value, other: Value) -> Value:
    # In Python True equals 1, but in a template it does not.
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _int(value: Value) -> Value:
    if isinstance(value, Late):
        return value
    if isinstance(value, bool) or not re.fullmatch(r"-?\d+", text_of(value)):
        raise TemplateError(f"int({value!r}) is no number")
    return int(text_of(value))


def _contains(container: Value, wanted: Value) -> Value:
    if isinstance(container, dict):
        return str(wanted).lower() in (name.lower() for name in container)
    if isinstance(container, str):
        return str(wanted) in container
    return isinstance(container, list) and wanted in container


def _take(value: Value, count: int) -> Value:
    return value[: max(count, 0)] if isinstance(value, str | list) else value


def _skip(value: Value, count: int) -> Value:
    return value[max(count, 0) :] if isinstance(value, str | list) else value


def _create_object(*parts: Value) -> Value:
    return {str(name): value for name, value in zip(parts[::2], parts[1::2], strict=True)}


def _unique(*parts: Value) -> Value:
    digest = hashlib.sha256("-".join(text_of(part) for part in parts).encode()).hexdigest()
    return digest.translate(str.maketrans("0123456789", "ghijklmnop"))[:13]


def _guid(*parts: Value) -> Value:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "-".join(text_of(part) for part in parts)))


def _provider(kind: str, names: tuple[str, ...]) -> str:
    space, *types = kind.split("/")
    if len(types) != len(names):
        raise TemplateError(f"the id of a {kind} has {len(types)} names, not {len(names)}")
    pairs = "/".join(f"{one}/{name}" for one, name in zip(types, names, strict=True))
    return f"/providers/{space}/{pairs}"


def _resource_id(*parts: str) -> Value:
    before = next(index for index, part in enumerate(parts) if "/" in part)
    kind, *names = parts[before:]
    scope = GROUP
    if before:
        group = parts[before - 1]
        subscription = f"/subscriptions/{parts[0]}" if before > 1 else SUBSCRIPTION
        scope = f"{subscription}/resourceGroups/{group}"
    return scope + _provider(kind, tuple(names))


def _items(value: dict[str, Value]) -> Value:
    return [{"key": key, "value": value[key]} for key in sorted(value)]


def _fail(reason: str) -> Value:
    raise TemplateError(reason)


def _utc_now(pattern: str = "yyyyMMddTHHmmssZ") -> Value:
    parts = {"yyyy": "2026", "MM": "11", "dd": "27", "HH": "08", "mm": "30", "ss": "00"}
    return re.sub("yyyy|MM|dd|HH|mm|ss", lambda part: parts[part.group()], pattern)


def _same(value: Value) -> Value:
    return value


_RESOURCE_GROUP: Value = {
    "id": GROUP, "name": "group", "location": "westeurope", "tags": {},
}  # fmt: skip
_SUBSCRIPTION: Value = {
    "id": SUBSCRIPTION,
    "subscriptionId": SUBSCRIPTION.rpartition("/")[2],
    "tenantId": "00000000-0000-0000-0000-000000000002",
    "displayName": "subscription",
}
_ENVIRONMENT: Value = {
    "name": "AzureCloud",
    "resourceManager": "https://management.azure.com/",
    "authentication": {"loginEndpoint": "https://login.microsoftonline.com/"},
    "suffixes": {
        "storage": "core.windows.net",
        "sqlServerHostname": ".database.windows.net",
        "keyvaultDns": ".vault.azure.net",
    },
}

PLAIN: dict[str, Plain] = {
    "format": _format,
    "concat": _concat,
    "union": _union,
    "shallowmerge": lambda objects: _union(*objects),
    "equals": _equals,
    "not": lambda value: not value,
    "empty": lambda value: not isinstance(value, Late) and value in ("", [], {}, None),
    "length": len,
    "tolower": lambda text: type(text)(text.lower()),
    "toupper": lambda text: type(text)(text.upper()),
    "replace": lambda text, old, new: text.replace(old, new),
    "trim": lambda text: text.strip(),
    "split": lambda text, sign: text.split(sign),
    "join": lambda items, sign: sign.join(text_of(item) for item in items),
    "startswith": lambda text, start: text.lower().startswith(start.lower()),
    "endswith": lambda text, end: text.lower().endswith(end.lower()),
    "indexof": lambda text, part: text.lower().find(part.lower()),
    "substring": lambda text, start, count=None: text[start:][:count],
    "contains": _contains,
    "first": lambda value: value[0] if value else None,
    "last": lambda value: value[-1] if value else None,
    "take": _take,
    "skip": _skip,
    "range": lambda start, count: list(range(start, start + count)),
    "createarray": lambda *items: list(items),
    "array": lambda value: value if isinstance(value, list) else [value],
    "flatten": lambda lists: [item for part in lists for item in part],
    "createobject": _create_object,
    "items": _items,
    "objectkeys": sorted,
    "tryget": lambda base, *keys: _deep(base, keys),
    "string": text_of,
    "int": _int,
    "bool": lambda value: str(value).lower() in ("true", "1"),
    "json": json.loads,
    "null": lambda: None,
    "true": lambda: True,
    "false": lambda: False,
    "add": lambda one, other: one + other,
    "sub": lambda one, other: one - other,
    "mul": lambda one, other: one * other,
    "div": lambda one, other: one // other,
    "mod": lambda one, other: one % other,
    "min": lambda *values: min(values[0] if isinstance(values[0], list) else values),
    "max": lambda *values: max(values[0] if isinstance(values[0], list) else values),
    "less": lambda one, other: one < other,
    "lessorequals": lambda one, other: one <= other,
    "greater": lambda one, other: one > other,
    "greaterorequals": lambda one, other: one >= other,
    "guid": _guid,
    "uniquestring": _unique,
    "resourceid": _resource_id,
    "subscriptionresourceid": lambda kind, *names: SUBSCRIPTION + _provider(kind, names),
    "tenantresourceid": _provider,
    "extensionresourceid": lambda scope, kind, *names: scope + _provider(kind, names),
    "resourcegroup": lambda: _RESOURCE_GROUP,
    "subscription": lambda: _SUBSCRIPTION,
    "tenant": lambda: {"tenantId": "00000000-0000-0000-0000-000000000002"},
    "environment": lambda: _ENVIRONMENT,
    "deployer": lambda: {"objectId": "00000000-0000-0000-0000-000000000003"},
    "deployment": lambda: {"name": "azuredeploy"},
    "utcnow": _utc_now,
    "fail": _fail,
    "any": _same,
}


def _deep(base: Value, keys: tuple[Value, ...]) -> Value:
    for key in keys:
        base = get(base, key, safe=True)
    return base

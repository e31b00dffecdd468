"""Checks what Flex Consumption refuses, or has moved to another place.

Azure's message is 51021, "site configuration property … for Flex Consumption sites is invalid".
Newer regions refuse these properties, and older ones ignore them, so a deployment that went well in
one region fails in another.
"""

from collections.abc import Iterator
from typing import Any

from infra.gates.model import Template

# By the name in small letters, for Azure does not look at case. Where nothing else is said, refused
# with 51021 in the report that is named; `listed` are those that Microsoft's "Flex Consumption plan
# deprecations" (app settings reference of Functions) lists as not valid, renamed or replaced.
_REFUSED = {
    "ftpsstate": "azure-cli#31414",
    "use32bitworkerprocess": "azure-cli#31414",
    "prewarmedinstancecount": "azure-cli#31414; alwaysReady",
    "netframeworkversion": "azure-cli#31414; functionAppConfig.runtime",
    "functionsruntimescalemonitoringenabled": "azure-cli#31414",
    "linuxfxversion": "terraform-azurerm-avm-res-web-site#283; functionAppConfig.runtime",
    "functionappscalelimit": "azure-functions-host#10643; maximumInstanceCount",
    "windowsfxversion": "listed",
    "javaversion": "listed; functionAppConfig.runtime",
    "powershellversion": "listed; functionAppConfig.runtime",
    "vnetrouteallenabled": "listed; everything goes through the network that is joined",
    # No report says 51021 of these three, but they are of other plans: the schema says of the first
    # that it is for Elastic plans (see terraform-azurerm-avm-res-web-site#353).
    "minimumelasticinstancecount": "alwaysReady",
    "numberofworkers": "maximumInstanceCount",
    "healthcheckpath": "Flex Consumption has no health check",
}
# Of the site itself, not of its siteConfig; `listed` as above.
_REFUSED_ON_SITE = {
    "isxenon": "listed",
    "containersize": "listed; instanceMemoryMB",
    "reserved": "listed as isReserved; it is said of the plan",
    "vnetrouteallenabled": "listed; everything goes through the network that is joined",
    "endtoendencryptionenabled": "certificates of the platform are not supported",
}
# All are listed as ignored or not valid; TZ and WEBSITE_TIME_ZONE under the plan's considerations.
_REFUSED_SETTINGS = {
    "ENABLE_ORYX_BUILD",
    "FUNCTIONS_EXTENSION_VERSION",
    "FUNCTIONS_MAX_HTTP_CONCURRENCY",
    "FUNCTIONS_WORKER_DYNAMIC_CONCURRENCY_ENABLED",
    "FUNCTIONS_WORKER_PROCESS_COUNT",
    "FUNCTIONS_WORKER_RUNTIME",
    "FUNCTIONS_WORKER_RUNTIME_VERSION",
    "SCM_DO_BUILD_DURING_DEPLOYMENT",
    "TZ",
    "WEBSITE_CONTENTAZUREFILECONNECTIONSTRING",
    "WEBSITE_CONTENTOVERVNET",
    "WEBSITE_CONTENTSHARE",
    "WEBSITE_DNS_SERVER",
    "WEBSITE_LOAD_CERTIFICATES",
    "WEBSITE_MAX_DYNAMIC_APPLICATION_SCALE_OUT",
    "WEBSITE_NODE_DEFAULT_VERSION",
    "WEBSITE_RUN_FROM_PACKAGE",
    "WEBSITE_SKIP_CONTENTSHARE_VALIDATION",
    "WEBSITE_TIME_ZONE",
    "WEBSITE_VNET_ROUTE_ALL",
}

_OF_PLAN = (("sku", "tier", "FlexConsumption"), ("properties", "reserved", True))
_NETWORK_SERVICE = "Microsoft.App/environments"


def problems(templates: list[Template]) -> list[str]:
    """Return what the function app sets and Flex Consumption does not take."""
    flex = [template for template in templates if _is_flex(template)]
    if not flex:
        return ["flex: no file has a plan of Flex Consumption (FC1)"]
    found = [line for template in templates for line in _delegations(template)]
    for template in flex:
        found += _plans(template)
        for resource in template.resources:
            properties = resource.body.get("properties", {})
            name = resource.body.get("name")
            if resource.type == "Microsoft.Web/sites":
                found += _refused(resource.place, properties, _REFUSED_ON_SITE)
                config = properties.get("siteConfig", {})
                found += _refused(resource.place, config, _REFUSED)
                found += _settings(resource.place, (item["name"] for item in _given(config)))
            elif resource.type == "Microsoft.Web/sites/config" and name == "web":
                found += _refused(resource.place, properties, _REFUSED)
            elif resource.type == "Microsoft.Web/sites/config" and name == "appsettings":
                found += _settings(resource.place, iter(properties))
        found += _instances(template)
    return found


def _is_flex(template: Template) -> bool:
    return any(
        resource.type == "Microsoft.Web/serverfarms"
        and resource.body.get("sku", {}).get("name") == "FC1"
        for resource in template.resources
    )


def _plans(template: Template) -> list[str]:
    """Check what a plan of Flex Consumption has to say of itself: Azure takes no other words."""
    return [
        f"flex: {resource.place}: {part}.{name} must be {wanted!r}"
        for resource in template.resources
        if resource.body.get("sku", {}).get("name") == "FC1"
        for part, name, wanted in _OF_PLAN
        if resource.body.get(part, {}).get(name) != wanted
    ]


def _delegations(template: Template) -> list[str]:
    """Check whom subnets are delegated to: apps of other plans have another service there."""
    return [
        f"flex: {resource.place} must be delegated to {_NETWORK_SERVICE}"
        for resource in template.resources
        for delegation in resource.body.get("properties", {}).get("delegations", [])
        if delegation["properties"]["serviceName"] != _NETWORK_SERVICE
    ]


def _given(config: dict[str, Any]) -> list[dict[str, Any]]:
    settings = config.get("appSettings", [])
    return settings if isinstance(settings, list) else []


def _refused(place: str, properties: dict[str, Any], refused: dict[str, str]) -> list[str]:
    return [
        f"flex: {place}: Flex Consumption refuses {name} ({refused[name.lower()]})"
        for name in properties
        if name.lower() in refused
    ]


def _settings(place: str, names: Iterator[str]) -> list[str]:
    return [
        f"flex: {place}: Flex Consumption does not take the app setting {name}"
        for name in names
        if name.upper() in _REFUSED_SETTINGS
    ]


def _instances(template: Template) -> list[str]:
    """Check the two bounds that a choice of parameters could break.

    512 MB hold our code and the Azure engines, not the weights of the local ones; and with zone
    redundancy Azure refuses fewer than two instances that are always ready of a kind.
    """
    found = []
    memory, kept = (str(template.variables.get(name)) for name in ("memory", "kept"))
    engines = [repr(name) for name in template.parameters if name.endswith("Engine")]
    words = ("'local'", "2048", "instanceMemoryMB", "'max'", *engines)
    if not all(word in memory for word in words):
        found.append("flex: the local engine must get 2048 MB at least")
    if not all(word in kept for word in ("'zoneRedundant'", "instanceCount", "'max'", "2")):
        found.append("flex: with zone redundancy two instances at least must be ready")
    for resource in template.resources:
        if resource.type == "Microsoft.Web/sites":
            config = resource.body["properties"].get("functionAppConfig", {})
            scale = config.get("scaleAndConcurrency", {})
            given = (str(scale.get("instanceMemoryMB")), str(scale.get("alwaysReady")))
            if given != ("memory", "kept"):
                found.append(f"flex: {resource.place}: its instances must be `memory` and `kept`")
    return found

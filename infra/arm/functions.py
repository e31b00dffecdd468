"""Which functions there are: those of Bicep that Azure Resource Manager has by the same name."""

# A name that is not here is refused, so that a misspelt one is seen before Azure sees it.
SAME = frozenset(
    """
    array base64 base64ToJson base64ToString cidrHost cidrSubnet concat contains coalesce
    createArray createObject dateTimeAdd dateTimeFromEpoch dateTimeToEpoch deployer deployment
    empty endsWith environment extensionResourceId fail filter first flatten format groupBy guid
    indexOf int intersection items join json last lastIndexOf length list listAccountSas listKeys
    listSecrets managementGroupResourceId map mapValues max min newGuid objectKeys
    padLeft parseUri pickZones range reduce replace resourceGroup resourceId shallowMerge skip sort
    split startsWith string subscription subscriptionResourceId substring take tenant
    tenantResourceId toLower toObject toUpper trim tryGet
    union uniqueString uri uriComponent uriComponentToString utcNow
    """.split()  # noqa: SIM905 - shorter than a list
)

OPERATORS = {
    "==": "equals({0}, {1})",
    "!=": "not(equals({0}, {1}))",
    "=~": "equals(toLower({0}), toLower({1}))",
    "!~": "not(equals(toLower({0}), toLower({1})))",
    "<": "less({0}, {1})",
    "<=": "lessOrEquals({0}, {1})",
    ">": "greater({0}, {1})",
    ">=": "greaterOrEquals({0}, {1})",
    "&&": "and({0}, {1})",
    "||": "or({0}, {1})",
    "??": "coalesce({0}, {1})",
    "+": "add({0}, {1})",
    "-": "sub({0}, {1})",
    "*": "mul({0}, {1})",
    "/": "div({0}, {1})",
    "%": "mod({0}, {1})",
    "?": "if({0}, {1}, {2})",
}
SINGLE = {"!": "not({0})", "-": "sub(0, {0})", "+": "{0}"}

"""Breaks of azuredeploy.json, and of Bicep files that it would no longer belong to."""

from infra.gates.breaks import Break

_JSON = "azuredeploy.json"

TEMPLATE = (
    Break(
        "a property of the template differs",
        _JSON,
        '"http20Enabled": true',
        '"http20Enabled": false',
        "siteConfig/http20Enabled: the Bicep has true, azuredeploy.json has false",
    ),
    Break(
        "the template lacks a resource",
        _JSON,
        '"azureAddresses": {',
        '"others": {',
        "sql/resources/azureAddresses: the Bicep has {",
    ),
    Break(
        "a parameter of the template is of another type",
        _JSON,
        '"maxSizeBytes": {\n      "type": "string"',
        '"maxSizeBytes": {\n      "type": "int"',
        'parameters/maxSizeBytes/type: the Bicep has "string", azuredeploy.json has "int"',
    ),
    Break(
        "what was not filled in is taken for a value",
        _JSON,
        "startsWith(parameters('value'), '<')",
        "startsWith(parameters('value'), '#')",
        "'<SQL LOGIN, OR LEAVE IT: ENTRA ID ALONE>' was left in it",
    ),
    Break(
        "the template has another resource than any Bicep file",
        _JSON,
        '"azureAddresses": {',
        '"others": {',
        "main.bicep/sql: resources: azuredeploy.json has others Microsoft.Sql/",
    ),
    Break(
        "the template is no JSON",
        _JSON,
        '"resources": {',
        '"resources": ',
        "azuredeploy.json can't be read",
    ),
    Break(
        "a resource does not wait for one that it names",
        _JSON,
        '"dependsOn": [\n                "queueService"\n              ]',
        '"dependsOn": []',
        "storage/queue[0] names",
    ),
    Break(
        "a resource waits for one that does not exist",
        _JSON,
        '"dependsOn": [\n                "queueService"\n              ]',
        '"dependsOn": [\n                "queues"\n              ]',
        "storage/queue[0] waits for queues",
    ),
    Break(
        "a reference names no resource",
        _JSON,
        "reference('server')",
        "reference('srver')",
        "reference('srver') is no resource",
    ),
    Break(
        "a nested template is given a value of another type",
        _JSON,
        "\"[parameters('logRetentionDays')]\"",
        '"thirty"',
        "the parameter retentionDays is of type int, which 'thirty' is not",
    ),
    Break(
        "a resource of the template has another API version",
        _JSON,
        '"apiVersion": "2024-11-01"',
        '"apiVersion": "2014-11-01"',
        "azuredeploy/app/plan: Microsoft.Web/serverfarms@2014-11-01 can't be checked",
    ),
    Break(
        "the template misspells a property",
        _JSON,
        '"allowSharedKeyAccess"',
        '"allowSharedKeys"',
        "azuredeploy/storage/account.properties.allowSharedKeys: unknown",
    ),
    Break(
        "the storage account has a name that Azure refuses",
        _JSON,
        "'stimaginem{0}'",
        "'st-imaginem{0}'",
        "is no name of a Microsoft.Storage/storageAccounts",
    ),
    Break(
        "Bicep was changed, and the template was not",
        "main.bicep",
        "param httpConcurrency int = 16",
        "param httpConcurrency int = 17",
        "parameters/httpConcurrency/defaultValue: the Bicep has 17, azuredeploy.json has 16",
    ),
    Break(
        "a parameter's placeholder reaches an app setting",
        _JSON,
        "\"[__bicep.given(parameters('allowedImageHosts'))]\"",
        "\"[parameters('allowedImageHosts')]\"",
        'ALLOWED_IMAGE_HOSTS: a deployment of nothing has "", one of placeholders has "<X>"',
    ),
    Break(
        "Bicep names what is not defined",
        "main.bicep",
        "    postFix: postFix\n",
        "    postFix: postfix\n",
        "postfix is not defined",
    ),
    Break(
        "Bicep calls a function that does not exist",
        "modules/storage.bicep",
        "toLower(",
        "toLowr(",
        "there is no function toLowr",
    ),
)

"""Breaks that only Azure would notice: at the first deployment, at the second, or never."""

from infra.gates.breaks import Break

_SITE_CONFIG = "    siteConfig: {\n"
_SETTINGS = "    PIPELINE_DEFINITION: pipelineDefinition\n"


def _refused(name: str, value: str) -> Break:
    return Break(
        f"siteConfig sets {name}",
        "modules/app.bicep",
        _SITE_CONFIG,
        f"{_SITE_CONFIG}      {name}: {value}\n",
        f"Flex Consumption refuses {name}",
    )


def _ignored(name: str, value: str) -> Break:
    return Break(
        f"an app setting is {name}",
        "modules/app.bicep",
        _SETTINGS,
        f"{_SETTINGS}    {name}: {value}\n",
        f"does not take the app setting {name}",
    )


FLEX = (
    _refused("ftpsState", "'Disabled'"),
    _refused("linuxFxVersion", "'PYTHON|3.12'"),
    _refused("windowsFxVersion", "''"),
    _refused("netFrameworkVersion", "'v8.0'"),
    _refused("javaVersion", "'17'"),
    _refused("powerShellVersion", "'7.4'"),
    _refused("use32BitWorkerProcess", "false"),
    _refused("preWarmedInstanceCount", "1"),
    _refused("functionsRuntimeScaleMonitoringEnabled", "false"),
    _refused("functionAppScaleLimit", "40"),
    _refused("minimumElasticInstanceCount", "1"),
    _refused("numberOfWorkers", "1"),
    _refused("vnetRouteAllEnabled", "true"),
    _refused("healthCheckPath", "'/api/health'"),
    _ignored("FUNCTIONS_WORKER_RUNTIME", "'python'"),
    _ignored("FUNCTIONS_EXTENSION_VERSION", "'~4'"),
    _ignored("FUNCTIONS_WORKER_PROCESS_COUNT", "'2'"),
    _ignored("SCM_DO_BUILD_DURING_DEPLOYMENT", "'true'"),
    _ignored("ENABLE_ORYX_BUILD", "'true'"),
    _ignored("WEBSITE_RUN_FROM_PACKAGE", "'1'"),
    _ignored("WEBSITE_CONTENTSHARE", "'share'"),
    _ignored("WEBSITE_CONTENTOVERVNET", "'1'"),
    _ignored("WEBSITE_VNET_ROUTE_ALL", "'1'"),
    _ignored("WEBSITE_TIME_ZONE", "'UTC'"),
    Break(
        "the plan's tier is another plan's",
        "modules/app.bicep",
        "tier: 'FlexConsumption'",
        "tier: 'Dynamic'",
        "sku.tier must be 'FlexConsumption'",
    ),
    Break(
        "the plan is of Windows",
        "modules/app.bicep",
        "reserved: true",
        "reserved: false",
        "properties.reserved must be True",
    ),
    Break(
        "the app's subnet is delegated to other plans",
        "modules/network.bicep",
        "'Microsoft.App/environments'",
        "'Microsoft.Web/serverFarms'",
        "must be delegated to Microsoft.App/environments",
    ),
    Break(
        "Event Grid shows the key of another extension",
        "events.bicep",
        "blobs_extension",
        "eventgrid_extension",
        "needs systemKeys.blobs_extension",
    ),
    Break(
        "Event Grid speaks what the blob trigger does not understand",
        "events.bicep",
        "'EventGridSchema'",
        "'CloudEventSchemaV1_0'",
        "needs eventDeliverySchema",
    ),
    Break(
        "an AI account has no name of its own",
        "modules/ai.bicep",
        "    customSubDomainName: name\n",
        "",
        "without customSubDomainName",
    ),
    Break(
        "a property of other plans is on the site",
        "modules/app.bicep",
        "    serverFarmId: plan.id\n",
        "    serverFarmId: plan.id\n    containerSize: 512\n",
        "Flex Consumption refuses containerSize",
    ),
    Break(
        "the local engine gets an instance of 512 MB",
        "modules/app.bicep",
        "max(instanceMemoryMB, 2048)",
        "instanceMemoryMB",
        "must get 2048 MB at least",
    ),
    Break(
        "a local engine of one kind gets an instance of 512 MB",
        "modules/app.bicep",
        "contains([visionEngine, ocrEngine, faceEngine, facePrintEngine]",
        "contains([visionEngine, faceEngine]",
        "must get 2048 MB at least",
    ),
    Break(
        "the memory is what the parameter says",
        "modules/app.bicep",
        "instanceMemoryMB: memory",
        "instanceMemoryMB: instanceMemoryMB",
        "its instances must be `memory` and `kept`",
    ),
    Break(
        "one instance is ready though there are zones",
        "modules/app.bicep",
        "max(item.instanceCount, 2)",
        "item.instanceCount",
        "two instances at least must be ready",
    ),
    Break(
        "sampling is said where OpenTelemetry does not look",
        "../host.json",
        '"telemetryMode": "OpenTelemetry",',
        '"telemetryMode": "OpenTelemetry", "logging": {"applicationInsights": '
        '{"samplingSettings": {"isEnabled": true}}},',
        "logging.applicationInsights is ignored",
    ),
    Break(
        "the sampler is one that the host does not know",
        "modules/app.bicep",
        "'microsoft.rate_limited'",
        "'parentbased_traceidratio'",
        "OTEL_TRACES_SAMPLER must be one of",
    ),
)

WORKFLOW = (
    Break(
        "the deployment gives a role to its own identity",
        "modules/identity.bicep",
        "output appId string",
        "resource deploy 'Microsoft.Authorization/roleAssignments@2022-04-01' = {\n"
        "  name: guid(administrator.id)\n  scope: administrator\n  properties: {\n"
        "    principalId: administrator.properties.principalId\n"
        "    principalType: 'ServicePrincipal'\n"
        "    roleDefinitionId: 'b24988ac-6180-42a0-ab88-20f7382dd24c'\n  }\n}\n\n"
        "output appId string",
        "only the app and identities of resources get roles",
    ),
    Break(
        "the deployment assigns a role that the workflow may not give",
        "bootstrap.bicep",
        "974c5e8b-45b9-4653-ba55-5f855dd0fb88, ",
        "",
        "does not allow to write 974c5e8b",
    ),
    Break(
        "the workflow may give a role that nothing needs",
        "bootstrap.bicep",
        "'{b7e6dc6d-f1e8-4753-8033-0f276bb0955b,",
        "'{8e3af657-a8ff-443c-a75c-2fe8c4bcb635, b7e6dc6d-f1e8-4753-8033-0f276bb0955b,",
        "allows to write 8e3af657",
    ),
    Break(
        "the workflow may give roles to people",
        "bootstrap.bicep",
        " AND @Request[Microsoft.Authorization/roleAssignments:PrincipalType] "
        "ForAnyOfAnyValues:StringEqualsIgnoreCase ${receivers}",
        "",
        "its condition does not bound write",
    ),
    Break(
        "the workflow may take any role away",
        "bootstrap.bicep",
        "'(${mayWrite}) AND (${mayDelete})'",
        "'(${mayWrite})'",
        "its condition does not bound delete",
    ),
    Break(
        "the workflow may give every role",
        "bootstrap.bicep",
        "    condition: '(${mayWrite}) AND (${mayDelete})'\n",
        "",
        "its condition does not bound write",
    ),
    Break(
        "the workflow owns the group",
        "bootstrap.bicep",
        "b24988ac-6180-42a0-ab88-20f7382dd24c",
        "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
        "must give Contributor and",
    ),
    Break(
        "an assignment is of a kind that the workflow may not write",
        "modules/ai.bicep",
        "    principalType: 'ServicePrincipal'\n",
        "",
        "principalType must be 'ServicePrincipal'",
    ),
    Break(
        "an assignment is for the whole group",
        "modules/ai.bicep",
        "  scope: account\n  properties: {\n    principalId",
        "  scope: resourceGroup()\n  properties: {\n    principalId",
        "its scope must be one resource",
    ),
    Break(
        "the roles go to whoever administers SQL",
        "main.bicep",
        "appPrincipalId: identity.outputs.appPrincipalId",
        "appPrincipalId: identity.outputs.administratorPrincipalId",
        "appPrincipalId must be the app's",
    ),
    Break(
        "the deployment locks what it made",
        "modules/ai.bicep",
        "output id string",
        "resource lock 'Microsoft.Authorization/locks@2020-05-01' = {\n  name: 'lock'\n"
        "  scope: account\n  properties: {\n    level: 'CanNotDelete'\n  }\n}\n\n"
        "output id string",
        "may not write Microsoft.Authorization/locks",
    ),
)

AGAIN = (
    Break(
        "an SQL server that exists is sent administrators",
        "modules/sql.bicep",
        "administrators: madeWithEntra ? {",
        "administrators: empty(administratorLogin) ? {",
        "administrators: only a server that is made",
    ),
    Break(
        "an SQL server that exists is sent its password",
        "modules/sql.bicep",
        "administratorLoginPassword: madeWithPassword ? administratorLoginPassword : null",
        "administratorLoginPassword: administratorLoginPassword",
        "administratorLoginPassword: only a server that is made",
    ),
    Break(
        "whether the SQL server exists is not looked at",
        "modules/sql.bicep",
        "(!serverExists) && empty(administratorLogin)",
        "empty(administratorLogin)",
        "administrators: only a server that is made",
    ),
    Break(
        "another administrator of SQL is not passed on",
        "modules/sql.bicep",
        "name: 'ActiveDirectory'\n",
        "name: 'administrator'\n",
        "one administrators named ActiveDirectory",
    ),
    Break(
        "Entra ID alone is turned on only at times",
        "modules/sql.bicep",
        "azureADOnlyAuthentications@2023-08-01' = {",
        "azureADOnlyAuthentications@2023-08-01' = if (empty(administratorLogin)) {",
        "one azureADOnlyAuthentications named Default",
    ),
    Break(
        "Entra ID alone is turned on before there is an administrator",
        "modules/sql.bicep",
        "  dependsOn: [administrator]\n",
        "",
        "must wait for the administrator",
    ),
    Break(
        "nothing notes that the SQL server exists",
        "main.bicep",
        "notes: union({ 'imaginem-sql-${postFix}': 'made' },",
        "notes: union({},",
        "nothing writes the tag imaginem-sql-",
    ),
    Break(
        "nothing reads that the SQL server exists",
        "main.bicep",
        "sqlServerExists bool = contains(groupTags, 'imaginem-sql-${postFix}')",
        "sqlServerExists bool = false",
        "sqlServerExists must be what the tag",
    ),
    Break(
        "a budget begins anew each month",
        "main.bicep",
        "contains(groupTags, 'imaginem-budget-${postFix}') ? "
        "groupTags['imaginem-budget-${postFix}'] : utcNow('yyyy-MM')",
        "utcNow('yyyy-MM')",
        "budgetMonth must be what the tag",
    ),
    Break(
        "a budget begins on a fixed day",
        "modules/budget.bicep",
        "'${month}-01'",
        "'2026-11-01'",
        "begins on the first of the month that is noted",
    ),
    Break(
        "the tags of the group are lost",
        "modules/memory.bicep",
        "union(contains(resourceGroup(), 'tags') ? (resourceGroup().tags ?? {}) : {}, notes)",
        "notes",
        "must keep the tags that the group has",
    ),
)

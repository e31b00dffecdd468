"""Breaks that only Azure would notice, at a deployment or never."""

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

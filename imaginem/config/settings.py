"""The only reader of the environment: app settings, checked once and all together."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from imaginem.config import parsing
from imaginem.config.parsing import Reader
from imaginem.errors import ConfigurationError
from imaginem.ports import CoreSettings

DEFAULT_PIPELINE = (
    "generalclassification,ocr,facedetection,facecrop,faceprint,facematch,pipelineoutput"
)
MAX_DEQUEUE_COUNT = 5
"""Must equal `maxDequeueCount` of host.json: a step's last try is told by it."""
DEVELOPMENT_STORAGE = "UseDevelopmentStorage=true"
ENGINES = ("local", "azure")
ACCESS = ("local", "health", "platform")
# Confidence means something else in each: a cosine here, Azure's own scale there.
_INSTRUMENTATION_KEY = re.compile(r"(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
STORAGE_IDENTITY = tuple(
    f"AzureWebJobsStorage__{part}"
    for part in (
        "accountName",
        "credential",
        "clientId",
        "blobServiceUri",
        "queueServiceUri",
        "tableServiceUri",
    )
)
"""Settings that name a storage account without a key."""
_THRESHOLDS = {"local": (0.45, 0.37), "azure": (0.5, 0.4)}


# Where a deployment package has the weights of the local engine, if it has any.
_PACKAGED_WEIGHTS = Path(__file__).resolve().parents[2] / "weights"


def _usual_assets() -> Path:
    return _PACKAGED_WEIGHTS if _PACKAGED_WEIGHTS.is_dir() else Path("~/.cache/imaginem")


@dataclass(frozen=True)
class ServiceSettings:
    """One Azure AI account.

    Attributes:
        key: empty when the app's identity is used.
        per_second: calls that its tier takes; 0 for no pacing.
        price: of 1,000 calls, in any currency, for the estimate in the metrics.
    """

    endpoint: str = ""
    key: str = field(default="", repr=False)
    per_second: float = 10.0
    price: float = 1.0


@dataclass(frozen=True)
class TelemetrySettings:
    """Where traces, metrics and logs go; nowhere if all is empty."""

    insights: str = field(default="", repr=False)
    otlp: str = ""
    console: bool = False

    @property
    def wanted(self) -> bool:
        """Tell whether there is any place to send to."""
        return bool(self.insights or self.otlp or self.console)


@dataclass(frozen=True)
class Settings:
    """All settings; see `docs/settings.md`."""

    storage_connection: str = field(default=DEVELOPMENT_STORAGE, repr=False)
    storage_account: str = ""
    storage_endpoints: Mapping[str, str] = field(default_factory=dict)
    storage_client_id: str = ""
    client_id: str = ""
    pipeline: tuple[str, ...] = tuple(DEFAULT_PIPELINE.split(","))
    vision_engine: str = "local"
    face_engine: str = "local"
    face_print_engine: str = "local"
    vision: ServiceSettings = field(default_factory=ServiceSettings)
    face: ServiceSettings = field(default_factory=ServiceSettings)
    face_list: str = "imaginem"
    sql_connection: str = field(default="", repr=False)
    home: Path = Path(".imaginem")
    assets: Path = field(default_factory=_usual_assets)
    face_model: Path | None = None
    input_container: str = "inputimages"
    faces_container: str = "faces"
    match_threshold: float = 0.45
    possible_threshold: float = 0.37
    match_limit: int = 20
    max_attempts: int = 5
    max_waits: int = 100
    retry_seconds: float = 2.0
    allowed_image_hosts: tuple[str, ...] = ()
    on_azure: bool = False
    http_access: str = "local"
    telemetry: TelemetrySettings = field(default_factory=TelemetrySettings)

    def core(self) -> CoreSettings:
        """Return what the core needs of the settings."""
        return CoreSettings(
            default_pipeline=self.pipeline,
            input_container=self.input_container,
            faces_container=self.faces_container,
            max_attempts=self.max_attempts,
            max_waits=self.max_waits,
            max_dequeue_count=MAX_DEQUEUE_COUNT,
            retry_seconds=self.retry_seconds,
        )

    @property
    def engines(self) -> set[str]:
        """The engines in use."""
        return {self.vision_engine, self.face_engine, self.face_print_engine}


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment.

    Raises:
        ConfigurationError: names every setting that is wrong, and how to mend it.
    """
    read = Reader(os.environ if environment is None else environment)
    default = Settings()
    connection, account, endpoints = _storage(read)
    face_engine = read.one_of("FACE_ENGINE", default.face_engine, ENGINES)
    print_engine = read.one_of("FACE_PRINT_ENGINE", face_engine, ENGINES)
    vision_engine = read.one_of("VISION_ENGINE", default.vision_engine, ENGINES)
    match, possible = _thresholds(read, print_engine)
    on_azure = bool(read.text("WEBSITE_SITE_NAME"))
    settings = Settings(
        storage_connection=connection,
        storage_account=account,
        storage_endpoints=endpoints,
        storage_client_id=read.text("AzureWebJobsStorage__clientId", read.text("AZURE_CLIENT_ID")),
        client_id=read.text("AZURE_CLIENT_ID"),
        pipeline=read.parsed(
            "PIPELINE_DEFINITION",
            default.pipeline,
            parsing.pipeline,
            "step names with commas between",
        ),
        vision_engine=vision_engine,
        face_engine=face_engine,
        face_print_engine=print_engine,
        vision=_service(read, "VISION", vision_engine == "azure"),
        face=_service(read, "FACE", "azure" in (face_engine, print_engine)),
        face_list=read.parsed(
            "FACE_LIST", default.face_list, parsing.list_name, "1 to 50 of a-z, 0-9, - and _"
        ),
        sql_connection=read.text("SQL_CONNECTION_STRING"),
        home=Path(read.text("IMAGINEM_HOME", str(default.home))).expanduser(),
        assets=Path(read.text("IMAGINEM_ASSETS", str(default.assets))).expanduser(),
        face_model=read.parsed("FACE_MODEL", None, parsing.file, "the path of a model's JSON file"),
        input_container=read.parsed(
            "INPUT_CONTAINER", default.input_container, parsing.container, "a container name"
        ),
        faces_container=read.parsed(
            "FACES_CONTAINER", default.faces_container, parsing.container, "a container name"
        ),
        match_threshold=match,
        possible_threshold=possible,
        match_limit=read.parsed(
            "FACE_MATCH_LIMIT", default.match_limit, parsing.positive, "1 or more"
        ),
        max_attempts=read.parsed(
            "MAX_ATTEMPTS", default.max_attempts, parsing.positive, "1 or more"
        ),
        max_waits=read.parsed("MAX_WAITS", default.max_waits, parsing.positive, "1 or more"),
        retry_seconds=read.parsed(
            "RETRY_SECONDS", default.retry_seconds, parsing.seconds, "seconds"
        ),
        allowed_image_hosts=read.names("ALLOWED_IMAGE_HOSTS"),
        on_azure=on_azure,
        http_access=_access(read, on_azure),
        telemetry=TelemetrySettings(
            insights=_insights(read),
            otlp=read.parsed(
                "OTEL_EXPORTER_OTLP_ENDPOINT", "", parsing.address, "an http(s) address"
            ),
            console=read.one_of("IMAGINEM_TELEMETRY", "", ("console",)) == "console",
        ),
    )
    if read.problems:
        raise ConfigurationError("settings: " + "; ".join(read.problems))
    return settings


def _storage(read: Reader) -> tuple[str, str, dict[str, str]]:
    """Return connection string, account name and endpoints of the storage account."""
    account = read.text("AzureWebJobsStorage__accountName")
    asked = {
        "blob": "AzureWebJobsStorage__blobServiceUri",
        "queue": "AzureWebJobsStorage__queueServiceUri",
        "table": "AzureWebJobsStorage__tableServiceUri",
    }
    endpoints = {
        service: found
        for service, name in asked.items()
        if (found := read.parsed(name, "", parsing.address, "an http(s) address"))
    }
    if endpoints and not account and len(endpoints) < len(asked):
        read.problems.append(f"{' and '.join(asked.values())}: set all three, or __accountName")
    by_identity = bool(account or endpoints)
    connection = read.text("AzureWebJobsStorage", "" if by_identity else DEVELOPMENT_STORAGE)
    if by_identity and connection:
        read.problems.append(
            "AzureWebJobsStorage and AzureWebJobsStorage__accountName are both set: remove one"
        )
    return connection, account, endpoints


def _thresholds(read: Reader, engine: str) -> tuple[float, float]:
    usual_match, usual_possible = _THRESHOLDS[engine]
    match = read.parsed("FACE_MATCH_THRESHOLD", usual_match, parsing.share, "0 to 1")
    possible = read.parsed(
        "FACE_POSSIBLE_THRESHOLD", min(usual_possible, match), parsing.share, "0 to 1"
    )
    if possible > match:
        read.problems.append(
            f"FACE_POSSIBLE_THRESHOLD ({possible}) is above FACE_MATCH_THRESHOLD ({match}): "
            "lower it"
        )
    return match, possible


_SERVICES = {
    "VISION": ("VISION_ENDPOINT", "VISION_API_KEY", "VISION_CALLS_PER_SECOND", "VISION_PRICE"),
    "FACE": ("FACE_ENDPOINT", "FACE_API_KEY", "FACE_CALLS_PER_SECOND", "FACE_PRICE"),
}


def _service(read: Reader, name: str, used: bool) -> ServiceSettings:
    default = ServiceSettings()
    endpoint, key, per_second, price = _SERVICES[name]
    found = ServiceSettings(
        endpoint=read.parsed(endpoint, "", parsing.address, "the account's https address"),
        key=read.text(key),
        per_second=read.parsed(per_second, default.per_second, parsing.amount, "calls a second"),
        price=read.parsed(price, default.price, parsing.amount, "the price of 1,000 calls"),
    )
    if used and not found.endpoint and not read.text(endpoint):
        read.problems.append(
            f"{name}_ENGINE is azure, but {endpoint} is empty: give the account's address, such "
            "as https://<name>.cognitiveservices.azure.com"
        )
    if found.endpoint.startswith("http://") and not found.key:
        read.problems.append(
            f"{endpoint} is http, over which no identity's token is sent: use https, or set {key}"
        )
    return found


def _is_insights(text: str) -> bool:
    """Tell whether the exporter will take a connection string; it is strict."""
    parts = [part.split("=") for part in text.split(";")]
    if any(len(part) != 2 for part in parts):
        return False
    named = {name.lower(): value for name, value in parts}
    if named.get("authorization", "ikey").lower() != "ikey":
        return False
    return bool(_INSTRUMENTATION_KEY.fullmatch(named.get("instrumentationkey", "")))


def _insights(read: Reader) -> str:
    found = read.text("APPLICATIONINSIGHTS_CONNECTION_STRING")
    if found and not _is_insights(found):
        read.problems.append(
            "APPLICATIONINSIGHTS_CONNECTION_STRING is none of Application "
            "Insights: copy it from the resource's overview"
        )
    return found


def _access(read: Reader, on_azure: bool) -> str:
    """Return who may call the API; see docs/settings.md."""
    access = read.one_of("HTTP_ACCESS", "health" if on_azure else "local", ACCESS)
    if on_azure and access == "local":
        read.problems.append(
            "HTTP_ACCESS is 'local', which opens the API to everybody on Azure: set 'platform' "
            "with platform authentication on, or 'health'"
        )
    if on_azure and access == "platform" and read.text("WEBSITE_AUTH_ENABLED").lower() == "false":
        read.problems.append(
            "HTTP_ACCESS is 'platform', but platform authentication is off: turn it on "
            "(authSettingsV2), or set 'health'"
        )
    return access

"""The only reader of the environment: app settings, checked once and all together."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from imaginem.errors import ConfigurationError, InvalidMessage
from imaginem.names import check_pipeline
from imaginem.ports import Limits

DEFAULT_PIPELINE = (
    "generalclassification,ocr,facedetection,facecrop,faceprint,facematch,pipelineoutput"
)
MAX_DEQUEUE_COUNT = 5
"""Must equal `maxDequeueCount` of host.json: a step's last try is told by it."""
DEVELOPMENT_STORAGE = "UseDevelopmentStorage=true"
ENGINES = ("local",)

T = TypeVar("T")


@dataclass(frozen=True)
class Settings:
    """All settings; see `docs/settings.md`."""

    storage_connection: str = field(default=DEVELOPMENT_STORAGE, repr=False)
    storage_account: str = ""
    storage_client_id: str = ""
    pipeline: tuple[str, ...] = tuple(DEFAULT_PIPELINE.split(","))
    vision_engine: str = "local"
    face_engine: str = "local"
    face_print_engine: str = "local"
    sql_connection: str = field(default="", repr=False)
    home: Path = Path(".imaginem")
    assets: Path = Path("~/.cache/imaginem")
    face_model: Path | None = None
    input_container: str = "inputimages"
    faces_container: str = "faces"
    match_threshold: float = 0.45
    possible_threshold: float = 0.37
    match_limit: int = 20
    max_attempts: int = 5
    retry_seconds: float = 2.0
    allowed_image_hosts: tuple[str, ...] = ()

    def limits(self) -> Limits:
        """Return what the core needs of the settings."""
        return Limits(
            default_pipeline=self.pipeline,
            input_container=self.input_container,
            faces_container=self.faces_container,
            max_attempts=self.max_attempts,
            max_dequeue_count=MAX_DEQUEUE_COUNT,
            retry_seconds=self.retry_seconds,
        )


class _Reader:
    """Reads settings and collects every problem, so that all are told at once."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.problems: list[str] = []

    def text(self, name: str, default: str = "") -> str:
        return self._environment.get(name, "").strip() or default

    def parsed(self, name: str, default: T, parse: Callable[[str], T], expected: str) -> T:
        raw = self.text(name)
        if not raw:
            return default
        try:
            return parse(raw)
        except (ValueError, InvalidMessage) as problem:
            detail = f" ({problem})" if isinstance(problem, InvalidMessage) else ""
            self.problems.append(f"{name} is {raw!r}: give {expected}{detail}")
            return default

    def names(self, name: str) -> tuple[str, ...]:
        return tuple(part.strip() for part in self.text(name).split(",") if part.strip())

    def engine(self, name: str, default: str) -> str:
        def check(raw: str) -> str:
            if raw.lower() not in ENGINES:
                raise ValueError
            return raw.lower()

        return self.parsed(name, default, check, " or ".join(ENGINES))


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment.

    Raises:
        ConfigurationError: names every setting that is wrong, and how to mend it.
    """
    read = _Reader(os.environ if environment is None else environment)
    account = read.text("AzureWebJobsStorage__accountName")
    default = Settings()
    face_engine = read.engine("FACE_ENGINE", default.face_engine)
    match = read.parsed("FACE_MATCH_THRESHOLD", default.match_threshold, _share, "0 to 1")
    possible = read.parsed(
        "FACE_POSSIBLE_THRESHOLD", min(default.possible_threshold, match), _share, "0 to 1"
    )
    if possible > match:
        read.problems.append(
            f"FACE_POSSIBLE_THRESHOLD ({possible}) is above FACE_MATCH_THRESHOLD ({match}): "
            "lower it"
        )
    connection = read.text("AzureWebJobsStorage", "" if account else DEVELOPMENT_STORAGE)
    if account and connection:
        read.problems.append(
            "AzureWebJobsStorage and AzureWebJobsStorage__accountName are both set: remove one"
        )
    settings = Settings(
        storage_connection=connection,
        storage_account=account,
        storage_client_id=read.text("AzureWebJobsStorage__clientId", read.text("AZURE_CLIENT_ID")),
        pipeline=read.parsed(
            "PIPELINE_DEFINITION", default.pipeline, _pipeline, "step names with commas between"
        ),
        vision_engine=read.engine("VISION_ENGINE", default.vision_engine),
        face_engine=face_engine,
        face_print_engine=read.engine("FACE_PRINT_ENGINE", face_engine),
        sql_connection=read.text("SQL_CONNECTION_STRING"),
        home=Path(read.text("IMAGINEM_HOME", str(default.home))).expanduser(),
        assets=Path(read.text("IMAGINEM_ASSETS", str(default.assets))).expanduser(),
        face_model=read.parsed("FACE_MODEL", None, _file, "the path of a model's JSON file"),
        input_container=read.parsed(
            "INPUT_CONTAINER", default.input_container, _container, "a container name"
        ),
        faces_container=read.parsed(
            "FACES_CONTAINER", default.faces_container, _container, "a container name"
        ),
        match_threshold=match,
        possible_threshold=possible,
        match_limit=read.parsed("FACE_MATCH_LIMIT", default.match_limit, _positive, "1 or more"),
        max_attempts=read.parsed("MAX_ATTEMPTS", default.max_attempts, _positive, "1 or more"),
        retry_seconds=read.parsed("RETRY_SECONDS", default.retry_seconds, _seconds, "seconds"),
        allowed_image_hosts=read.names("ALLOWED_IMAGE_HOSTS"),
    )
    if read.problems:
        raise ConfigurationError("settings: " + "; ".join(read.problems))
    return settings


def _share(raw: str) -> float:
    value = float(raw)
    if not 0 <= value <= 1:
        raise ValueError
    return value


def _file(raw: str) -> Path | None:
    path = Path(raw).expanduser()
    if not path.is_file():
        raise ValueError
    return path


def _positive(raw: str) -> int:
    value = int(raw)
    if value < 1:
        raise ValueError
    return value


def _seconds(raw: str) -> float:
    value = float(raw)
    if not 0 <= value < 3600:
        raise ValueError
    return value


def _pipeline(raw: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in raw.split(",") if part.strip())
    if not names:
        raise ValueError
    check_pipeline(names)
    return names


def _container(raw: str) -> str:
    check_pipeline([raw])  # containers follow the same naming rule as queues
    return raw


def local_settings(folder: Path) -> dict[str, str]:
    """Return the `Values` of a folder's `local.settings.json`, as Core Tools reads them.

    Raises:
        ConfigurationError: the file is no JSON object with text values.
    """
    path = folder / "local.settings.json"
    if not path.exists():
        return {}
    try:
        values = json.loads(path.read_text("utf-8")).get("Values", {})
        return {str(name): str(value) for name, value in values.items()}
    except (ValueError, AttributeError) as problem:
        raise ConfigurationError(
            f"local.settings.json can't be read ({problem}): compare it with "
            "local.settings.json.example"
        ) from None


def apply_local_settings(folder: Path) -> None:
    """Put `local.settings.json` into the environment; what is set there already wins."""
    for name, value in local_settings(folder).items():
        os.environ.setdefault(name, value)

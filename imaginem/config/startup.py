"""What must hold on Azure before the first message comes: checked when the app starts."""

from importlib.util import find_spec

from imaginem.config.settings import Settings
from imaginem.errors import ConfigurationError

# What a local engine imports, by the setting that asks for it.
_LOCAL_PACKAGES = {
    "VISION_ENGINE": ("onnxruntime", "cv2", "numpy", "rapidocr"),
    "FACE_ENGINE": ("onnxruntime",),
    "FACE_PRINT_ENGINE": ("onnxruntime",),
}


def check_start(settings: Settings) -> None:
    """Refuse to start on Azure with settings that would fail, or lose results, later.

    Raises:
        ConfigurationError: names everything that is wrong, and how to mend it.
    """
    if not settings.on_azure:
        return
    problems = [*_database_problems(settings), *_engine_problems(settings)]
    if problems:
        raise ConfigurationError("the app can't start on Azure: " + "; ".join(problems))


def _database_problems(settings: Settings) -> list[str]:
    if settings.sql_connection and not settings.sql_connection.lower().startswith("sqlite"):
        return []
    return [
        "SQL_CONNECTION_STRING is empty or SQLite, which instances can't share and which is "
        "lost with them: give the address of an Azure SQL or PostgreSQL database"
    ]


def _engine_problems(settings: Settings) -> list[str]:
    local = [name for name, kind in settings.engine_choices.items() if kind == "local"]
    if not local:
        return []
    needed = {package for name in local for package in _LOCAL_PACKAGES[name]}
    missing = sorted(package for package in needed if find_spec(package) is None)
    problems = []
    if missing:
        problems.append(
            f"{' and '.join(local)} is 'local', but {', '.join(missing)} is not installed: build "
            "the package with the local engine (make package ENGINES=local), or set it to 'azure'"
        )
    if not settings.assets.is_dir():
        problems.append(
            f"{' and '.join(local)} is 'local', but there are no weights in {settings.assets}: "
            "build the package with the local engine (make package ENGINES=local)"
        )
    return problems

"""What is looked at when the app starts, before the first message comes."""

import logging
from collections.abc import Collection, Iterable
from importlib.util import find_spec

from imaginem.config.engine_table import EngineTable, Provider
from imaginem.config.settings import Settings
from imaginem.errors import ConfigurationError

_logger = logging.getLogger("imaginem.config")
_BUILD = "build the package with the local engine (make package ENGINES=local)"
_REQUIRE = "add it to requirements.txt"


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


def unknown_steps(settings: Settings, known: Collection[str]) -> list[str]:
    """Return a line for each setting that names steps which the app does not have.

    They may be steps of another app on the same storage, so it starts with them.

    Args:
        settings: of the app.
        known: names of the app's steps.
    """
    fused = sorted(name for group in settings.fusion.groups for name in group)
    named = {"PIPELINE_DEFINITION": settings.pipeline, "PIPELINE_FUSION": fused}
    unknown = {
        setting: [name for name in names if name not in known] for setting, names in named.items()
    }
    return [
        f"{setting} names {', '.join(names)}, which no step serves: correct it, or add the step"
        for setting, names in unknown.items()
        if names
    ]


def log_unknown_steps(settings: Settings, known: Collection[str]) -> None:
    """Write a warning for each line of `unknown_steps`."""
    for line in unknown_steps(settings, known):
        _logger.warning("%s", line)


def _database_problems(settings: Settings) -> list[str]:
    if settings.sql_connection and not settings.sql_connection.lower().startswith("sqlite"):
        return _driver_problems(settings)
    return [
        "SQL_CONNECTION_STRING is empty or SQLite, which instances can't share and which is "
        "lost with them: give the address of an Azure SQL or PostgreSQL database"
    ]


def _driver_problems(settings: Settings) -> list[str]:
    if settings.sql_driver == "pyodbc" or find_spec("mssql_python") is not None:
        return []
    return [
        "SQL_DRIVER is 'mssql-python', which is not installed: build the package with it (make "
        "package SQL_DRIVER=mssql-python), or set it to 'pyodbc'"
    ]


def _engine_problems(settings: Settings) -> list[str]:
    """Return what the chosen providers lack, each provider's settings together."""
    used: dict[str, dict[str, list[Provider]]] = {}
    for row, provider in settings.engine_table.providers(settings.engine_choices):
        used.setdefault(provider.name, {}).setdefault(row.setting, []).append(provider)
    problems = []
    for name, by_setting in used.items():
        providers = [provider for chosen in by_setting.values() for provider in chosen]
        chosen = f"{' and '.join(by_setting)} is {name!r}"
        build = _BUILD if any(provider.needs_weights for provider in providers) else _REQUIRE
        packages = {package for provider in providers for package in provider.packages}
        missing = sorted(package for package in packages if find_spec(package) is None)
        if missing:
            problems.append(
                f"{chosen}, but {', '.join(missing)} is not installed: {build}"
                f"{_alternative(settings.engine_table, by_setting, name)}"
            )
        if build is _BUILD and not settings.assets.is_dir():
            problems.append(f"{chosen}, but there are no weights in {settings.assets}: {build}")
    return problems


def _alternative(table: EngineTable, settings: Iterable[str], name: str) -> str:
    """Return a hint at the other providers that all these settings allow."""
    allowed = [set(table.allowed()[setting]) for setting in settings]
    others = sorted(set.intersection(*allowed) - {name})
    return f", or set it to {' or '.join(map(repr, others))}" if others else ""

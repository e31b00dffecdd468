"""Makes the engines that the settings choose; an engine's module loads when it is first used."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, Protocol, cast

from imaginem.config.engine_table import Provider
from imaginem.config.settings import Settings
from imaginem.engines.parts import EngineParts
from imaginem.errors import ConfigurationError
from imaginem.ports import EngineKind, EngineT, MaintenanceJob


class EngineModule(Protocol):
    """What the module of a provider holds."""

    def make_engine(self, parts: EngineParts) -> Any:
        """Return the engine, which fulfils the protocol of its kind. Models load later.

        Raises:
            ConfigurationError: a setting, a package or a file is missing.
        """

    def engine_name(self, settings: Settings) -> str:
        """Return the name that the engine will have, without making it."""


def _module(provider: Provider) -> EngineModule:
    """Import a provider's module.

    Raises:
        ConfigurationError: one of its packages is not installed.
    """
    try:
        return cast(EngineModule, import_module(provider.module))
    except ModuleNotFoundError as problem:
        if problem.name not in provider.packages:
            raise
        file = "requirements-local.txt" if provider.needs_weights else "requirements.txt"
        raise ConfigurationError(
            f"the {provider.name} engine needs {problem.name}: `pip install -r {file}`, or choose "
            "another engine"
        ) from None


def make_engine(kind: EngineKind[EngineT], parts: EngineParts) -> EngineT:
    """Return the engine of a kind that the settings choose.

    Raises:
        ConfigurationError: a setting, a package or a file that it needs is missing.
    """
    settings = parts.settings
    provider = settings.engine_table.provider(kind, settings.engine_choices)
    engine: EngineT = _module(provider).make_engine(parts)
    return engine


def engine_names(settings: Settings) -> dict[str, str]:
    """Return the names of the chosen engines, by the name of their kind that users see."""
    return {
        row.shown_as: _module(provider).engine_name(settings)
        for row, provider in settings.engine_table.providers(settings.engine_choices)
    }


def maintenance_jobs(settings: Settings, parts: Callable[[], EngineParts]) -> list[MaintenanceJob]:
    """Return what the engines need done every few minutes.

    Args:
        settings: say which jobs there are. Where there is a Face account, faces that were erased
            must go from its lists, even if another engine recognizes faces by now.
        parts: called when a job runs.
    """
    if not settings.face.endpoint:
        return []

    def maintain_face_lists() -> None:
        from imaginem.engines.azure.accounts import face_lists

        face_lists(parts()).maintain(train=settings.face_print_engine == "azure")

    return [MaintenanceJob("face lists", maintain_face_lists)]

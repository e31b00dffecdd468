"""The only reader of the environment: all settings, checked once and together."""

import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, get_args

from imaginem.config.declare import read_section
from imaginem.config.engine_table import ENGINE_TABLE, AccountName, EngineTable
from imaginem.config.sections.access import AccessSettings, access_problems
from imaginem.config.sections.accounts import AccountSettings, ServiceSettings, account_problems
from imaginem.config.sections.costs import CostSettings
from imaginem.config.sections.engines import (
    EngineSettings,
    for_engines,
    grid_problems,
    threshold_problems,
)
from imaginem.config.sections.openai import OpenAiAccount, OpenAiSettings, openai_problems
from imaginem.config.sections.pipeline import MAX_DEQUEUE_COUNT, PipelineSettings
from imaginem.config.sections.retention import RetentionSettings
from imaginem.config.sections.storage import (
    DEVELOPMENT_STORAGE,
    STORAGE_IDENTITY,
    StorageSettings,
    storage_problems,
)
from imaginem.config.sections.telemetry import TelemetrySettings
from imaginem.errors import ConfigurationError
from imaginem.ports import CoreSettings, EngineKind

__all__ = [
    "DEVELOPMENT_STORAGE",
    "MAX_DEQUEUE_COUNT",
    "STORAGE_IDENTITY",
    "ServiceSettings",
    "Settings",
    "TelemetrySettings",
    "read_settings",
]


class Settings(
    AccessSettings,
    AccountSettings,
    CostSettings,
    EngineSettings,
    OpenAiSettings,
    PipelineSettings,
    RetentionSettings,
    StorageSettings,
):
    """All settings; see docs/settings.md."""

    telemetry: TelemetrySettings

    @property
    def setup(self) -> str:
        """What decides which calls a photo takes: the engines, and whether steps run fused."""
        parts = [f"{name}={provider}" for name, provider in self.chosen_providers().items()]
        if self.face_grid.cells > 1:
            parts.append(f"grid={self.face_grid}")
        return " ".join([*parts, "unfused" if self.fusion.is_off else "fused"])[:300]

    def core(self) -> CoreSettings:
        """Return what pipeline and use cases need of the settings."""
        return replace(
            super().core(),
            retention=self.days(),
            purposes=self.audit_purposes,
            match_limit=self.match_limit,
            face_grid=self.face_grid,
            face_grid_seconds=self.face_grid_seconds,
            backup_days=self.backup_days(on_azure=self.on_azure),
            looks_again=bool(self.watchdog_minutes),
        )


def read_settings(
    environment: Mapping[str, str] | None = None, engines: EngineTable = ENGINE_TABLE
) -> Settings:
    """Read the settings from the environment.

    Args:
        environment: texts by name; this process's by default.
        engines: which settings choose engines, and what they may choose.

    Raises:
        ConfigurationError: names every setting that is wrong, and how to mend it.
    """
    section = Settings if engines is ENGINE_TABLE else for_engines(Settings, engines)
    settings, wrong = read_section(section, os.environ if environment is None else environment)
    problems = [*wrong.values(), *_contradictions(settings, wrong), *grid_problems(settings)]
    if problems:
        raise ConfigurationError("settings: " + "; ".join(problems))
    return settings


def choosing(settings: Settings, kind: EngineKind[Any], provider: str) -> Settings:
    """Return the settings as they would be with another provider of a kind of engine.

    Raises:
        ConfigurationError: there is no such provider, or a setting that it needs is missing.
    """
    row = settings.engine_table.row(kind)
    allowed = [each.name for each in row.providers]
    if provider not in allowed:
        raise ConfigurationError(
            f"{row.shown_as}: there is no engine {provider!r}: choose {' or '.join(allowed)}"
        )
    chosen = settings.model_copy(update={row.setting.lower(): provider})
    problems = _contradictions(chosen, ())
    if problems:
        raise ConfigurationError("settings: " + "; ".join(problems))
    return chosen


def _contradictions(settings: Settings, wrong: Collection[str]) -> list[str]:
    """Return what is wrong between settings, each of which is right on its own."""
    return [
        *storage_problems(settings),
        *threshold_problems(settings),
        *_account_problems(settings, wrong),
        *access_problems(settings),
    ]


def _account_problems(settings: Settings, wrong: Collection[str]) -> list[str]:
    table, chosen = settings.engine_table, settings.engine_choices
    name: AccountName
    problems: list[str] = []
    for name in get_args(AccountName):
        account: ServiceSettings = getattr(settings, name.lower())
        users = table.users(name, chosen)
        if isinstance(account, OpenAiAccount):
            problems += openai_problems(account, users, wrong)
        else:
            problems += account_problems(name, account, users, wrong)
    return problems

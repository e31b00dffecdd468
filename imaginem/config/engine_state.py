"""All of the settings that may change what engines find, as one hash."""

import hashlib
from collections.abc import Mapping

from pydantic import BaseModel
from pydantic_core import to_json

import imaginem
from imaginem.config.sections.access import AccessSettings
from imaginem.config.sections.pipeline import PipelineSettings
from imaginem.config.sections.retention import RetentionSettings
from imaginem.config.sections.storage import StorageSettings
from imaginem.config.settings import Settings

_OTHERS = (AccessSettings, PipelineSettings, RetentionSettings, StorageSettings)
_NOT_SEEN = frozenset({"key", "calls_per_second"})
"""Fields of accounts: another key or pace finds the same."""


def state_of_engines(settings: Settings, names: Mapping[str, str]) -> str:
    """Return a hash of the engines in use, of their settings, and of this version.

    Settings of sections that are made later count, too: what is made anew needlessly costs less
    than an output that another engine has made.

    Args:
        settings: of the app.
        names: of the engines and models in use, by kind.
    """
    others = {name for section in _OTHERS for name in section.model_fields} | {"telemetry"}
    own = {
        name: _value(getattr(settings, name))
        for name in type(settings).model_fields
        if name not in others
    }
    return hashlib.sha256(to_json([imaginem.__version__, dict(names), own])).hexdigest()


def _value(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude=set(_NOT_SEEN))
    return str(value)

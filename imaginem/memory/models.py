"""An in-memory fake of the models that steps bring."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from imaginem.errors import ConfigurationError
from imaginem.outputs import ModelObject, ModelTag
from imaginem.ports.models import Network
from imaginem.ports.weights import FileSource

if TYPE_CHECKING:
    from imaginem.images.decoding import Photo
    from imaginem.ports.model_card import ClassifierCard, DetectorCard


@dataclass
class MemoryModels:
    """Models that answer what they are told to; without a network or a file, none is there.

    Attributes:
        networks: by sha256 of their files.
        paths: of files, by sha256.
        tags_found: what a classifier's card says of every photo, by its step.
        objects_found: what a detector's card finds in every photo, by its step.
    """

    networks: Mapping[str, Network] = field(default_factory=dict)
    paths: Mapping[str, Path] = field(default_factory=dict)
    tags_found: Mapping[str, Sequence[ModelTag]] = field(default_factory=dict)
    objects_found: Mapping[str, Sequence[ModelObject]] = field(default_factory=dict)

    def path(self, step: str, source: FileSource) -> Path:
        """Return the path that was passed.

        Raises:
            ConfigurationError: none was.
        """
        if source.sha256 not in self.paths:
            raise _missing(step, source)
        return self.paths[source.sha256]

    def network(self, step: str, source: FileSource) -> Network:
        """Return the network that was passed.

        Raises:
            ConfigurationError: none was.
        """
        if source.sha256 not in self.networks:
            raise _missing(step, source)
        return self.networks[source.sha256]

    def tags(self, step: str, card: "ClassifierCard", photo: "Photo") -> list[ModelTag]:
        """Return the tags that were passed for a step."""
        return list(self.tags_found.get(step, ()))

    def objects(self, step: str, card: "DetectorCard", photo: "Photo") -> list[ModelObject]:
        """Return the things that were passed for a step."""
        return list(self.objects_found.get(step, ()))


def _missing(step: str, source: FileSource) -> ConfigurationError:
    return ConfigurationError(
        f"the step {step}: {source.place} is missing: run `imaginem assets fetch`"
    )

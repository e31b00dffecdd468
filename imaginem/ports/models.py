"""Models that steps bring: their files, the networks in them, and what model cards say of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from imaginem.ports.weights import FileSource

if TYPE_CHECKING:
    from imaginem.images.decoding import Photo
    from imaginem.ports.model_card import ClassifierCard, DetectorCard
    from imaginem.ports.outputs.own_models import ModelObject, ModelTag


class Network(Protocol):
    """An ONNX network that is open; threads may share it."""

    @property
    def inputs(self) -> list[str]:
        """Return the names of the inputs."""

    @property
    def outputs(self) -> list[str]:
        """Return the names of the outputs."""

    def run(self, inputs: Mapping[str, Any], *outputs: str) -> list[Any]:
        """Return the named outputs, or all, as numpy arrays.

        Args:
            inputs: numpy arrays by the names of inputs.
            outputs: names of outputs.
        """


class Models(Protocol):
    """The models of steps. Nothing is fetched here: `imaginem assets fetch` does that."""

    def path(self, step: str, source: FileSource) -> Path:
        """Return the path of a step's file.

        Raises:
            ConfigurationError: it is missing or not the declared one; names step and command.
        """

    def network(self, step: str, source: FileSource) -> Network:
        """Return the network in a step's file: opened once a process, closed when it is idle.

        Raises:
            ConfigurationError: as of `path`; or onnxruntime is missing or refuses the file.
        """

    def tags(self, step: str, card: "ClassifierCard", photo: "Photo") -> "list[ModelTag]":
        """Return what a classifier says of a photo, surest first.

        Raises:
            ConfigurationError: as of `network`; or the network doesn't answer as its card says.
        """

    def objects(self, step: str, card: "DetectorCard", photo: "Photo") -> "list[ModelObject]":
        """Return what a detector finds in a photo, surest first; boxes are in its pixels.

        Raises:
            ConfigurationError: as of `tags`.
        """

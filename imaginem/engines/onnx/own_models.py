"""The models that steps bring: each network is opened once a process, and closed when idle."""

import ctypes
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from imaginem.assets.weights import WeightsStore
from imaginem.engines.onnx.kept import Kept
from imaginem.errors import ConfigurationError
from imaginem.images.decoding import Photo
from imaginem.outputs import ModelObject, ModelTag
from imaginem.ports.model_card import ClassifierCard, DetectorCard
from imaginem.ports.weights import FileSource

if TYPE_CHECKING:
    from imaginem.engines.onnx.network import OnnxNetwork


class OwnModels:
    """Fulfils `imaginem.ports.Models`; numpy and onnxruntime load with the first network.

    Args:
        folder: the setting IMAGINEM_ASSETS, where fetched files are.
        later: does something after so many seconds.
    """

    def __init__(self, folder: Path, later: Callable[[float, Callable[[], None]], object]) -> None:
        self._store = WeightsStore(folder)
        self._networks: Kept[Path, OnnxNetwork] = Kept(later, after=_give_back_memory)

    def path(self, step: str, source: FileSource) -> Path:
        """Return the path of a step's file.

        Raises:
            ConfigurationError: it is missing or not the declared one.
        """
        return self._store.path(step, source)

    def network(self, step: str, source: FileSource) -> "OnnxNetwork":
        """Return the network in a step's file.

        Raises:
            ConfigurationError: the file is missing, or no network; or a package is missing.
        """
        path = self.path(step, source)
        try:
            from imaginem.engines.onnx.network import OnnxNetwork
        except ModuleNotFoundError as problem:
            raise ConfigurationError(
                f"the step {step} needs {problem.name}: `pip install -r requirements-local.txt`; "
                "for Azure, @step(requirements=…) names it"
            ) from None
        return self._networks.get(path, lambda: OnnxNetwork(path, f"the step {step}"))

    def tags(self, step: str, card: ClassifierCard, photo: Photo) -> list[ModelTag]:
        """Return what a classifier says of a photo, surest first.

        Raises:
            ConfigurationError: as of `network`; or the card does not fit the network.
        """
        network, labels = self.ready(step, card)
        from imaginem.engines.onnx.looking import tags_of

        return tags_of(card, network, labels, photo)

    def objects(self, step: str, card: DetectorCard, photo: Photo) -> list[ModelObject]:
        """Return what a detector finds in a photo, surest first; errors as of `tags`."""
        network, labels = self.ready(step, card)
        from imaginem.engines.onnx.looking import objects_of

        return objects_of(card, network, labels, photo)

    def ready(
        self, step: str, card: ClassifierCard | DetectorCard
    ) -> "tuple[OnnxNetwork, list[str]]":
        """Return a card's network and labels; errors as of `tags`."""
        network = self.network(step, card.model)
        from imaginem.engines.onnx.looking import labels_of

        file = self.path(step, card.labels) if isinstance(card.labels, FileSource) else None
        return network, labels_of(card, network, file)


def _give_back_memory() -> None:
    """Return to the system what a closed network had: the C library would keep it for another."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc alone has it
        if trim is not None:
            trim(0)

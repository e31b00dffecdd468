"""What every runtime offers: a network that is open."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]


class Session(Protocol):
    """A network that is ready to run; threads may share it."""

    @property
    def inputs(self) -> list[str]:
        """The names of the inputs, in the network's order."""
        ...

    @property
    def outputs(self) -> list[str]:
        """The names of the outputs, in the network's order."""
        ...

    @property
    def metadata(self) -> Mapping[str, str]:
        """The texts that the network's makers put into its file."""
        ...

    def run(self, inputs: Arrays, outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        """Return these outputs; the arrays are the caller's.

        Args:
            inputs: arrays by the names of inputs.
            outputs: names of outputs; none means all of them.
        """
        ...


class Unusable(Exception):
    """A runtime is not installed, does not load on this machine, or refuses a network."""

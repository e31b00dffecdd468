"""Which models stay open."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from imaginem.engines.local.scripts.data import Data

MOST_OPEN = 8
"""Models that a process keeps open: 7 to 16 MB each, and 0.1 to 0.3 seconds to open one again."""


class OpenModels:
    """Keeps the models open that are used most often.

    If those used last stayed, a line for which all are asked would close all of them in turn.

    Args:
        open_model: opens one; None if it can't be opened.
        most: that stay open.
    """

    def __init__(self, open_model: Callable[[Data], Any], most: int = MOST_OPEN) -> None:
        self._open_model, self._most = open_model, most
        self._open: dict[Data, Any] = {}
        self._uses: Counter[Data] = Counter()

    def get(self, data: Data) -> Any:
        """Return an open model; None for one that can't be opened."""
        self._uses[data] += 1
        if data not in self._open:
            if len(self._open) >= self._most:
                self._close_one()
            self._open[data] = self._open_model(data)
        return self._open[data]

    def _close_one(self) -> None:
        """Close the one used least; of several, the one that was opened last."""
        rarest = min(reversed(self._open), key=self._uses.__getitem__)
        model = self._open.pop(rarest)
        if model is not None:
            model.End()

"""Whether the gallery has faces that a photo's were not compared with: another model's."""

from collections.abc import Mapping
from typing import Any

from imaginem.ports import DashboardServices
from imaginem.usecases.access import Caller


class OtherModels:
    """Looks once for each model whether a caller may see faces of others.

    Args:
        services: keep the gallery.
        caller: sees the faces of some batches only.
    """

    def __init__(self, services: DashboardServices, caller: Caller) -> None:
        self._services, self._caller = services, caller
        self._known: dict[str, bool] = {}

    def are_beside(self, outputs: Mapping[str, Any]) -> bool:
        """Tell whether there are faces of other models than those of a job's faces.

        Args:
            outputs: of the job; without any faces that were enrolled, nothing is left to compare.
        """
        return any(self._has_others(model) for model in _models_of(outputs))

    def _has_others(self, model: str) -> bool:
        if model not in self._known:
            gallery = self._services.gallery
            self._known[model] = gallery.has_other_models(model, self._caller.groups)
        return self._known[model]


def _models_of(outputs: Mapping[str, Any]) -> set[str]:
    output = outputs.get("faceprint")
    faces = output.get("faces") if isinstance(output, dict) else None
    prints = faces if isinstance(faces, list) else []
    named = [each.get("model") for each in prints if isinstance(each, dict)]
    return {model for model in named if isinstance(model, str)}

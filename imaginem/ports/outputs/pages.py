"""Outputs of files of several pages."""

from collections.abc import Sequence
from typing import TypeVar

from imaginem.ports.outputs.base import StepOutput

OutputT = TypeVar("OutputT", bound=StepOutput)


def on_page(found: OutputT, page: int | None) -> OutputT:
    """Return an output in whose lists everything that can say its page does so."""
    if page is None:
        return found
    lists = {
        name: [
            item.model_copy(update={"page": page}) if hasattr(item, "page") else item
            for item in value
        ]
        for name, value in found
        if isinstance(value, list)
    }
    return found.model_copy(update=lists)


def joined(pages: Sequence[OutputT]) -> OutputT:
    """Return one output of the outputs of several pages: the first one, with the lists of all."""
    if len(pages) == 1:
        return pages[0]
    lists = {
        name: [item for page in pages for item in getattr(page, name) or ()]
        for name in type(pages[0]).model_fields
        if any(isinstance(getattr(page, name), list) for page in pages)
    }
    texts = {
        name: list(dict.fromkeys(items))
        for name, items in lists.items()
        if items and all(isinstance(item, str) for item in items)
    }
    return pages[0].model_copy(update={**lists, **texts})

"""How a field of an own step's output is shown and searched, where its type does not tell."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Shown:
    """Refines a field: `Annotated[float, Shown(unit="lux")]`.

    Attributes:
        title: what people read as its name; the title of pydantic's `Field`, or the field's name
            in plain words, if it is empty.
        unit: written after numbers.
        hide: the field is shown and searched nowhere; only the JSON has it.
        searchable: photos are found by it.
        quiet: where it is None, people read nothing of it, not even that the step does not tell.
    """

    title: str = ""
    unit: str = ""
    hide: bool = False
    searchable: bool = True
    quiet: bool = False

"""How a setting is declared, and how texts of the environment become a model's values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

S = TypeVar("S", bound="Section")


@dataclass(frozen=True)
class Expected:
    """What a value must be; stands in the type of a setting.

    Attributes:
        text: ends the sentence "NAME is 'value': give ...".
        shown: False where a wrong value may hold a secret, which no message may show.
    """

    text: str
    shown: bool = True


def setting(
    name: str,
    default: Any,
    means: str,
    *,
    usual: str = "",
    secret: bool = False,
    not_on_azure: str = "",
) -> Any:
    """Declare a setting: the field of a section that is read from the environment.

    `name` and `not_on_azure` must be literals: `infra/gates` reads them from the source, and
    asks Bicep to set every setting that has no `not_on_azure`.

    Args:
        name: of the environment variable.
        default: the value, or a function that makes it. A function with a parameter gets the
            values of the fields above it.
        means: its row in docs/settings.md.
        usual: what that page calls the default, where a function makes it.
        secret: keeps the value out of `repr`.
        not_on_azure: why Bicep does not set it; empty where Bicep does.

    Returns:
        A field of pydantic, typed as pydantic types its own.
    """
    chosen = {"default_factory": default} if callable(default) else {"default": default}
    return Field(
        **chosen,
        validation_alias=name,
        description=means,
        repr=not secret,
        json_schema_extra={"usual": usual, "not_on_azure": not_on_azure},
    )


class Section(BaseModel):
    """Settings of one subject, read from texts by the names of environment variables."""

    # Sections are parts of `Settings`: only what is read is built, and the app starts sooner.
    model_config = ConfigDict(
        frozen=True, extra="ignore", hide_input_in_errors=True, defer_build=True
    )

    @model_validator(mode="before")
    @classmethod
    def _pass_texts_on(cls, texts: dict[str, object]) -> dict[str, object]:
        """Give the sections inside this one the same texts."""
        return {**texts, **dict.fromkeys(cls._inner_sections(), texts)}

    @classmethod
    def declared(cls) -> dict[str, FieldInfo]:
        """Return every setting by its name, those of the sections inside this one too."""
        own = {
            field.validation_alias: field
            for field in cls.model_fields.values()
            if isinstance(field.validation_alias, str)
        }
        for section in cls._inner_sections().values():
            own |= section.declared()
        return own

    @classmethod
    def _inner_sections(cls) -> dict[str, type["Section"]]:
        return {
            name: field.annotation
            for name, field in cls.model_fields.items()
            if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
        }


def read_section(section: type[S], environment: Mapping[str, str]) -> tuple[S, dict[str, str]]:
    """Return the values, and a line for each setting that is wrong, by its name.

    An empty text counts as not set. A setting that is wrong has its default, so that all
    others can be checked in spite of it.
    """
    texts = {name: environment.get(name, "").strip() for name in section.declared()}
    texts = {name: text for name, text in texts.items() if text}
    try:
        return section.model_validate(texts), {}
    except ValidationError as error:
        problems = _problems(section, error, texts)
    right = {name: text for name, text in texts.items() if name not in problems}
    return section.model_validate(right), problems


def _problems(
    section: type[Section], error: ValidationError, texts: Mapping[str, str]
) -> dict[str, str]:
    declared = section.declared()
    details = {str(detail["loc"][-1]): detail for detail in error.errors(include_url=False)}
    # A default that is made from other settings can't be made while one of them is wrong.
    return {
        name: _problem(name, declared[name], details[name], texts[name])
        for name in texts
        if name in details
    }


def _problem(name: str, field: FieldInfo, detail: ErrorDetails, text: str) -> str:
    expected = next(item for item in field.metadata if isinstance(item, Expected))
    if not expected.shown:
        return f"{name} can't be used: give {expected.text}"
    why = str(detail["ctx"]["error"]) if detail["type"] == "value_error" else ""
    return f"{name} is {text!r}: give {expected.text}" + (f" ({why})" if why else "")

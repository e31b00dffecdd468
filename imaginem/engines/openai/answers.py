"""What a model is to answer: the schema that it is sent, and the check of what comes back.

An answer is an untrusted text. What is kept of it has these fields, these types and these lengths.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from imaginem.ports.categories import CATEGORIES

Schema = dict[str, Any]


class ModelAnswer(BaseModel):
    """Base of what is asked for; unknown fields are passed over, types are not guessed."""

    model_config = ConfigDict(extra="ignore", strict=True)


class SureTag(ModelAnswer):
    """A word, and how sure the model is of it."""

    name: str
    confidence: float = Field(description="From 0 to 1")


class SureCategory(ModelAnswer):
    """One of Azure's categories, and how well it fits."""

    name: str = Field(json_schema_extra={"enum": list(CATEGORIES)})
    confidence: float = Field(description="From 0 to 1")


class PhotoAnswer(ModelAnswer):
    """What is in a photo; a part that the model left out is None."""

    caption: str
    tags: list[SureTag]
    categories: list[SureCategory] | None = None
    adult: float | None = Field(default=None, description="From 0 to 1")
    racy: float | None = Field(default=None, description="From 0 to 1")
    gore: float | None = Field(default=None, description="From 0 to 1")


class TextAnswer(ModelAnswer):
    """The text in a photo, in reading order."""

    lines: list[str]


class QuestionAnswer(ModelAnswer):
    """The answer to a question."""

    answer: str
    can_tell: bool


def schema_of(model: type[ModelAnswer]) -> Schema:
    """Return a model's schema as every server takes it.

    All fields are asked for, also those that an answer may lack. There is no `$ref`, and there are
    no limits of lengths and numbers, which Azure refuses.
    """
    schema = model.model_json_schema()
    return _plain(schema, schema.get("$defs", {}))


def _plain(schema: Mapping[str, Any], named: Mapping[str, Any]) -> Schema:
    if "$ref" in schema:
        return _plain(named[schema["$ref"].rpartition("/")[2]], named)
    choices = [part for part in schema.get("anyOf", ()) if part.get("type") != "null"]
    if choices:  # of a field that may be missing
        schema = {**schema, **choices[0]}
    plain: Schema = {key: schema[key] for key in ("type", "description", "enum") if key in schema}
    if "items" in schema:
        plain["items"] = _plain(schema["items"], named)
    if "properties" in schema:
        fields = {name: _plain(field, named) for name, field in schema["properties"].items()}
        plain |= {"properties": fields, "required": list(fields), "additionalProperties": False}
        plain.pop("description", None)  # the class's docstring, which is for us
    return plain

"""The JSON object in a model's answer, which may have other text around it."""

import re
from typing import TypeVar

from pydantic import ValidationError

from imaginem.engines.openai.answers import ModelAnswer

AnswerT = TypeVar("AnswerT", bound=ModelAnswer)
# What a model that thinks aloud has written before its answer.
_THOUGHT = re.compile(r"(?s)\A\s*<think(?:ing)?>.*?</think(?:ing)?>")
_MOST_NAMED = 3


class NotAsAsked(Exception):
    """An answer is not the JSON object that was asked for; says what is wrong, in one line."""


def parsed(content: str, model: type[AnswerT]) -> AnswerT:
    """Return the object in an answer.

    Args:
        content: of the answer: JSON, in a fence or with text around it.
        model: that it must fit.

    Raises:
        NotAsAsked: there is none, or it doesn't fit.
    """
    text = _THOUGHT.sub("", content)
    first, last = text.find("{"), text.rfind("}")
    if first < 0 or last < first:
        raise NotAsAsked("there is no JSON object in it")
    try:
        return model.model_validate_json(text[first : last + 1])
    except ValidationError as problem:
        details = problem.errors(include_url=False, include_input=False, include_context=False)
    lines = [f"{_place(detail['loc'])}{detail['msg']}" for detail in details[:_MOST_NAMED]]
    raise NotAsAsked("; ".join(lines))


def _place(path: tuple[int | str, ...]) -> str:
    return f"{'.'.join(map(str, path))}: " if path else ""

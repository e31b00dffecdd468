"""Looks whether the server answers, has the model, and whether the model sees pictures."""

import io

from PIL import Image

from imaginem.engines.openai.answers import ModelAnswer
from imaginem.engines.openai.chat import Chat, Question
from imaginem.errors import ConfigurationError, ImaginemError
from imaginem.images.decoding import Photo, decode_photo
from imaginem.ports import CallContext
from imaginem.redaction import one_line

_CALL = CallContext.without_job("engine check")
_LEFT, _RIGHT = "red", "blue"
_SIZE = (128, 64)
_MOST_NAMED = 10
_PROMPT = (
    "What colour is the left half of this picture, and what colour is the right half? Answer with "
    'one JSON object and nothing else, such as {"left": "green", "right": "white"}.'
)


class _Halves(ModelAnswer):
    """The colours of the picture's halves."""

    left: str
    right: str


def probe(chat: Chat) -> None:
    """Ask for the models, and for the colours of a small picture: one call that is paid.

    Raises:
        ConfigurationError: the model does not see what the picture shows.
        ImaginemError: the server does not answer, or refuses; says what to do.
    """
    if chat.is_proven:  # by the check of another engine
        return
    models = chat.models(_CALL)
    try:
        told = chat.ask(Question("check", _PROMPT, _Halves), _picture(), _CALL).answer
    except ImaginemError as problem:
        if models and chat.model not in models:  # Azure lists models, and takes deployments
            known = one_line(", ".join(models[:_MOST_NAMED]), 300)
            raise ConfigurationError(f"{problem}. The server lists: {known}") from None
        raise
    said = (told.left.strip().lower(), told.right.strip().lower())
    if not (_LEFT in said[0] and _RIGHT in said[1]):
        raise ConfigurationError(
            f"OPENAI_MODEL {chat.model} was shown a picture that is {_LEFT} and {_RIGHT}, and says "
            f"{one_line(' and '.join(said), 100)}: choose a model that takes pictures"
        )
    chat.is_proven = True


def _picture() -> Photo:
    picture = Image.new("RGB", _SIZE, _LEFT)
    picture.paste(_RIGHT, (_SIZE[0] // 2, 0, *_SIZE))
    out = io.BytesIO()
    picture.save(out, "PNG")
    return decode_photo(out.getvalue())

"""The engine of questions where none is chosen: nobody answers."""

from typing import NoReturn

from imaginem.config.settings import Settings
from imaginem.engines.parts import EngineParts
from imaginem.errors import PermanentError
from imaginem.images.decoding import Photo
from imaginem.ports import CallContext, QuestionEngine


class NoQuestions:
    """Answers no question."""

    name = "none"

    def answer(self, photo: Photo, question: str, call: CallContext) -> NoReturn:
        """Say that nobody answers.

        Raises:
            PermanentError: always.
        """
        raise PermanentError(
            "no engine answers questions about photos: set QUESTION_ENGINE, see docs/engines.md"
        )


def engine_name(settings: Settings) -> str:
    """Return the engine's name."""
    return NoQuestions.name


def make_engine(parts: EngineParts) -> QuestionEngine:
    """Return the engine."""
    return NoQuestions()

"""Answers to questions about a photo, by a model behind an OpenAI-compatible server."""

from imaginem.config.settings import Settings
from imaginem.engines.dignity import tells_of_bodies
from imaginem.engines.openai.accounts import chat_of
from imaginem.engines.openai.answers import QuestionAnswer
from imaginem.engines.openai.chat import Chat, Question
from imaginem.engines.openai.kept import clean
from imaginem.engines.openai.names import named_after
from imaginem.engines.openai.probing import probe
from imaginem.engines.openai.prompts import filled, prompt
from imaginem.engines.parts import EngineParts
from imaginem.errors import PermanentError
from imaginem.images.decoding import Photo
from imaginem.outputs import PhotoReply
from imaginem.ports import CallContext, QuestionEngine

_QUESTION_LIMIT = 500  # characters
_ANSWER_LIMIT = 1000
_MODEL_LIMIT = 60


class OpenAiQuestions:
    """Answers questions about a photo.

    Args:
        name: of the engine.
        chat: with the model.
        prompt: what it is asked, with `$question` for the question.
    """

    def __init__(self, name: str, chat: Chat, prompt: str) -> None:
        self.name = name
        self._chat, self._prompt = chat, prompt

    def answer(self, photo: Photo, question: str, call: CallContext) -> PhotoReply:
        """Return what the model answers.

        Raises:
            PermanentError: the question is empty, or has more than 500 characters.
        """
        asked = clean(question, len(question))
        if not 1 <= len(asked) <= _QUESTION_LIMIT:
            raise PermanentError(
                f"the question has {len(asked)} characters: ask with 1 to {_QUESTION_LIMIT}"
            )
        prompt = filled(self._prompt, question=asked)
        reply = self._chat.ask(Question("question", prompt, QuestionAnswer), photo, call)
        told = clean(reply.answer.answer, _ANSWER_LIMIT)
        withheld = tells_of_bodies(told)
        return PhotoReply(
            question=asked,
            answer="" if withheld else told,
            can_tell=reply.answer.can_tell,
            withheld=withheld or None,
            model_version=clean(reply.model, _MODEL_LIMIT) or None,
        )

    def probe(self) -> None:
        """Ask the server for its models, and whether ours sees a picture; see `Probed`."""
        probe(self._chat)


def _prompt(settings: Settings) -> str:
    return prompt("question", settings.openai.prompts, needs="question")


def engine_name(settings: Settings) -> str:
    """Return the engine's name."""
    return named_after(settings.openai.model, _prompt(settings))


def make_engine(parts: EngineParts) -> QuestionEngine:
    """Return the engine of `job.questions`."""
    settings = parts.settings
    return OpenAiQuestions(engine_name(settings), chat_of(parts), _prompt(settings))

"""The text in a photo, by a model behind an OpenAI-compatible server."""

from imaginem.config.settings import Settings
from imaginem.engines.alphabets import language_by_letters, main_language, main_script, tidied
from imaginem.engines.openai.accounts import chat_of
from imaginem.engines.openai.answers import TextAnswer
from imaginem.engines.openai.chat import Chat, Question
from imaginem.engines.openai.kept import clean
from imaginem.engines.openai.names import named_after
from imaginem.engines.openai.prompts import prompt
from imaginem.engines.parts import EngineParts
from imaginem.images.decoding import Photo
from imaginem.outputs import OcrText, TextLine
from imaginem.ports import CallContext, OcrEngine

_MOST_LINES = 2000
_LINE_LIMIT = 1000  # characters
_MODEL_LIMIT = 60


class OpenAiOcr:
    """Reads text, and does not tell where it stands.

    Args:
        name: of the engine.
        chat: with the model.
        prompt: what it is asked.
    """

    def __init__(self, name: str, chat: Chat, prompt: str) -> None:
        self.name = name
        self._chat = chat
        self._question = Question("text", prompt, TextAnswer)

    def read(self, photo: Photo, call: CallContext) -> OcrText:
        """Return the text in reading order, without places."""
        reply = self._chat.ask(self._question, photo, call)
        return text_of(reply.answer, reply.model)

    def probe(self) -> None:
        """Ask the server for its models, and whether ours sees a picture; see `Probed`."""
        from imaginem.engines.openai.probing import probe

        probe(self._chat)


def engine_name(settings: Settings) -> str:
    """Return the engine's name."""
    return named_after(settings.openai.model, prompt("text", settings.openai.prompts))


def make_engine(parts: EngineParts) -> OcrEngine:
    """Return the engine of `ocr`."""
    asked = prompt("text", parts.settings.openai.prompts)
    return OpenAiOcr(engine_name(parts.settings), chat_of(parts), asked)


def text_of(answer: TextAnswer, model: str) -> OcrText:
    """Return the text; script and language are what the letters tell, not what a model says."""
    read = (clean(tidied(line), _LINE_LIMIT) for line in answer.lines[:_MOST_LINES])
    lines = [_line(text) for text in read if text]
    return OcrText(
        full_text="\n".join(line.text for line in lines),
        lines=lines,
        language=main_language(lines),
        model_version=clean(model, _MODEL_LIMIT) or None,
        without_places=True,
    )


def _line(text: str) -> TextLine:
    script = main_script(text)
    return TextLine(
        text=text,
        confidence=0.0,
        polygon=[],
        script=script or None,
        language=language_by_letters(text, script) or None,
    )

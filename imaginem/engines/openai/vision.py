"""What is in a photo, by a model behind an OpenAI-compatible server."""

from imaginem.config.settings import Settings
from imaginem.engines.dignity import dignified
from imaginem.engines.openai.accounts import chat_of
from imaginem.engines.openai.answers import PhotoAnswer
from imaginem.engines.openai.chat import Chat, Question
from imaginem.engines.openai.kept import clean, share
from imaginem.engines.openai.names import named_after
from imaginem.engines.openai.prompts import prompt
from imaginem.engines.parts import EngineParts
from imaginem.engines.scores import adult_of
from imaginem.engines.supplement import PARTS, Supplement, local_supplement, supplemented
from imaginem.images.decoding import Photo
from imaginem.outputs import (
    Caption,
    Category,
    Description,
    ImageAnalysis,
    PhotoMetadata,
    Tag,
)
from imaginem.ports import CallContext, VisionEngine
from imaginem.ports.categories import CATEGORIES

_MOST_TAGS, _MOST_CATEGORIES = 30, 3
_TAG_LIMIT, _CAPTION_LIMIT = 60, 500  # characters
_ADULT_PARTS = ("adult", "racy", "gore")


class OpenAiVision:
    """Says what is in a photo.

    Args:
        name: of the engine.
        chat: with the model.
        prompt: what it is asked.
        supplement: finds what the model is not asked for; None if nothing here does.
    """

    def __init__(self, name: str, chat: Chat, prompt: str, supplement: Supplement | None) -> None:
        self.name = name
        self._chat, self._supplement = chat, supplement
        self._question = Question("photo", prompt, PhotoAnswer)

    def analyze(self, photo: Photo, call: CallContext) -> ImageAnalysis:
        """Return what is in a photo; `not_looked_for` names what nobody looked for."""
        reply = self._chat.ask(self._question, photo, call)
        found = dignified(analysis_of(reply.answer, photo, reply.model))
        return supplemented(found, self._supplement, photo)

    def probe(self) -> None:
        """Ask the server for its models, and whether ours sees a picture; see `Probed`."""
        from imaginem.engines.openai.probing import probe

        probe(self._chat)


def engine_name(settings: Settings) -> str:
    """Return the engine's name."""
    return named_after(settings.openai.model, prompt("photo", settings.openai.prompts))


def make_engine(parts: EngineParts) -> VisionEngine:
    """Return the engine of `generalclassification`."""
    asked = prompt("photo", parts.settings.openai.prompts)
    supplement = local_supplement(parts.settings)
    return OpenAiVision(engine_name(parts.settings), chat_of(parts), asked, supplement)


def analysis_of(answer: PhotoAnswer, photo: Photo, model: str) -> ImageAnalysis:
    """Return an analysis; numbers are within 0 and 1, texts are one line each and not too long.

    How sure the model is it says itself: of the caption it says nothing, which reads as 0.
    """
    tags = _tags(answer)
    caption = clean(answer.caption, _CAPTION_LIMIT)
    scores = [getattr(answer, part) for part in _ADULT_PARTS]
    missing = {
        "categories": answer.categories is None,
        "adult": all(score is None for score in scores),
    }
    adult, racy, gore = (None if score is None else share(score) for score in scores)
    return ImageAnalysis(
        tags=tags,
        categories=_categories(answer),
        description=Description(
            tags=[tag.name for tag in tags] if caption else [],
            captions=[Caption(text=caption, confidence=0.0)] if caption else [],
        ),
        adult=adult_of(adult, racy, gore),
        metadata=PhotoMetadata(width=photo.width, height=photo.height, format=photo.format),
        unanswered=[part for part, lacks in missing.items() if lacks] or None,
        model_version=clean(model, _TAG_LIMIT) or None,
        not_looked_for=list(PARTS),
    )


def _tags(answer: PhotoAnswer) -> list[Tag]:
    """Return each tag once, the surest first."""
    best: dict[str, float] = {}
    for tag in answer.tags:
        name = clean(tag.name, _TAG_LIMIT).lower()
        if name:
            best[name] = max(best.get(name, 0.0), share(tag.confidence))
    ordered = sorted(best.items(), key=lambda item: -item[1])
    return [Tag(name=name, confidence=sure) for name, sure in ordered[:_MOST_TAGS]]


def _categories(answer: PhotoAnswer) -> list[Category]:
    """Return the categories that there are, each once, the best first."""
    best: dict[str, float] = {}
    for told in answer.categories or ():
        if told.name in CATEGORIES:
            best[told.name] = max(best.get(told.name, 0.0), share(told.confidence))
    ordered = sorted(best.items(), key=lambda item: -item[1])
    return [Category(name=name, score=score) for name, score in ordered[:_MOST_CATEGORIES]]

"""The OpenAI-compatible server that the engines call, made from settings."""

from collections.abc import Callable

from imaginem.engines.azure.calls import SCOPE
from imaginem.engines.openai.chat import Chat, Dialect
from imaginem.engines.openai.connection import Connection
from imaginem.engines.openai.service import NAME, OpenAiService
from imaginem.engines.pacing import Pacer
from imaginem.engines.parts import EngineParts


def chat_of(parts: EngineParts) -> Chat:
    """Return the chat with the model: one for all its engines, so that they share its room."""
    settings = parts.settings.openai
    with parts.lock:
        if NAME not in parts.made:
            pacer = Pacer(parts.shared_state(), NAME, settings.per_second)
            service = OpenAiService(pacer, parts.telemetry, settings)
            connection = Connection(settings.endpoint, _authorization(parts), settings.timeout)
            parts.made[NAME] = Chat(connection, service, settings, Dialect())
        chat: Chat = parts.made[NAME]
        return chat


def _authorization(parts: EngineParts) -> Callable[[], str]:
    """Return what makes the header of that name: with a key, a token, or nothing."""
    settings = parts.settings.openai
    if settings.identity == "on":
        return lambda: f"Bearer {parts.credential().get_token(SCOPE).token}"
    signed = f"Bearer {settings.key}" if settings.key else ""
    return lambda: signed

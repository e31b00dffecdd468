"""What a refusal of an OpenAI-compatible server means, by its status and its words.

The words are those of llama-server, vLLM, Ollama, OpenAI and Azure, as they document them or as
error reports quote them.
"""

from imaginem.engines.azure.calls import Refused, ServiceRefused
from imaginem.errors import PermanentError, RetryableError
from imaginem.redaction import one_line

BUSY_SECONDS = 10.0
"""How long a server that is loading its model, or is too busy, is left alone."""
_NO_CREDIT_SECONDS = 3600.0
_PAUSE = 10.0
_BLIND = (
    "image input is not supported",
    "unsupported content part type",
    "mmproj",
    "not a multimodal model",
    "0 image(s)",
    "does not support image",
    "image_url is only supported",
    "no vision",
)
_TOO_LONG = ("context size", "context length", "maximum context", "context window")
_FILTERED = ("content_filter", "responsibleai", "content management policy", "content_policy")
_NO_CREDIT = ("insufficient_quota", "billing")


class NotUnderstood(ServiceRefused):
    """The server refuses the request as it is written, not the photo.

    Attributes:
        said: its message and codes, in small letters.
    """

    def __init__(self, message: str, codes: tuple[str, ...], said: str) -> None:
        super().__init__(message, codes)
        self.said = said


def wait_of(refused: Refused) -> float | None:
    """Return the seconds until the server takes calls again; None if it doesn't lack room."""
    if refused.status == 429 and _has(_said(refused), _NO_CREDIT):
        return refused.retry_after or _NO_CREDIT_SECONDS
    if refused.status == 429:
        return refused.retry_after or 1.0
    if refused.status == 503:  # llama-server, while it loads its model, names no time
        return refused.retry_after or BUSY_SECONDS
    return None


def error_of(operation: str, refused: Refused) -> Exception:
    """Return our error for a refusal that no waiting helps; see the table in docs/engines.md."""
    said, status = _said(refused), refused.status
    told = one_line(refused.text, 300).rstrip(".")
    message = f"openai {operation}: {told} (status {status})"
    if _has(said, _BLIND):
        return RetryableError(
            f"{message}. The model takes no pictures: set OPENAI_MODEL to one that does, and give "
            "llama-server its --mmproj file"
        )
    if hint := _account_hint(status):
        return RetryableError(f"{message}. {hint}", retry_after=_PAUSE)
    if _has(said, _FILTERED):
        return PermanentError(
            f"{message}. The filter of the model's deployment refuses this photo: let it annotate "
            "instead of block, or run the photo again with another engine"
        )
    if status == 413 or (status < 500 and _has(said, _TOO_LONG)) or "exceed_context_size" in said:
        return PermanentError(
            f"{message}. The photo is too large for this server: lower OPENAI_MAX_SIDE or "
            "OPENAI_MAX_TOKENS, or give the server more context"
        )
    if status in (400, 415, 422) or _has(said, ("grammar", "response_format", "json_schema")):
        return NotUnderstood(message, refused.codes, said)
    if status in (408, 409, 425) or status >= 500:
        return RetryableError(message, retry_after=refused.retry_after or _PAUSE)
    return ServiceRefused(message, refused.codes)


def _account_hint(status: int) -> str:
    """Return what an operator can do where every photo is refused; empty if not every one is."""
    if 300 <= status < 400:
        return "Redirects are not followed: give OPENAI_ENDPOINT the address that it leads to"
    if status in (401, 403, 407):
        return (
            "Check OPENAI_API_KEY, or, with OPENAI_IDENTITY on, that the app's identity has the "
            "role Cognitive Services OpenAI User on the account"
        )
    if status in (404, 405, 410):
        return (
            "Check OPENAI_MODEL, which the server must have loaded or deployed, and the path of "
            "OPENAI_ENDPOINT"
        )
    return ""


def _said(refused: Refused) -> str:
    return " ".join((refused.text, *refused.codes)).casefold()


def _has(said: str, words: tuple[str, ...]) -> bool:
    return any(word in said for word in words)

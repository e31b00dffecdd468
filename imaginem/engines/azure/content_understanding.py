"""What is in a photo, by a generative model that Azure Content Understanding asks for us."""

from imaginem.config.settings import Settings
from imaginem.engines.azure.accounts import content_account
from imaginem.engines.azure.calls import Refused, ServiceRefused
from imaginem.engines.azure.content_client import (
    API_VERSION,
    ContentClient,
    OwnAnalyzer,
    content_client,
)
from imaginem.engines.azure.content_fields import analysis_of
from imaginem.engines.azure.limits import CONTENT
from imaginem.engines.azure.operations import Operation, OperationFailed, Operations
from imaginem.engines.azure.payload import payload
from imaginem.engines.azure.reading import Fields
from imaginem.engines.dignity import dignified
from imaginem.engines.parts import EngineParts
from imaginem.engines.supplement import Supplement, local_supplement, supplemented
from imaginem.errors import PermanentError, RetryableError
from imaginem.images.decoding import Photo
from imaginem.outputs import ImageAnalysis
from imaginem.ports import CallContext, VisionEngine
from imaginem.redaction import one_line

_NO_MODEL = frozenset(
    {"ResourceError", "DefaultsNotSet", "DeploymentIdNotFound", "ModelDeploymentNotFound"}
)
_DEPLOY = (
    "Deploy the model that CONTENTUNDERSTANDING_MODEL names and set it in the account's defaults, "
    "see docs/engines.md"
)
_PASSING = frozenset(
    {"InternalServerError", "ServiceUnavailable", "Timeout", "TooManyRequests", "RateLimitExceeded"}
)
_FILTERED = ("contentfilter", "content_filter", "responsibleai")
_NOT_FOUND = 404


class ContentVision:
    """Says what is in a photo.

    Args:
        client: makes the calls.
        operations: of the account.
        analyzer: ours.
        supplement: finds what the service does not look for; None if nothing here does.
    """

    name = f"azure-content-understanding-{API_VERSION}"

    def __init__(
        self,
        client: ContentClient,
        operations: Operations,
        analyzer: OwnAnalyzer,
        supplement: Supplement | None,
    ) -> None:
        self._client, self._operations = client, operations
        self._analyzer, self._supplement = analyzer, supplement

    def analyze(self, photo: Photo, call: CallContext) -> ImageAnalysis:
        """Return what is in a photo; `not_looked_for` names what nobody looked for."""
        found = dignified(analysis_of(self._result(photo, call), photo))
        return supplemented(found, self._supplement, photo)

    def _result(self, photo: Photo, call: CallContext) -> Fields:
        sent = payload(photo, CONTENT)
        try:
            self._analyzer.make_sure(call)
            operation = Operation(
                name="analyze",
                begin=lambda: self._begin(sent.data),
                ask=self._client.ask,
                result="result",
                model=self._analyzer.id,
                photo_key=photo.key,
            )
            return self._operations.run(operation, call)
        except OperationFailed as failed:
            raise _error_of(failed) from None
        except ServiceRefused as refused:
            if _NO_MODEL & set(refused.codes):
                raise RetryableError(f"{refused}. {_DEPLOY}") from None
            raise

    def _begin(self, data: bytes) -> str:
        try:
            return self._client.begin(self._analyzer.id, data)
        except Refused as refused:
            if refused.status == _NOT_FOUND:
                self._analyzer.forget()
            raise


def engine_name(settings: Settings) -> str:
    """Return the engine's name."""
    return ContentVision.name


def make_engine(parts: EngineParts) -> VisionEngine:
    """Return the engine of `generalclassification`."""
    settings = parts.settings.contentunderstanding
    client = content_client(settings, parts.credential)
    operations, service = content_account(parts)
    analyzer = OwnAnalyzer(client, service, settings.model)
    return ContentVision(client, operations, analyzer, local_supplement(parts.settings))


def _error_of(failed: OperationFailed) -> Exception:
    """Return our error for an analysis that ended without a result."""
    told = one_line(failed.text, 300) or "no result"
    message = f"Azure contentunderstanding analyze: {told} ({failed.code})"
    if any(word in f"{failed.code} {told}".casefold().replace(" ", "") for word in _FILTERED):
        return PermanentError(
            f"{message}. The filter of the model's deployment refuses this photo: let its "
            "guardrails annotate instead of block, or set VISION_ENGINE=local"
        )
    if _NO_MODEL & set(failed.codes):
        return RetryableError(f"{message}. {_DEPLOY}")
    if not failed.codes or _PASSING & set(failed.codes):
        return RetryableError(message)
    return PermanentError(message)

"""What is written in a photo, by the read model of Azure AI Document Intelligence."""

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

from imaginem.config.settings import ServiceSettings, Settings
from imaginem.engines.azure.accounts import document_account
from imaginem.engines.azure.calls import ServiceRefused
from imaginem.engines.azure.core_clients import client_options, read_state, signer
from imaginem.engines.azure.document_text import text_of
from imaginem.engines.azure.limits import DOCUMENT_READ
from imaginem.engines.azure.operations import Operation, OperationFailed, Operations
from imaginem.engines.azure.payload import payload
from imaginem.engines.azure.reading import Fields
from imaginem.engines.parts import EngineParts
from imaginem.errors import PermanentError, RetryableError
from imaginem.images.decoding import Photo
from imaginem.outputs import OcrText
from imaginem.ports import CallContext, OcrEngine
from imaginem.redaction import one_line

if TYPE_CHECKING:
    from azure.ai.documentintelligence import DocumentIntelligenceClient
    from azure.core.credentials import TokenCredential

API_VERSION = "2024-11-30"
MODEL = "prebuilt-read"
_PASSING = frozenset({"InternalServerError", "ServiceUnavailable", "Timeout"})


class ReadClient:
    """The calls of the read model.

    Args:
        sdk: the SDK's client.
    """

    def __init__(self, sdk: "DocumentIntelligenceClient") -> None:
        self._sdk = sdk

    def begin(self, data: bytes) -> str:
        """Begin to read a photo; return the operation's id."""
        poller = self._sdk.begin_analyze_document(
            MODEL,
            io.BytesIO(data),
            features=["languages"],
            string_index_type="unicodeCodePoint",
            polling=False,
        )
        try:
            return str(poller.details["operation_id"])
        except (KeyError, AttributeError):  # the SDK finds no id in the header, or no header
            raise ValueError("an answer without Operation-Location") from None

    def ask(self, operation: str) -> Fields:
        """Return the state of an operation."""
        return read_state(
            self._sdk, f"/documentModels/{MODEL}/analyzeResults/{operation}", API_VERSION
        )


def read_client(
    settings: ServiceSettings, credential: "Callable[[], TokenCredential]"
) -> ReadClient:
    """Return the client of an account."""
    from azure.ai.documentintelligence import DocumentIntelligenceClient

    key_or_token = signer(settings, credential)
    options = client_options(API_VERSION)
    return ReadClient(DocumentIntelligenceClient(settings.endpoint, key_or_token, **options))


class DocumentOcr:
    """Reads text.

    Args:
        client: makes the calls.
        operations: of the account.
        tier: of the account, such as `S0`; `F0` takes smaller files.
    """

    name = f"azure-document-read-{API_VERSION}"

    def __init__(self, client: ReadClient, operations: Operations, *, tier: str) -> None:
        self._client, self._operations = client, operations
        self._tier = tier

    def read(self, photo: Photo, call: CallContext) -> OcrText:
        """Return the text in reading order; polygons are in the photo's own pixels."""
        sent = payload(photo, DOCUMENT_READ.at(self._tier))
        operation = Operation(
            name="read",
            begin=lambda: self._client.begin(sent.data),
            ask=self._client.ask,
            result="analyzeResult",
            model=f"{MODEL} {API_VERSION}",
            photo_key=photo.key,
        )
        try:
            result = self._operations.run(operation, call)
        except OperationFailed as failed:
            raise _error_of(failed) from None
        except ServiceRefused as refused:
            if (
                "InvalidContentLength" in refused.codes
                and len(sent.data) > DOCUMENT_READ.free.max_bytes
            ):
                raise RetryableError(
                    f"{refused}. If the account is free, set DOCUMENTINTELLIGENCE_TIER=F0"
                ) from None
            raise
        return text_of(result, sent)


def engine_name(settings: Settings) -> str:
    """Return the engine's name."""
    return DocumentOcr.name


def make_engine(parts: EngineParts) -> OcrEngine:
    """Return the engine of `ocr`."""
    settings = parts.settings.documentintelligence
    client = read_client(settings, parts.credential)
    return DocumentOcr(client, document_account(parts), tier=settings.tier)


def _error_of(failed: OperationFailed) -> Exception:
    """Return our error for a reading that ended without a result."""
    told = one_line(failed.text, 300) or "the photo could not be read"
    message = f"Azure documentintelligence read: {told} ({failed.code})"
    if not failed.codes or _PASSING & set(failed.codes):
        return RetryableError(message)
    return PermanentError(f"{message}; send another photo")

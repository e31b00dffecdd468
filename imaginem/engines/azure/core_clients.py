"""What the clients of the SDKs on azure-core have in common: no hidden retries, one hook."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from imaginem.config.settings import ServiceSettings
from imaginem.engines.azure.calls import CONNECT_SECONDS, READ_SECONDS, check_answer
from imaginem.engines.azure.reading import Fields, fields

if TYPE_CHECKING:
    from azure.core.credentials import AzureKeyCredential, TokenCredential


def signer(
    settings: ServiceSettings, credential: "Callable[[], TokenCredential]"
) -> "AzureKeyCredential | TokenCredential":
    """Return what signs the calls: the account's key, or the app's identity when there is none."""
    from azure.core.credentials import AzureKeyCredential

    return AzureKeyCredential(settings.key) if settings.key else credential()


def client_options(api_version: str) -> dict[str, Any]:
    """Return the options of a client that retries nothing by itself and hides no refusal."""
    return {
        "api_version": api_version,
        "retry_total": 0,
        "connection_timeout": CONNECT_SECONDS,
        "read_timeout": READ_SECONDS,
        "raw_response_hook": _check,
        "permit_redirects": False,
    }


def read_state(sdk: Any, path: str, api_version: str) -> Fields:
    """Return the state of an operation as its JSON; the SDKs' pollers would keep asking for it.

    Args:
        sdk: a client made with `client_options`.
        path: of the operation, below the endpoint.
        api_version: of the service.
    """
    from azure.core.rest import HttpRequest

    request = HttpRequest("GET", path, params={"api-version": api_version})
    return fields(sdk.send_request(request).json())


def _check(answer: Any) -> None:
    response = answer.http_response
    text = ""
    if not 200 <= response.status_code < 300:
        response.read()  # some calls hand over a response whose body is not read yet
        text = response.text()
    check_answer(response.status_code, response.headers, text)

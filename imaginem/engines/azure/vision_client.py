"""The SDK's client for Azure Computer Vision 3.2."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from imaginem.config.settings import ServiceSettings
from imaginem.engines.azure.calls import CONNECT_SECONDS, READ_SECONDS, SCOPE, check_answer

if TYPE_CHECKING:
    from imaginem.config.identity import TokenCredential


def make_vision_client(
    settings: ServiceSettings, credential: "Callable[[], TokenCredential]"
) -> Any:
    """Return the client, which has no types and answers with JSON values.

    It retries nothing and hides no refusal.
    """
    from azure.cognitiveservices.vision.computervision import ComputerVisionClient
    from msrest.authentication import Authentication, CognitiveServicesCredentials

    class Token(Authentication):
        """Sends a token of the app's identity; the credential keeps it until it expires."""

        def signed_session(self, session: Any = None) -> Any:
            """Sign a request."""
            session = super().signed_session(session)
            session.headers["Authorization"] = f"Bearer {credential().get_token(SCOPE).token}"
            return session

    signer = CognitiveServicesCredentials(settings.key) if settings.key else Token()
    client: Any = ComputerVisionClient(settings.endpoint, signer)  # type: ignore[no-untyped-call]
    # The SDK reads an answer whole or not at all: one field of another kind would lose a paid one.
    client._deserialize = lambda target, response, *_: response.json()
    client.config.connection.timeout = (CONNECT_SECONDS, READ_SECONDS)
    client.config.redirect_policy.allow = False
    # The policy is shared by all threads: replacing it would leave theirs as they are.
    policy = client.config.retry_policy.policy
    policy.total = policy.connect = 0
    policy.read = False
    policy.status_forcelist = frozenset()
    policy.respect_retry_after_header = False
    client.config.hooks.append(
        lambda answer, *_, **__: check_answer(answer.status_code, answer.headers, answer.text)
    )
    return client

"""One call to an Azure AI service: its turn, its measure, and what its refusal means to us.

Both SDKs lose the status or the body of some refusals, so a hook looks at every answer
before they do and raises `Refused`.
"""

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from imaginem.config.identity import no_token
from imaginem.engines.pacing import Pacer
from imaginem.errors import Busy, PermanentError, RetryableError, StorageUnavailable
from imaginem.ports import Telemetry
from imaginem.redaction import one_line

CONNECT_SECONDS, READ_SECONDS = 10, 60
_logger = logging.getLogger("imaginem.engines.azure")
SCOPE = "https://cognitiveservices.azure.com/.default"
_UNREACHABLE_PAUSE = 10.0
"""Seconds between tries of a service that is away: five tries outlast half a minute."""
_ACCESS = (
    "this Face account may find faces but not tell them apart (Limited Access): apply at "
    "https://aka.ms/facerecognition, or set FACE_PRINT_ENGINE=local"
)


class Refused(Exception):
    """A service's answer that is no success.

    Attributes:
        codes: outer and inner error code, as far as there are any.
        retry_after: seconds, when the service said so.
    """

    def __init__(self, status: int, codes: tuple[str, ...], told: str, wait: float | None) -> None:
        super().__init__(told)
        self.status, self.codes, self.told, self.retry_after = status, codes, told, wait


class ServiceRefused(PermanentError):
    """The service will never do this.

    Attributes:
        codes: the service's error codes.
    """

    def __init__(self, message: str, codes: tuple[str, ...]) -> None:
        super().__init__(message)
        self.codes = codes


class LimitedAccess(PermanentError):
    """The Face account lacks Microsoft's approval to identify people."""


def check_answer(status: int, headers: Mapping[str, str], text: str) -> None:
    """Look at an answer before the SDK does.

    Raises:
        Refused: it is no success.
    """
    if 200 <= status < 300:
        return
    codes, told = _explained(text)
    named = headers.get("ms-azure-ai-errorcode") or headers.get("x-ms-error-code")
    if named and named not in codes:
        codes = (*codes, named)
    raise Refused(status, codes, told or f"status {status}", _seconds(headers.get("Retry-After")))


def _explained(text: str) -> tuple[tuple[str, ...], str]:
    """Return codes and message of an error body, nested or flat."""
    try:
        body: Any = json.loads(text)
    except ValueError:
        return (), ""
    error = body.get("error", body) if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return (), ""
    inner = error.get("innererror")
    parts = [error, inner] if isinstance(inner, dict) else [error]
    codes = tuple(str(part["code"]) for part in parts if part.get("code"))
    messages = [str(part["message"]) for part in parts if part.get("message")]
    return codes, messages[-1] if messages else ""


def _seconds(raw: str | None) -> float | None:
    try:
        return max(float(raw), 0.0) if raw else None
    except ValueError:  # a date, which these services do not send
        return None


class Service:
    """An Azure AI account: who may call it when, and how its calls are counted.

    Args:
        name: `vision` or `face`; also the prefix of its settings.
        pacer: gives out turns.
        telemetry: where calls are counted.
        price: of 1,000 calls.
    """

    def __init__(
        self, name: str, pacer: Pacer, telemetry: Telemetry, *, price: float = 1.0
    ) -> None:
        self.name = name
        self._pacer = pacer
        self._telemetry = telemetry
        self._price = price

    @contextmanager
    def call(
        self,
        operation: str,
        *,
        units: int = 1,
        wait_for_quota: bool = False,
        ready: Callable[[], None] | None = None,
    ) -> Iterator[None]:
        """Make one call inside, when its turn has come.

        Args:
            operation: its name in traces, metrics and errors.
            units: calls that it is billed as.
            wait_for_quota: waits for its turn however long that takes: going back to the queue
                would lose, or pay again, what the calls before it have got.
            ready: called when the turn has come, before the call.

        Raises:
            Busy: no room now; the service, or our own share of its quota, says so.
            RetryableError: it does not answer, or refuses us for a reason that may pass.
            PermanentError: it refuses this photo.
        """
        self._pacer.wait(wait_for_quota=wait_for_quota)
        if ready:
            ready()
        labels = {"service": self.name, "operation": operation}
        started = time.perf_counter()
        outcome = "ok"
        with self._telemetry.span(f"{self.name} {operation}", kind="client", **labels) as span:
            try:
                yield
            except Refused as refused:
                outcome = str(refused.status)
                span.fail(f"{outcome} {' '.join(refused.codes)}")
                raise self._meaning(operation, refused) from None
            except (PermanentError, RetryableError):
                raise
            except Exception as problem:
                outcome = "unreachable"
                span.fail(type(problem).__name__)
                raise self._unreachable(operation, problem) from None
            finally:
                self._telemetry.count("imaginem.calls", 1, **labels, outcome=outcome)
                seconds = time.perf_counter() - started
                self._telemetry.measure("imaginem.call.seconds", seconds, **labels)
                if outcome == "ok":
                    cost = units * self._price / 1000
                    self._telemetry.count("imaginem.cost", cost, **labels)

    def _meaning(self, operation: str, refused: Refused) -> Exception:
        """Return our error for a refusal; see docs/engines.md."""
        said = f"Azure {self.name} {operation}: {one_line(refused.told, 300)}"
        code = refused.codes[-1] if refused.codes else str(refused.status)
        if refused.status == 429 or (refused.status == 503 and refused.retry_after):
            wait = refused.retry_after or 1.0
            try:
                self._pacer.hold_off(wait)
            except StorageUnavailable as problem:  # the others will find out for themselves
                _logger.warning("%s", problem)
            return Busy(said, retry_after=wait)
        if "UnsupportedFeature" in refused.codes:
            return LimitedAccess(_ACCESS)
        if "LargeFaceListTrainingNotFinished" in refused.codes:
            return Busy(said, retry_after=5.0)
        if refused.status in (401, 403) and "QuotaExceeded" not in refused.codes:
            prefix = self.name.upper()
            return RetryableError(
                f"{said}. Check {prefix}_ENDPOINT and {prefix}_API_KEY, or, without a key, that "
                "the app's identity has the role Cognitive Services User on the account"
            )
        if refused.status in (408, 409) or refused.status >= 500 or 300 <= refused.status < 400:
            return RetryableError(
                f"{said} ({code})", retry_after=refused.retry_after or _UNREACHABLE_PAUSE
            )
        return ServiceRefused(f"{said} ({code})", refused.codes)

    def _unreachable(self, operation: str, problem: Exception) -> Exception:
        """Return our error for a call without an answer, or with one that makes no sense.

        Raises:
            Exception: a defect of ours: an error that no SDK raises.
        """
        if not type(problem).__module__.startswith(_FOREIGN) and not isinstance(
            problem, ValueError | OSError
        ):
            return problem
        if type(problem).__name__ in ("ClientAuthenticationError", "CredentialUnavailableError"):
            return no_token(SCOPE, problem)
        why = one_line(str(problem) or type(problem).__name__, 200)
        return RetryableError(
            f"Azure {self.name} {operation}: no usable answer ({why}). Check "
            f"{self.name.upper()}_ENDPOINT and the network",
            retry_after=_UNREACHABLE_PAUSE,
        )


_FOREIGN = ("msrest", "azure.", "requests", "urllib3")

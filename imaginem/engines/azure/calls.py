"""One call to an Azure AI service: it is paced, measured, and its refusal becomes our error.

Both SDKs lose the status or the body of some refusals, so a hook checks every answer before they
do and raises `Refused`.
"""

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from imaginem.config.identity import no_token
from imaginem.engines.azure.account_faults import advice, own_code, volume_wait
from imaginem.engines.pacing import Pacer
from imaginem.errors import Busy, PermanentError, RetryableError, StorageUnavailable
from imaginem.images.headers import retry_after
from imaginem.ports import CallContext, Telemetry
from imaginem.ports.metering import count, within
from imaginem.redaction import one_line

CONNECT_SECONDS, READ_SECONDS = 10, 60
_logger = logging.getLogger("imaginem.engines.azure")
SCOPE = "https://cognitiveservices.azure.com/.default"
_UNREACHABLE_PAUSE = 10.0
"""Seconds between tries of a service that can't be reached: five tries span over half a minute."""
_ACCESS = (
    "this Face account may find faces but not tell them apart (Limited Access): apply at "
    "https://aka.ms/facerecognition, or set FACE_PRINT_ENGINE=local"
)


class Refused(Exception):
    """A service's answer that is no success.

    Attributes:
        status: of HTTP.
        codes: outer and inner error code, as far as there are any.
        text: the service's message.
        retry_after: seconds, if the service named any.
    """

    def __init__(
        self, status: int, codes: tuple[str, ...], text: str, retry_after: float | None
    ) -> None:
        super().__init__(text)
        self.status, self.codes, self.text, self.retry_after = status, codes, text, retry_after


class ServiceRefused(PermanentError):
    """The service refuses this request for good.

    Attributes:
        codes: the service's error codes.
    """

    def __init__(self, message: str, codes: tuple[str, ...]) -> None:
        super().__init__(message)
        self.codes = codes


class LimitedAccess(PermanentError):
    """The Face account lacks Microsoft's approval to identify people."""


def check_answer(status: int, headers: Mapping[str, str], text: str) -> None:
    """Check an answer before the SDK does.

    Raises:
        Refused: the status is not 2xx.
    """
    if 200 <= status < 300:
        return
    codes, message = _explained(text)
    code = headers.get("ms-azure-ai-errorcode") or headers.get("x-ms-error-code")
    if code and code not in codes:
        codes = (*codes, code)
    seconds = retry_after(headers.get("Retry-After"))
    raise Refused(status, codes, message or f"status {status}", seconds)


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


class Service:
    """An Azure AI account: paces the calls to it, counts them, and explains its refusals.

    Args:
        name: `vision` or `face`; in capitals the prefix of its settings.
        pacer: says when the next call may be made.
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
        context: CallContext,
        *,
        units: int = 1,
        wait_for_quota: bool = False,
        ready: Callable[[], None] | None = None,
    ) -> Iterator[None]:
        """Wait until a call may be made; the call is made in the body of the `with`.

        Args:
            operation: the call's name in traces, metrics and errors.
            context: whom the call is made for. Metrics carry its step, the span its job too.
            units: calls that it is billed as.
            wait_for_quota: wait for minutes if need be, since going back to the queue would lose
                what earlier calls returned, or pay for it again.
            ready: called after the wait, right before the call.

        Raises:
            Busy: the quota is used up, by the service's word or by our own count.
            RetryableError: no answer, or a refusal whose reason may pass.
            PermanentError: the service refuses this photo.
        """
        with (
            within((context.batch_id, context.job_id)),
            self._counted(operation, context, units, wait_for_quota or context.continues, ready),
        ):
            yield

    @contextmanager
    def _counted(
        self,
        operation: str,
        context: CallContext,
        units: int,
        wait_for_quota: bool,
        ready: Callable[[], None] | None,
    ) -> Iterator[None]:
        self._pacer.wait(wait_for_quota=wait_for_quota)
        if ready:
            ready()
        labels = {"service": self.name, "operation": operation, "step": context.step}
        started = time.perf_counter()
        outcome = "ok"
        count(self.name, operation, billed=units)  # before it: a process may die in between
        with self._telemetry.span(
            f"{self.name} {operation}", kind="client", **{**labels, **context.ids}
        ) as span:
            try:
                yield
            except Refused as refused:
                # A face that has expired is everyday: alerts count the status of other refusals.
                outcome = own_code(refused.codes) or str(refused.status)
                span.fail(f"{refused.status} {' '.join(refused.codes)}")
                raise self._error_of(operation, refused) from None
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
                if outcome != "ok":
                    count(self.name, operation, calls=0, billed=-units)
                if outcome == "ok":
                    cost = units * self._price / 1000
                    self._telemetry.count("imaginem.cost", cost, **labels)

    def _error_of(self, operation: str, refused: Refused) -> Exception:
        """Return our error for a refusal; see the table in docs/engines.md."""
        message = f"Azure {self.name} {operation}: {one_line(refused.text, 300)}"
        code = refused.codes[-1] if refused.codes else str(refused.status)
        wait = _wait_of(refused)
        if wait is not None:
            self._hold_off(wait)
            return Busy(message, retry_after=wait)
        if "UnsupportedFeature" in refused.codes:
            return LimitedAccess(_ACCESS)
        if "LargeFaceListTrainingNotFinished" in refused.codes:
            return Busy(message, retry_after=5.0)
        if hint := advice(refused.status, refused.codes, refused.text, self.name.upper()):
            return RetryableError(f"{message.rstrip('.')}. {hint}")
        if refused.status in (408, 409) or refused.status >= 500 or 300 <= refused.status < 400:
            return RetryableError(
                f"{message} ({code})", retry_after=refused.retry_after or _UNREACHABLE_PAUSE
            )
        return ServiceRefused(f"{message} ({code})", refused.codes)

    def _hold_off(self, seconds: float) -> None:
        """Make all instances wait for some seconds."""
        try:
            self._pacer.hold_off(seconds)
        except StorageUnavailable as problem:  # other instances will be refused themselves
            _logger.warning("%s", problem)

    def _unreachable(self, operation: str, problem: Exception) -> Exception:
        """Return our error for a call without a usable answer.

        An error that no SDK raises is a defect of ours, and is returned as it is; but JSON that is
        nested too deeply is the service's.
        """
        if not type(problem).__module__.startswith(_SDK_MODULES) and not isinstance(
            problem, ValueError | OSError | RecursionError
        ):
            return problem
        if type(problem).__name__ in ("ClientAuthenticationError", "CredentialUnavailableError"):
            return no_token(SCOPE, problem)
        reason = one_line(str(problem) or type(problem).__name__, 200)
        return RetryableError(
            f"Azure {self.name} {operation}: no usable answer ({reason}). Check "
            f"{self.name.upper()}_ENDPOINT and the network",
            retry_after=_UNREACHABLE_PAUSE,
        )


def _wait_of(refused: Refused) -> float | None:
    """Return the seconds until the service has room for calls; None if it lacks no room."""
    seconds = volume_wait(refused.status, refused.text, refused.retry_after)
    if seconds is None and refused.status in (429, 503):
        seconds = refused.retry_after or (1.0 if refused.status == 429 else None)
    return seconds


_SDK_MODULES = ("msrest", "azure.", "requests", "urllib3")

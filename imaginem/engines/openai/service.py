"""The OpenAI-compatible server as a service: paced, bounded, measured, its refusals explained."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from imaginem.config.identity import no_token
from imaginem.config.sections.openai import OpenAiAccount
from imaginem.engines.azure.calls import SCOPE, Refused, Service
from imaginem.engines.openai.refusals import error_of, wait_of
from imaginem.engines.pacing import Pacer
from imaginem.errors import Busy, RetryableError
from imaginem.ports import CallContext, Telemetry
from imaginem.ports.metering import count, within
from imaginem.redaction import one_line

NAME = "openai"
_PATIENCE, _LONGEST_WAIT = 20.0, 300.0
_BUSY_SECONDS = 5.0
_PAUSE = 10.0
_MILLION = 1_000_000


@dataclass(frozen=True)
class Usage:
    """Tokens of one call, as the server counts them; 0 where it doesn't.

    Attributes:
        tokens_in: that were sent, those of the picture among them.
        tokens_out: that were answered, those of thoughts among them.
    """

    tokens_in: int = 0
    tokens_out: int = 0


class OpenAiService(Service):
    """Paces the calls to the server, counts them and their tokens, and explains its refusals.

    Args:
        pacer: says when the next call may be made.
        telemetry: where calls and tokens are counted.
        settings: of the server.
    """

    def __init__(self, pacer: Pacer, telemetry: Telemetry, settings: OpenAiAccount) -> None:
        super().__init__(NAME, pacer, telemetry, price=settings.price)
        self._prices = settings.price_in / _MILLION, settings.price_out / _MILLION
        self._free = threading.BoundedSemaphore(settings.calls_at_once)

    @contextmanager
    def turn(self, context: CallContext) -> Iterator[None]:
        """Wait until this process may make one more call at a time.

        Raises:
            Busy: the others take too long.
        """
        if not self._free.acquire(timeout=_LONGEST_WAIT if context.continues else _PATIENCE):
            raise Busy(
                "openai: as many calls are under way as OPENAI_CALLS_AT_ONCE allows",
                retry_after=_BUSY_SECONDS,
            )
        try:
            yield
        finally:
            self._free.release()

    def note_usage(self, operation: str, context: CallContext, usage: Usage) -> None:
        """Count the tokens of a call that was answered, and what they cost."""
        labels = {"service": self.name, "operation": operation, "step": context.step}
        for kind, tokens in (("in", usage.tokens_in), ("out", usage.tokens_out)):
            self._telemetry.count("imaginem.tokens", tokens, **labels, direction=kind)
        with within((context.batch_id, context.job_id)):
            count(
                self.name,
                operation,
                calls=0,
                tokens_in=usage.tokens_in,
                tokens_out=usage.tokens_out,
            )
        price_in, price_out = self._prices
        cost = usage.tokens_in * price_in + usage.tokens_out * price_out
        self._telemetry.count("imaginem.cost", cost, **labels)

    def _error_of(self, operation: str, refused: Refused) -> Exception:
        wait = wait_of(refused)
        if wait is None:
            return error_of(operation, refused)
        self._hold_off(wait)
        told = one_line(refused.text, 300)
        return Busy(f"openai {operation}: {told} (status {refused.status})", retry_after=wait)

    def _unreachable(self, operation: str, problem: Exception) -> Exception:
        if type(problem).__name__ in ("ClientAuthenticationError", "CredentialUnavailableError"):
            return no_token(SCOPE, problem)
        if not isinstance(problem, ValueError | OSError | RecursionError):
            return problem
        reason = one_line(str(problem) or type(problem).__name__, 200)
        return RetryableError(
            f"openai {operation}: no usable answer ({reason}). Check OPENAI_ENDPOINT and that the "
            "server runs",
            retry_after=_PAUSE,
        )

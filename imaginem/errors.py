"""Errors; the class says what the pipeline does about it.

A step raises one of these to say whether trying again can help. Any other exception is a
defect: the host delivers the message again, and poisons it after the last try.
"""

import math


class ImaginemError(Exception):
    """Base of every error that Imaginem raises on purpose."""


class PermanentError(ImaginemError):
    """Trying again cannot help: the step is recorded `failed` and the job goes on."""


class RetryableError(ImaginemError):
    """Trying again later may help: the message goes back to its queue with a delay.

    Args:
        message: one line that says what to do.
        retry_after: least seconds to wait, when the service named them.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        known = retry_after is not None and math.isfinite(retry_after)
        self.retry_after = retry_after if known else None


class Busy(RetryableError):
    """A service has no capacity now: the message waits, which does not count as a try."""


class InvalidMessage(ImaginemError):
    """The message can never be processed: it is kept in `pipelinepoison` with the reason."""


class StorageUnavailable(ImaginemError):
    """Queue, blob or table storage did not answer: the host redelivers the message."""


class ConfigurationError(ImaginemError):
    """A setting, package or file is missing or wrong; the message says how to fix it."""


class RegistrationError(ImaginemError):
    """A step is declared in a way that cannot work; raised at import."""


class NotFound(ImaginemError):
    """A blob, queue, entity or row does not exist."""


class Conflict(ImaginemError):
    """Somebody else has written a row or a blob since it was read."""

"""Errors, each carrying what the pipeline does about it.

A step raises one of these to say whether trying again can help. Whatever else it
raises is a defect: the host redelivers the message, and poisons it in the end.
"""


class ImaginemError(Exception):
    """Base of every error that Imaginem raises on purpose."""


class PermanentError(ImaginemError):
    """Trying again cannot help: the step is recorded `failed` and the job goes on."""


class RetryableError(ImaginemError):
    """Trying again later may help: the message goes back to its queue with a delay.

    Args:
        message: one line that a person can act on.
        retry_after: seconds to wait at least, when the other side said so.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Busy(RetryableError):
    """A service has no room now: the message waits its turn, which is no failed try."""


class InvalidMessage(ImaginemError):
    """The message can never be processed: it is kept in `pipelinepoison`."""


class StorageUnavailable(ImaginemError):
    """Queue, blob or table storage did not answer: the host redelivers the message."""


class ConfigurationError(ImaginemError):
    """A setting, package or file is missing or contradictory; says how to mend it."""


class RegistrationError(ImaginemError):
    """A step is declared in a way that cannot work; raised at import."""


class NotFound(ImaginemError):
    """A blob, queue, entity or row does not exist."""


class Conflict(ImaginemError):
    """Another delivery has written the job's entity since we last saw it."""

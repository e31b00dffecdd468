"""What a library raises that can't cope with a photo, as the pipeline understands it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from imaginem.errors import ImaginemError, PermanentError, RetryableError

_logger = logging.getLogger("imaginem.engines.local")


@contextmanager
def photo_faults(task: str) -> Iterator[None]:
    """Let one photo that a library can't cope with cost one step only, not its whole job.

    Models and libraries do the same with the same photo each time, so trying again can't help.
    Files and the system may be better later, as may settings: their errors are left as they are.

    Args:
        task: what is done with the photo, such as `read its text`.

    Raises:
        PermanentError: a library failed.
        RetryableError: it had too little memory.
    """
    try:
        yield
    except (ImaginemError, OSError):
        raise
    except Exception as problem:
        name = type(problem).__name__
        if isinstance(problem, MemoryError) or "memory" in str(problem).lower():
            raise RetryableError(
                f"this machine has too little memory to {task} ({name}): try it later"
            ) from problem
        # The text of what a library raises may hold anything, so it stays in the log.
        _logger.exception("a library can't %s", task)
        raise PermanentError(
            f"the local engine can't {task} ({name}; the log has the details): send a copy of the "
            "photo in another size, or choose another engine"
        ) from problem

"""Models of what the API tells of the app's health."""

from pydantic import Field

from imaginem.web.models import Answer


class QueueDepth(Answer):
    """About how many messages wait on a queue; null if there is no such queue."""

    name: str = Field(examples=["ocr"])
    messages: int | None


class CheckResult(Answer):
    """A check's result; `problem` is empty if all is well."""

    name: str = Field(examples=["database"])
    problem: str


class Operations(Answer):
    """What runs, and its health; what is poisoned is counted up to 1,000.

    `remains` tells what to do about something erased that is still on this machine's disk.
    """

    version: str
    queues: list[QueueDepth]
    engines: dict[str, str]
    engine_notes: dict[str, str]
    checks: list[CheckResult]
    poisoned: int
    remains: str = ""

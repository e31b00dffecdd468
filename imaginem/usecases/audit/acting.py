"""Who acts, as the audit trail tells it.

HTTP says so for each request and the command line when it starts, as for the labels of log lines.
So a use case need not be handed a caller to be recorded, and none is recorded under a wrong name.
"""

from contextvars import ContextVar

from imaginem.errors import InvalidMessage
from imaginem.ports import AuditDeed, AuditSubject, Services

ITSELF = "imaginem"
"""Who acts where nobody calls: timers, and what they do."""

_who: ContextVar[str] = ContextVar("imaginem_who", default=ITSELF)
_purpose: ContextVar[str] = ContextVar("imaginem_purpose", default="")
_WITH_PURPOSE = (AuditDeed.SEARCHED_FACES, AuditDeed.EXPORTED, AuditDeed.DOWNLOADED)
"""What a purpose is asked for, if any are set."""


def act_as(who: str, purpose: str = "") -> None:
    """Say who acts from now on in this request or process, and for which purpose."""
    _who.set(who)
    _purpose.set(purpose.strip())


def who_acts() -> str:
    """Return who acts, as the audit trail tells it."""
    return _who.get()


def state_purpose(purpose: str) -> None:
    """Say for which purpose, where a form or the command line names one."""
    if purpose.strip():
        _purpose.set(purpose.strip())


def note(services: Services, deed: AuditDeed, kind: AuditSubject, *ids: str) -> None:
    """Record that who acts does this; called before it is done, so that nothing is unrecorded.

    Args:
        services: keep it.
        deed: what is done.
        kind: to what.
        ids: of the batch, of batch and job, or of the face.

    Raises:
        InvalidMessage: a purpose is asked for, and it is none of those that are set.
        StorageUnavailable: it can't be recorded.
    """
    purposes = services.core_settings.purposes
    purpose = _purpose.get() if purposes and deed in _WITH_PURPOSE else ""
    if purposes and deed in _WITH_PURPOSE and purpose not in purposes:
        raise InvalidMessage(f"purpose: say what this is for, one of {', '.join(purposes)}")
    services.audit.record(_who.get(), deed, kind, ids, purpose)

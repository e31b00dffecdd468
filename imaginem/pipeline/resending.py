"""Authority to start or end a job in place of a message that was lost.

Anybody who can write to a queue can write `_imaginem`. What a message says there of the job that
it stands for is obeyed only if we have noted it before it was sent: in an entry of the shared
state, named by a hash of the job's key. Only messages that claim such a right cost the read.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from imaginem.message import JobMessage
from imaginem.ports import JobKey, Services, SharedState


@dataclass(frozen=True)
class Resending:
    """What has been sent in place of a job's message.

    Attributes:
        run: of the job; the messages that were sent are of no other.
        fence: of the row when they were sent; empty for a job that had none.
        sends: how many were sent.
        last: when the last one was sent.
        ends: why the last one ends the job; empty as long as none does.
    """

    run: str
    fence: str
    sends: int
    last: datetime
    ends: str = ""


@dataclass(frozen=True)
class Authority:
    """What a message may do because we noted it before we sent it."""

    replaces: bool = False
    ends: bool = False


_PREFIX = "resent-"
_ENTRY = TypeAdapter(Resending)


class Resends:
    """What has been sent in place of messages, as it stood when this was made.

    Args:
        shared: where it is noted.
    """

    def __init__(self, shared: SharedState) -> None:
        self._shared = shared
        self._entries = shared.list(_PREFIX)

    def of(self, key: JobKey, run: str, fence: str) -> Resending | None:
        """Return what has been sent since a job's row is as it is."""
        noted = _read(self._entries.get(_name(key)))
        return noted if noted is not None and (noted.run, noted.fence) == (run, fence) else None

    def note(self, key: JobKey, resending: Resending) -> None:
        """Note what is going to be sent.

        Raises:
            Conflict: somebody else has noted something meanwhile.
        """
        _, fence = self._entries.get(_name(key), ("", ""))
        self._shared.write(_name(key), _ENTRY.dump_json(resending).decode(), fence)

    def forget(self, before: datetime) -> None:
        """Remove what was noted before a moment; jobs that stand still are noted again."""
        for name, entry in self._entries.items():
            noted = _read(entry)
            if noted is None or noted.last < before:
                self._shared.remove(name)


def forget_resends(shared: SharedState, key: JobKey) -> None:
    """Remove what is noted of a job."""
    shared.remove(_name(key))


def authority_of(message: JobMessage, services: Services) -> Authority:
    """Return what a message may do in place of a lost one."""
    kept = message.job_definition.bookkeeping
    if not (kept.replaces or kept.ends):
        return Authority()
    noted = _read(services.shared_state.read(_name(message.key)))
    if noted is None or noted.run != (kept.run or kept.replaces):
        return Authority()
    return Authority(replaces=bool(kept.replaces), ends=bool(kept.ends) and kept.ends == noted.ends)


def _read(entry: tuple[str, str] | None) -> Resending | None:
    try:
        return None if entry is None else _ENTRY.validate_json(entry[0])
    except ValidationError:  # the table was edited by hand
        return None


def _name(key: JobKey) -> str:
    """Return the entry's name: short whatever the ids' length, and telling nobody of the job."""
    return f"{_PREFIX}{hashlib.sha256(to_json(key)).hexdigest()[:40]}"

"""Engines that a rerun chose instead of those that the settings choose.

Anybody who can write to a queue can write `_imaginem`, and a call to another engine may cost money.
So the message carries nothing but a token that can't be guessed; what it stands for is in an entry
of the shared state, written before the first message is sent. Only jobs that carry a token cost the
read. A rerun that writes an entry removes old ones.
"""

import functools
import hashlib
import json
import uuid
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from imaginem.errors import StorageUnavailable
from imaginem.ports import SharedState

_KEPT = timedelta(days=90)
"""A job of a rerun may be replayed so much later; after that the settings choose its engines."""
_AT_ONCE = 50
"""How many old entries one rerun removes at most."""


class NotedEngineChoices:
    """Reads and writes the entries; an entry never changes, so it is read once.

    Args:
        shared_state: where they are kept.
    """

    def __init__(self, shared_state: SharedState) -> None:
        self._shared_state = shared_state
        self._read = functools.lru_cache(maxsize=64)(self._read_entry)

    def note(self, batch_id: str, engines: Mapping[str, str]) -> str:
        """Note the providers of a rerun; return the token."""
        token = uuid.uuid4().hex
        now = datetime.now(UTC).isoformat()
        entry = {"batch": _hash(batch_id), "engines": dict(engines), "since": now}
        self._shared_state.write(_name(token), json.dumps(entry), "")
        with suppress(StorageUnavailable):  # the next rerun will do it
            self._remove_old()
        return token

    def _remove_old(self) -> None:
        before = datetime.now(UTC) - _KEPT
        entries = self._shared_state.list(_name(""))
        old = [name for name, (text, _) in entries.items() if _is_before(text, before)]
        for name in old[:_AT_ONCE]:
            self._shared_state.remove(name)

    def chosen(self, token: str, batch_id: str) -> Mapping[str, str]:
        """Return what was noted for a batch; nothing for a token that was made up."""
        batch, engines = self._read(token)
        return dict(engines) if batch == _hash(batch_id) else {}

    def _read_entry(self, token: str) -> tuple[str, tuple[tuple[str, str], ...]]:
        entry = self._shared_state.read(_name(token))
        try:
            value = json.loads(entry[0]) if entry else {}
            engines = {str(kind): str(provider) for kind, provider in value["engines"].items()}
            return str(value["batch"]), tuple(engines.items())
        except (ValueError, KeyError, AttributeError, TypeError):  # none, or edited by hand
            return "", ()


def _is_before(text: str, moment: datetime) -> bool:
    try:
        return datetime.fromisoformat(json.loads(text)["since"]) < moment
    except (ValueError, KeyError, TypeError):  # of an earlier version, or edited by hand
        return False


def _name(token: str) -> str:
    return f"engines-{token}"


def _hash(batch_id: str) -> str:
    """Return a hash that stands for a batch, so that the entry tells nobody of it."""
    return hashlib.sha256(batch_id.encode("utf-8", "surrogatepass")).hexdigest()[:32]

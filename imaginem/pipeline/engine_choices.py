"""Engines that a rerun chose instead of those that the settings choose.

Anybody who can write to a queue can write `_imaginem`, and a call to another engine may cost money.
So the message carries nothing but a token that can't be guessed; what it stands for is in an entry
of the shared state, written before the first message is sent. Only jobs that carry a token cost the
read.
"""

import functools
import hashlib
import json
import uuid
from collections.abc import Mapping

from imaginem.ports import SharedState


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
        entry = {"batch": _hash(batch_id), "engines": dict(engines)}
        self._shared_state.write(_name(token), json.dumps(entry), "")
        return token

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


def _name(token: str) -> str:
    return f"engines-{token}"


def _hash(batch_id: str) -> str:
    """Return a hash that stands for a batch, so that the entry tells nobody of it."""
    return hashlib.sha256(batch_id.encode("utf-8", "surrogatepass")).hexdigest()[:32]

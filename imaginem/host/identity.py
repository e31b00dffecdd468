"""A home and its storage know each other: neither works with what is another's.

Both keep the same random name and how often a host has started on them. The home's copy is
written first: a storage that is behind has lost its books (the emulator died), or was never
used; a home that is behind was restored from a backup.
"""

import json
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

from imaginem.errors import ConfigurationError, Conflict
from imaginem.host.home import write_atomically
from imaginem.ports import SharedState

_FILE = "identity.json"
_ENTRY = "home"
_REMEDY = (
    "Name the right home with --home (IMAGINEM_HOME), or the right account in "
    "AzureWebJobsStorage. If they shall belong together from now on: `imaginem start --adopt`"
)


@dataclass(frozen=True)
class Identity:
    """What a home, and in the same words its storage, keep about themselves.

    Attributes:
        name: random, made by the home's first start.
        starts: of hosts so far.
        storage: what the home's settings call the storage.
    """

    name: str
    starts: int
    storage: str

    def text(self) -> str:
        """Return it as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> "Identity":
        """Read it from JSON.

        Raises:
            ValueError: it is not valid.
        """
        try:
            fields = json.loads(text)
            return cls(str(fields["name"]), int(fields["starts"]), str(fields["storage"]))
        except (KeyError, TypeError):
            raise ValueError(text) from None


def check_identity(home: Path, state: SharedState, storage: str) -> None:
    """Check that a home and its storage belong together; change nothing.

    Args:
        home: the folder.
        state: of the storage.
        storage: what the settings call it.

    Raises:
        ConfigurationError: they don't.
        StorageUnavailable: storage did not answer.
    """
    _check(home, _read(home), _of_storage(state.read(_ENTRY)), storage)


def join(home: Path, state: SharedState, storage: str, *, adopt: bool = False) -> None:
    """Check as `check_identity` does, and note the start of a host on both sides.

    Args:
        home: the folder; its lock is held.
        state: of the storage.
        storage: what the settings call it.
        adopt: make them belong together if they don't.

    Raises:
        ConfigurationError: they don't belong together.
        StorageUnavailable: storage did not answer.
    """
    entry = state.read(_ENTRY)
    theirs = _of_storage(entry)
    ours = None
    try:
        ours = _read(home)
        _check(home, ours, theirs, storage)
    except ConfigurationError:
        if not adopt:
            raise
    starts = max(side.starts if side else 0 for side in (ours, theirs)) + 1
    new = Identity(ours.name if ours else uuid.uuid4().hex, starts, storage)
    write_atomically(home / _FILE, new.text())
    try:
        state.write(_ENTRY, new.text(), entry[1] if entry else "")
    except Conflict:
        raise ConfigurationError(
            f"another host has just started on {storage}, from another home: stop it, or name "
            "another account in AzureWebJobsStorage"
        ) from None


def _read(home: Path) -> Identity | None:
    path = home / _FILE
    try:
        return Identity.read(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        raise ConfigurationError(
            f"{path} can't be read, and would tell which storage this home belongs to. {_REMEDY}"
        ) from None


def _of_storage(entry: tuple[str, str] | None) -> Identity | None:
    try:
        return Identity.read(entry[0]) if entry else None
    except ValueError:
        return None  # not ours: it is written again


def _check(home: Path, ours: Identity | None, theirs: Identity | None, storage: str) -> None:
    if theirs is None:
        if ours is not None and ours.storage != storage:
            raise ConfigurationError(
                f"the home {home} belongs to {ours.storage}, and the settings name {storage}. "
                f"{_REMEDY}"
            )
    elif ours is None or ours.name != theirs.name:
        raise ConfigurationError(
            f"{storage} belongs to another home than {home}: photos of one would meet results of "
            f"the other. {_REMEDY}"
        )
    elif ours.starts < theirs.starts:
        raise ConfigurationError(
            f"the home {home} is older than what is in {storage} ({ours.starts} starts, there "
            f"{theirs.starts}): it was restored from a backup, or is a copy. {_REMEDY}"
        )

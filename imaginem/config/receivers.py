"""Who gets photos: the services that the chosen engines call."""

import ipaddress
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from imaginem.config.settings import ServiceSettings, Settings

_logger = logging.getLogger("imaginem.config")


@dataclass(frozen=True)
class PhotoReceiver:
    """A server that photos are sent to.

    Attributes:
        host: its name, and its port where that is not the usual one.
        engines: which engines send them: the kinds, by the names that users see.
        is_here: it is on this machine.
        is_encrypted: they are sent by https.
    """

    host: str
    engines: tuple[str, ...]
    is_here: bool
    is_encrypted: bool

    @property
    def place(self) -> str:
        """Return where photos go, in words: ends the sentence "Photos are sent to"."""
        if self.is_here:
            return f"{self.host} on this machine"
        return self.host if self.is_encrypted else f"{self.host}, not encrypted"

    @property
    def text(self) -> str:
        """Return a sentence for pages, `imaginem doctor` and the start."""
        return f"Photos are sent to {self.place} (for {', '.join(self.engines)})."


def photo_receivers(settings: Settings) -> list[PhotoReceiver]:
    """Return who gets photos; empty while every engine that is chosen runs in the app itself."""
    kinds: dict[str, list[str]] = {}
    for row, provider in settings.engine_table.providers(settings.engine_choices):
        if provider.account:
            account: ServiceSettings = getattr(settings, provider.account.lower())
            kinds.setdefault(account.endpoint, []).append(row.shown_as)
    return [_receiver(endpoint, tuple(names)) for endpoint, names in kinds.items()]


def with_receivers(notes: Mapping[str, str], settings: Settings) -> dict[str, str]:
    """Return what to know of engines, by kind, with where each sends photos."""
    told = dict(notes)
    for receiver in photo_receivers(settings):
        for kind in receiver.engines:
            known = f"{told[kind]}. " if kind in told else ""
            told[kind] = f"{known}Photos are sent to {receiver.place}."
    return told


def log_receivers(settings: Settings) -> None:
    """Write a line for each server that gets photos."""
    for receiver in photo_receivers(settings):
        _logger.info("%s", receiver.text)


def _receiver(endpoint: str, engines: tuple[str, ...]) -> PhotoReceiver:
    parts = urlsplit(endpoint)
    return PhotoReceiver(
        host=parts.netloc,
        engines=engines,
        is_here=_is_loopback(parts.hostname or ""),
        is_encrypted=parts.scheme == "https",
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")

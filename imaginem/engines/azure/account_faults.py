"""Which refusals are the account's fault, not the photo's: its address, access, network or quota.

They decide by the service's code and words where a status alone would not do: 404 may be a wrong
address, a service that has been retired, or one face that has expired.
"""

import re
from collections.abc import Collection

STATUSES = frozenset({401, 403, 404, 405, 410})
"""Statuses of HTTP with which an account refuses every photo; see `advice`."""

# Microsoft, "Azure AI Face error codes": what one request named is not there, or not ready.
_REQUESTS_OWN = (
    "FaceNotFound",
    "PersistedFaceNotFound",
    "LargeFaceListNotFound",
    "LargeFaceListNotTrained",
    "LargeFaceListPersistedFaceNotFound",
)
_NO_VOLUME = "out of call volume quota"
_UNKNOWN_VOLUME_SECONDS = 3600.0
_CLOCK = re.compile(r"(?:(\d{1,9})\.)?(\d{1,2}):(\d{2}):(\d{2})")
_SPAN = re.compile(r"(\d{1,9}(?:\.\d{1,9})?) (second|minute|hour|day)")
_UNIT_SECONDS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86_400.0}


def own_code(codes: Collection[str]) -> str:
    """Return the code that says that one thing of the request is not there; empty if none does."""
    return next((code for code in _REQUESTS_OWN if code in codes), "")


def volume_wait(status: int, text: str, retry_after: float | None) -> float | None:
    """Return the seconds until a used-up quota of a day or a month is filled again.

    Args:
        status: of HTTP.
        text: the service's message, such as `Quota will be replenished in 1.02:03:04`.
        retry_after: seconds of that header.

    Returns:
        None if the refusal is another one.
    """
    if _NO_VOLUME not in text.lower() and not (status == 403 and retry_after):
        return None
    return retry_after or _named_seconds(text) or _UNKNOWN_VOLUME_SECONDS


def _named_seconds(text: str) -> float:
    """Return the time that a message names; 0 if it names none."""
    if clock := _CLOCK.search(text):
        days, hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
    if span := _SPAN.search(text):
        return float(span[1]) * _UNIT_SECONDS[span[2]]
    return 0.0


def advice(status: int, codes: Collection[str], text: str, prefix: str) -> str:
    """Return what an operator can do about a refusal; empty if the request is to blame.

    Args:
        status: of HTTP.
        codes: of the service's error.
        text: its message.
        prefix: begins the names of the account's settings.
    """
    if status not in STATUSES or own_code(codes) or "QuotaExceeded" in codes:
        return ""
    if status == 410:
        return (
            f"The service is gone: look up its retirement, and change {prefix}_ENDPOINT or engine"
        )
    if status in (404, 405):
        return (
            f"Nothing answers this call at {prefix}_ENDPOINT: give the account's own address, such "
            "as https://<name>.cognitiveservices.azure.com, without a path. If it is right, the "
            "service may have been retired"
        )
    said = " ".join((*codes, text)).lower()
    if "virtual network" in said or "firewall" in said or "public access is disabled" in said:
        return (
            "Let the app's network into the account: its Networking page in the portal, or "
            "privateNetworking of the deployment"
        )
    if "authenticationtypedisabled" in said or "key based authentication is disabled" in said:
        return f"The account takes no keys: leave {prefix}_API_KEY empty"
    if "disabled" in said or "suspended" in said:
        return "The account or its subscription is disabled: the portal says why"
    return (
        f"Check {prefix}_ENDPOINT and {prefix}_API_KEY, or, without a key, that the app's identity "
        "has the role Cognitive Services User on the account"
    )

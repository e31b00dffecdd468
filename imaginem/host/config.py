"""The part of `host.json` that the local host follows."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imaginem.errors import ConfigurationError

_LARGEST = 2**31 - 1  # the host's numbers are .NET's int
_FROM_ZERO, _FROM_ONE = range(_LARGEST + 1), range(1, _LARGEST + 1)
_TIMESPAN = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2})(?:\.(\d{1,7}))?")


@dataclass(frozen=True)
class HostConfig:
    """The settings that are followed, with the defaults of Azure Functions 4.

    Attributes:
        batch_size: messages that a listener receives at once.
        new_batch_threshold: a listener receives more once no more than this many are running.
        max_dequeue_count: deliveries after which a failing message goes to the poison queue.
        visibility_timeout: seconds until a failed message is delivered again.
        max_blobs: blobs that a blob function handles at once.
        poison_blob_threshold: tries after which a blob is reported on the poison queue.
        max_polling_interval: longest pause, in seconds, between two polls of an empty queue.
        function_timeout: seconds that a function may run.
        route_prefix: what the path of every HTTP function begins with.
    """

    batch_size: int = 16
    new_batch_threshold: int = 8
    max_dequeue_count: int = 5
    visibility_timeout: float = 0.0
    max_blobs: int = 8
    poison_blob_threshold: int = 5
    max_polling_interval: float = 60.0
    function_timeout: float = 1800.0
    route_prefix: str = "api"


def read_host_config(folder: Path) -> HostConfig:
    """Read a function app's `host.json`.

    Raises:
        ConfigurationError: the file is missing, is not JSON, or a field has a wrong value.
    """
    path = folder / "host.json"
    try:
        raw = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(
            f"there is no host.json in {folder}: name the function app's folder with --app"
        ) from None
    except ValueError as problem:
        raise ConfigurationError(f"host.json is not JSON: {problem}") from None
    queues, blobs = _section(raw, "extensions", "queues"), _section(raw, "extensions", "blobs")
    default = HostConfig()
    batch_size = _whole_number(queues, "batchSize", default.batch_size, range(1, 33))
    return HostConfig(
        batch_size=batch_size,
        new_batch_threshold=_whole_number(
            queues, "newBatchThreshold", max(batch_size // 2, 1), _FROM_ZERO
        ),
        max_dequeue_count=_whole_number(
            queues, "maxDequeueCount", default.max_dequeue_count, _FROM_ONE
        ),
        visibility_timeout=_seconds(queues, "visibilityTimeout", default.visibility_timeout),
        max_blobs=_whole_number(blobs, "maxDegreeOfParallelism", default.max_blobs, _FROM_ONE),
        poison_blob_threshold=_whole_number(
            blobs, "poisonBlobThreshold", default.poison_blob_threshold, _FROM_ONE
        ),
        max_polling_interval=_seconds(queues, "maxPollingInterval", default.max_polling_interval),
        function_timeout=_seconds(raw, "functionTimeout", default.function_timeout),
        route_prefix=str(
            _section(raw, "extensions", "http").get("routePrefix", default.route_prefix)
        ),
    )


def _section(raw: Any, *names: str) -> dict[str, Any]:
    """Return a nested object of the file; empty when it is not there."""
    for name in names:
        raw = raw.get(name, {}) if isinstance(raw, dict) else {}
    return raw if isinstance(raw, dict) else {}


def _whole_number(section: dict[str, Any], name: str, default: int, allowed: range) -> int:
    """Return a number of the file; outside these limits the host of Azure does not start."""
    value = section.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value not in allowed:
        limits = f"from {allowed[0]}" + (f" to {allowed[-1]}" if allowed[-1] < _LARGEST else "")
        raise ConfigurationError(f"host.json: {name} is {value!r}: give a whole number {limits}")
    return value


def _seconds(section: dict[str, Any], name: str, default: float) -> float:
    if name not in section:
        return default
    match = _TIMESPAN.fullmatch(str(section[name]))
    if match is None:
        raise ConfigurationError(f"host.json: {name} is {section[name]!r}: give hh:mm:ss")
    days, hours, minutes, seconds, fraction = match.groups(default="0")
    whole = ((int(days) * 24 + int(hours)) * 60 + int(minutes)) * 60 + int(seconds)
    return whole + float(f"0.{fraction}")

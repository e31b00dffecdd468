"""The trace of a run: one line for each thing that happens, short enough to be read."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from imaginem.errors import InvalidMessage
from imaginem.message import read_json
from imaginem.ports import LogEntry, PoisonEntry, QueueItem

_ID = re.compile(r"0{8}-0000-0000-0000-0*([0-9a-f]+)")
_LONGEST = 300


class Trace:
    """What happened in a run, line by line; kept only when somebody wants to read it."""

    def __init__(self, now: Callable[[], float], wanted: bool) -> None:
        self._now, self.wanted = now, wanted
        self.lines: list[str] = []

    def note(self, who: str, what: str) -> None:
        """Add a line."""
        if self.wanted:
            self.lines.append(f"{self._now():10.3f}  {who:<11} {shortened(what)}")

    def call(self, port: str, method: str, given: Sequence[object]) -> str:
        """Return a call as the trace has it."""
        return f"{port}.{method}({', '.join(brief(value) for value in given)})"


def shortened(text: str) -> str:
    """Return a text with ids as `m7`, and no more of it than can be read."""
    text = _ID.sub(r"m\1", text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def brief(value: object) -> str:
    """Return a value in a few words."""
    if isinstance(value, list):
        return f"[{', '.join(brief(item) for item in value)}]"
    if isinstance(value, QueueItem):
        return f"<{value.id} #{value.dequeue_count} {_message(value.body)}>"
    if isinstance(value, LogEntry):
        return f"<row {value.fence} {_properties(value.properties)}>"
    if isinstance(value, PoisonEntry):
        return f"<poison {value.queue} {value.id} {value.reason} {_message(value.body)}>"
    if isinstance(value, Mapping):
        return _properties(value)
    if isinstance(value, str) and value.startswith('{"job_definition"'):
        return f"<{_message(value)}>"
    if isinstance(value, Iterator):
        return "one after the other"
    text = repr(value)
    return text if len(text) < 100 else f"{text[:90]}…"


def _properties(properties: Mapping[str, Any]) -> str:
    """Return properties of a row, those that are long or always alike left out."""
    left_out = ("image_url", "processing_pipeline", "job_output", "imaginem_message")
    chosen = {
        name: value
        for name, value in sorted(properties.items(), key=str)
        if name not in left_out and value and not str(name).endswith("_output")
    }
    return ", ".join(f"{name}={value}" for name, value in chosen.items())


def _message(body: str) -> str:
    """Return job, place and bookkeeping of a message."""
    try:
        definition = read_json(body)["job_definition"]
        kept = {name: value for name, value in definition.get("_imaginem", {}).items() if value}
        at = definition["processing_pipeline"][definition["processing_step"]]
    except (InvalidMessage, KeyError, TypeError, IndexError):
        return body[:60]
    return f"{definition['id']} at {at} {kept}"

"""Log lines say which job they are about, without whoever writes one having to.

What a thread works on is noted once. A filter gives it to every record that is made meanwhile, for
Application Insights and collectors; the formatter puts it at the end of a line, for people.
"""

import json
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import IO

from imaginem.redaction import CONTROLS, escaped, redact

_SHOWN = {"batch_id": "batch", "job_id": "job", "step": "step"}
_LONGEST = 80  # characters of an id in a line
_PLAIN = re.compile(rf"[^\s\"=\\{CONTROLS}]+")
_NOTED = "_imaginem_labels"
_labels: ContextVar[Mapping[str, str]] = ContextVar("imaginem_labels")


@contextmanager
def working_on(**labels: str) -> Iterator[None]:
    """Label all log records that are made inside the `with` block.

    Args:
        labels: `batch_id`, `job_id` and `step`, as far as they are known.
    """
    token = _labels.set({**_labels.get({}), **labels})
    try:
        yield
    except Exception as problem:
        if not hasattr(problem, _NOTED):
            setattr(problem, _NOTED, _labels.get({}))
        raise
    finally:
        _labels.reset(token)


def label(**labels: str) -> None:
    """Label the records from here to the end of the `with` block of `working_on`.

    Outside of one it does nothing: the labels would never end.
    """
    noted = _labels.get(None)
    if noted is not None:
        _labels.set({**noted, **labels})


def labels_of(problem: BaseException | None) -> dict[str, str]:
    """Return what was worked on when an error was raised, for `extra` of a record on it."""
    return dict(getattr(problem, _NOTED, {}))


class AddLabels(logging.Filter):
    """Adds to each record what its thread works on; what the record has itself stays."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the labels; let every record pass."""
        for name, value in _labels.get({}).items():
            if not hasattr(record, name):
                setattr(record, name, value)
        return True


class LabelledLines(logging.Formatter):
    """Formats records as lines that end with batch, job and step, without secrets."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line, with which a stack may follow."""
        line = " ".join(super().formatMessage(record).splitlines())
        told = [
            f"{shown}={_value(str(getattr(record, name)))}"
            for name, shown in _SHOWN.items()
            if getattr(record, name, "") and not self._is_told(record, name)
        ]
        return " ".join([line, *told])

    def format(self, record: logging.LogRecord) -> str:
        """Return line and stack without keys, queries of addresses and control characters."""
        return escaped(redact(super().format(record)))  # ids and answers may hold any character

    @staticmethod
    def _is_told(record: logging.LogRecord, name: str) -> bool:
        """Tell whether the message begins with the step's name."""
        return name == "step" and record.message.startswith(f"{getattr(record, name)}: ")


def _value(text: str) -> str:
    short = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    return short if _PLAIN.fullmatch(short) else json.dumps(short, ensure_ascii=False)


def _is_of_use(record: logging.LogRecord) -> bool:
    """Tell whether a record of urllib3's pools says anything to those who read the log.

    More threads at once than a pool keeps connections for is nothing to be done about: the call
    gets a connection of its own, which is closed after it.
    """
    return not str(record.msg).startswith("Connection pool is full")


def log_to(stream: IO[str]) -> None:
    """Write the log lines of this process to a stream."""
    handler = logging.StreamHandler(stream)
    handler.addFilter(AddLabels())
    handler.setFormatter(LabelledLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for talkative in ("azure", "alembic"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    logging.getLogger("urllib3.connectionpool").addFilter(_is_of_use)

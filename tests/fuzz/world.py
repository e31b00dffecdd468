"""An Imaginem in memory that takes messages from both hosts, and refuses what Azure would refuse.

The functions are those of the real app; the local host's listener and Azure's worker call them.
"""

import io
import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from functools import cache
from typing import Any

import azure.functions as func
from azure.functions.queue import QueueMessage

import steps  # noqa: F401 - registers them
from imaginem.config.sections.pipeline import DEFAULT_PIPELINE
from imaginem.config.settings import read_settings
from imaginem.errors import Busy, PermanentError, StorageUnavailable
from imaginem.functions import add_drops, add_steps
from imaginem.host.arguments import argument_of
from imaginem.host.config import HostConfig
from imaginem.host.listener import QueueListener
from imaginem.host.surroundings import Surroundings
from imaginem.host.triggers import Trigger
from imaginem.host.worker import tell_failure
from imaginem.pipeline.steps import default_registry
from imaginem.ports import CoreSettings, JobKey, PoisonEntry
from imaginem.ports.log_lines import AddLabels, LabelledLines
from imaginem.testing import MemoryLog, MemoryPoison, MemoryQueues, MemoryServices, photo_bytes
from tests.yard import ROUND, Clock

_TRIES, _ROUNDS = 5, 400
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_NOT_IN_TEXT = re.compile("[\ud800-\udfff]")
_QUEUE_BYTES, _PROPERTY_UNITS, _ENTITY_BYTES = 64 * 1024, 32 * 1024, 2**20
_PHOTO = photo_bytes(8, 8)


class Refused(StorageUnavailable):
    """What real storage would not take."""


class Rows(MemoryLog):
    """Rows by the rules of Azure Table Storage."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock.now)
        self.written: set[JobKey] = set()

    def _put(self, key: JobKey, properties: Mapping[str, Any]) -> str:
        size = 0
        for name, value in properties.items():
            text = str(value)
            size += 2 * len(text) + 2 * len(name)
            if not _IDENTIFIER.fullmatch(name) or _NOT_IN_TEXT.search(text):
                raise Refused(f"the property {name[:80]!r}")
            if len(text.encode("utf-16-le")) // 2 > _PROPERTY_UNITS:
                raise Refused(f"{len(text)} characters in {name}")
        if size > _ENTITY_BYTES or len(properties) > 252:
            raise Refused(f"an entity of {size} bytes in {len(properties)} properties")
        self.written.add(key)
        return super()._put(key, properties)


class Entries(MemoryPoison):
    """What could not be processed, by the rules of Azure Table Storage."""

    def add(self, entry: PoisonEntry) -> None:
        """Keep an entry."""
        for text in (entry.reason, entry.batch_id, entry.job_id, entry.id, entry.queue):
            if _NOT_IN_TEXT.search(text) or len(text) > _PROPERTY_UNITS:
                raise Refused(f"the poison entry's text {text[:80]!r}")
        super().add(entry)


class Sent(MemoryQueues):
    """Queues by the rules of Azure Queue Storage."""

    def send(self, queue: str, body: str, *, delay: float = 0) -> str:
        """Put a message."""
        if (found := _NOT_IN_XML.search(body)) is not None:
            raise Refused(f"a message with {found[0]!r}")
        if (size := len(body.encode())) > _QUEUE_BYTES:
            raise Refused(f"a message of {size} bytes")
        return super().send(queue, body, delay=delay)


def _fetch(url: str) -> bytes:
    if "busy.test" in url:
        raise Busy(f"{url} is busy")
    if "photos.test" in url:
        return _PHOTO
    raise PermanentError(f"{url}: there is no such host")


class World:
    """One installation; `problems` are exceptions that left a function."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.rows, self.entries = Rows(self.clock), Entries()
        self.services = MemoryServices(
            core_settings=CoreSettings(
                default_pipeline=DEFAULT_PIPELINE, retry_seconds=0, max_attempts=2, max_waits=2
            ),
            queues=Sent(self.clock.seconds, self.clock.now),
            log=self.rows,
            poison=self.entries,
            fetch=_fetch,
        )
        self.photo = self.services.blobs.put("inputimages", "batch-1/photo", _PHOTO, "image/png")
        self.problems: list[str] = []
        self._around = Surroundings()
        self._listeners: dict[str, QueueListener] = {}

    def put(self, queue: str, body: str) -> str:
        """Put a message on a queue as any sender can, whatever it holds."""
        return MemoryQueues.send(self.services.queues, queue, body)

    def drain(self) -> bool:
        """Let the local host run functions until no message waits on a queue that is served."""
        queues, served = self.services.queues, functions()
        for _ in range(_ROUNDS):
            waiting = [name for name in queues.names() if name in served and queues.count(name)]
            if not waiting:
                return True
            if not sum([self._listener(name).poll() for name in waiting]):
                self.clock.move(ROUND)
        return False

    def deliver(self, queue: str, message_id: str, body: bytes) -> None:
        """Hand a message over as Azure's host does: bytes, five tries, then the poison queue."""
        for number in range(1, _TRIES + 1):
            if self._call(queue, _message(message_id, body, number)) is None:
                return
        if not queue.endswith("-poison"):
            self.deliver(f"{queue}-poison", f"{message_id}-again", body)

    def run(self, queue: str, **message: Any) -> "Future[None]":
        """Run a function as a worker does that got its message as a line of JSON."""
        future: Future[None] = Future()
        told = json.loads(json.dumps({**message, "function": queue}))
        problem = self._call(queue, argument_of(told))
        if problem is None:
            future.set_result(None)
        else:
            tell_failure(told, queue, problem)
            future.set_exception(problem)
        return future

    def drop(self, name: str) -> Exception | None:
        """Report a blob of the input container as the host does."""
        blob = func.blob.InputStream(data=b"", name=f"inputimages/{name}", metadata=None)
        return self._call("photo_dropped", blob)

    def _call(self, name: str, argument: Any) -> Exception | None:
        _current.append(self.services)
        try:
            functions()[name](argument)
        except Exception as problem:
            self.problems.append(f"{name}: {type(problem).__name__}: {problem}"[:300])
            return problem
        finally:
            _current.pop()
        return None

    def _listener(self, queue: str) -> QueueListener:
        if queue not in self._listeners:
            trigger, lane = Trigger(queue, "queue", "message", queue=queue), _Inline(self)
            made = QueueListener(trigger, self.services.queues, lane, _RULES, self._around)  # type: ignore[arg-type]
            self._listeners[queue] = made
        return self._listeners[queue]


_RULES = HostConfig(batch_size=16, new_batch_threshold=8, max_polling_interval=0.02)
_current: list[MemoryServices] = []


class _Inline:
    """A lane whose worker runs each call at once."""

    has_room = True
    at_once = 1

    def __init__(self, world: World) -> None:
        self._world = world

    def submit(self, function: str, **message: Any) -> "Future[None]":
        return self._world.run(function, **message)


@cache
def functions() -> Mapping[str, Callable[[Any], None]]:
    """Return the app's functions, those of queues by queue; they take the services of a `World`."""
    app = func.FunctionApp()
    add_steps(app, default_registry, lambda: _current[-1])
    add_drops(app, lambda: _current[-1], read_settings({}))
    found: dict[str, Callable[[Any], None]] = {}
    for function in app.get_functions():
        trigger = function.get_trigger()
        queue = trigger.get_dict_repr().get("queueName") if trigger else None
        found[str(queue or function.get_function_name())] = function.get_user_function()
    return found


def _message(message_id: str, body: bytes, number: int) -> QueueMessage:
    return QueueMessage(id=message_id, body=body, dequeue_count=number, pop_receipt="r")  # type: ignore[no-untyped-call]


@contextmanager
def log_of_imaginem() -> Iterator[io.StringIO]:
    """Return what `imaginem` writes to the log, as its processes format it."""
    stream, logger = io.StringIO(), logging.getLogger("imaginem")
    handler = logging.StreamHandler(stream)
    handler.addFilter(AddLabels())
    handler.setFormatter(LabelledLines())
    before = logger.level, logger.propagate
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    try:
        yield stream
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before[0])  # which forgets what it knows of levels, too
        logger.propagate = before[1]

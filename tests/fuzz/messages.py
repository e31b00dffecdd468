"""Hostile messages through the entrances of the app: each ends recorded, or kept with a reason."""

import random
import re
import time
from collections.abc import Callable

from pydantic_core import to_json

from imaginem.config.sections.pipeline import DEFAULT_PIPELINE
from imaginem.errors import InvalidMessage, NotFound, PermanentError, StorageUnavailable
from imaginem.functions import BLOB_POISON_QUEUE
from imaginem.message import decode_message
from imaginem.pipeline.claimed_ids import ids_in
from imaginem.pipeline.progress_row import ProgressRow, read_row
from imaginem.pipeline.states import ENDED
from imaginem.ports import PoisonEntry
from imaginem.testing import message_for
from imaginem.usecases.poison import replay_entry, view_entry
from tests.fuzz.cases import Case
from tests.fuzz.hostile_messages import KEY, Hostile, Known, hostile_message
from tests.fuzz.odd_values import FIELD_SECRET, QUEUE_BYTES, URL_SECRET, odd_value
from tests.fuzz.world import World, functions, log_of_imaginem

SECONDS = 1.0
"""Of the processor, for each 64 KiB: a queue holds no longer message."""
_LINE = re.compile(r"\d\d:\d\d:\d\d [A-Z]+ imaginem")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_NAMED = re.compile("job_definition|job_output|message|photo|inputimages/")
_FIX = re.compile(
    "should|required|send|use |shorten|must|put |remove|rename|give |write|keep|log|least|most"
)


class Breach(Exception):
    """Something that a message must not be able to do."""


def prepare() -> Callable[[int], Case]:
    """Make this process ready."""
    functions()
    return play


def play(seed: int) -> Case:
    """Play the message of a seed in a world of its own, where a job is at work."""
    rng = random.Random(seed)
    world = World()
    with log_of_imaginem() as log:
        known = _job_at_work(rng, world)
        hostile = hostile_message(rng, DEFAULT_PIPELINE, known)
        # Time is that of the processor: this machine's other work is not the message's.
        begun, breach, outcome = time.process_time(), "", "?"
        try:
            outcome = _through_an_entrance(rng, world, hostile)
            seconds = time.process_time() - begun
            _check_world(world, hostile, log.getvalue())
            if seconds > SECONDS * max(1, len(hostile.body) / QUEUE_BYTES):
                raise Breach(f"it took {seconds:.1f} s")
        except Breach as problem:
            breach = str(problem)
        except Exception as problem:
            breach = f"{type(problem).__name__}: {problem}"[:400]
    seconds = time.process_time() - begun
    return Case(seed, outcome, seconds, f"{hostile.queue}: {', '.join(hostile.ways)}", 0.0, breach)


def _job_at_work(rng: random.Random, world: World) -> Known:
    """Let a job begin; return what somebody may have seen of it."""
    message = message_for(world.photo, DEFAULT_PIPELINE, job_id=KEY[1], batch_id=KEY[0])
    world.deliver(message.current, "the-first-run", message.encode().encode())
    row = read_row(world.services.log, KEY)
    assert row is not None
    if rng.random() < 0.3:
        world.drain()
    return Known(row.run, row.fence)


def _through_an_entrance(rng: random.Random, world: World, hostile: Hostile) -> str:
    """Send a message in one of the ways that there are; return how it ended."""
    kind = rng.randrange(20)
    if kind == 0:
        return _as_drop(rng, world)
    if kind == 1:
        return _as_report_of_a_blob(rng, world, hostile)
    _check_ids(hostile.body)
    queue = hostile.queue + ("-poison" if kind < 4 else "")
    message_id = "hostile"
    raw = hostile.body if isinstance(hostile.body, bytes) else _bytes(hostile.body)
    if isinstance(hostile.body, bytes) or len(raw) > QUEUE_BYTES or kind < 8:
        world.deliver(queue, message_id, raw)
    else:
        message_id = world.put(queue, hostile.body)
    ended = world.drain()
    if not ended:
        raise Breach("messages are left on queues that are served")
    outcome = _ended(world, hostile, message_id, raw.decode("utf-8", "replace"), poisoned=kind < 4)
    if rng.random() < 0.3:
        _look_and_replay(rng, world)
    return outcome


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _check_ids(body: str | bytes) -> None:
    """The ids of a body are what its message has, and can be kept, whatever the body is."""
    batch_id, job_id = ids_in(body)
    f"{batch_id}{job_id}".encode()
    try:
        message = decode_message(body, DEFAULT_PIPELINE)
    except InvalidMessage:
        return
    if (batch_id, job_id) != message.key:
        raise Breach(f"ids_in says {(batch_id, job_id)!r} of the message of {message.key!r}")


def _ended(world: World, hostile: Hostile, message_id: str, body: str, *, poisoned: bool) -> str:
    """Return how a message ended: its job is recorded, or it is kept with a reason."""
    entries = [each for each in world.entries.list() if each.id == message_id]
    try:
        message = decode_message(body, DEFAULT_PIPELINE)
    except InvalidMessage:
        message = None
    if message is None or (not poisoned and message.current != hostile.queue):
        if not entries:
            raise Breach("an invalid message left no poison entry")
        return "kept: invalid"
    row = read_row(world.services.log, message.key)
    if row is None or row.job_state not in ENDED:
        raise Breach(f"the job of a valid message is {row.job_state if row else 'not recorded'}")
    return f"kept: {entries[0].kind}" if entries else f"recorded: {row.job_state}"


def _as_drop(rng: random.Random, world: World) -> str:
    """Drop a photo with an odd name, or an odd photo."""
    names = [
        "batch-1/a.jpg",
        "a.jpg",
        "/",
        "a//b",
        "..",
        "a/../b",
        "\u202ea.jpg",
        "b/\0",
        "é/ü.png",
    ]
    name = rng.choice((*names, f"b/{'x' * 1_000}", f"{'b' * 600}/a.jpg", str(odd_value(rng))[:900]))
    name = name.encode("utf-8", "replace").decode() or "a.jpg"
    world.services.blobs.put("inputimages", name, rng.randbytes(20), "image/png")
    world.drop(name)
    if not world.drain():
        raise Breach("messages are left on queues that are served")
    jobs = {key for key in world.rows.written if key != KEY}
    entries = world.entries.list()
    if not jobs and not entries:
        raise Breach(f"the dropped photo {name!r} left neither job nor entry")
    return "dropped: a job" if jobs else "dropped: kept"


def _as_report_of_a_blob(rng: random.Random, world: World, hostile: Hostile) -> str:
    """Report a blob that was given up, or what is no report of one."""
    name = rng.choice(("batch-1/photo", "gone.jpg", "a/../b", "x" * 2_000, odd_value(rng)))
    report = {"ContainerName": "inputimages", "BlobName": name, "ETag": odd_value(rng)}
    readable = rng.random() < 0.5
    try:
        body = to_json(report) if readable else _bytes(str(hostile.body))
    except ValueError:  # no UTF-8: it can't be written
        body = b"{}"
    world.deliver(BLOB_POISON_QUEUE, "report", body)
    world.drain()
    return "report of a blob: kept" if world.entries.list() else "report of a blob: logged"


def _look_and_replay(rng: random.Random, world: World) -> None:
    """Look at every entry, and put it back on its queue."""
    for entry in world.entries.list():
        view = view_entry(world.services, entry.queue, entry.id)
        view.body.encode()
        try:
            replay_entry(world.services, entry, force=rng.random() < 0.5)
        except (PermanentError, NotFound, StorageUnavailable):
            continue  # told to whoever asked for it; the entry is still there
    if not world.drain():
        raise Breach("messages are left on queues after a replay")


def _check_world(world: World, hostile: Hostile, log: str) -> None:
    """Nothing was raised, every job has ended, every entry has a reason, no secret was kept."""
    if world.problems:
        raise Breach(f"raised by {world.problems[0]}")
    for entry in world.entries.list():
        _check_entry(entry, hostile)
    for key in sorted(world.rows.written):
        found = world.rows.read(key)
        if found is not None:
            row = ProgressRow(found)
            if row.job_state not in ENDED and key != KEY:
                raise Breach(f"the job {key!r} stays {row.job_state}")
            if URL_SECRET in str(found.properties):
                where = [n for n, v in found.properties.items() if URL_SECRET in str(v)]
                raise Breach(f"the row keeps a secret in {where}")
    _check_log(log, hostile)


def _check_entry(entry: PoisonEntry, hostile: Hostile) -> None:
    reason = entry.reason
    if not reason or len(reason) > 700 or _CONTROL.search(reason) or 'File "/' in reason:
        raise Breach(f"the reason is no plain line: {reason[:300]!r}")
    invalid = entry.kind == "invalid"  # the words of the others are those of a service
    if invalid and not (_NAMED.search(reason) and _FIX.search(reason)):
        raise Breach(f"the reason names no field or no fix: {reason!r}")
    for secret in (URL_SECRET, FIELD_SECRET):
        if secret in reason:
            raise Breach(f"the reason tells a secret: {reason!r}")
        if secret in entry.body and hostile.readable:
            at = entry.body.index(secret)
            raise Breach(f"the entry keeps a secret: {entry.body[max(at - 120, 0) : at + 30]!r}")


def _check_log(log: str, hostile: Hostile) -> None:
    for line in log.splitlines():
        if hostile.readable and (URL_SECRET in line or FIELD_SECRET in line):
            raise Breach(f"the log tells a secret: {line[:300]!r}")
        if not _LINE.match(line) or _CONTROL.search(line):
            raise Breach(f"no line of the log: {line[:200]!r}")

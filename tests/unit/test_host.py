"""The local host's own rules: host.json, timers, routes, listeners, workers' triggers."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from imaginem.errors import ConfigurationError
from imaginem.host import leases as leases_module
from imaginem.host.config import HostConfig, read_host_config
from imaginem.host.http import HttpHost, route_pattern
from imaginem.host.listener import QueueListener
from imaginem.host.poller import Poller
from imaginem.host.surroundings import Surroundings
from imaginem.host.timers import next_run
from imaginem.host.triggers import Bound, Trigger
from imaginem.host.turns import Turns
from imaginem.pipeline.steps import default_registry
from imaginem.ports import QueueItem
from imaginem.testing import MemoryQueues, message_for, photo_bytes, run_all
from tests.dashboard import client, web_services
from tests.listening import Pool, eventually, listening, look, polling, stop


def configured(tmp_path: Path, **queues: Any) -> HostConfig:
    (tmp_path / "host.json").write_text(json.dumps({"extensions": {"queues": queues}}))
    return read_host_config(tmp_path)


def test_host_json_is_followed(tmp_path: Path) -> None:
    config = configured(
        tmp_path,
        batchSize=4,
        newBatchThreshold=2,
        maxDequeueCount=3,
        visibilityTimeout="00:00:30",
        maxPollingInterval="00:01:00.500",
    )

    assert (config.batch_size, config.new_batch_threshold, config.max_dequeue_count) == (4, 2, 3)
    assert (config.visibility_timeout, config.max_polling_interval) == (30.0, 60.5)


def test_host_json_says_how_many_blobs_are_handled_at_once(tmp_path: Path) -> None:
    blobs = {"maxDegreeOfParallelism": 3, "poisonBlobThreshold": 2}
    (tmp_path / "host.json").write_text(json.dumps({"extensions": {"blobs": blobs}}))
    config = read_host_config(tmp_path)
    assert (config.max_blobs, config.poison_blob_threshold) == (3, 2)


def test_what_host_json_leaves_out_is_as_on_azure(tmp_path: Path) -> None:
    assert configured(tmp_path) == HostConfig()
    assert configured(tmp_path, batchSize=6).new_batch_threshold == 3


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"batchSize": "many"}, "batchSize"),
        ({"batchSize": 33}, "from 1 to 32"),
        ({"batchSize": 0}, "from 1 to 32"),
        ({"maxDequeueCount": 0}, "maxDequeueCount is 0: give a whole number from 1"),
        ({"newBatchThreshold": -1}, "from 0"),
        ({"visibilityTimeout": "30s"}, "visibilityTimeout"),
    ],
)
def test_a_wrong_value_in_host_json_is_named(
    tmp_path: Path, wrong: dict[str, Any], named: str
) -> None:
    with pytest.raises(ConfigurationError, match=named):
        configured(tmp_path, **wrong)


def test_a_missing_host_json_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="--app"):
        read_host_config(tmp_path)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("0 */5 * * * *", datetime(2026, 1, 1, 0, 5, tzinfo=UTC)),
        ("30 0 1 * * *", datetime(2026, 1, 1, 1, 0, 30, tzinfo=UTC)),
        ("*/5 * * * *", datetime(2026, 1, 1, 0, 5, tzinfo=UTC)),
    ],
)
def test_timers_read_ncrontab(schedule: str, expected: datetime) -> None:
    assert next_run(schedule, datetime(2026, 1, 1, 0, 0, 31, tzinfo=UTC)) == expected


def test_a_wrong_schedule_is_reported() -> None:
    with pytest.raises(ConfigurationError, match="NCRONTAB"):
        next_run("every day", datetime.now(UTC))


@pytest.mark.parametrize(
    ("prefix", "route", "path", "matches"),
    [
        ("", "/{*route}", "/", True),
        ("", "/{*route}", "/api/x/y", True),
        ("api", "jobs/{id}", "/api/jobs/7", True),
        ("api", "jobs/{id}", "/api/jobs/7/8", False),
        ("api", "jobs/{id:int}", "/api/jobs/7", True),
        ("api", "health", "/api/health/", True),
        ("api", "health", "/health", False),
    ],
)
def test_routes_match_as_on_azure(prefix: str, route: str, path: str, matches: bool) -> None:
    assert bool(route_pattern(prefix, route).fullmatch(path)) is matches


@pytest.mark.parametrize(
    ("raw", "job_id"), [(b"c-%EF%BF%BD", "c-\ufffd"), (b"c-a%0Ab", "c-a\nb"), (b"%C3%BC", "ü")]
)
def test_any_id_in_an_address_reaches_its_job(raw: bytes, job_id: str) -> None:
    import azure.functions as func

    services = web_services()
    url = services.blobs.put("inputimages", "b//photo.png", photo_bytes(), "image/png")
    message = message_for(url, ["sample"], job_id=job_id, batch_id="b")
    services.queues.send("sample", message.encode())
    run_all(services, default_registry)
    middleware: Any = func.AsgiMiddleware  # it has no types
    web = middleware(client(services).app)

    async def serve(req: func.HttpRequest) -> Any:
        return await web.handle_async(req)

    host = HttpHost([Bound(Trigger("web", "http", "req", route="/{*route}"), serve)], "")
    status, body = ask(host, b"/api/jobs/b/" + raw, {"Host": "localhost"})

    assert (status, json.loads(body).get("job_id")) == (200, job_id)
    assert json.loads(body)["state"] == "succeeded"


def test_a_path_that_is_not_utf_8_is_refused(http_host: HttpHost) -> None:
    assert ask(http_host, b"/hello/%FF", {"Host": "localhost"})[0] == 400


def ask(
    host: HttpHost, path: str | bytes, headers: dict[str, str], method: str = "GET"
) -> tuple[int, bytes]:
    start, body = answer(host, path, headers, method)
    return int(start["status"]), bytes(body["body"])


def answer(
    host: HttpHost, path: str | bytes, headers: dict[str, str], method: str
) -> list[MutableMapping[str, Any]]:
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(event: MutableMapping[str, Any]) -> None:
        sent.append(event)

    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    escaped = path.encode() if isinstance(path, str) else path
    scope = {
        "type": "http",
        "method": method,
        "path": unquote(escaped.decode()),  # U+FFFD for what is not UTF-8, as the server has it
        "raw_path": escaped,
        "query_string": b"q=1",
        "headers": raw,
    }
    asyncio.run(host(scope, receive, send))
    return sent


@pytest.fixture
def http_host() -> HttpHost:
    import azure.functions as func

    def hello(req: func.HttpRequest) -> func.HttpResponse:
        principal = req.headers.get("x-ms-client-principal", "nobody")
        return func.HttpResponse(
            f"{req.method} {req.params['q']} {req.route_params.get('id')} {principal}"
        )

    trigger = Trigger("hello", "http", "req", route="hello/{id}", methods=("GET",))
    return HttpHost([Bound(trigger, hello)], "")


def test_an_upload_whose_client_has_gone_reaches_no_function(http_host: HttpHost) -> None:
    events: list[MutableMapping[str, Any]] = [
        {"type": "http.request", "body": b"half", "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return events.pop(0)

    async def send(event: MutableMapping[str, Any]) -> None:
        sent.append(event)

    scope = {"type": "http", "method": "GET", "path": "/hello/7", "query_string": b"q=1"}
    asyncio.run(http_host({**scope, "headers": [(b"host", b"localhost")]}, receive, send))
    assert not sent


def test_an_http_function_answers(http_host: HttpHost) -> None:
    assert ask(http_host, "/hello/7", {"Host": "127.0.0.1:7071"}) == (200, b"GET 1 7 nobody")
    assert ask(http_host, "/other", {"Host": "localhost:7071"})[0] == 404
    assert ask(http_host, "/hello/7", {"Host": "localhost"}, "POST")[0] == 404


@pytest.mark.parametrize(
    ("status", "headers", "length"),
    [(200, {}, b"0"), (200, {"Content-Length": "9"}, b"9"), (304, {}, None)],
    ids=["empty", "head", "not-modified"],
)
def test_an_answer_without_body_has_the_right_length(
    status: int, headers: dict[str, str], length: bytes | None
) -> None:
    import azure.functions as func

    def about(req: func.HttpRequest) -> func.HttpResponse:
        return func.HttpResponse(b"", status_code=status, headers=headers)

    host = HttpHost([Bound(Trigger("about", "http", "req", route="about"), about)], "")
    start, _ = answer(host, "/about", {"Host": "localhost"}, "HEAD")
    assert dict(start["headers"]).get(b"content-length") == length


def test_a_request_for_another_host_name_is_refused(http_host: HttpHost) -> None:
    assert ask(http_host, "/hello/7", {"Host": "evil.test:7071"})[0] == 421
    assert ask(http_host, "/hello/7", {})[0] == 421


def test_a_forged_caller_header_is_removed(http_host: HttpHost) -> None:
    headers = {"Host": "localhost", "X-MS-CLIENT-PRINCIPAL": "admin"}
    assert ask(http_host, "/hello/7", headers) == (200, b"GET 1 7 nobody")


@pytest.fixture
def queues() -> MemoryQueues:
    return MemoryQueues()


Start = Callable[[QueueListener, Pool], None]


@pytest.fixture
def start() -> Iterator[Start]:
    pollers: list[Poller] = []

    def begin(listener: QueueListener, pool: Pool) -> None:
        poller = polling(pool, listener)
        listener._around = Surroundings(on_ended=lambda _: poller.wake())
        pollers.append(poller)
        poller.start()

    yield begin
    for poller in pollers:
        stop(poller)


def test_a_listener_takes_a_batch_and_more_when_few_are_left(queues: MemoryQueues) -> None:
    for number in range(10):
        queues.send("work", str(number))
    listener, pool = listening(queues, "work")
    look(listener)
    assert len(pool.calls) == 4
    for _, future in pool.calls[:2]:
        future.set_result(None)
    look(listener)
    assert len(pool.calls) == 8
    assert queues.count("work") == 8
    while queues.count("work"):
        for _, future in pool.calls:
            if not future.done():
                future.set_result(None)
        look(listener)
    assert [call["dequeue_count"] for call, _ in pool.calls] == [1] * 10


def test_a_listener_receives_again_before_a_thread_of_the_workers_has_nothing_to_do(
    queues: MemoryQueues,
) -> None:
    for number in range(20):
        queues.send("work", str(number))
    listener, pool = listening(queues, "work")
    pool.at_once = 8
    look(listener)
    assert len(pool.calls) == 12  # eight run, and one batch waits
    for _, future in pool.calls[:3]:
        future.set_result(None)
    look(listener)
    assert len(pool.calls) == 12
    pool.calls[3][1].set_result(None)
    look(listener)
    assert len(pool.calls) == 16


def test_a_listener_says_to_which_queues_a_function_has_sent(queues: MemoryQueues) -> None:
    told: list[Sequence[str]] = []
    listener, pool = listening(queues, "work", Surroundings(on_ended=told.append))
    job = {"processing_step": 0, "processing_pipeline": ["work", "ocr"]}
    for _ in range(3):
        queues.send("work", json.dumps({"job_definition": job}))
    look(listener)
    pool.calls[0][1].set_result(["pipelineoutput"])  # it did what comes between itself
    pool.calls[1][1].set_result([])
    pool.calls[2][1].set_result(None)  # nobody knows: what follows may have been sent to
    assert told == [["pipelineoutput"], [], ["ocr"]]


def test_a_listener_says_that_it_has_put_a_message_on_a_poison_queue(
    queues: MemoryQueues,
) -> None:
    sent: list[tuple[str, int | None]] = []

    def note(names: Sequence[str]) -> None:
        sent.extend((name, queues.count(name)) for name in names)

    queues.send("work", "body")
    listener, pool = listening(queues, "work", Surroundings(on_sent=note), max_dequeue_count=1)
    look(listener)
    pool.calls[0][1].set_exception(RuntimeError("no"))
    assert sent == [("work-poison", 1)]


def test_a_listener_that_is_woken_rests_between_its_looks(queues: MemoryQueues) -> None:
    listener, pool = listening(queues, "work-poison", rest=60)
    listener.poll()
    assert listener.due_in(time.monotonic()) > 50
    queues.send("work-poison", "body")
    listener.wake()
    assert listener.due_in(time.monotonic()) <= 0
    listener.poll()
    assert len(pool.calls) == 1
    assert listener.due_in(time.monotonic()) > 50


def test_a_failed_message_comes_back_and_is_poisoned_in_the_end(
    queues: MemoryQueues, start: Start
) -> None:
    queues.send("work", "body")
    listener, pool = listening(queues, "work", max_dequeue_count=3, visibility_timeout=0)
    start(listener, pool)
    for number in range(3):
        eventually(lambda: len(pool.calls) == number + 1)  # noqa: B023 - called at once
        pool.calls[number][1].set_exception(RuntimeError("no"))
    eventually(lambda: queues.count("work-poison") == 1)

    assert queues.count("work") == 0
    assert [call[0]["dequeue_count"] for call in pool.calls] == [1, 2, 3]
    assert queues.receive("work-poison", 1, 1)[0].body == "body"


def test_waiting_messages_return_to_their_queue_when_the_host_stops(queues: MemoryQueues) -> None:
    queues.send("work", "body")
    listener, pool = listening(queues, "work")
    poller = polling(pool, listener)
    poller.start()
    eventually(lambda: len(pool.calls) == 1)
    stop(poller)

    assert len(queues.receive("work", 1, 1)) == 1


def test_an_empty_queue_is_left_alone_while_calls_wait_for_workers(queues: MemoryQueues) -> None:
    turns = Turns(["empty"])
    listener, pool = listening(queues, "empty", Surroundings(turns=turns))
    poller = Poller("test", [listener], pool, turns)  # type: ignore[arg-type]
    pool.has_waiting = True
    poller.start()
    eventually(lambda: turns.rest("empty") > 0)  # it was looked into once, and gave nothing
    queues.send("empty", "body")
    time.sleep(0.2)  # ten times the usual pause
    assert not pool.calls
    turns.went_on("job", ["empty"])  # a function has sent to it
    poller.wake()
    eventually(lambda: pool.calls)
    queues.send("empty", "another")
    pool.has_waiting = False
    poller.wake()
    eventually(lambda: len(pool.calls) == 2)
    stop(poller)


def test_a_message_that_was_only_received_and_returned_has_all_its_tries(
    queues: MemoryQueues,
) -> None:
    queues.send("work", "body")
    around = Surroundings()
    for _ in range(7):  # the host starts again and again, and no worker gets to it
        listener, pool = listening(queues, "work", around, max_dequeue_count=5)
        poller = polling(pool, listener)
        poller.start()
        eventually(lambda: pool.calls)  # noqa: B023 - called at once
        stop(poller)
    listener, pool = listening(queues, "work", around, max_dequeue_count=5)
    look(listener)

    assert [call["dequeue_count"] for call, _ in pool.calls] == [1]
    pool.calls[0][1].set_exception(RuntimeError("no"))
    assert queues.count("work") == 1  # it may fail like any other


def test_a_host_that_kills_its_workers_receives_nothing_that_it_could_only_give_back(
    queues: MemoryQueues,
) -> None:
    listener, pool = listening(queues, "work")
    poller = polling(pool, listener)
    poller.halt()
    queues.send("work", "body")
    poller.start()
    assert poller.join(5)

    assert pool.calls == []
    assert queues.receive("work", 1, 1)[0].dequeue_count == 1


def test_the_queue_that_finishes_jobs_is_polled_first(queues: MemoryQueues) -> None:
    for queue in ("early", "late"):
        queues.send(queue, queue)
    (early, pool), (late, _) = listening(queues, "early"), listening(queues, "late")
    late._lane = pool  # type: ignore[assignment]
    poller = polling(pool, early, late)
    poller.start()
    eventually(lambda: len(pool.calls) == 2)
    stop(poller)

    assert [call[0]["body"] for call in pool.calls] == ["late", "early"]


def test_a_wake_during_a_poll_is_not_lost(
    queues: MemoryQueues, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener, pool = listening(queues, "work", max_polling_interval=60)
    receive = queues.receive

    def receive_and_wake(queue: str, count: int, lease: float) -> list[QueueItem]:
        items = receive(queue, count, lease)
        listener.wake()  # a message was sent just after the poll
        return items

    queues.create("work")
    monkeypatch.setattr(queues, "receive", receive_and_wake)
    assert listener.poll() == 0
    assert listener.due_in(time.monotonic()) <= 0
    assert pool.calls == []


def test_no_message_is_received_while_the_workers_have_no_room(queues: MemoryQueues) -> None:
    queues.send("work", "body")
    listener, pool = listening(queues, "work")
    pool.room = False
    poller = polling(pool, listener)
    poller.start()
    eventually(lambda: pool.asked >= 1)
    poller.wake()
    eventually(lambda: pool.asked >= 2)
    assert pool.calls == []
    pool.room = True
    poller.wake()
    eventually(lambda: len(pool.calls) == 1)
    stop(poller)


def test_a_message_on_a_poison_queue_is_tried_until_it_is_moved(
    queues: MemoryQueues, start: Start
) -> None:
    queues.send("work-poison", "body")
    for _ in range(7):  # storage was down for a while
        (item,) = queues.receive("work-poison", 1, 30)
        queues.extend("work-poison", item, 0)
    listener, pool = listening(queues, "work-poison", max_dequeue_count=5)
    start(listener, pool)
    eventually(lambda: len(pool.calls) == 1)
    pool.calls[0][1].set_result(None)
    eventually(lambda: queues.count("work-poison") == 0)


def test_a_lease_renewed_at_the_last_moment_does_not_keep_the_message(
    queues: MemoryQueues, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases_module, "_RENEW_SECONDS", -1)
    queues.send("work", "body")
    listener, pool = listening(queues, "work")
    start(listener, pool)
    eventually(lambda: len(pool.calls) == 1)
    for _ in range(3):
        listener.renew()
    pool.calls[0][1].set_result(None)
    listener.renew()
    eventually(lambda: queues.count("work") == 0)

"""A log line says which batch, job and step it is about, and holds no secret."""

import io
import logging
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from imaginem import JobContext
from imaginem.errors import Busy, PermanentError, RetryableError, StorageUnavailable
from imaginem.host.worker import tell_failure
from imaginem.pipeline.retries import failed_try
from imaginem.ports.log_lines import AddLabels, LabelledLines, label, labels_of, log_to, working_on
from tests.dashboard import client, web_services
from tests.workbench import Bench, Found

ENDS = " batch=batch-1 job=job-1"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What `imaginem` writes to the log."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(AddLabels())
    handler.setFormatter(LabelledLines())
    logger = logging.getLogger("imaginem")
    before = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    yield stream
    logger.removeHandler(handler)
    logger.setLevel(before)


def lines(log: io.StringIO) -> list[str]:
    """Return the lines without their time."""
    return [line.partition(" ")[2] for line in log.getvalue().splitlines()]


class TestLines:
    def test_a_line_ends_with_what_is_worked_on(self, log: io.StringIO) -> None:
        logger = logging.getLogger("imaginem.x")
        with working_on(batch_id="b", job_id="j"):
            with working_on(step="ocr"):
                logger.info("read")
            logger.info("ocr: done")
            label(step="ocr")
            logger.info("ocr: done")  # says the step itself
        logger.info("nothing")
        assert lines(log) == [
            "INFO imaginem.x: read batch=b job=j step=ocr",
            "INFO imaginem.x: ocr: done batch=b job=j",
            "INFO imaginem.x: ocr: done batch=b job=j",
            "INFO imaginem.x: nothing",
        ]

    def test_what_a_record_says_of_itself_counts_more(self, log: io.StringIO) -> None:
        with working_on(batch_id="b", job_id="j"):
            logging.getLogger("imaginem.x").info("x", extra={"job_id": "other"})
        assert lines(log) == ["INFO imaginem.x: x batch=b job=other"]

    def test_no_id_makes_a_line_that_is_not_ours_or_very_long(self, log: io.StringIO) -> None:
        with working_on(batch_id="my photos", job_id='x"\n00:00:00 ERROR forged', step="s" * 500):
            logging.getLogger("imaginem.x").info("first\nsecond")
        (line,) = lines(log)
        assert line.startswith(
            'INFO imaginem.x: first second batch="my photos" job="x\\"\\n00:00:00 ERROR forged"'
        )
        assert len(line) < 200

    def test_no_control_character_comes_into_the_log(self, log: io.StringIO) -> None:
        id_ = "a\x00b\x1b[2Jc\x7f\x9b\u202e"
        with working_on(batch_id="b", job_id=id_):
            try:
                raise ValueError(f"no photo is in {id_}\r")
            except ValueError:
                logging.getLogger("imaginem.x").exception("job %s failed", id_)
        text = log.getvalue()
        assert all(c.isprintable() or c == "\n" for c in text), ascii(text)
        escaped = r"a\x00b\x1b[2Jc\x7f\x9b\u202e"
        assert f"job {escaped} failed batch=b job=" in text
        assert f"ValueError: no photo is in {escaped}\\r\n" in text

    def test_full_pools_of_connections_are_not_told(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        logger = logging.getLogger("urllib3.connectionpool")
        monkeypatch.setattr(logger, "filters", [])
        monkeypatch.setattr(logging.getLogger(), "handlers", [])
        monkeypatch.setattr(logging.getLogger(), "level", logging.WARNING)
        log_to(sys.stderr)
        logger.warning("Connection pool is full, discarding connection: %s", "127.0.0.1")
        logger.warning("Retrying after connection broken")
        assert capsys.readouterr().err.count("\n") == 1

    def test_what_migrations_do_step_by_step_is_not_told(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(logging.getLogger(), "handlers", [])
        monkeypatch.setattr(logging.getLogger(), "level", logging.WARNING)
        monkeypatch.setattr(logging.getLogger("alembic"), "level", logging.NOTSET)
        log_to(sys.stderr)
        logging.getLogger("alembic.runtime.migration").info("Context impl SQLiteImpl.")
        logging.getLogger("alembic.runtime.migration").warning("a table is missing")
        assert capsys.readouterr().err.count("\n") == 1

    def test_secrets_are_taken_out_of_message_and_stack(self, log: io.StringIO) -> None:
        try:
            raise ValueError("https://x.test/a?sig=verysecret AccountKey=verysecret")
        except ValueError:
            logging.getLogger("imaginem.x").exception("at https://x.test/b?sv=verysecret")
        assert "verysecret" not in log.getvalue()
        assert "Traceback" in log.getvalue()

    def test_threads_do_not_share_what_they_work_on(self, log: io.StringIO) -> None:
        def work(number: int) -> None:
            with working_on(job_id=f"job-{number}"):
                logging.getLogger("imaginem.x").info("line %d", number)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(40)))
        assert sorted(lines(log)) == sorted(
            f"INFO imaginem.x: line {n} job=job-{n}" for n in range(40)
        )

    def test_an_error_remembers_what_was_worked_on(self) -> None:
        with pytest.raises(ValueError) as told, working_on(batch_id="b"), working_on(job_id="j"):
            raise ValueError
        assert labels_of(told.value) == {"batch_id": "b", "job_id": "j"}
        assert labels_of(None) == {}


class TestSteps:
    def run(self, bench: Bench, problem: Exception | None = None) -> None:
        def work(job: JobContext) -> Found:
            job.log.info("at work")
            logging.getLogger("imaginem.engines.local").info("an engine too")
            if problem is not None:
                raise problem
            return Found(what="one")

        bench.first_does = work
        bench.drop("first")
        bench.run()

    def test_every_line_of_a_step_has_its_job(self, log: io.StringIO) -> None:
        self.run(Bench())
        assert lines(log) == [
            f"INFO imaginem.steps: at work{ENDS} step=first",
            f"INFO imaginem.engines.local: an engine too{ENDS} step=first",
            f"INFO imaginem.process: first: success{ENDS}",
        ]

    @pytest.mark.parametrize(
        ("problem", "told"),
        [
            (
                PermanentError("no photo at https://x.test/a.png?sig=verysecret"),
                [f"WARNING imaginem.process: first: failed: PermanentError: no photo at "
                 f"https://x.test/a.png{ENDS}"],
            ),
            (
                RetryableError("the service is away"),
                [
                    "WARNING imaginem.process: first: again in 0 s: RetryableError: the service "
                    f"is away (try 1 of 2 failed){ENDS}",
                    "WARNING imaginem.process: first: kept in pipelinepoison: RetryableError: the "
                    f"service is away (tried 2 times){ENDS}",
                    "WARNING imaginem.process: first: failed: RetryableError: the service is away "
                    f"(tried 2 times){ENDS}",
                ],
            ),
            (
                Busy("no room"),
                [
                    f"WARNING imaginem.process: first: again in 0 s: Busy: no room (wait 1 of 1)"
                    f"{ENDS}",
                    "WARNING imaginem.process: first: kept in pipelinepoison: Busy: no room "
                    f"(waited 1 times){ENDS}",
                    "WARNING imaginem.process: first: failed: Busy: no room (waited 1 times)"
                    f"{ENDS}",
                ],
            ),
        ],
    )  # fmt: skip
    def test_what_did_not_succeed_tells_its_reason_and_no_stack(
        self, log: io.StringIO, problem: Exception, told: list[str]
    ) -> None:
        self.run(Bench(max_attempts=2, max_waits=1), problem)
        assert [line for line in lines(log) if ".process: " in line] == told
        assert "Traceback" not in log.getvalue()

    def test_a_defect_is_told_by_the_row_at_each_try_and_logged_when_it_is_poisoned(
        self, log: io.StringIO
    ) -> None:
        bench = Bench()

        def work(job: JobContext) -> Found:
            raise ZeroDivisionError("with what only the host's log may hold")

        bench.first_does = work
        body = bench.message("first")
        for count in (1, 5):
            with pytest.raises(ZeroDivisionError) as told:
                bench.execute(bench.first, body, "m", count)
            assert labels_of(told.value)["job_id"] == "job-1"
            if count == 1:  # the host tells what was raised
                assert lines(log) == []
                told_by_row = bench.entry.properties["first_exception"]
                assert told_by_row == f"ZeroDivisionError ({failed_try(1, 5)})"
        (last,) = lines(log)
        assert last.startswith(
            "ERROR imaginem.process: first: poisoned: ZeroDivisionError: a defect"
        )
        assert last.endswith(ENDS)

    @pytest.mark.parametrize(
        ("problem", "queue", "try_", "stacks"),
        [
            (ZeroDivisionError("odd"), "first", 1, 1),
            (ZeroDivisionError("odd"), "first", 2, 0),  # the host's line has class, text and place
            (StorageUnavailable("down"), "first", 1, 0),
        ],
    )
    def test_a_stack_is_shown_at_the_first_try_of_a_defect_alone(
        self, log: io.StringIO, problem: Exception, queue: str, try_: int, stacks: int
    ) -> None:
        try:
            raise problem
        except Exception as raised:
            tell_failure({"function": "first", "dequeue_count": try_}, queue, raised)
        assert log.getvalue().count("Traceback") == stacks
        assert bool(log.getvalue()) == bool(stacks)

    @pytest.mark.parametrize("queue", ["", "first-poison"])
    def test_of_what_the_host_says_nothing_each_failure_is_told(
        self, log: io.StringIO, queue: str
    ) -> None:
        message = {"function": "some", "dequeue_count": 3}
        tell_failure(message, queue, ZeroDivisionError("odd"))
        tell_failure(message, queue, StorageUnavailable("down"))
        told = [line for line in lines(log) if line.startswith("ERROR")]
        assert told == [
            "ERROR imaginem.host.worker: some: a defect",
            "ERROR imaginem.host.worker: some: StorageUnavailable: down",
        ]

    def test_a_message_that_can_not_be_sent_on_names_its_job_too(self) -> None:
        bench = Bench()

        def away(*_: object, **__: object) -> str:
            raise StorageUnavailable("queue storage did not answer")

        body = bench.message()
        bench.services.queues.send = away  # type: ignore[method-assign]
        with pytest.raises(StorageUnavailable) as told:
            bench.execute(bench.first, body, "m")
        assert labels_of(told.value) == {"batch_id": "batch-1", "job_id": "job-1", "step": "first"}

    def test_nothing_stays_labelled_afterwards(self, log: io.StringIO) -> None:
        bench = Bench()
        bench.transition(bench.first, bench.message(), "m")
        logging.getLogger("imaginem.x").info("later")
        assert lines(log)[-1] == "INFO imaginem.x: later"


class TestHttp:
    def test_a_defect_in_a_route_names_batch_and_job(self, log: io.StringIO) -> None:
        services = web_services()

        def fail(*_: object) -> None:
            raise ZeroDivisionError

        services.results.read = fail  # type: ignore[method-assign,assignment]
        assert client(services).get("/api/jobs/my%20batch/one").status_code == 500
        assert lines(log)[0] == (
            'ERROR imaginem.web: GET /api/jobs/my batch/one failed batch="my batch" job=one'
        )

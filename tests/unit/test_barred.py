"""A photo that was erased "never again" is refused at every entrance of its group, until lifted."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from imaginem import JobContext
from imaginem.cli.intake import submit_each
from imaginem.cli.sources import Source
from imaginem.errors import NotFound, PermanentError, RetryableError
from imaginem.names import job_prefix
from imaginem.pipeline.barred import PhotoBarred
from imaginem.pipeline.progress_row import read_row
from imaginem.pipeline.steps import default_registry
from imaginem.ports import AuditSubject, BarredPhoto, JobKey, RetentionDays
from imaginem.ports.drops import run_of_drop
from imaginem.storage import FileRemains
from imaginem.testing import MemoryServices, message_for, photo_bytes, run_all
from imaginem.usecases.access import EVERYTHING
from imaginem.usecases.admission import Wish, admit
from imaginem.usecases.audit.chain import hash_of
from imaginem.usecases.drops import receive_drop
from imaginem.usecases.erase import forget_batch, forget_job
from imaginem.usecases.forget_photo import Reach, forget_photo, lift_photo
from imaginem.usecases.poison import replay_job
from imaginem.usecases.rerun import prepare_rerun, rerun_job
from imaginem.usecases.retention import apply_retention
from imaginem.usecases.same_photo import sought, sought_by_hash
from imaginem.usecases.submit import run_again
from tests.dashboard import client, principal, web_services
from tests.workbench import Bench, Found

RED, BLUE = photo_bytes(color="red"), photo_bytes(color="blue")
SHA = hashlib.sha256(RED).hexdigest()
ALL = Reach(EVERYTHING)
KEY = ("spring", "one")
ELSEWHERE = "https://93.184.216.34/a.png?sig=secret"
SAID = "was erased for good at somebody's wish, and is barred in"


def bar(bench: Bench, group: str | None = None) -> None:
    forget_photo(bench.services, sought(RED), Reach(EVERYTHING, group), never_again=True)


def looks(bench: Bench) -> list[str]:
    """Let the steps read the photo; return what they saw."""
    seen: list[str] = []

    def look(job: JobContext) -> Found:
        seen.append(job.image.sha256)
        return Found(what="seen")

    bench.first_does = bench.second_does = look
    return seen


def wish(photo: bytes | str = RED, batch: str = "spring") -> Wish:
    return Wish(batch, "family.png", photo, ("first", "second", "report"), job_id="one")


def left(bench: Bench) -> list[str]:
    return bench.services.blobs.list("inputimages", "spring/")


def noting_writes(bench: Bench) -> list[str]:
    """Return the names of blobs that are written from now on."""
    written: list[str] = []
    put = bench.services.blobs.put

    def putting(container: str, name: str, *more: Any, **named: Any) -> str:
        written.append(name)
        return put(container, name, *more, **named)

    bench.services.blobs.put = putting  # type: ignore[method-assign]
    return written


def is_refused_while_it_runs(bench: Bench, seen: list[str]) -> bool:
    """Run what was sent; tell whether it ended as failed, unseen, and left nothing of the photo."""
    bench.run()
    row = read_row(bench.services.log, KEY)
    assert row is not None
    reasons = [reason for _, reason in row.problems()]
    refused = row.job_state == "failed" and len(reasons) == 1 and SAID in reasons[0]
    assert refused or row.job_state == "succeeded"
    assert refused != bool(seen)
    return refused


def is_uploaded(bench: Bench, seen: list[str]) -> bool:
    try:
        admit(bench.services, wish())
    except PermanentError as problem:
        assert str(problem).startswith(f"family.png {SAID}")
        assert "`imaginem forget --photo FILE --lift`" in str(problem)
        assert bench.services.submissions.submission(KEY) is None
        assert bench.services.shared_state.list("unsent-") == {}
        return True
    return is_refused_while_it_runs(bench, seen)


def is_fetched(bench: Bench, seen: list[str]) -> bool:
    bench.services.fetch = lambda url: RED
    admit(bench.services, wish(ELSEWHERE))
    written = noting_writes(bench)
    refused = is_refused_while_it_runs(bench, seen)
    assert bool(left(bench)) == bool(written) != refused  # not even for a moment
    return refused


def is_named_in_a_message(bench: Bench, seen: list[str]) -> bool:
    url = bench.services.blobs.put("inputimages", "theirs/a.png", RED, "")
    message = message_for(url, bench.names, batch_id="spring", job_id="one")
    bench.services.queues.send("first", message.encode())
    return is_refused_while_it_runs(bench, seen)


def is_said_to_be_looked_at(bench: Bench, seen: list[str]) -> bool:
    """A message that claims it was checked before."""
    url = bench.services.blobs.put("inputimages", "theirs/a.png", RED, "")
    value = json.loads(message_for(url, bench.names, batch_id="spring", job_id="one").encode())
    value["job_definition"]["_imaginem"] = {"checked": True}
    bench.services.queues.send("first", json.dumps(value))
    return is_refused_while_it_runs(bench, seen)


def is_said_to_be_in_the_middle(bench: Bench, seen: list[str]) -> bool:
    """A message with a run and a fence that were made up, and whatever else a sender may try."""
    url = bench.services.blobs.put("inputimages", "theirs/a.png", RED, "")
    value = json.loads(message_for(url, bench.names, batch_id="spring", job_id="one").encode())
    forged = {"run": "nobody", "fence": "made-up", "checked": True, "unbarred": "0" * 64}
    value["job_definition"]["_imaginem"] = forged
    bench.services.queues.send("first", json.dumps(value))
    return is_refused_while_it_runs(bench, seen)


def is_put_into_anothers_message(bench: Bench, seen: list[str]) -> bool:
    """The message of a job whose own photo was looked at, with another photo's address."""
    blobs = bench.services.blobs
    url = blobs.put("inputimages", "theirs/b.png", photo_bytes(color="green"), "")
    body = message_for(url, bench.names, batch_id="spring", job_id="one").encode()
    sent = json.loads(bench.sent(bench.transition(bench.first, body, "m1")))
    seen.clear()
    sent["job_definition"]["input"]["image_url"] = blobs.put("inputimages", "theirs/a.png", RED, "")
    bench.services.queues.send("second", json.dumps(sent))
    return is_refused_while_it_runs(bench, seen)


def is_a_copy_in_its_folder(bench: Bench, seen: list[str]) -> bool:
    """A message that names our copy of a photo from elsewhere, as a late one does."""
    copy = bench.services.blobs.put("inputimages", f"{job_prefix(*KEY)}copy", RED, "")
    value = json.loads(
        message_for(ELSEWHERE, bench.names, batch_id="spring", job_id="one").encode()
    )
    value["job_definition"]["_imaginem"] = {"image": copy}
    bench.services.queues.send("first", json.dumps(value))
    return is_refused_while_it_runs(bench, seen)


def is_dropped(bench: Bench, seen: list[str]) -> bool:
    bench.services.blobs.put("inputimages", "spring/family.png", RED, "")
    drop = receive_drop(bench.services, "spring/family.png")
    bench.run()
    if drop is not None:
        assert seen
        return False
    (entry,) = bench.poisoned
    assert f"a photo was dropped in inputimages: the photo {SAID}" in entry.reason
    assert not seen and left(bench) == []
    return True


def begins_at_a_later_step(bench: Bench, seen: list[str]) -> bool:
    url = bench.services.blobs.put("inputimages", "theirs/a.png", RED, "")
    outputs = {"first": {"what": "one"}}
    message = message_for(
        url, bench.names, batch_id="spring", job_id="one", step=1, outputs=outputs
    )
    bench.services.queues.send("second", message.encode())
    return is_refused_while_it_runs(bench, seen)


ENTRANCES: list[Callable[[Bench, list[str]], bool]] = [
    is_uploaded,
    is_fetched,
    is_named_in_a_message,
    is_said_to_be_looked_at,
    is_said_to_be_in_the_middle,
    is_put_into_anothers_message,
    is_a_copy_in_its_folder,
    is_dropped,
    begins_at_a_later_step,
]


@pytest.mark.parametrize("refused", ENTRANCES, ids=[way.__name__ for way in ENTRANCES])
class TestEntrances:
    def test_it_is_refused(self, bench: Bench, refused: Callable[..., bool]) -> None:
        seen = looks(bench)
        bar(bench)
        assert refused(bench, seen)

    def test_in_another_groups_batch_it_is_not(
        self, bench: Bench, refused: Callable[..., bool]
    ) -> None:
        seen = looks(bench)
        bench.services.batches.open_batch("spring", "blue")
        bar(bench, "red")
        bar(bench, "")
        assert not refused(bench, seen)

    def test_once_it_is_lifted_it_is_not(self, bench: Bench, refused: Callable[..., bool]) -> None:
        seen = looks(bench)
        bar(bench)
        assert lift_photo(bench.services, sought_by_hash(SHA), ALL) == [""]
        assert not refused(bench, seen)

    def test_another_photo_is_not(self, bench: Bench, refused: Callable[..., bool]) -> None:
        seen = looks(bench)
        forget_photo(bench.services, sought(BLUE), ALL, never_again=True)
        assert not refused(bench, seen)

    def test_an_erasure_alone_bars_nothing(
        self, bench: Bench, refused: Callable[..., bool]
    ) -> None:
        seen = looks(bench)
        admit(bench.services, wish())
        forget_job(bench.services, KEY)
        admit(bench.services, wish())
        forget_photo(bench.services, sought(RED), ALL)
        assert not refused(bench, seen)


def test_retention_bars_nothing() -> None:
    bench = Bench(retention=RetentionDays(results=1))
    admit(bench.services, wish())
    bench.run()
    assert apply_retention(bench.services, datetime.now(UTC) + timedelta(days=2)) == 1
    assert read_row(bench.services.log, KEY) is None
    assert bench.services.barred.all() == []
    assert admit(bench.services, wish()).sent


def test_of_a_folder_that_is_submitted_the_others_are_sent(bench: Bench, tmp_path: Path) -> None:
    bar(bench)
    sources = []
    for name, photo in (("a.png", BLUE), ("family.png", RED), ("z.png", BLUE)):
        (tmp_path / name).write_bytes(photo)
        sources.append(Source(name, tmp_path / name))
    sent, barred = submit_each(bench.services, sources, "spring", bench.names)
    assert [source.name for source, _ in sent] == ["a.png", "z.png"]
    assert len(barred) == 1 and barred[0].startswith(f"family.png {SAID}")


class TestAgain:
    """Jobs that nobody erased: the bar came by itself, as if the erasure had died right then."""

    def barred_behind_its_back(self, bench: Bench) -> None:
        admit(bench.services, wish())
        bench.run()
        mark = bench.services.erased.mark("barred", "", SHA)
        bench.services.barred.bar("", mark, "Ann")

    def test_it_is_not_run_again(self, bench: Bench) -> None:
        self.barred_behind_its_back(bench)
        with pytest.raises(PhotoBarred, match="the photo of job one was erased for good"):
            run_again(bench.services, KEY)
        rerun = prepare_rerun(bench.services, "spring", "second", {})
        with pytest.raises(PhotoBarred):
            rerun_job(bench.services, KEY, rerun)

    def test_nor_is_one_of_whose_photo_sql_knows_nothing(self, bench: Bench) -> None:
        seen = looks(bench)
        self.barred_behind_its_back(bench)
        seen.clear()
        bench.services.submissions.erase(KEY)
        rerun_job(bench.services, KEY, prepare_rerun(bench.services, "spring", "second", {}))
        assert is_refused_while_it_runs(bench, seen)
        assert left(bench) == []

    def test_nor_is_it_replayed(self, bench: Bench) -> None:
        def fails(job: JobContext) -> Found:
            raise RetryableError("the service is down")

        bench.first_does = fails
        self.barred_behind_its_back(bench)
        (entry,) = bench.poisoned
        with pytest.raises(PhotoBarred):
            replay_job(bench.services, entry.queue, entry.id)
        seen = looks(bench)
        bench.services.submissions.erase(KEY)
        replay_job(bench.services, entry.queue, entry.id)
        assert is_refused_while_it_runs(bench, seen)


class TestMeanwhile:
    """Somebody bars the photo while it comes in: either it is found, or the bar is."""

    def test_it_is_erased_though_it_was_let_in_just_before(self, bench: Bench) -> None:
        seen = looks(bench)
        of_batch = bench.services.barred.of_batch
        asked: list[str] = []

        def barring(batch_id: str) -> Any:
            told = of_batch(batch_id)
            asked.append(batch_id)
            if len(asked) == 1:
                bar(bench)
            return told

        bench.services.barred.of_batch = barring  # type: ignore[method-assign]
        admit(bench.services, wish())
        assert is_refused_while_it_runs(bench, seen)
        assert left(bench) == []

    def test_a_fetched_one_is_too(self, bench: Bench) -> None:
        seen = looks(bench)
        bench.services.fetch = lambda url: RED
        put = bench.services.blobs.put

        def barring(*given: Any, **named: Any) -> str:
            bench.services.blobs.put = put  # type: ignore[method-assign]
            bar(bench)
            return put(*given, **named)

        admit(bench.services, wish(ELSEWHERE))
        bench.services.blobs.put = barring  # type: ignore[method-assign]
        assert is_refused_while_it_runs(bench, seen)
        assert left(bench) == []

    def test_a_dropped_one_is_too(self, bench: Bench) -> None:
        seen = looks(bench)
        bench.services.blobs.put("inputimages", "spring/family.png", RED, "")
        write = bench.services.drops.write

        def barring(drop: Any) -> Any:
            bench.services.drops.write = write  # type: ignore[method-assign]
            bar(bench)
            bench.services.blobs.put("inputimages", "spring/family.png", RED, "")
            return write(drop)

        bench.services.drops.write = barring  # type: ignore[method-assign]
        receive_drop(bench.services, "spring/family.png")
        bench.run()
        receive_drop(bench.services, "spring/family.png")
        assert not seen and left(bench) == []

    def test_a_dropped_one_leaves_no_name_and_the_reason_says_what_to_do(
        self, bench: Bench
    ) -> None:
        bar(bench)
        for name in ("spring/maria/family.png", "spring/maria/family.png", "spring/other.png"):
            bench.services.blobs.put("inputimages", name, RED, "")
            receive_drop(bench.services, name)
        entries = bench.poisoned
        assert len({entry.id for entry in entries}) == len(entries) == 2
        for entry in entries:
            told = json.dumps([str(value) for value in vars(entry).values()])
            assert not any(name in told for name in ("family", "maria", "other", ".png"))
            assert run_of_drop("spring/maria/family.png", "") != entry.id
            assert entry.batch_id == "spring"
            assert "--lift`. It is removed from there: drop it anew then; a replay of" in told

        replay_job(bench.services, entries[0].queue, entries[0].id)
        bench.run()
        assert len(bench.poisoned) == 2
        forget_batch(bench.services, "spring")
        assert bench.poisoned == []

    def test_it_is_barred_before_anything_is_erased(self, bench: Bench) -> None:
        admit(bench.services, wish())
        order: list[str] = []
        barring, listing = bench.services.barred.bar, bench.services.known_photos.jobs_with

        def noted(group: str, mark: str, who: str) -> bool:
            order.append("barred")
            return barring(group, mark, who)

        def looked(sha256: str) -> set[JobKey]:
            order.append("looked")
            return listing(sha256)

        bench.services.barred.bar = noted  # type: ignore[method-assign]
        bench.services.known_photos.jobs_with = looked  # type: ignore[method-assign]
        bar(bench)
        assert order == ["looked", "barred", "looked"]
        assert read_row(bench.services.log, KEY) is None


class TestBars:
    def groups(self, bench: Bench) -> list[str]:
        return sorted(each.group for each in bench.services.barred.all())

    def test_without_a_group_it_is_barred_wherever_it_was(self, bench: Bench) -> None:
        for group in ("red", "blue", "green"):
            bench.services.batches.open_batch(group, group)
        for batch in ("red", "blue"):
            admit(bench.services, wish(batch=batch))
        done = forget_photo(bench.services, sought(RED), ALL, never_again=True)
        assert list(done.barred) == self.groups(bench) == ["", "blue", "red"]
        assert [batch for batch, _ in done.jobs] == ["blue", "red"]

    def test_with_a_group_it_is_barred_and_erased_there_alone(self, bench: Bench) -> None:
        bench.services.batches.open_batch("red", "red")
        for batch in ("red", "open"):
            admit(bench.services, wish(batch=batch))
        bar(bench, "red")
        assert self.groups(bench) == ["red"]
        assert bench.services.submissions.submission(("red", "one")) is None
        assert bench.services.submissions.submission(("open", "one")) is not None

    def test_a_photo_that_nobody_has_is_barred_all_the_same(self, bench: Bench) -> None:
        done = forget_photo(bench.services, sought(RED), ALL, never_again=True)
        assert (list(done.jobs), list(done.barred)) == ([], [""])
        bar(bench)  # again is no error, and makes no second one
        assert self.groups(bench) == [""]

    def test_what_is_not_barred_can_not_be_lifted(self, bench: Bench) -> None:
        bar(bench, "red")
        for photo, reach in ((BLUE, ALL), (RED, Reach(EVERYTHING, "blue"))):
            with pytest.raises(NotFound, match="this photo is not barred"):
                lift_photo(bench.services, sought(photo), reach)
        assert self.groups(bench) == ["red"]

    def test_nobody_learns_from_a_bar_which_photo_it_is(self, bench: Bench) -> None:
        bar(bench, "red")
        bar(bench, "blue")
        marks = {each.mark for each in bench.services.barred.all()}
        assert len(marks) == 2
        assert SHA not in repr(bench.services.barred.all())
        assert hashlib.sha256(f"red{SHA}".encode()).hexdigest() not in marks

    def test_barring_and_lifting_are_in_the_audit_trail(self, bench: Bench) -> None:
        bar(bench)
        lift_photo(bench.services, sought(RED), ALL)
        entries = list(bench.services.audit_trail.read())
        assert [(entry.deed, entry.kind) for entry in entries] == [
            ("barred", "photo"),
            ("lifted", "photo"),
        ]
        subject = hash_of(bench.services.installation_key, AuditSubject.PHOTO, SHA)
        assert {entry.subject for entry in entries} == {subject}


class TestCost:
    def counted(self, bench: Bench) -> Counter[str]:
        """Count queries for bars, and every call of storage."""
        calls: Counter[str] = Counter()

        def count(port: Any, name: str) -> None:
            method = getattr(port, name)

            def counting(*given: Any, **named: Any) -> Any:
                calls[name] += 1
                return method(*given, **named)

            setattr(port, name, counting)

        count(bench.services.barred, "of_batch")
        for name in ("get", "put", "list"):
            count(bench.services.blobs, name)
        return calls

    def test_where_nothing_is_barred_it_is_one_query_and_no_call_of_storage(
        self, bench: Bench
    ) -> None:
        bar(bench, "red")
        bench.drop()
        calls = self.counted(bench)
        bench.run()
        assert bench.states(*bench.names) == ["success"] * 3
        assert calls == {"of_batch": 1}

    def test_the_key_of_tombstones_is_not_made_for_it(self, bench: Bench) -> None:
        bench.drop()
        bench.run()
        assert bench.services.shared_state.read("tombstone-key") is None

    def test_where_something_is_barred_the_photo_is_read_once_more(self, bench: Bench) -> None:
        bar(bench)
        bench.drop()
        calls = self.counted(bench)
        bench.run()
        assert calls == {"of_batch": 1, "get": 1}

    def test_a_fetched_photo_costs_two_queries(self, bench: Bench) -> None:
        bench.services.fetch = lambda url: RED
        bench.services.queues.send("first", message_for(ELSEWHERE, bench.names).encode())
        calls = self.counted(bench)
        bench.run()
        assert calls == {"of_batch": 2, "put": 1}


def test_as_long_as_nobody_can_tell_no_step_sees_the_photo() -> None:
    bench = Bench(max_attempts=2)
    seen = looks(bench)

    def down(batch_id: str) -> list[BarredPhoto]:
        raise RetryableError("the results database is not available")

    bench.services.barred.of_batch = down  # type: ignore[method-assign]
    bench.drop()
    bench.run()
    assert seen == []
    assert bench.states(*bench.names) == ["failed", "skipped", "success"]
    assert "the results database is not available; tried in vain" in bench.row.reason_of("first")


def test_a_photo_that_is_put_there_later_is_looked_at_then(bench: Bench) -> None:
    bar(bench)
    seen = looks(bench)
    bench.first_does = lambda job: Found(what="nothing of the photo")
    url = bench.services.blobs.address("inputimages", "theirs/a.png")
    message = message_for(url, bench.names, batch_id="spring", job_id="one")
    body = bench.sent(bench.transition(bench.first, message.encode(), "m1"))
    bench.services.blobs.put("inputimages", "theirs/a.png", RED, "")
    bench.services.queues.send("second", body)
    assert is_refused_while_it_runs(bench, seen)


def test_what_was_removed_may_still_lie_on_this_disk(bench: Bench, tmp_path: Path) -> None:
    bar(bench)
    bench.services.remains = FileRemains(tmp_path, lambda: None)
    is_dropped(bench, [])
    assert bench.services.remains.waiting


PHOTO = {"file": ("family.png", RED, "image/png")}


class TestWeb:
    @pytest.fixture
    def services(self) -> MemoryServices:
        made = web_services()
        made.batches.open_batch("red", "red")
        made.batches.open_batch("blue", "blue")
        return made

    def test_who_may_not_bar_erases_in_the_batches_that_she_sees(
        self, services: MemoryServices
    ) -> None:
        everybody = client(services)
        for batch in ("red", "blue"):
            assert everybody.post(f"/api/batches/{batch}/images", files=PHOTO).status_code == 201
        ann = client(services, "platform", **principal("caseworker", groups=("blue",)))
        refused = ann.post("/api/photos/forget", files=PHOTO, data={"never_again": "true"})
        assert refused.status_code == 403
        assert refused.json()["detail"].startswith("never_again: this needs the app role operator")
        assert services.barred.all() == []
        told = ann.post("/api/photos/forget", files=PHOTO).json()
        assert told["jobs"] == 1
        assert told["erased"] == [{"batch_id": "blue", "job_id": f"family.png-{SHA[:8]}"}]
        assert services.submissions.submissions("red") != {}
        again = ann.post("/api/photos/forget", files=PHOTO)
        other = ann.post("/api/photos/forget", files={"file": BLUE})
        assert (again.status_code, again.text) == (other.status_code, other.text)
        assert again.status_code == 404
        assert ann.post("/api/photos/lift", files=PHOTO).status_code == 403
        assert ann.post("/api/photos/forget", data={"sha256": SHA}).status_code == 403

    def test_an_operator_bars_and_lifts(self, services: MemoryServices) -> None:
        eve = client(services, "platform", **principal("operator"))
        assert eve.post("/api/batches/blue/images", files=PHOTO).status_code == 201
        wished = {"never_again": "true", "group": "blue"}
        told = eve.post("/api/photos/forget", files=PHOTO, data=wished).json()
        assert (told["jobs"], told["barred"]) == (1, ["blue"])
        refused = eve.post("/api/batches/blue/images", files=PHOTO)
        assert refused.status_code == 422
        assert refused.json()["detail"].startswith(f"family.png {SAID} this group")
        assert eve.post("/api/batches/red/images", files=PHOTO).status_code == 201
        lifted = eve.post("/api/photos/lift", data={"sha256": SHA.upper()})
        assert lifted.json() == {"lifted": ["blue"]}
        assert eve.post("/api/photos/lift", data={"sha256": SHA}).status_code == 404
        assert eve.post("/api/batches/blue/images", files=PHOTO).status_code == 201

    @pytest.mark.parametrize("data", [{}, {"sha256": "nonsense"}])
    def test_what_names_no_photo_is_refused(
        self, services: MemoryServices, data: dict[str, str]
    ) -> None:
        answer = client(services).post("/api/photos/forget", data=data)
        assert answer.status_code == 422

    def test_a_message_of_a_barred_photo_ends_as_failed(self, services: MemoryServices) -> None:
        services.fetch = lambda url: RED
        forget_photo(services, sought(RED), ALL, never_again=True)
        definition = {"id": "one", "batch_id": "spring", "input": {"image_url": ELSEWHERE}}
        browser = client(services)
        sent = browser.post("/api/jobs", json={"job_definition": definition})
        assert sent.status_code == 202
        run_all(services, default_registry)
        job = browser.get("/api/jobs/spring/one").json()
        assert job["state"] == "failed"
        assert SAID in json.dumps(job)
        assert services.blobs.list("inputimages", "spring/") == []

    def test_the_page_of_operators_erases_bars_and_lifts(self, services: MemoryServices) -> None:
        eve = client(services, "platform", Origin="http://testserver", **principal("operator"))
        assert 'hx-post="/operations/photo/erase"' in eve.get("/operations").text
        eve.post("/api/batches/red/images", files=PHOTO)
        told = eve.post("/operations/photo/erase", files=PHOTO, data={"never_again": "true"}).text
        assert "Jobs erased: 1. Batches they were in: 1." in told
        assert "It is barred in: batches of no group, <bdi>red</bdi>" in told
        lifted = eve.post("/operations/photo/lift", files=PHOTO, data={"group": "red"}).text
        assert "It is no longer barred in: <bdi>red</bdi>" in lifted
        assert [each.group for each in services.barred.all()] == [""]

"""What makes two photos two jobs, and what happens to the photo that comes second."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from imaginem.errors import StorageUnavailable
from imaginem.pipeline.steps import default_registry
from imaginem.ports import JobKey, Submission
from imaginem.testing import MemoryServices, photo_bytes, run_all
from imaginem.usecases.admission import Admission, JobIdTaken, Wish, admit, free_id, photo_digest
from tests.dashboard import client, web_services

RED, BLUE = photo_bytes(color="red"), photo_bytes(color="blue")
WISH = Wish("b", "photo.png", RED, ["sample"])


@pytest.fixture
def services() -> MemoryServices:
    return web_services()


def ask(services: MemoryServices, **changes: Any) -> Admission:
    return admit(services, replace(WISH, **changes))


def waiting(services: MemoryServices) -> int:
    return services.queues.count("sample") or 0


def photo_of(services: MemoryServices, job: Admission) -> list[bytes]:
    """Return the photos in a job's folder."""
    names = services.blobs.list("inputimages", "/".join(job.key) + "/")
    return [services.blobs.get("inputimages", name, 10**6) for name in names]


class TestMadeIds:
    def test_two_photos_of_one_name_are_two_jobs_and_both_stay(
        self, services: MemoryServices
    ) -> None:
        one, other = ask(services), ask(services, photo=BLUE)

        assert one.key == ("b", f"photo.png-{hashlib.sha256(RED).hexdigest()[:8]}")
        assert one.key != other.key
        assert (one.sent, other.sent, waiting(services)) == (True, True, 2)
        assert (photo_of(services, one), photo_of(services, other)) == ([RED], [BLUE])

    def test_one_photo_under_two_names_is_two_jobs(self, services: MemoryServices) -> None:
        assert ask(services).key != ask(services, name="other.png").key

    def test_the_same_photo_again_is_told_and_sends_nothing(self, services: MemoryServices) -> None:
        first = ask(services)
        again = ask(services)
        assert (again.key, again.run, again.sent, again.state) == (
            first.key,
            first.run,
            False,
            "queued",
        )
        run_all(services, default_registry)
        ended = ask(services)
        assert (ended.sent, ended.state, waiting(services)) == (False, "succeeded", 0)

    def test_a_job_that_has_ended_is_sent_again_on_request_alone(
        self, services: MemoryServices
    ) -> None:
        first = ask(services)
        assert not ask(services, again=True).sent  # it is still at work
        run_all(services, default_registry)
        again = ask(services, again=True)
        assert again.sent
        assert again.run != first.run
        assert waiting(services) == 1

    def test_another_photo_with_the_same_eight_digits_gets_more_of_them(
        self, services: MemoryServices
    ) -> None:
        digest = photo_digest(RED)
        services.submissions.submitted(("b", f"photo.png-{digest[:8]}"), "run", None, "another")
        long = f"photo.png-{digest[:16]}"

        assert free_id(services, "b", "photo.png", digest) == long
        assert ask(services).key == ("b", long)
        assert not ask(services).sent

    def test_what_an_earlier_version_sent_is_known_by_its_id(
        self, services: MemoryServices
    ) -> None:
        job_id = f"photo.png-{photo_digest(RED)[:8]}"
        services.submissions.submitted(("b", job_id), "run")
        assert (ask(services).sent, ask(services).run) == (False, "run")

    def test_a_thousand_photos_that_are_sent_once_more_send_nothing(
        self, services: MemoryServices
    ) -> None:
        photos = [f"photo {number}".encode() for number in range(1000)]
        sent = [ask(services, photo=photo) for photo in photos]
        assert len({job.key for job in sent}) == 1000
        assert not any(ask(services, photo=photo).sent for photo in photos)
        assert waiting(services) == 1000


class TestAddresses:
    def test_a_fresh_signature_makes_no_new_photo(self, services: MemoryServices) -> None:
        url = "https://x.test/a.png?sv=2024&se={}&sig={}"
        first = ask(services, photo=url.format(1, "a"))
        again = ask(services, photo=url.format(2, "b"))
        assert first.key == again.key
        assert not again.sent
        assert photo_digest(url) == photo_digest("https://x.test/a.png#top")

    def test_a_query_that_chooses_the_photo_counts(self) -> None:
        one, other = "https://x.test/show?id=1", "https://x.test/show?id=2"
        assert photo_digest(one) != photo_digest(other)
        assert photo_digest(f"{one}&token=a") == photo_digest(f"{one}&token=b")
        assert photo_digest("https://x.test/show?se=1") != photo_digest("https://x.test/show?se=2")


class TestChosenIds:
    def test_an_id_of_another_photo_is_refused_and_that_photo_stays(
        self, services: MemoryServices
    ) -> None:
        first = ask(services, job_id="mine")
        with pytest.raises(JobIdTaken, match=r"photo\.png.*replace=true"):
            ask(services, job_id="mine", photo=BLUE)
        assert not ask(services, job_id="mine").sent
        assert photo_of(services, first) == [RED]
        assert waiting(services) == 1

    def test_another_photo_takes_it_on_request(self, services: MemoryServices) -> None:
        first = ask(services, job_id="mine")
        second = ask(services, job_id="mine", photo=BLUE, replace=True)
        assert second.sent
        assert second.run != first.run
        assert photo_of(services, second) == [BLUE]
        assert not ask(services, job_id="mine", photo=BLUE, replace=True).sent
        with pytest.raises(JobIdTaken):
            ask(services, job_id="mine")

    def test_the_id_of_a_job_that_came_by_a_message_is_refused_too(
        self, services: MemoryServices
    ) -> None:
        services.log.insert(("b", "mine"), {"job_state": "running"})
        with pytest.raises(JobIdTaken, match="another photo"):
            ask(services, job_id="mine")
        assert services.submissions.submission(("b", "mine")) is None
        assert ask(services, job_id="mine", replace=True).sent

    def test_of_photos_that_want_one_id_at_once_one_gets_it(
        self, services: MemoryServices, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        look, quicker = services.submissions.submission, iter([BLUE])

        def look_too_early(key: JobKey) -> Submission | None:
            """Tell that the id is free, and let another photo take it right then."""
            found = look(key)
            for photo in quicker:
                assert ask(services, job_id="mine", photo=photo).sent
            return found

        monkeypatch.setattr(services.submissions, "submission", look_too_early)
        with pytest.raises(JobIdTaken):
            ask(services, job_id="mine")
        assert waiting(services) == 1
        assert not ask(services, job_id="mine", photo=BLUE).sent

    def test_of_many_photos_at_once_one_gets_the_id(self, services: MemoryServices) -> None:
        photos = [photo_bytes(color=color) for color in ("red", "green", "blue", "black")]

        def try_it(photo: bytes) -> bool:
            try:
                return ask(services, job_id="mine", photo=photo).sent
            except JobIdTaken:
                return False

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(try_it, photos)) == 1
        assert waiting(services) == 1

    def test_a_photo_that_is_just_being_sent_is_not_replaced(
        self, services: MemoryServices
    ) -> None:
        services.submissions.claim(("b", "mine"), photo_digest(RED))
        with pytest.raises(JobIdTaken, match="just being sent"):
            ask(services, job_id="mine", photo=BLUE, replace=True)
        assert ask(services, job_id="mine").sent  # the same photo once more does no harm


class TestFailures:
    def break_queues(self, services: MemoryServices) -> Any:
        working = services.queues.send

        def fail(*_: object, **__: object) -> str:
            raise StorageUnavailable("queue storage did not answer")

        services.queues.send = fail  # type: ignore[method-assign]
        return working

    def test_an_id_is_free_again_when_nothing_was_sent(self, services: MemoryServices) -> None:
        working = self.break_queues(services)
        with pytest.raises(StorageUnavailable):
            ask(services, job_id="mine")
        assert services.submissions.submission(("b", "mine")) is None
        services.queues.send = working  # type: ignore[method-assign]
        assert ask(services, job_id="mine", photo=BLUE).sent

    def test_a_replacement_that_was_not_sent_leaves_the_id_as_it_was(
        self, services: MemoryServices
    ) -> None:
        first = ask(services, job_id="mine")
        working = self.break_queues(services)
        with pytest.raises(StorageUnavailable):
            ask(services, job_id="mine", photo=BLUE, replace=True)
        services.queues.send = working  # type: ignore[method-assign]
        known = ask(services, job_id="mine")
        assert (known.sent, known.run) == (False, first.run)
        assert RED in photo_of(services, first)

    def test_a_sender_that_died_before_it_sent_keeps_nobody_from_sending(
        self, services: MemoryServices
    ) -> None:
        job_id = f"photo.png-{photo_digest(RED)[:8]}"
        services.submissions.claim(("b", job_id), photo_digest(RED))
        assert ask(services).sent
        assert waiting(services) == 1

    def test_an_id_whose_sender_died_long_ago_is_free(self, services: MemoryServices) -> None:
        key = ("b", "mine")
        services.submissions.claim(key, photo_digest(RED))
        claim = services.submissions.submission(key)
        assert claim is not None
        services.database.submissions[key] = replace(claim, since=claim.since - timedelta(hours=1))
        assert ask(services, job_id="mine", photo=BLUE).sent


class TestOwnAndForeignPhotos:
    def test_an_upload_never_takes_a_dropped_photos_place(self, services: MemoryServices) -> None:
        services.blobs.put("inputimages", "b/photo.png", BLUE, "image/png")
        sent = ask(services, job_id="photo.png")
        assert services.blobs.get("inputimages", "b/photo.png", 10**6) == BLUE
        assert photo_of(services, sent) == [RED]

    @pytest.mark.parametrize("digits", [32, 64])
    def test_not_even_one_that_has_the_name_of_ours(
        self, services: MemoryServices, digits: int
    ) -> None:
        name = f"b/mine/{photo_digest(RED)[:digits]}"
        services.blobs.put("inputimages", name, BLUE, "image/png")
        sent = ask(services, job_id="mine")
        assert services.blobs.get("inputimages", name, 10**6) == BLUE
        assert RED in photo_of(services, sent)

    def test_replacing_leaves_what_others_put_into_the_jobs_folder(
        self, services: MemoryServices
    ) -> None:
        ask(services, job_id="mine")
        services.blobs.put("inputimages", "b/mine/theirs.png", RED, "image/png")
        services.blobs.put("inputimages", "b/mine2", RED, "image/png")
        second = ask(services, job_id="mine", photo=BLUE, replace=True)
        assert sorted(photo_of(services, second)) == sorted([BLUE, RED])
        assert services.blobs.stat("inputimages", "b/mine2")


class TestHttp:
    def send(self, services: MemoryServices, photo: bytes, **form: str) -> Any:
        files = {"file": ("photo.png", photo, "image/png")}
        return client(services).post("/api/batches/b/images", files=files, data=form)

    def test_201_is_a_job_that_was_sent_200_one_that_was_there(
        self, services: MemoryServices
    ) -> None:
        first, again = self.send(services, RED), self.send(services, RED)
        assert (first.status_code, again.status_code) == (201, 200)
        assert (first.json()["sent"], again.json()["sent"]) == (True, False)
        assert again.json()["job_id"] == first.json()["job_id"]
        assert again.json()["state"] == "queued"

    def test_409_is_another_photos_id_unless_it_is_to_be_replaced(
        self, services: MemoryServices
    ) -> None:
        self.send(services, RED, job_id="mine")
        refused = self.send(services, BLUE, job_id="mine")
        assert refused.status_code == 409
        assert refused.headers["content-type"] == "application/problem+json"
        assert "mine in batch b is the job of another photo" in refused.json()["detail"]
        assert self.send(services, BLUE, job_id="mine", replace="true").status_code == 201

    def test_a_message_of_a_job_is_another_run_of_it_as_ever(
        self, services: MemoryServices
    ) -> None:
        sent = self.send(services, RED).json()
        definition = {"id": sent["job_id"], "batch_id": "b", "processing_pipeline": ["sample"]}
        (name,) = services.blobs.list("inputimages", f"b/{sent['job_id']}/")
        definition["input"] = {"image_url": services.blobs.address("inputimages", name)}
        for _ in range(2):
            answer = client(services).post("/api/jobs", json={"job_definition": definition})
            assert answer.status_code == 202
            assert answer.json()["sent"]
        assert waiting(services) == 2
        assert self.send(services, RED).status_code == 200  # its photo is still known

    def test_a_message_that_gives_a_job_another_photo_is_remembered(
        self, services: MemoryServices
    ) -> None:
        self.send(services, RED, job_id="mine")
        definition = {"id": "mine", "batch_id": "b", "input": {"image_url": "https://x.test/y"}}
        client(services).post("/api/jobs", json={"job_definition": definition})
        assert self.send(services, RED, job_id="mine").status_code == 409

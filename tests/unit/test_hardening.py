"""What somebody with a role, or with odd input, could otherwise do; each was possible once."""

import base64
import json
import uuid
from collections import UserDict
from typing import Any

import pytest
from fastapi.testclient import TestClient

from imaginem.errors import StorageUnavailable
from imaginem.names import blob_segment
from imaginem.pipeline.poison import bury
from imaginem.pipeline.steps import default_registry
from imaginem.testing import MemoryServices, photo_bytes, run_all
from tests.dashboard import client, face, keep, pair, principal, web_services

EVE = principal("caseworker", name="Eve")
ALICE = principal("caseworker", name="Alice", groups=("red",))


@pytest.fixture
def services() -> MemoryServices:
    return web_services()


@pytest.fixture
def api(services: MemoryServices) -> TestClient:
    return client(services)


@pytest.fixture
def platform(services: MemoryServices) -> TestClient:
    return client(services, "platform")


def send(api: TestClient, batch: str, job: str, headers: Any = None, **form: str) -> Any:
    return api.post(
        f"/api/batches/{batch}/images",
        files={"file": ("holiday.png", photo_bytes(), "image/png")},
        data={"job_id": job, **form},
        headers=headers or {},
    )


def message(url: str, batch: str = "mine", **more: Any) -> dict[str, Any]:
    definition = {"id": "x", "batch_id": batch, "input": {"image_url": url}, **more}
    return {"job_definition": {"processing_pipeline": ["pipelineoutput"], **definition}}


class TestOtherGroupsPhotos:
    @pytest.fixture(autouse=True)
    def _secret(self, services: MemoryServices, platform: TestClient) -> None:
        assert send(platform, "secret", "jane", ALICE, group="red").status_code == 201
        run_all(services, default_registry)
        self.url = services.blobs.address("inputimages", "secret/jane")

    def test_a_job_can_not_point_at_them(
        self, services: MemoryServices, platform: TestClient
    ) -> None:
        hosts = services.blobs.put("azure-webjobs-secrets", "host.json", b"{}", "text/plain")
        for url in (self.url, hosts, f"{hosts}?x"):
            refused = platform.post("/api/jobs", json=message(url), headers=EVE)
            assert refused.status_code == 422, url
            assert "image_url" in refused.json()["detail"]
        mine = services.blobs.put("inputimages", "mine/x", photo_bytes(), "image/png")
        sent = platform.post(
            "/api/jobs", json=message(mine, _imaginem={"image": self.url}), headers=EVE
        )
        assert sent.status_code == 202
        run_all(services, default_registry)
        result = services.results.read(("mine", "x"))
        assert result is not None
        assert result.photo_url == mine

    def test_what_a_queue_message_points_at_is_no_photo_elsewhere(
        self, services: MemoryServices, api: TestClient
    ) -> None:
        hosts = services.blobs.put("azure-webjobs-secrets", "host.json", b"{}", "text/plain")
        services.queues.send("pipelineoutput", json.dumps(message(hosts)))
        run_all(services, default_registry)
        assert api.get("/api/images/mine/x/original").status_code == 404

    def test_erasing_leaves_what_is_not_the_jobs_own(
        self, services: MemoryServices, api: TestClient
    ) -> None:
        services.queues.send("pipelineoutput", json.dumps(message(self.url)))
        run_all(services, default_registry)
        assert api.delete("/api/jobs/mine/x").status_code == 200
        assert api.get("/api/images/secret/jane/original").status_code == 200

    def test_an_erased_batch_stays_its_groups(
        self, services: MemoryServices, platform: TestClient
    ) -> None:
        assert platform.delete("/api/batches/secret", headers=ALICE).status_code == 200
        assert platform.get("/api/batches/secret", headers=ALICE).status_code == 404
        assert platform.get("/api/batches", headers=ALICE).json()["batches"] == []
        assert send(platform, "secret", "x", EVE).status_code == 404
        assert send(platform, "secret", "x", ALICE).status_code == 201
        assert platform.get("/api/batches/secret", headers=EVE).status_code == 404

    def test_exports_and_outputs_name_nobody_hidden(
        self, services: MemoryServices, platform: TestClient
    ) -> None:
        hidden = face(services, ("secret", "jane"))
        found = {"facematch": {"matches": [{"matched_face_id": str(hidden), "confidence": 0.8}]}}
        keep(services, ("open", "one"), found)
        pair(services, face(services, ("open", "one")), hidden)
        for address in ("/api/batches/open/export", "/api/jobs/open/one", "/photos/open/one"):
            told = platform.get(address, headers=EVE).text
            assert "secret" not in told, address
            assert str(hidden) not in told, address
            assert "secret" in platform.get(address, headers=ALICE).text, address

    def test_a_viewer_gets_no_place_from_the_file_itself(self, platform: TestClient) -> None:
        viewer = principal("viewer", groups=("red",))
        assert platform.get("/api/images/secret/jane/original", headers=viewer).status_code == 403
        page = platform.get("/photos/secret/jane", headers=viewer).text
        assert "/original" not in page
        assert "/view" in page

    def test_somebody_who_is_not_logged_in_is_called_nothing(self, platform: TestClient) -> None:
        page = platform.get("/photos", headers={"Accept": "text/html"})
        assert page.status_code == 401
        assert "operator" not in page.text
        assert "/batches" not in page.text


class TestSecretsOfSenders:
    def test_nothing_that_is_kept_of_an_ended_job_has_them_and_it_runs_again(
        self, services: MemoryServices, api: TestClient
    ) -> None:
        parameters = {"password": "SECRET", "note": "sig=SECRET", "recordKey": "A-7"}
        mine = services.blobs.put("inputimages", "mine/x", photo_bytes(), "image/png")
        body = message(mine)
        body["job_definition"]["input"]["image_parameters"] = parameters
        assert api.post("/api/jobs", json=body).status_code == 202
        run_all(services, default_registry)
        result = services.results.read(("mine", "x"))
        assert result is not None
        kept = {"password": "***", "note": "sig=***", "recordKey": "A-7"}
        assert result.image_parameters == kept
        assert "SECRET" not in repr(services.log.read(("mine", "x")))

        asked = {"from_step": "pipelineoutput"}
        assert api.post("/api/jobs/mine/x/rerun", json=asked).status_code == 202
        assert "SECRET" not in services.submissions.message(("mine", "x"))
        run_all(services, default_registry)
        again = services.results.read(("mine", "x"))
        assert again is not None and again.image_parameters == kept
        assert api.get("/api/jobs/mine/x/comparison").status_code == 200


class TestWaiting:
    def test_what_waits_can_be_erased_and_does_not_come_back(
        self, services: MemoryServices, api: TestClient
    ) -> None:
        send(api, "b", "x")
        api.post("/api/batches/b/cancel")
        assert 'data-running="false"' in api.get("/batches/b").text  # nobody polls for ever
        assert api.delete("/api/batches/b").status_code == 200
        run_all(services, default_registry)
        assert api.delete("/api/batches/b").status_code == 404

    def test_a_job_that_was_poisoned_at_its_first_step_is_told_and_replayed(
        self, services: MemoryServices, api: TestClient
    ) -> None:
        send(api, "b", "x")
        (item,) = services.queues.receive("generalclassification", 1, 30)
        services.queues.delete("generalclassification", item)
        bury(services, "generalclassification", "m1", item.body)
        assert api.get("/api/jobs/b/x").json()["state"] == "failed"
        assert api.get("/api/batches/b").json()["ended"] == 1
        (entry,) = api.get("/api/poison").json()
        assert api.post(f"/api/poison/{entry['id']}/replay").status_code == 202
        assert api.get("/api/jobs/b/x").json()["state"] == "queued"
        run_all(services, default_registry)
        assert api.get("/api/batches/b").json()["jobs"] == {"x": "succeeded"}
        assert api.delete("/api/jobs/b/x").status_code == 200

    def test_a_queue_that_is_away_leaves_nothing_waiting(
        self, services: MemoryServices, api: TestClient
    ) -> None:
        def fail(*_: object, **__: object) -> None:
            raise StorageUnavailable("queue storage did not answer")

        services.queues.send = fail  # type: ignore[assignment,method-assign]
        assert send(api, "b", "x").status_code == 503
        assert services.submissions.submissions("b") == {}

    def test_a_database_that_is_away_leaves_no_message(
        self, services: MemoryServices, api: TestClient
    ) -> None:
        def fail(*_: object, **__: object) -> None:
            raise StorageUnavailable("SQL did not answer")

        services.submissions.submitted = fail  # type: ignore[method-assign]
        assert send(api, "b", "x").status_code == 503
        assert services.queues.names() == []

    def test_a_retry_keeps_what_the_sender_said(
        self, services: MemoryServices, api: TestClient
    ) -> None:
        send(api, "b", "x")
        api.post("/api/batches/b/cancel")
        run_all(services, default_registry)
        api.post("/api/batches/b/reopen")
        assert api.post("/api/jobs/b/x/retry").status_code == 202
        run_all(services, default_registry)
        parameters = api.get("/api/jobs/b/x").json()["image_parameters"]
        assert parameters["original_name"] == "holiday.png"

    def test_a_job_that_reached_its_end_is_sent_again_as_it_came(
        self, services: MemoryServices, api: TestClient
    ) -> None:
        send(api, "mine", "photo")
        url = services.blobs.address("inputimages", "mine/photo")
        asked = message(url, processing_pipeline=["facecrop", "pipelineoutput"], note="urgent")
        asked["job_definition"]["input"]["image_classifiers"] = ["flood"]
        asked["job_output"] = {"facedetection": {"faces": []}, "facecrop": "old"}
        assert api.post("/api/jobs", json=asked).status_code == 202
        run_all(services, default_registry)
        assert api.post("/api/jobs/mine/x/retry").status_code == 202
        (item,) = services.queues.receive("facecrop", 1, 30)
        again = json.loads(item.body)
        definition = again["job_definition"]
        assert definition["note"] == "urgent"
        assert definition["input"]["image_classifiers"] == ["flood"]
        assert definition["processing_step"] == 0
        assert again["job_output"] == {"facedetection": {"faces": []}}

    def test_a_photo_from_elsewhere_that_was_never_had_is_not_asked_for_without_its_query(
        self, services: MemoryServices, api: TestClient
    ) -> None:
        api.post(
            "/api/jobs",
            json=message("https://example.org/p?id=7", processing_pipeline=["ocr"]),
        )
        run_all(services, default_registry)
        refused = api.post("/api/jobs/mine/x/retry")
        assert refused.status_code == 422
        assert "send it again" in refused.json()["detail"]

    def test_cancelling_what_is_not_there_cancels_nothing(
        self, services: MemoryServices, api: TestClient
    ) -> None:
        for address in ("/batches/never/cancel", "/api/batches/never/cancel"):
            assert api.post(address).status_code == 404
        assert send(api, "never", "x").status_code == 201
        api.post("/api/batches/never/cancel")
        url = services.blobs.put("inputimages", "never/y", photo_bytes(), "image/png")
        refused = api.post("/api/jobs", json=message(url, batch="never"))
        assert refused.status_code == 422

    def test_a_queue_that_no_step_serves_is_no_place_to_begin(self, api: TestClient) -> None:
        told = api.post("/api/jobs", json=message("https://x.test/a", processing_pipeline=["ocrr"]))
        assert told.status_code == 422
        assert "did you mean ocr?" in told.json()["detail"]


class TestFaces:
    def test_only_what_was_found_alike_is_judged(
        self, services: MemoryServices, api: TestClient
    ) -> None:
        one, other = face(services, ("b", "one")), face(services, ("b", "two"))
        api_address = f"/api/faces/{one}/matches/{other}/verdict"
        assert api.put(api_address, json={"verdict": "confirmed"}).status_code == 404
        page = api.post(f"/faces/{one}/matches/{other}", data={"verdict": "confirmed"})
        assert page.status_code == 404
        assert services.reviews.decisions([one]) == {}


class TestOddInput:
    def cursor(self, text: str) -> str:
        return base64.urlsafe_b64encode(text.encode()).decode()

    def test_nothing_odd_is_a_defect(self, services: MemoryServices, api: TestClient) -> None:
        keep(services, ("b", "one"))
        at = "2026-01-01T00:00:00+00:00"
        cursors = [
            self.cursor(json.dumps([at, "not-a-uuid"])),
            self.cursor(f'["{at}", "\\ud800"]'),
            self.cursor("[" * 1400),
            self.cursor('["9999-12-31T23:59:59-23:59", "x"]'),
        ]
        for cursor in cursors:
            for address in ("/api/images", "/api/batches", "/photos/cards", "/batches"):
                assert api.get(address, params={"cursor": cursor}).status_code in (200, 422)
        for address in (
            "/api/batches/%25FF",
            "/api/batches/%25ED%25A0%2580",
            "/batches/%25FF",
            f"/static/{'a' * 300}",
            "/static/..",
            "/photos?since=9999-12-31&until=9999-12-31",
            "/photos?faces=&since=&until=",
            "/faces?face=",
            "/api/images?text=%00",
            "/api/images?tag=%ED%A0%80",
            f"/api/faces/{uuid.uuid4()}/image",
        ):
            assert api.get(address).status_code < 500, address
        whole = api.get("/api/images/b/one/original", headers={"Range": f"bytes=0-{'9' * 5000}"})
        assert whole.status_code == 200
        missing = api.get("/api/images/b/one/original", headers={"Range": "bytes=999999-"})
        assert missing.headers["content-range"].startswith("bytes */")
        assert api.post("/api/pipeline/resolve", headers={"Origin": "http://["}).status_code == 403

    @pytest.mark.parametrize(
        "body",
        [
            b'{"job_definition": {"id": "\\ud800", "input": {"image_url": "https://x.test/a"}}}',
            b'{"job_definition": {"id": "a", "\\ud800": 1, "input": {"image_url": "u"}}}',
            b'{"job_definition": {"id": "a", "x": ' + b"[" * 900 + b"]" * 900 + b"}}",
            b'{"job_definition": []}',
            b"[]",
            b"\xff",
        ],
    )
    def test_no_message_is_a_defect(self, api: TestClient, body: bytes) -> None:
        answer = api.post("/api/jobs", content=body, headers={"Content-Type": "application/json"})
        assert 400 <= answer.status_code < 500, answer.text

    def test_a_poisoned_message_with_impossible_ids_hides_no_inbox(
        self, services: MemoryServices, api: TestClient
    ) -> None:
        for batch in ("", "/" * 512):
            definition = {"id": "a", "batch_id": batch, "input": {"image_url": "u"}}
            services.queues.send("ocr", json.dumps({"job_definition": definition}))
        run_all(services, default_registry)
        assert "Poison inbox (2)" in api.get("/operations").text

    def test_a_defect_has_the_policy_and_no_details(
        self, services: MemoryServices, api: TestClient
    ) -> None:
        def fail(*_: object) -> None:
            raise KeyError("hunter2")

        services.catalogue.photos = fail  # type: ignore[assignment,method-assign]
        for accept, kind in (("text/html", "text/html"), ("*/*", "application/problem+json")):
            answer = api.get("/photos", headers={"Accept": accept})
            assert answer.status_code == 500
            assert answer.headers["content-type"].startswith(kind)
            assert "hunter2" not in answer.text
            assert "script-src" in answer.headers["content-security-policy"]

    def test_an_engine_that_is_broken_is_told_on_the_page(
        self, services: MemoryServices, api: TestClient
    ) -> None:
        class Broken(UserDict[str, str]):
            def __iter__(self) -> Any:
                raise OSError("model file broken")

        services.engine_names = Broken()
        assert "model file broken" in api.get("/operations").text


def test_a_long_id_and_what_it_is_shortened_to_lie_apart() -> None:
    long = "x" * 300
    assert blob_segment(long) != blob_segment(blob_segment(long))
    assert len(blob_segment(blob_segment(long))) <= 200


def test_erasing_a_batch_costs_little_for_each_job(
    services: MemoryServices, api: TestClient
) -> None:
    for number in range(12):
        send(api, "b", f"{number}")
    run_all(services, default_registry)
    calls = {"list": 0, "poison": 0}
    real_list, real_poison = services.blobs.list, services.poison.list

    def counted(container: str, prefix: str) -> list[str]:
        calls["list"] += 1
        return real_list(container, prefix)

    def counted_poison(queue: str | None = None) -> Any:
        calls["poison"] += 1
        return real_poison(queue)

    services.blobs.list = counted  # type: ignore[method-assign]
    services.poison.list = counted_poison  # type: ignore[method-assign]
    assert api.delete("/api/batches/b").json()["jobs"] == 12
    assert calls == {"list": 16, "poison": 5}, "each container is emptied twice and counted twice"

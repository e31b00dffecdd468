"""The API: what it takes, refuses and answers."""

import csv
import io
import itertools
import json
import re
import struct
import uuid
import zlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from imaginem.memory.storage import MemoryQueues
from imaginem.pipeline.steps import default_registry
from imaginem.ports import Fusion, Pause
from imaginem.testing import MemoryServices, photo_bytes, run_all
from tests.dashboard import client, enrol, face, keep, pair, web_services


@pytest.fixture
def services() -> MemoryServices:
    return web_services()


@pytest.fixture
def api(services: MemoryServices) -> TestClient:
    return client(services)


def send(api: TestClient, data: bytes, name: str = "a.png", batch: str = "b", **form: str) -> Any:
    return api.post(
        f"/api/batches/{batch}/images", files={"file": (name, data, "image/png")}, data=form
    )


def bomb() -> bytes:
    """Return a small PNG file that claims 50,000 x 50,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    head = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1_000_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


class TestUpload:
    def test_a_photo_goes_all_the_way(self, services: MemoryServices, api: TestClient) -> None:
        told = send(api, photo_bytes(), "my photo.png").json()
        assert api.get("/api/batches/b").json()["jobs"] == {told["job_id"]: "queued"}
        run_all(services, default_registry)

        progress = api.get("/api/batches/b").json()
        assert progress["jobs"] == {told["job_id"]: "succeeded"}
        assert (progress["submitted"], progress["ended"]) == (1, 1)
        job = api.get(told["url"]).json()
        assert job["state"] == "succeeded"
        assert job["image_parameters"]["original_name"] == "my photo.png"
        assert [step["state"] for step in job["steps"]] == ["success"] * 7
        (photo,) = api.get("/api/images").json()["images"]
        assert photo["name"] == "my photo.png"
        assert api.get(photo["thumbnail"]).headers["content-type"] == "image/jpeg"

    def test_steps_come_with_what_they_need_and_the_closing_one_last(
        self, services: MemoryServices, api: TestClient
    ) -> None:
        send(api, photo_bytes(), pipeline="pipelineoutput, facecrop")
        run_all(services, default_registry)
        (name,) = api.get("/api/batches/b").json()["jobs"]
        pipeline = api.get(f"/api/jobs/b/{name}").json()["processing_pipeline"]
        assert pipeline == ["facedetection", "facecrop", "pipelineoutput"]

    @pytest.mark.parametrize(
        ("pipeline", "told"),
        [
            ("", ""),
            ("ocr,pipelineoutput", ""),
            ("ocr", "without pipelineoutput, what is found stays in the job's log"),
        ],
    )
    def test_who_sends_a_job_whose_results_are_not_kept_is_told(
        self, api: TestClient, pipeline: str, told: str
    ) -> None:
        note = send(api, photo_bytes(), pipeline=pipeline).json()["note"]
        assert note.startswith(told) and bool(note) == bool(told)

    def test_the_same_photo_again_is_the_same_job(
        self, services: MemoryServices, api: TestClient
    ) -> None:
        one, again = send(api, photo_bytes()).json(), send(api, photo_bytes()).json()
        other = send(api, photo_bytes(color="red")).json()
        assert one["job_id"] == again["job_id"] != other["job_id"]

    @pytest.mark.parametrize(
        ("data", "name", "status", "told"),
        [
            (SVG, "a.svg", 415, "not a photo"),
            (b"<html><script>alert(1)</script>", "photo.jpg", 415, "not a photo"),
            (b"", "empty.png", 415, "not a photo"),
            (photo_bytes() + bytes(21 * 1024 * 1024), "large.png", 413, "20 MB"),
            (bomb(), "bomb.png", 413, "megapixels"),
        ],
        ids=["svg", "html", "empty", "large", "bomb"],
    )
    def test_what_is_no_photo_is_refused_and_nothing_is_kept(
        self,
        services: MemoryServices,
        api: TestClient,
        data: bytes,
        name: str,
        status: int,
        told: str,
    ) -> None:
        answer = send(api, data, name)
        assert answer.status_code == status
        assert told in answer.json()["detail"]
        assert services.queues.names() == []
        assert services.blobs.list("inputimages", "") == []
        assert api.get("/api/batches").json()["batches"] == []

    @pytest.mark.parametrize(
        "address", ["/api/batches/b/images", "/api/faces/search", "/faces/search"]
    )
    def test_two_photos_in_one_request_are_refused(
        self, services: MemoryServices, api: TestClient, address: str
    ) -> None:
        files = [("file", (name, photo_bytes(), "image/png")) for name in ("a.png", "b.png")]
        answer = api.post(address, files=files)
        assert answer.status_code == 422
        assert "this one has 2" in answer.json()["detail"]
        assert services.blobs.list("inputimages", "") == []

    @pytest.mark.parametrize(
        "name", ["../../x.png", "..\\..\\x.png", '<img src=x onerror="alert(1)">.png', "a\nb.png"]
    )
    def test_a_names_markup_and_folders_do_no_harm(
        self, services: MemoryServices, api: TestClient, name: str
    ) -> None:
        told = send(api, photo_bytes(), name)
        assert told.status_code == 201
        run_all(services, default_registry)
        job = told.json()["job_id"]
        assert "/" not in job
        assert "<" not in job
        for address in ("/photos", f"/photos/b/{job}", "/batches/b", "/faces"):
            page = api.get(address)
            assert page.status_code == 200
            assert "<img src=x" not in page.text
        assert [blob.split("/")[0] for blob in services.blobs.list("inputimages", "")] == ["b"]
        disposition = api.get(f"/api/images/b/{job}/original").headers["content-disposition"]
        assert "\n" not in disposition
        assert '"<' not in disposition

    def test_ids_and_steps_that_can_not_be_are_named(
        self, services: MemoryServices, api: TestClient
    ) -> None:
        assert "id" in send(api, photo_bytes(), job_id="x" * 600).json()["detail"]
        assert "no step is named" in send(api, photo_bytes(), pipeline="No!").json()["detail"]
        told = send(api, photo_bytes(), pipeline="facedetecton").json()["detail"]
        assert "did you mean facedetection?" in told
        odd = send(api, photo_bytes(), pipeline="ocr,No!", raw="true").json()["detail"]
        assert "queue name" in odd
        assert services.blobs.list("inputimages", "") == []
        assert send(api, photo_bytes(), pipeline="").status_code == 201

    @pytest.mark.parametrize("pipeline", ["ocrr", "facedetection,ocrr", "OCR,facedetection"])
    def test_a_misspelt_step_anywhere_in_the_pipeline_is_refused_as_the_command_line_does(
        self, services: MemoryServices, api: TestClient, pipeline: str
    ) -> None:
        refused = send(api, photo_bytes(), pipeline=pipeline)
        assert refused.status_code == 422
        told = refused.json()["detail"]
        assert told.startswith("pipeline: no step is named ")
        assert ": did you mean ocr? (with raw=true, steps are taken as they are given" in told
        assert services.blobs.list("inputimages", "") == []

    def test_a_queue_of_another_app_is_taken_where_the_sender_says_so(
        self, services: MemoryServices, api: TestClient
    ) -> None:
        job = send(api, photo_bytes(), pipeline="ocr,theirs", raw="true").json()
        run_all(services, default_registry)
        assert api.get(job["url"]).json()["state"] == "handed_over"

    def test_a_message_may_be_sent_as_it_is(
        self, services: MemoryServices, api: TestClient
    ) -> None:
        url = services.blobs.put("inputimages", "x", photo_bytes(), "image/png")
        definition = {"id": "one", "batch_id": "m", "input": {"image_url": url}}
        told = api.post("/api/jobs", json={"job_definition": definition})
        assert told.status_code == 202
        run_all(services, default_registry)
        assert api.get("/api/batches/m").json()["jobs"] == {"one": "succeeded"}
        wrong = api.post("/api/jobs", json={"job_definition": {"id": "one"}})
        assert "job_definition.input" in wrong.json()["detail"]


class TestImages:
    def test_a_part_of_a_file_can_be_asked_for(
        self, services: MemoryServices, api: TestClient
    ) -> None:
        data = photo_bytes()
        keep(services, ("b", "one"), photo=data)
        address = "/api/images/b/one/original"
        whole = api.get(address)
        assert whole.content == data
        part = api.get(address, headers={"Range": "bytes=2-5"})
        assert (part.status_code, part.content) == (206, data[2:6])
        assert part.headers["content-range"] == f"bytes 2-5/{len(data)}"
        assert api.get(address, headers={"Range": "bytes=-4"}).content == data[-4:]
        assert api.get(address, headers={"Range": "bytes=9999999-"}).status_code == 416
        assert api.get(address, headers={"Range": "bytes=x"}).status_code == 200
        stale = {"Range": "bytes=2-5", "If-Range": '"old"'}
        assert api.get(address, headers=stale).status_code == 200

    def test_a_file_can_be_asked_about_without_its_bytes(
        self, services: MemoryServices, api: TestClient
    ) -> None:
        keep(services, ("b", "one"))
        address = "/api/images/b/one/original"
        whole, head = api.get(address), api.head(address)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers == whole.headers
        assert api.head("/api/health").status_code == 200
        assert api.head("/api/images/b/none/original").status_code == 404

    def test_what_a_browser_has_is_not_sent_again(
        self, services: MemoryServices, api: TestClient
    ) -> None:
        keep(services, ("b", "one"))
        address = "/api/images/b/one/thumbnail"
        tag = api.get(address).headers["etag"]
        again = api.get(address, headers={"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["cache-control"].startswith("private")
        keep(services, ("b", "one"), photo=photo_bytes(color="red"))
        assert api.get(address, headers={"If-None-Match": tag}).status_code == 200

    def test_a_thumbnail_is_made_once(self, services: MemoryServices, api: TestClient) -> None:
        keep(services, ("b", "one"), photo=photo_bytes(2000, 1000))
        first = api.get("/api/images/b/one/thumbnail")
        with Image.open(io.BytesIO(first.content)) as small:
            assert small.size == (320, 160)
        (name,) = services.blobs.list("thumbnails", "")
        services.blobs.put("thumbnails", name, b"kept", "image/jpeg")
        assert api.get("/api/images/b/one/thumbnail").content == b"kept"

    def test_a_rotated_photo_is_shown_upright_and_without_its_exif(
        self, services: MemoryServices, api: TestClient
    ) -> None:
        picture = Image.new("RGB", (60, 40))
        exif = Image.Exif()
        exif[0x0112], exif[0x010F] = 6, "Camera"
        out = io.BytesIO()
        picture.save(out, "JPEG", exif=exif)
        keep(services, ("b", "one"), photo=out.getvalue())
        with Image.open(io.BytesIO(api.get("/api/images/b/one/view").content)) as shown:
            assert shown.size == (40, 60)
            assert not shown.getexif()
        assert 'viewBox="0 0 40 60"' in api.get("/photos/b/one").text

    def test_a_place_is_told_only_to_who_asks(
        self, services: MemoryServices, api: TestClient
    ) -> None:
        exif = Image.Exif()
        exif[0x0110] = "Model <b>"
        exif[0x8825] = {1: "S", 2: (1.0, 30.0, 0.0), 3: "E", 4: (36.0, 15.0, 36.0)}
        out = io.BytesIO()
        Image.new("RGB", (8, 8)).save(out, "JPEG", exif=exif)
        keep(services, ("b", "one"), photo=out.getvalue())

        assert api.get("/api/images/b/one/exif").json() == {"model": "Model <b>"}
        told = api.get("/api/images/b/one/exif?gps=true").json()
        assert (told["latitude"], told["longitude"]) == ("-1.500000", "36.260000")
        assert "latitude" not in api.get("/photos/b/one/file").text
        assert "Model &lt;b&gt;" in api.get("/photos/b/one/file").text
        assert "-1.500000" in api.get("/photos/b/one/file?gps=true").text


class TestBatchActions:
    def test_a_cancelled_batch_stops_at_the_next_hop_and_takes_no_more(
        self, services: MemoryServices, api: TestClient
    ) -> None:
        services.core_settings = replace(services.core_settings, fusion=Fusion())
        name = send(api, photo_bytes()).json()["job_id"]
        with pytest.raises(AssertionError, match="did not come to an end"):
            run_all(services, default_registry, most=2)
        assert api.post("/api/batches/b/cancel").json()["cancelled"] is True
        run_all(services, default_registry)

        job = api.get(f"/api/jobs/b/{name}").json()
        assert job["state"] == "cancelled"
        states = [step["state"] for step in job["steps"]]
        assert states[:3] == ["success", "success", "skipped"]
        assert job["steps"][2]["reason"] == "the batch was cancelled"
        refused = send(api, photo_bytes(color="red"))
        assert refused.status_code == 422
        assert "was cancelled" in refused.json()["detail"]
        assert api.post("/api/batches/b/reopen").json()["cancelled"] is False
        assert send(api, photo_bytes(color="red")).status_code == 201
        assert api.post(f"/api/jobs/b/{name}/retry").status_code == 202
        run_all(services, default_registry)
        assert set(api.get("/api/batches/b").json()["jobs"].values()) == {"succeeded"}

    def test_a_paused_batch_takes_photos_that_wait_until_it_is_resumed(
        self, services: MemoryServices, api: TestClient
    ) -> None:
        services.queues = MemoryQueues(itertools.count(0, 86_400).__next__)
        send(api, photo_bytes())
        why = {"because": "the quota is used up"}
        paused = api.post("/api/batches/b/pause", json=why).json()["paused"]
        assert (paused["by"], paused["because"]) == ("local user", "the quota is used up")
        assert send(api, photo_bytes(color="red")).status_code == 201
        with pytest.raises(AssertionError, match="did not come to an end"):
            run_all(services, default_registry, most=30)
        assert set(api.get("/api/batches/b").json()["jobs"].values()) == {"running"}

        assert api.post("/api/batches/b/resume").json()["paused"] is None
        run_all(services, default_registry)
        assert list(api.get("/api/batches/b").json()["jobs"].values()) == ["succeeded"] * 2
        assert api.post("/api/batches/none/pause").status_code == 404
        assert api.post("/api/batches/b/pause", json={"because": "x" * 201}).status_code == 422

    def test_a_batch_has_the_budget_of_its_first_photo_until_it_is_changed(
        self, api: TestClient
    ) -> None:
        send(api, photo_bytes(), budget="5")
        send(api, photo_bytes(color="red"), budget="7")
        assert api.get("/api/batches/b").json()["budget"] == {"usd": 5.0, "spent": 0.0}
        changed = api.put("/api/batches/b/budget", json={"usd": 9}).json()["budget"]
        assert changed["usd"] == 9.0
        assert api.put("/api/batches/b/budget", json={"usd": None}).json()["budget"] is None
        for nonsense in (0, -1, "much"):
            assert api.put("/api/batches/b/budget", json={"usd": nonsense}).status_code == 422
        assert api.put("/api/batches/none/budget", json={"usd": 9}).status_code == 404
        assert send(api, photo_bytes(color="blue"), budget="0").status_code == 422

    def test_a_batch_that_goes_on_without_its_budget_says_so(
        self, api: TestClient, services: MemoryServices
    ) -> None:
        send(api, photo_bytes(), budget="5")
        pause = Pause(datetime.now(UTC), because="its budget of $5.00 is used up")
        services.pauses.pause("b", pause)
        waits = api.get("/api/batches/b").json()
        assert "raise it with PUT /api/batches/{batch_id}/budget, or let" in waits["note"]
        page = api.get("/batches/b").text
        assert 'hx-post="/batches/b/budget"' in page
        assert "The budget is used up. Let this batch go on without a budget?" in page
        told = "its budget of $5.00 is used up, so it has no budget from now on: PUT /api/batches/"
        assert api.post("/api/batches/b/resume").json()["note"].startswith(told)
        assert api.get("/api/batches/b").json()["note"] == ""

        api.put("/api/batches/b/budget", json={"usd": 5})
        services.pauses.pause("b", pause)
        assert "raise-budget" not in api.post("/batches/b/budget", data={"usd": "7"}).text
        progress = api.get("/api/batches/b").json()
        assert (progress["paused"], progress["budget"]["usd"]) == (None, 7.0)
        assert api.post("/batches/b/budget", data={"usd": "nan"}).status_code == 422
        assert api.post("/batches/none/budget", data={"usd": "7"}).status_code == 404

    def test_only_what_has_ended_is_run_again(self, api: TestClient) -> None:
        name = send(api, photo_bytes()).json()["job_id"]
        assert api.post("/api/batches/none/cancel").status_code == 404
        assert api.post("/api/jobs/b/none/retry").status_code == 404
        refused = api.post(f"/api/jobs/b/{name}/retry")  # it waits still
        assert (refused.status_code, "still at work" in refused.text) == (422, True)

    def test_an_export_holds_everything_and_no_formula(
        self, services: MemoryServices, api: TestClient
    ) -> None:
        outputs = {
            "generalclassification": {"tags": [{"name": "cat"}, {"name": "dog"}]},
            "ocr": {"full_text": "=cmd()|' /C calc'!A0"},
        }
        keep(services, ("b", "one"), outputs, name="+ä.jpg")
        keep(services, ("c", "two"))
        pair(services, face(services, ("b", "one")), face(services, ("c", "two")))
        text = api.get("/api/batches/b/export").content.decode("utf-8-sig")
        (row,) = csv.DictReader(io.StringIO(text))
        assert row["tags"] == "cat; dog"
        assert row["text"].startswith("'=")
        assert row["name"] == "'+ä.jpg"
        assert row["matches"] == "c/two"
        (told,) = api.get("/api/batches/b/export?format=json").json()
        assert told["tags"] == ["cat", "dog"]
        assert told["text"].startswith("=")
        assert api.get("/api/batches/none/export").status_code == 404

    @pytest.mark.parametrize("sign", "=+-@＝＋－＠﹢")  # noqa: RUF001 - the wide ones are meant
    @pytest.mark.parametrize(
        "before", ["", " ", "\n", "\t", "\r\n", "a; ", 'a;"', "a\n", "a\t", "a| "]
    )
    def test_no_cell_begins_a_formula_in_a_spreadsheet_of_any_country(
        self, services: MemoryServices, api: TestClient, before: str, sign: str
    ) -> None:
        keep(services, ("b", "one"), {"ocr": {"full_text": f"{before}{sign}1+1"}})
        text = api.get("/api/batches/b/export").content.decode("utf-8-sig")
        (row,) = csv.DictReader(io.StringIO(text, newline=""))
        cells = re.split(r"[;|\t\r\n]", row["text"])
        assert not [cell for cell in cells if cell.strip('" ').startswith(sign)]
        assert row["text"].replace("'", "") == f"{before}{sign}1+1"

    def test_an_export_leaves_other_texts_as_they_are(
        self, services: MemoryServices, api: TestClient
    ) -> None:
        told = "5 - 3 = 2, -1, a@b.org; c|d" + "\n" * 100_000  # and it takes no time
        keep(services, ("b", "one"), {"ocr": {"full_text": told}})
        text = api.get("/api/batches/b/export").content.decode("utf-8-sig")
        (row,) = csv.DictReader(io.StringIO(text, newline=""))
        assert row["text"] == told

    def test_each_row_of_an_export_has_its_own_faces_and_matches(
        self, services: MemoryServices, api: TestClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("none", "one", "two"):
            keep(services, ("b", name))
        two = face(services, ("b", "two"))
        one = enrol(services, ("b", "one"), 2)
        pair(services, one[0], two)
        asked: list[int] = []
        real = services.gallery.faces_of

        def counted(*keys: tuple[str, str]) -> Any:
            asked.append(len(keys))
            return real(*keys)

        monkeypatch.setattr(services.gallery, "faces_of", counted)
        rows = api.get("/api/batches/b/export?format=json").json()
        told = [(row["job_id"], row["faces"], row["matches"]) for row in rows]
        assert told == [("none", None, []), ("one", 2, ["b/two"]), ("two", 1, ["b/one"])]
        assert asked == [3]  # once, not once a photo


def test_secrets_that_a_sender_gave_are_shown_nowhere_and_kept_for_the_job(
    services: MemoryServices, api: TestClient
) -> None:
    keep(services, ("b", "one"), name="a.jpg?token=SECRET")
    result = services.results.read(("b", "one"))
    assert result is not None
    given = {**result.image_parameters, "camera": "X", "callback": {"sasToken": "SECRET"}}
    services.results.save(replace(result, image_parameters=given))
    for address in ("/api/jobs/b/one", "/photos/b/one", "/api/images", "/api/batches/b/export"):
        told = api.get(address)
        assert (told.status_code, "SECRET" in told.text) == (200, False), address
    assert api.get("/api/jobs/b/one").json()["image_parameters"]["camera"] == "X"
    kept = services.results.read(("b", "one"))
    assert kept is not None
    assert kept.image_parameters == given


class TestErasure:
    def test_nothing_of_a_job_is_left(self, services: MemoryServices, api: TestClient) -> None:
        one = send(api, photo_bytes(), job_id="job-1").json()["job_id"]
        send(api, photo_bytes(color="red"), job_id="job-10")
        run_all(services, default_registry)
        mine, other = face(services, ("b", one)), face(services, ("b", "job-10"))
        pair(services, mine, other)
        api.get("/api/images/b/job-1/thumbnail")
        assert services.blobs.list("faces", "b/job-1/")

        answer = api.delete("/api/jobs/b/job-1").json()
        assert (answer["jobs"], "left" in answer) == (1, False)
        assert answer["removed"].keys() >= {
            "inputimages",
            "pipelinelogs",
            "pipeline_output",
            "face",
        }
        assert api.get("/api/jobs/b/job-1").status_code == 404
        assert services.gallery.matches_of([other]) == []
        assert services.log.read(("b", "job-1")) is None
        for container in ("inputimages", "faces", "thumbnails", "largemessages"):
            left = services.blobs.list(container, "b/job-1")
            assert [name for name in left if not name.startswith("b/job-10")] == []
        assert services.blobs.list("inputimages", "b/job-10")
        assert api.get("/api/jobs/b/job-10").json()["state"] == "succeeded"
        assert api.delete("/api/jobs/b/job-1").status_code == 404

    def test_a_batch_is_erased_though_its_jobs_are_at_work(
        self, services: MemoryServices, api: TestClient
    ) -> None:
        for number in range(3):
            send(api, photo_bytes(), job_id=f"{number}")
        answer = api.delete("/api/batches/b").json()
        assert answer["jobs"] == 3
        assert answer["removed"] == {"inputimages": 3, "landing": 3, "submission": 3}
        assert "left" not in answer
        run_all(services, default_registry)
        assert api.get("/api/batches/b").status_code == 404
        assert api.get("/api/batches").json()["batches"] == []
        assert api.get("/api/images").json()["images"] == []


class TestFaces:
    def test_a_verdict_is_kept_with_who_and_when(
        self, services: MemoryServices, api: TestClient
    ) -> None:
        keep(services, ("b", "one"))
        keep(services, ("b", "two"))
        one, two = face(services, ("b", "one")), face(services, ("b", "two"))
        pair(services, one, two)
        (match,) = api.get(f"/api/faces/{one}/matches").json()
        assert (match["band"], match["verdict"], match["job_id"]) == ("match", "", "two")
        address = f"/api/faces/{one}/matches/{two}/verdict"
        (judged,) = api.put(address, json={"verdict": "confirmed"}).json()
        assert (judged["verdict"], judged["judged_by"]) == ("confirmed", "local user")
        (back,) = api.get("/api/jobs/b/two").json()["matches"]
        assert back["verdict"] == "confirmed"
        assert api.put(address, json={"verdict": "maybe"}).status_code == 422
        (taken,) = api.put(address, json={"verdict": ""}).json()
        assert taken["verdict"] == ""
        page = api.post(f"/faces/{one}/matches/{two}", data={"verdict": "rejected"})
        assert "Rejected by <bdi>local user</bdi>" in page.text

    def test_searching_keeps_nothing(self, services: MemoryServices, api: TestClient) -> None:
        found = api.post("/api/faces/search", files={"file": ("a.png", photo_bytes(), "image/png")})
        assert found.json()["faces"][0]["matches"] == []
        assert services.blobs.list("inputimages", "") == []
        assert api.post("/api/faces/search", files={"file": ("a", b"x", "a/b")}).status_code == 415

    def test_a_face_that_is_not_there_is_told(self, api: TestClient) -> None:
        for address in ("matches", "image"):
            assert api.get(f"/api/faces/{uuid.uuid4()}/{address}").status_code == 404
        assert api.get("/api/faces/x/image").status_code == 422


class TestOperations:
    def test_what_is_poisoned_can_be_replayed_or_dropped(
        self, services: MemoryServices, api: TestClient
    ) -> None:
        services.queues.send("ocr", "nonsense")
        services.queues.send("ocr", '{"job_definition": {}}')
        run_all(services, default_registry)
        entries = api.get("/api/poison").json()
        assert len(entries) == 2
        assert all(
            "job_definition" in entry["reason"] or "JSON" in entry["reason"] for entry in entries
        )
        first, second = (entry["id"] for entry in entries)
        assert api.post(f"/api/poison/{first}/replay").status_code == 202
        assert api.delete(f"/api/poison/{second}").status_code == 204
        assert api.get("/api/poison").json() == []
        for wrong in ("x", "ocr.none"):
            assert api.post(f"/api/poison/{wrong}/replay").status_code == 404
            assert api.delete(f"/api/poison/{wrong}").status_code == 404

    def test_it_tells_queues_engines_and_health(
        self, services: MemoryServices, api: TestClient
    ) -> None:
        services.queues.send("ocr", "x")
        told = api.get("/api/operations").json()
        assert {"name": "ocr", "messages": 1} in told["queues"]
        assert told["engines"]["prints"] == "fake"
        assert told["checks"]
        assert [check for check in told["checks"] if check["problem"]] == []

    def test_what_is_not_well_is_said_and_the_rest_is_shown(
        self, services: MemoryServices, api: TestClient
    ) -> None:
        from imaginem.errors import StorageUnavailable

        def fail(*_: object, **__: object) -> None:
            raise StorageUnavailable("queue storage did not answer")

        services.queues.count = fail  # type: ignore[method-assign]
        told = api.get("/api/operations").json()
        assert {c["name"]: c["problem"] for c in told["checks"]}["queues"].endswith("not answer")
        assert "did not answer" in api.get("/operations").text


def test_an_output_that_fits_no_model_breaks_no_page(
    services: MemoryServices, api: TestClient
) -> None:
    odd = {
        "generalclassification": {"tags": "x", "objects": [1], "color": None},
        "ocr": {"lines": [{"text": 1}]},
        "facedetection": {"faces": [{"face_rectangle": {}}, "x"]},
        "facematch": [],
    }
    keep(services, ("b", "odd"), odd)
    keep(services, ("b", "none"), {"ocr": None, "facedetection": []})
    for job in ("odd", "none"):
        assert api.get(f"/photos/b/{job}").status_code == 200
    assert api.get("/api/batches/b/export").status_code == 200
    assert json.loads(api.get("/api/jobs/b/odd").text)["job_output"] == odd

"""Large outputs: what travels beside the message, and what a link may point at."""

import hashlib
import json
from typing import Any

import pytest

from imaginem.errors import InvalidMessage, PermanentError
from imaginem.message import MESSAGE_LIMIT, JobMessage
from imaginem.pipeline.offload import as_property, expand, expand_all, fit, is_linked
from imaginem.testing import MemoryBlobs, message_for
from tests.workbench import KEY, Bench, Found


def test_large_outputs_travel_beside_the_message(bench: Bench) -> None:
    large = "x" * 100_000
    bench.first_does = lambda job: Found(what=large)
    bench.second_does = lambda job: Found(what=str(len(job.output(bench.first).what)))
    bench.drop("first", "second", "outside")
    bench.run()

    (body,) = bench.waiting("outside")
    assert len(body.encode()) <= MESSAGE_LIMIT
    linked = json.loads(body)["job_output"]["first"]
    assert set(linked) == {"linked_content"}
    assert "/largemessages/batch-1/job-1/" in linked["linked_content"]
    assert json.loads(bench.entry.properties["first_output"]) == linked
    assert json.loads(bench.entry.properties["second_output"]) == {"what": "100000"}


def test_many_middling_outputs_are_offloaded_until_the_message_fits(bench: Bench) -> None:
    given = {f"earlier{number}": {"text": "y" * 9_000} for number in range(6)}
    bench.drop("first", "outside", outputs=given)
    bench.run()

    (body,) = bench.waiting("outside")
    assert len(body.encode()) <= MESSAGE_LIMIT
    assert any("linked_content" in output for output in json.loads(body)["job_output"].values())


def test_linked_content_elsewhere_is_not_followed(bench: Bench) -> None:
    bench.services.blobs.put("largemessages", "other/job/first.json", b'{"what": "stolen"}', "")
    for url in (
        "https://memory.test/largemessages/other/job/first.json",
        "https://memory.test/largemessages/batch-1/job-1/../../other/job/first.json",
        "https://memory.test/inputimages/batch-1/photo",
        "https://elsewhere.test/largemessages/batch-1/job-1/x.json",
    ):
        bench.second_does = lambda job: job.output(bench.first)
        bench.drop("second", outputs={"first": {"linked_content": url}})
        bench.run()
        assert bench.states("second") == ["failed"], url


def test_a_large_output_is_uploaded_once(bench: Bench) -> None:
    puts: list[str] = []
    put = bench.services.blobs.put

    def counting(container: str, name: str, data: bytes, content_type: str, **more: Any) -> str:
        puts.append(name)
        return put(container, name, data, content_type, **more)

    bench.services.blobs.put = counting  # type: ignore[method-assign]
    bench.first_does = lambda job: Found(what="x" * 100_000)
    bench.drop("first", "outside")
    bench.run()

    assert len(puts) == 1


class WatchedBlobs(MemoryBlobs):
    """Tells which blobs were written, and as what."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[tuple[str, str, str]] = []

    def put(self, container: str, name: str, data: bytes, content_type: str, **more: Any) -> str:
        self.written.append((container, name, content_type))
        return super().put(container, name, data, content_type, **more)


def fitted(outputs: dict[str, Any]) -> tuple[JobMessage, WatchedBlobs]:
    """Return the message with these outputs as it travels, and where the rest was put."""
    blobs = WatchedBlobs()
    return fit(message_for("https://x.test/a", ["ocr"], outputs=outputs), blobs), blobs


def links(message: JobMessage) -> list[str]:
    return [name for name, output in message.job_output.items() if is_linked(output)]


def test_an_output_of_sixteen_kibibytes_travels_in_the_message_and_a_larger_one_does_not() -> None:
    message, blobs = fitted({"one": "x" * (16 * 1024 - 2), "other": "x" * (16 * 1024 - 1)})

    assert links(message) == ["other"]
    assert expand_all(message.job_output, KEY, blobs)["other"] == "x" * (16 * 1024 - 1)


def test_a_message_is_filled_to_its_limit_but_for_room_for_a_fence() -> None:
    def size(padding: int) -> tuple[JobMessage, int]:
        parts = {f"part{number}": "y" * 12_000 for number in range(3)}
        message, _ = fitted({**parts, "rest": "z" * padding})
        return message, len(message.encode().encode())

    limit = MESSAGE_LIMIT - 512
    _, empty = size(0)
    whole, full = size(limit - empty)
    assert (links(whole), full) == ([], limit)
    over, _ = size(limit - empty + 1)
    assert len(links(over)) == 1


def test_bytes_count_and_not_letters() -> None:
    message, _ = fitted({"one": "中" * 5_460, "other": "中" * 5_461})

    assert links(message) == ["other"]


def test_the_largest_outputs_are_put_aside_first() -> None:
    sizes = {"b": 15_000, "e": 9_000, "a": 8_000, "d": 14_000, "c": 7_000}
    message, _ = fitted({name: {"text": "x" * size} for name, size in sizes.items()})

    assert links(message) == ["b"]


def test_outputs_that_are_linked_already_stay_as_they_are() -> None:
    link = {"linked_content": "https://memory.test/largemessages/batch-1/job-1/a.json"}
    message, blobs = fitted({"earlier": link, "now": "x" * 20_000})

    assert message.job_output["earlier"] == link
    assert len(blobs.written) == 1


def test_what_is_put_aside_is_json_in_the_jobs_own_folder() -> None:
    text = b'"' + b"x" * 20_000 + b'"'
    _, blobs = fitted({"ocr": "x" * 20_000})

    name = f"batch-1/job-1/ocr-{hashlib.sha256(text).hexdigest()[:16]}.json"
    assert blobs.written == [("largemessages", name, "application/json")]
    assert blobs.get("largemessages", name, 30_000) == text


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("../../other/job", "otherjob"),
        ("my-step 1", "my-step1"),
        ("größe", "gre"),
        ("写真", "output"),
        ("x" * 100, "x" * 63),
    ],
)
def test_an_outsiders_name_for_an_output_is_no_path(name: str, plain: str) -> None:
    _, blobs = fitted({name: "x" * 20_000})

    ((_, written, _),) = blobs.written
    assert written.removeprefix("batch-1/job-1/").rpartition("-")[0] == plain


def test_too_many_outputs_for_one_message_are_refused_with_a_remedy() -> None:
    with pytest.raises(InvalidMessage, match=f"stays over {MESSAGE_LIMIT} bytes: shorten"):
        fitted({f"output{number}": "x" * 100 for number in range(1_000)})


def test_what_may_be_linked_fits_to_the_last_byte() -> None:
    one = {"linked_content": "https://memory.test/largemessages/batch-1/job-1/a.json"}
    filling = {f"{number}": one for number in range(500)}
    _, empty = (message := fitted({**filling, "rest": one})[0]), len(message.encode())
    room = MESSAGE_LIMIT - 512 - empty
    exact = {"linked_content": one["linked_content"] + "x" * room}
    assert len(fitted({**filling, "rest": exact})[0].encode()) == MESSAGE_LIMIT - 512
    with pytest.raises(InvalidMessage, match="shorten job_output"):
        fitted({**filling, "rest": {"linked_content": exact["linked_content"] + "x"}})


def test_a_link_to_nothing_or_to_no_json_says_what_to_do() -> None:
    blobs = MemoryBlobs()
    for data, told in ((None, "batch-1/job-1/a.json is gone: send the job again"), (b"{", "JSON")):
        url = blobs.address("largemessages", "batch-1/job-1/a.json")
        if data:
            blobs.put("largemessages", "batch-1/job-1/a.json", data, "application/json")
        with pytest.raises(PermanentError, match=told):
            expand({"linked_content": url}, KEY, blobs)


def test_a_link_out_of_the_jobs_folder_is_told_where_it_must_lie() -> None:
    blobs = MemoryBlobs()
    url = blobs.put("largemessages", "batch-1/job-10/a.json", b"{}", "application/json")
    with pytest.raises(PermanentError, match="in this job's folder largemessages/batch-1/job-1/"):
        expand({"linked_content": url}, KEY, blobs)


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        ("x" * (30 * 1024 - 2), True),  # two bytes each as UTF-16, and so are the quotes
        ("x" * (30 * 1024 - 1), False),
        ("中" * (30 * 1024 - 2), True),  # three bytes each as UTF-8
        ("中" * (30 * 1024 - 1), False),
        ("𝄞" * (15 * 1024 - 1), True),  # a pair of UTF-16
        ("𝄞" * (15 * 1024), False),
    ],
)
def test_a_property_holds_sixty_kibibytes_as_utf_16(value: str, fits: bool) -> None:
    blobs = WatchedBlobs()
    text = as_property("ocr", value, KEY, blobs, shares=1)

    assert (json.loads(text) == value) is fits
    assert expand(json.loads(text), KEY, blobs) == value
    assert len(blobs.written) == (not fits)


@pytest.mark.parametrize("shares", [0, 1, 15, 16, 40, 52])
def test_all_properties_of_a_row_share_its_mebibyte(shares: int) -> None:
    limit = min(60 * 1024, 900 * 1024 // max(shares, 1))
    for over in (0, 1):
        value = "x" * (limit // 2 - 2 + over)
        text = as_property("A name", value, KEY, blobs := WatchedBlobs(), shares=shares)
        assert (json.loads(text) == value) is not bool(over)
        assert all("/Aname-" in name for _, name, _ in blobs.written)
        assert len(blobs.written) == over


def test_the_longer_the_pipeline_the_less_of_an_output_stands_in_the_row(bench: Bench) -> None:
    """With 38 queues there are 41 shares of 900 KiB: 11,239 characters for each."""
    others = [f"other{number}" for number in range(37)]
    for room, linked in ((11_239, False), (11_240, True)):
        text = "x" * (room - len('{"what":""}'))
        bench.first_does = lambda job, text=text: Found(what=text)  # type: ignore[misc]
        bench.drop("first", *others, job_id="job-1")
        bench.run()
        output = json.loads(bench.entry.properties["first_output"])
        assert is_linked(output) is linked
        if linked:
            assert "/largemessages/batch-1/job-1/first-" in output["linked_content"]


def test_a_large_final_output_stands_beside_the_row(bench: Bench) -> None:
    given = {f"earlier{number}": {"text": "y" * 12_000} for number in range(3)}
    bench.drop("first", outputs=given)
    bench.run()

    link = json.loads(bench.entry.properties["job_output"])
    assert "/largemessages/batch-1/job-1/joboutput-" in link["linked_content"]
    final = expand(link, KEY, bench.services.blobs)
    assert final["job_output"] == {**given, "first": {"what": "one"}}

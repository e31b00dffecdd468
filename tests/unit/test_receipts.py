"""Receipts of erasures: what they tell, whom they name, and what shows that they are genuine."""

import json
import re
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from imaginem.errors import InvalidMessage, NotFound
from imaginem.memory.installation_key import MemoryInstallationKey
from imaginem.ports import AuditSubject, EnrolledFace
from imaginem.testing import MemoryServices
from imaginem.usecases.audit.chain import hash_of
from imaginem.usecases.erase import forget_batch, forget_job
from imaginem.usecases.kept_receipts import (
    as_json,
    finalise,
    find_receipt,
    is_genuine,
    issue,
    list_receipts,
    new_id,
    read_receipt,
)
from imaginem.usecases.receipt_words import what_waits
from imaginem.usecases.receipts import Receipt
from tests.dashboard import client, keep, principal, web_services

KEY = ("spring-flood", "maria.jpg")
MINUTE = timedelta(minutes=1)


@pytest.fixture
def services() -> MemoryServices:
    made = web_services()
    made.core_settings = replace(made.core_settings, backup_days=7)
    keep(made, KEY)
    made.gallery.enrol(KEY, [EnrolledFace(uuid.uuid4(), "m", b"", 0.9, (1, 2, 3, 4))])
    return made


def erase(services: MemoryServices, *, whole: bool = False) -> Receipt:
    return forget_batch(services, KEY[0]) if whole else forget_job(services, KEY)


@pytest.mark.parametrize("whole", [False, True], ids=["job", "batch"])
def test_an_erasure_leaves_a_receipt_that_names_nobody(
    services: MemoryServices, whole: bool
) -> None:
    given = erase(services, whole=whole)

    (kept,) = list_receipts(services)
    assert kept == given == find_receipt(services, given.id)
    kind = AuditSubject.BATCH if whole else AuditSubject.JOB
    ids = KEY[:1] if whole else KEY
    assert (given.kind, given.subject) == (kind, hash_of(services.installation_key, kind, *ids))
    assert (given.jobs, given.removed["face"], given.backup_days) == (1, 1, 7)
    (text,) = services.receipts.all()
    for name in (*KEY, "maria", "spring", "local user"):
        assert name not in text


def test_any_change_of_a_receipt_shows_and_so_does_another_installation(
    services: MemoryServices,
) -> None:
    given = erase(services)
    assert is_genuine(services, read_receipt(json.dumps(as_json(given))))
    others: dict[str, Any] = {"jobs": 2, "removed": {}, "left": {"a": 1}, "swept": {"a": 1}}
    for name, value in as_json(given).items():
        other: Any = others.get(name, not value if isinstance(value, bool) else f"{value}x")
        other = 99 if name in ("backup_days", "leaving") else other
        changed: dict[str, Any] = {name: other}
        assert not is_genuine(services, replace(given, **changed)), name
    services.installation_key = MemoryInstallationKey(b"another installation's")
    assert not is_genuine(services, given)


def test_the_answer_of_the_api_is_verified_as_the_receipt_is(services: MemoryServices) -> None:
    answer = client(services).delete(f"/api/jobs/{KEY[0]}/{KEY[1]}")
    assert is_genuine(services, read_receipt(answer.text))
    assert answer.json()["waits"][0].startswith("This is final at ")
    assert "kept for 7 days" in answer.json()["waits"][1]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"id": "a", "mac": "b"}', '{"id": 1, "mac": "b", "x": 2}']
)
def test_what_is_no_receipt_is_refused(text: str) -> None:
    with pytest.raises(InvalidMessage, match="no receipt"):
        read_receipt(text)


@pytest.mark.parametrize("name", ["", "x", "' or 1 eq 1", "0" * 32, "a/b", "é" * 600])
def test_an_id_that_nobody_was_given_finds_nothing(services: MemoryServices, name: str) -> None:
    erase(services)
    with pytest.raises(NotFound):
        find_receipt(services, name)


def test_who_erases_on_the_pages_is_shown_the_receipt(services: MemoryServices) -> None:
    caseworker = client(services, "platform", **principal("caseworker"))
    at = f"/photos/{KEY[0]}/{KEY[1]}/erase"
    answer = caseworker.post(at, headers={"Origin": "http://testserver"})
    (receipt,) = list_receipts(services)
    assert answer.headers["HX-Redirect"] == f"/receipts/{receipt.id}"

    page = caseworker.get(answer.headers["HX-Redirect"]).text
    for told in (
        "faces in the gallery",
        "Erased:",
        receipt.at[:10],
        "This is final at",
        "for 7 days",
        receipt.id,
    ):
        assert told in page
    download = caseworker.get(f"/api/receipts/{receipt.id}")
    assert is_genuine(services, read_receipt(download.text))
    assert caseworker.get("/api/receipts").status_code == 403
    operator = client(services, "platform", **principal("operator"))
    assert [each["id"] for each in operator.get("/api/receipts").json()] == [receipt.id]
    viewer = client(services, "platform", **principal("viewer"))
    assert viewer.get(f"/receipts/{receipt.id}").status_code == 403


def test_operators_page_through_all_receipts_the_latest_first(services: MemoryServices) -> None:
    begin = datetime(2026, 11, 27, 12, tzinfo=UTC)
    made = [
        issue(services, Receipt(1, {}), "job", "ab", sweep=new_id(), now=begin + n * MINUTE)
        for n in range(102)
    ]
    operator = client(services, "platform", **principal("operator"))
    assert 'href="/operations/receipts"' in operator.get("/operations").text

    first = operator.get("/operations/receipts").text
    following = re.findall(r'hx-get="(/operations/receipts\?cursor=[^"]+)"', first)
    rest = operator.get(following[0]).text

    shown = re.findall(r'href="/receipts/([0-9a-f]{32})"', first + rest)
    assert shown == [receipt.id for receipt in reversed(made)]
    assert re.findall(r'datetime="([^"]+)"', first + rest) == [
        receipt.at for receipt in reversed(made)
    ]
    assert "<html" in first
    assert "<html" not in rest
    assert "hx-get" not in rest
    assert operator.get("/operations/receipts?cursor=nonsense").status_code == 422


def test_the_list_of_receipts_tells_what_was_erased_and_which_are_final(
    services: MemoryServices,
) -> None:
    operator = client(services, "platform", **principal("operator"))
    assert "Nothing was erased by hand yet." in operator.get("/operations/receipts").text
    erase(services, whole=True)
    page = operator.get("/operations/receipts").text
    assert "a batch; photos in it: 1" in page
    assert "waits, until" in page
    (receipt,) = list_receipts(services)
    finalise(services, receipt, datetime.now(UTC), {})
    issue(services, Receipt(0, {}), "<b>face</b>", "ab")
    page = operator.get("/operations/receipts").text
    assert "<td>final</td>" in page
    assert "waits" not in page
    assert "&lt;b&gt;face&lt;/b&gt;" in page

    assert 'href="/operations/receipts"' in operator.get(f"/receipts/{receipt.id}").text
    caseworker = client(services, "platform", **principal("caseworker"))
    assert "/operations/receipts" not in caseworker.get(f"/receipts/{receipt.id}").text
    assert caseworker.get("/operations/receipts").status_code == 403


def test_what_needs_no_second_look_is_final_at_once(services: MemoryServices) -> None:
    receipt = issue(services, Receipt(1, {"face": 1}), "face", "ab" * 16)
    assert receipt.final
    assert what_waits(services, receipt)[0].startswith("This is final, since ")


def test_it_says_what_waits_at_azure_face_and_on_this_disk(services: MemoryServices) -> None:
    class Waiting:
        waiting = True

        def note(self) -> None: ...
        def wipe(self) -> None: ...

    services.remains = Waiting()
    services.gallery.leaving = lambda: 3  # type: ignore[method-assign]  # no service in memory
    receipt = erase(services)
    told = "; ".join(what_waits(services, receipt))
    assert "3 faces of this and other erasures wait to be removed at Azure Face" in told
    assert "imaginem compact" in told
    Waiting.waiting = False
    assert "It has left this machine's disk since" in what_waits(services, receipt)


def test_where_no_timer_looks_it_says_what_to_do(services: MemoryServices) -> None:
    services.core_settings = replace(services.core_settings, looks_again=False, backup_days=0)
    told = what_waits(services, erase(services))
    assert "since WATCHDOG_MINUTES is 0: erase the same once more after" in told[0]
    assert told[1].startswith("Imaginem makes no backups here")


def test_a_photo_whose_job_is_at_work_can_be_erased_on_its_page(services: MemoryServices) -> None:
    key = ("spring", "at-work")
    services.log.insert(key, {"state": "running"})
    page = client(services, "platform", **principal("caseworker")).get(f"/photos/{key[0]}/{key[1]}")
    assert "This photo is still at work." in page.text
    assert f'hx-post="/photos/{key[0]}/{key[1]}/erase"' in page.text

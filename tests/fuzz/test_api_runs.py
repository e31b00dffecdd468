"""A few runs of the API, always the same; `python -m tests.fuzz.api` plays thousands."""

from collections.abc import Iterator
from dataclasses import replace
from random import Random

import pytest

from tests.fuzz.api_checks import Asked, check, check_lines
from tests.fuzz.api_ledger import Ledger
from tests.fuzz.api_requests import OPERATIONS
from tests.fuzz.api_runs import play
from tests.fuzz.api_world import MARKS, PEOPLE, SECRET, World

GUARD = {
    "content-security-policy": "default-src 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=()",
    "cache-control": "no-store",
    "content-type": "application/json",
}
FINE = Asked(PEOPLE["blue viewer"], "GET", "/api/images", [], 200, GUARD, '{"images": []}')
ERASED = ("zopena-1", "gone.png-1")


def test_whoever_asks_for_whatever_gets_no_more_than_is_theirs() -> None:
    report = play(8, 1, steps=25)
    assert report.requests > 200
    assert len(OPERATIONS) - len(report.never_done(OPERATIONS)) > 10


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


@pytest.fixture
def ledger() -> Ledger:
    made = Ledger()
    made.sent(ERASED, "gone.png")
    made.erase([ERASED], set())
    return made


BAD = {
    "a defect": replace(FINE, status=500),
    "no policy": replace(FINE, headers={**GUARD, "content-security-policy": ""}),
    "kept by browsers": replace(FINE, headers={**GUARD, "cache-control": "public"}),
    "an error that is no problem document": replace(FINE, status=404, text="{}"),
    "something for nobody": replace(FINE, who=PEOPLE["with a broken header"]),
    "poison for a caseworker": replace(
        FINE, who=PEOPLE["red caseworker"], path="/api/poison", text="[]"
    ),
    "a change by a viewer": replace(FINE, method="DELETE"),
    "a name of another group": replace(FINE, text=f'{{"images": ["{MARKS["red"]}-1"]}}'),
    "a count of another group": replace(FINE, path="/api/tags", text='[{"name":"","count":1}]'),
    "an erased job": replace(FINE, text='[{"batch_id": "zopena-1", "job_id": "gone.png-1"}]'),
    "an erased name": replace(FINE, text='{"images": [{"name": "gone.png"}]}'),
    "a secret": replace(FINE, text=f'{{"password": "{SECRET}"}}'),
    "a stack": replace(FINE, text="Traceback (most recent call last):"),
}


@pytest.mark.parametrize("bad", BAD)
def test_the_checks_find_an_answer_that_tells(bad: str, ledger: Ledger, world: World) -> None:
    check(FINE, ledger, world)
    with pytest.raises(AssertionError):
        check(BAD[bad], ledger, world)


def test_what_a_request_stated_itself_is_no_news(ledger: Ledger, world: World) -> None:
    asked = f"{MARKS['red']}-1"
    text = f'{{"title": "Not Found", "status": 404, "detail": "there is no batch {asked}"}}'
    headers = {**GUARD, "content-type": "application/problem+json"}
    check(replace(FINE, status=404, headers=headers, text=text, stated=[asked]), ledger, world)


def test_what_was_sent_again_may_be_shown(ledger: Ledger, world: World) -> None:
    ledger.sent(ERASED, "gone.png")
    check(BAD["an erased job"], ledger, world)
    check(BAD["an erased name"], ledger, world)
    assert ledger.a_key(Random(1)) == ERASED


def test_a_secret_in_a_log_line_is_found() -> None:
    with pytest.raises(AssertionError, match="logged"):
        check_lines([f"10:00:00 INFO imaginem: password={SECRET}"])

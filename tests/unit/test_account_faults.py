"""Which refusals are the account's, so that no photo fails for them, and what is said of each."""

import json
from collections.abc import Mapping

import pytest

from imaginem.engines.azure.calls import (
    LimitedAccess,
    Refused,
    Service,
    ServiceRefused,
    check_answer,
)
from imaginem.engines.pacing import Pacer
from imaginem.errors import Busy, PermanentError, RetryableError
from imaginem.ports import CallContext
from imaginem.testing import MemorySharedState
from tests.recording_telemetry import RecordingTelemetry

CALL = CallContext("b", "one", "ocr")
HTML = "<html><head><title>404 Not Found</title></head></html>"
DAY = 86_400


def body(code: str, message: str, inner: str = "") -> str:
    error: dict[str, object] = {"code": code, "message": message}
    if inner:
        error["innererror"] = {"code": inner, "message": message}
    return json.dumps({"error": error})


class Instance:
    """One instance of the app, which calls Computer Vision or Face."""

    def __init__(
        self, shared_state: MemorySharedState, name: str = "vision", per_second: float = 10
    ) -> None:
        self.now = 1_000.0
        self.made = 0
        self.telemetry = RecordingTelemetry()
        pacer = Pacer(shared_state, name, per_second, clock=lambda: self.now, sleep=self.sleep)
        self.service = Service(name, pacer, self.telemetry)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def calls(
        self,
        status: int,
        text: str,
        headers: Mapping[str, str] | None = None,
        operation: str = "analyze",
    ) -> None:
        """Make a call that is answered with this."""
        with self.service.call(operation, CALL):
            self.made += 1
            check_answer(status, headers or {}, text)

    @property
    def outcome(self) -> str:
        return str(self.telemetry.metrics["imaginem.calls"][-1]["outcome"])


@pytest.fixture
def instance() -> Instance:
    return Instance(MemorySharedState())


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (404, body("404", "Resource not found")),
        (404, body("ResourceNotFound", "The resource was not found")),
        (404, body("NotFound", "Not found")),
        (404, json.dumps({"statusCode": 404, "message": "Resource not found"})),
        (404, HTML),
        (404, ""),
        (405, HTML),
        (410, body("Gone", "This version of the API has been retired")),
        (410, ""),
    ],
)
def test_an_address_where_nothing_answers_and_a_retired_service_cost_no_photo(
    instance: Instance, status: int, text: str
) -> None:
    with pytest.raises(RetryableError, match="VISION_ENDPOINT") as told:
        instance.calls(status, text)

    assert not isinstance(told.value, Busy)
    assert "retire" in str(told.value)
    assert instance.outcome == str(status)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("FaceNotFound", 404),
        ("PersistedFaceNotFound", 404),
        ("LargeFaceListNotFound", 404),
        ("LargeFaceListNotTrained", 404),
        ("FaceNotFound", 400),
    ],
)
def test_what_a_request_named_and_is_not_there_is_the_requests_own(code: str, status: int) -> None:
    face = Instance(MemorySharedState(), "face")
    with pytest.raises(ServiceRefused) as told:
        face.calls(status, body(code, "It is not found."))

    assert code in told.value.codes
    assert face.outcome == code  # an alert that counts 404 doesn't hear of it


@pytest.mark.parametrize(
    ("status", "text", "said"),
    [
        (401, body("401", "Access denied due to invalid subscription key"), "VISION_API_KEY"),
        (
            401,
            body("PermissionDenied", "Principal does not have access"),
            "Cognitive Services User",
        ),
        (403, body("403", "Forbidden"), "Cognitive Services User"),
        (403, body("403", "Access denied due to Virtual Network/Firewall rules."), "Networking"),
        (
            403,
            body("403", "Public access is disabled. Please configure private endpoint."),
            "Networking",
        ),
        (
            403,
            body("AuthenticationTypeDisabled", "Key based authentication is disabled"),
            "leave VISION_API_KEY empty",
        ),
        (403, body("403", "The subscription is disabled."), "the portal says why"),
        (403, body("SubscriptionSuspended", "Suspended"), "the portal says why"),
        (403, HTML, "VISION_ENDPOINT"),
    ],
)
def test_who_is_kept_out_hears_what_to_change(
    instance: Instance, status: int, text: str, said: str
) -> None:
    with pytest.raises(RetryableError, match=said) as told:
        instance.calls(status, text)
    assert not isinstance(told.value, Busy)


@pytest.mark.parametrize(
    ("status", "message", "header", "seconds"),
    [
        (403, "Out of call volume quota. Quota will be replenished in 1.02:03:04.", "", 93_784),
        (403, "Out of call volume quota. Quota will be replenished in 03:14:17.", "", 11_657),
        (403, "Out of call volume quota. Quota will be replenished in 2.12 days.", "", 183_168),
        (403, "Out of call volume quota for F0. Please retry after 15 days.", "1296000", 1_296_000),
        (403, "Out of call volume quota for F0.", "", 3_600),
        (403, "Forbidden", "86400", DAY),
        (429, "Out of call volume quota. Quota will be replenished in 02:00:00.", "", 7_200),
        (429, "Requests have exceeded rate limit", "7", 7),
        (429, "Requests have exceeded rate limit", "", 1),
        (503, "The service is busy", "9", 9),
    ],
)
def test_a_quota_that_is_used_up_is_waited_for(
    instance: Instance, status: int, message: str, header: str, seconds: float
) -> None:
    with pytest.raises(Busy) as told:
        instance.calls(status, body(str(status), message), {"Retry-After": header})
    assert told.value.retry_after == pytest.approx(seconds)


def test_all_instances_wait_for_a_quota_and_none_asks_meanwhile() -> None:
    shared_state = MemorySharedState()
    refused, idle, new = (Instance(shared_state) for _ in range(3))
    idle.calls(200, "")
    with pytest.raises(Busy):
        refused.calls(403, body("403", "Out of call volume quota"), {"Retry-After": str(DAY)})
    for instance in (refused, idle, new):
        instance.now = 1_000.0 + DAY / 2
        with pytest.raises(Busy, match=r"takes no calls until 1970-01-02 00:1\d UTC") as told:
            instance.calls(200, "")
        assert told.value.retry_after == pytest.approx(DAY / 2, abs=2)
    assert [refused.made, idle.made, new.made] == [1, 1, 0]

    for instance in (refused, idle, new):
        instance.now = 1_001.0 + DAY
        instance.calls(200, "")
    assert [refused.made, idle.made, new.made] == [2, 2, 1]


def test_a_call_that_may_wait_for_minutes_does_not_wait_for_days(instance: Instance) -> None:
    with pytest.raises(Busy):
        instance.calls(403, body("403", "Out of call volume quota"), {"Retry-After": str(DAY)})
    began = instance.now
    with pytest.raises(Busy), instance.service.call("add face", CALL, wait_for_quota=True):
        pass
    assert instance.now == began


def test_an_account_with_another_tier_does_not_wait_for_the_quota_of_the_old_one() -> None:
    shared_state = MemorySharedState()
    free, paid = Instance(shared_state, per_second=0.33), Instance(shared_state, per_second=10)
    with pytest.raises(Busy):
        free.calls(403, body("403", "Out of call volume quota"), {"Retry-After": str(30 * DAY)})
    paid.calls(200, "")
    assert paid.made == 1


def test_a_hold_of_more_than_a_week_is_not_believed() -> None:
    shared_state = MemorySharedState()
    shared_state.write("vision", f"0.0 {1_000.0 + 30 * DAY} 10", "")
    Instance(shared_state).calls(200, "")


@pytest.mark.parametrize(
    ("status", "text", "expected"),
    [
        (
            400,
            body("InvalidRequest", "Input data is not a valid image.", "InvalidImageFormat"),
            ServiceRefused,
        ),
        (403, body("QuotaExceeded", "The list is full."), ServiceRefused),
        (403, body("InvalidRequest", "missing approval", "UnsupportedFeature"), LimitedAccess),
        (415, HTML, ServiceRefused),
    ],
)
def test_other_refusals_stay_the_photos_or_the_lists_own(
    instance: Instance, status: int, text: str, expected: type[PermanentError]
) -> None:
    with pytest.raises(expected):
        instance.calls(status, text)


def test_a_refusal_keeps_status_codes_and_text() -> None:
    with pytest.raises(Refused) as told:
        check_answer(404, {"Retry-After": "3"}, body("404", "Resource not found"))
    assert (told.value.status, told.value.codes) == (404, ("404",))
    assert (told.value.text, told.value.retry_after) == ("Resource not found", 3)

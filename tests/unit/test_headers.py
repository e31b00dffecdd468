"""Numbers and addresses that others write: whatever they hold, nothing breaks on them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from imaginem.config.settings import read_settings
from imaginem.engines.azure.account_faults import volume_wait
from imaginem.engines.azure.calls import Refused, check_answer
from imaginem.errors import ConfigurationError, RetryableError
from imaginem.images.headers import declared_length, retry_after
from imaginem.sql.address import sqlalchemy_url
from imaginem.usecases.admission import photo_digest

ODD = (
    "",
    "\u00b2",
    "\u0661\u0662",
    "1_0",
    "nan",
    "inf",
    "-inf",
    "-5",
    "+5",
    "0x10",
    "1e3",
    "5;6",
    "9" * 400,
    "9" * 5000,
    "soon",
    "Fri, 31 Dec 99999 23:59:59 GMT",
    "Fri, 31 Dec 2027 99:99:99 GMT",
    "Fri, 31 Dec 2027 23:59:59 +99999999999999999999",
    "Fri, 31 Dec 2027 23:59:59 -0000",
    "\ud800",
)


@pytest.mark.parametrize("text", ODD)
def test_a_number_that_is_none_is_no_number(text: str) -> None:
    assert retry_after(text) is None
    assert declared_length(text) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("7", 7), (" 7 ", 7), ("1.5", 1.5), ("0", 0), ("Thu, 1 Jan 1970 00:00:00 GMT", 0)],
)
def test_retry_after_is_seconds_or_a_date(text: str, seconds: float) -> None:
    assert retry_after(text) == seconds
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert 60 < (retry_after(soon) or 0) <= 90


def test_a_length_is_read() -> None:
    assert declared_length("20971520") == 20971520
    assert declared_length(None) is None


@pytest.mark.parametrize("text", ODD)
def test_no_answer_of_a_service_breaks_on_its_retry_after(text: str) -> None:
    headers: Mapping[str, str] = {"Retry-After": text}
    with pytest.raises(Refused) as refused:
        check_answer(429, headers, "{}")
    assert refused.value.retry_after is None


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), float("-inf")])
def test_no_error_asks_for_a_wait_that_is_no_number(seconds: float) -> None:
    assert RetryableError("busy", retry_after=seconds).retry_after is None


def test_a_wait_of_absurdly_many_days_is_an_unknown_one() -> None:
    told = f"Out of call volume quota. Quota will be replenished in {'9' * 5000}.02:03:04"
    assert 0 < (volume_wait(403, told, None) or 0) < 1e15


@pytest.mark.parametrize(
    "address", ["http://x:99999", "http://x:\u00b2", "http://x:-1", "http://[::1", "http://[/"]
)
def test_an_endpoint_that_is_no_address_is_told_at_the_start(address: str) -> None:
    with pytest.raises(ConfigurationError, match="VISION_ENDPOINT can't be used"):
        read_settings({"VISION_ENDPOINT": address, "VISION_ENGINE": "azure"})


@pytest.mark.parametrize(
    "address", ["postgresql+psycopg://h:x/db", "postgresql+psycopg://[::1/db", "mssql://h:1_x/"]
)
def test_a_database_that_has_no_address_is_told(address: str) -> None:
    with pytest.raises(ConfigurationError, match="SQL_CONNECTION_STRING can't be understood"):
        sqlalchemy_url(address)


@pytest.mark.parametrize("address", ["http://[/?a=1", "http://x/?\udc80=\udc80", "?&&=&a", "%"])
def test_any_address_has_a_digest(address: str) -> None:
    assert len(photo_digest(address)) == 64

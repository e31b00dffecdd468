"""What a database's errors mean, in the shapes that drivers give them."""

from typing import Any

import pytest
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from imaginem.errors import PermanentError, RetryableError
from imaginem.sql.faults import is_transient, meaning


def odbc(state: str, text: str, kind: type[DBAPIError] = DBAPIError) -> DBAPIError:
    """Return an error as pyodbc gives it: SQLSTATE, and a text with the server's number."""
    original: Any = Exception(state, f"[{state}] [Microsoft][ODBC Driver 18 for SQL Server]{text}")
    return kind("SELECT 1", None, original)


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ("42000", "Database 'd' is not currently available. (40613) (SQLDriverConnect)"),
        ("42000", "Resource ID : 1. The request limit is 30. (10928) (SQLExecDirectW)"),
        ("42000", "The service has encountered an error. (40197) (SQLExecDirectW)"),
        ("HY000", "The service is currently busy. (40501) (SQLExecDirectW)"),
        ("40001", "Transaction was deadlocked. (1205) (SQLExecDirectW)"),
        ("08S01", "TCP Provider: Error code 0x2746 (10054) (SQLExecDirectW)"),
        ("HYT00", "Login timeout expired (0) (SQLDriverConnect)"),
    ],
)
def test_what_passes_is_tried_again(state: str, text: str) -> None:
    problem = odbc(state, text)

    assert is_transient(problem)
    told = meaning(problem)
    assert isinstance(told, RetryableError)
    assert told.retry_after


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ("08001", "Invalid value specified for connection string attribute 'Encrypt' (0)"),
        ("08001", "SSL Provider: certificate verify failed (-1) (SQLDriverConnect)"),
        ("28000", "Login failed for user 'u'. (18456) (SQLDriverConnect)"),
        ("42S02", "Invalid object name 'face'. (208) (SQLExecDirectW)"),
    ],
)
def test_what_lasts_is_not_tried_again_at_once(state: str, text: str) -> None:
    assert not is_transient(odbc(state, text))


def test_a_refused_login_says_what_to_do() -> None:
    told = str(meaning(odbc("28000", "Login failed for user '<token>'. (18456)")))
    assert "imaginem db grant" in told


def test_values_that_do_not_fit_are_the_jobs_fault() -> None:
    assert isinstance(
        meaning(odbc("22001", "String data would be truncated", DataError)), PermanentError
    )


def test_two_writers_try_again() -> None:
    told = meaning(odbc("23000", "Violation of PRIMARY KEY", IntegrityError))
    assert isinstance(told, RetryableError)

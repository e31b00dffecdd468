"""What a database's errors mean, in the shapes that drivers give them."""

from typing import Any

import pytest
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from imaginem.errors import ConfigurationError, PermanentError, RetryableError
from imaginem.sql.faults import _STATE_OF_WORDS, is_transient, meaning


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


def words(state: str, said: str, kind: type[DBAPIError] = DBAPIError) -> DBAPIError:
    """Return an error as mssql-python gives it: words for each SQLSTATE, and no number."""
    from mssql_python.exceptions import sqlstate_to_exception

    original: Any = sqlstate_to_exception(state, f"[Microsoft][SQL Server]{said}")
    return kind("SELECT 1", None, original)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("08001", "TCP Provider: Error code 0x2749"),
        ("08S01", "Communication link failure"),
        ("01002", "Disconnected"),
        ("HYT00", "Login timeout expired"),
        ("40001", "Transaction was chosen as the deadlock victim"),
        ("HY000", "Database 'd' on server 's' is not currently available. Retry later."),
        ("42000", "The service is currently busy. Retry the request after 10 seconds."),
    ],
)
def test_mssql_pythons_words_tell_what_passes(state: str, said: str) -> None:
    assert is_transient(words(state, said))
    assert isinstance(meaning(words(state, said)), RetryableError)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("08001", "SSL Provider: certificate verify failed"),
        ("28000", "Login failed for user 'u'."),
        ("42S02", "Invalid object name 'face'."),
    ],
)
def test_mssql_pythons_words_tell_what_lasts(state: str, said: str) -> None:
    assert not is_transient(words(state, said))


def test_each_word_of_mssql_python_that_is_looked_at_is_one_of_its_own() -> None:
    """Its newer versions may put other words to a SQLSTATE."""
    from mssql_python.exceptions import sqlstate_to_exception

    for state in ("01002", "08001", "08002", "08003", "08004", "08007", "08S01"):
        original: Any = sqlstate_to_exception(state, "")
        assert _STATE_OF_WORDS[original.driver_error].startswith("08")
    for state in ("HYT00", "HYT01", "40001", "IM002"):
        original = sqlstate_to_exception(state, "")
        assert _STATE_OF_WORDS[original.driver_error] == state


def test_a_driver_of_mssql_python_that_can_not_be_loaded_is_the_operators_to_mend() -> None:
    assert isinstance(meaning(words("IM003", "lib not found")), ConfigurationError)


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

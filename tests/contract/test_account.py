"""The storage account: what its errors mean."""

from typing import Any

import pytest

from imaginem.errors import (
    ConfigurationError,
    StorageUnavailable,
)
from imaginem.host import Emulator, EmulatorPorts
from imaginem.storage import (
    AzureBlobs,
    AzureJobLog,
    AzureQueues,
)
from imaginem.storage.account import Account


def test_a_connection_string_that_is_none_is_told() -> None:
    with pytest.raises(ConfigurationError, match="AzureWebJobsStorage is no connection string"):
        AzureQueues(Account("nonsense"))
    assert "nonsense" not in repr(Account("nonsense"))


def test_storage_that_does_not_answer_is_told() -> None:
    gone: Any = Account(EmulatorPorts(1, 2, 3).connection_string)
    with pytest.raises(StorageUnavailable, match="did not answer"):
        AzureQueues(gone).names()
    with pytest.raises(StorageUnavailable, match="did not answer"):
        AzureJobLog(gone).read(("a", "b"))


def test_a_wrong_key_is_told_without_showing_it(azurite: Emulator) -> None:
    wrong = azurite.connection_string.replace("Eby8", "AAAA")
    with pytest.raises(StorageUnavailable) as told:
        AzureQueues(Account(wrong)).names()
    assert "AAAA" not in str(told.value)


def test_the_emulator_is_called_by_both_names(azurite: Emulator) -> None:
    blobs = AzureBlobs(Account(azurite.connection_string))
    url = f"http://localhost:{azurite.ports.blob}/devstoreaccount1/inputimages/a/b.jpg"
    assert blobs.locate(url) == ("inputimages", "a/b.jpg")

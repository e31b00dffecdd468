"""The installation's key: in memory and on Azure Storage alike."""

import pytest

from imaginem.errors import PermanentError
from imaginem.ports import InstallationKey, SharedState, is_signed
from imaginem.storage import StoredInstallationKey
from imaginem.storage.installation_key import ENTRY
from imaginem.testing import MemoryInstallationKey, MemorySharedState


@pytest.fixture(params=("memory", "stored"))
def key(request: pytest.FixtureRequest) -> InstallationKey:
    if request.param == "memory":
        return MemoryInstallationKey()
    return StoredInstallationKey(MemorySharedState())


class Racing(MemorySharedState):
    """Another process makes the key between our look and our write."""

    def write(self, name: str, text: str, fence: str) -> str:
        super().write(name, "ab" * 32, "")
        return super().write(name, text, fence)


class TestKey:
    def test_what_is_signed_is_known_again_and_what_was_changed_is_not(
        self, key: InstallationKey
    ) -> None:
        mac = key.mac("receipt", b"text")
        assert len(mac) == 64 and mac == key.mac("receipt", b"text")
        assert is_signed(key, "receipt", b"text", mac)
        assert not is_signed(key, "receipt", b"Text", mac)
        assert not is_signed(key, "receipt", b"text", "ü")

    def test_what_is_made_for_one_use_is_not_taken_for_another(self, key: InstallationKey) -> None:
        assert not is_signed(key, "receipt", b"text", key.mac("audit", b"text"))
        assert key.mac("receipt", b"s") != key.mac("receipts", b"")


class TestKeptKey:
    def test_every_process_has_the_same_key(self, shared_state: SharedState) -> None:
        first = StoredInstallationKey(shared_state).mac("audit", b"text")
        assert StoredInstallationKey(shared_state).mac("audit", b"text") == first
        assert first != StoredInstallationKey(MemorySharedState()).mac("audit", b"text")

    def test_of_two_processes_that_make_it_one_is_heeded_by_both(self) -> None:
        state = Racing()
        mac = StoredInstallationKey(state).mac("audit", b"text")
        assert mac == StoredInstallationKey(state).mac("audit", b"text")
        assert state.read(ENTRY) == ("ab" * 32, "fence-1")

    def test_an_entry_that_is_no_key_is_named_and_not_shown(self) -> None:
        state = MemorySharedState()
        state.write(ENTRY, "abcd", "")
        with pytest.raises(PermanentError, match=ENTRY) as refused:
            StoredInstallationKey(state).mac("audit", b"text")
        assert "abcd" not in str(refused.value)

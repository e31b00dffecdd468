"""The audit trail: in memory and on Azure Storage alike."""

from collections.abc import Sequence

import pytest

from imaginem.errors import Conflict
from imaginem.ports import AuditEntry, AuditTrail
from imaginem.storage import AzureAuditTrail
from imaginem.storage.account import Account
from imaginem.testing import MemoryAuditTrail
from tests.contract.conftest import STORAGE


@pytest.fixture(params=STORAGE)
def trail(request: pytest.FixtureRequest, account: Account) -> AuditTrail:
    return MemoryAuditTrail() if request.param == "memory" else AzureAuditTrail(account)


def entries(chain: str, numbers: Sequence[int], who: str = "ümit") -> list[AuditEntry]:
    return [
        AuditEntry(
            chain=chain,
            number=number,
            at="2026-11-27T08:00:00.000001+00:00",
            who=who,
            deed="viewed",
            kind="job",
            subject="ab" * 16,
            batch="cd" * 16,
            purpose="tracing",
            previous="0" * 64,
            digest=f"{number:064}",
        )
        for number in numbers
    ]


class TestAuditTrail:
    def test_entries_are_read_as_they_were_kept_by_chain_and_number(
        self, trail: AuditTrail, name: str
    ) -> None:
        later, earlier = entries(f"{name}b", range(1, 13)), entries(f"{name}a", [1])
        trail.append(later[:1])
        trail.append(later[1:])
        trail.append(earlier)

        assert list(trail.read(name, f"{name}z")) == [*earlier, *later]
        assert list(trail.read(f"{name}b", f"{name}c")) == later
        assert list(trail.read(f"{name}a", f"{name}b")) == earlier
        assert {entry.chain for entry in trail.read()} >= {f"{name}a", f"{name}b"}

    def test_a_hundred_entries_are_kept_at_once(self, trail: AuditTrail, name: str) -> None:
        many = entries(name, range(1, 101))
        trail.append(many)
        assert list(trail.read(name, f"{name}z")) == many

    @pytest.mark.parametrize("numbers", [[2], [2, 3], [3, 2]])
    def test_an_entry_is_never_written_over_and_of_such_an_append_nothing_is_kept(
        self, trail: AuditTrail, name: str, numbers: list[int]
    ) -> None:
        kept = entries(name, [1, 2])
        trail.append(kept)
        with pytest.raises(Conflict):
            trail.append(entries(name, numbers, who="somebody else"))
        assert list(trail.read(name, f"{name}z")) == kept

    def test_a_chain_is_removed_as_a_whole_and_others_stay(
        self, trail: AuditTrail, name: str
    ) -> None:
        trail.append(entries(f"{name}a", range(1, 101)))
        trail.append(entries(f"{name}a", range(101, 121)))
        other = entries(f"{name}b", [1])
        trail.append(other)

        trail.remove_chain(f"{name}a")
        trail.remove_chain(f"{name}a")
        assert list(trail.read(name, f"{name}z")) == other

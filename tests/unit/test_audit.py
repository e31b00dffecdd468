"""The audit trail: what is recorded, and what its verifier finds."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from imaginem.errors import Conflict, InvalidMessage, StorageUnavailable
from imaginem.ports import (
    AuditDeed,
    AuditEntry,
    AuditSubject,
    CoreSettings,
    RetentionDays,
)
from imaginem.testing import MemoryAuditTrail, MemoryInstallationKey, MemoryServices
from imaginem.usecases.audit.acting import act_as, note
from imaginem.usecases.audit.chain import ChainWriter, hash_of
from imaginem.usecases.audit.heads import documents, sign, sign_daily
from imaginem.usecases.audit.reading import export_lines, verify_lines, verify_stored
from imaginem.usecases.audit.verify import Verdict, verify

DAY = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)
KEY = MemoryInstallationKey()


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = DAY

    def read(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        return self.now.timestamp()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def services(clock: Clock) -> MemoryServices:
    trail = MemoryAuditTrail()
    writer = ChainWriter(trail, KEY, clock.read, clock.seconds)
    return MemoryServices(audit_trail=trail, audit=writer, installation_key=KEY)


def view(services: MemoryServices, *jobs: str, who: str = "anna") -> None:
    for job in jobs:
        services.audit.record(who, AuditDeed.VIEWED, AuditSubject.JOB, ("spring", job))


def kept(services: MemoryServices) -> list[AuditEntry]:
    return list(services.audit_trail.read())


class TestChain:
    def test_entries_follow_each_other_and_tell_who_did_what_without_ids(
        self, services: MemoryServices
    ) -> None:
        view(services, "family-abdi", "other")
        first, second = kept(services)

        assert (first.number, second.number) == (1, 2)
        assert second.previous == first.digest == first.own_digest()
        assert (first.who, first.deed, first.kind) == ("anna", "viewed", "job")
        assert first.at == "2026-11-27T09:00:00.000000+00:00"
        assert first.subject == hash_of(KEY, AuditSubject.JOB, "spring", "family-abdi")
        assert first.batch == second.batch == hash_of(KEY, AuditSubject.BATCH, "spring")
        assert "spring" not in repr(kept(services)) and "abdi" not in repr(kept(services))

    def test_another_installation_can_not_be_asked_for_the_same_hash(self) -> None:
        other = MemoryInstallationKey(b"another")
        assert hash_of(KEY, AuditSubject.JOB, "b", "j") != hash_of(
            other, AuditSubject.JOB, "b", "j"
        )
        assert hash_of(KEY, AuditSubject.JOB, "b", "j") != hash_of(KEY, AuditSubject.JOB, "bj", "")

    def test_the_same_view_within_a_minute_is_one_entry(
        self, services: MemoryServices, clock: Clock
    ) -> None:
        view(services, "a", "a")
        view(services, "a", who="ben")
        clock.now += timedelta(seconds=59)
        view(services, "a", "b")
        assert [entry.who for entry in kept(services)] == ["anna", "ben", "anna"]
        clock.now += timedelta(seconds=2)
        view(services, "a")
        assert len(kept(services)) == 4

    def test_what_changes_something_is_recorded_each_time(self, services: MemoryServices) -> None:
        for _ in range(2):
            services.audit.record("anna", AuditDeed.ERASED, AuditSubject.BATCH, ("spring",))
        assert len(kept(services)) == 2

    def test_each_day_has_its_own_chain(self, services: MemoryServices, clock: Clock) -> None:
        view(services, "a")
        clock.now += timedelta(days=1)
        view(services, "a")
        first, second = kept(services)
        assert first.chain[:8] == "20261127" and second.chain[:8] == "20261128"
        assert second.number == 1

    def test_what_can_not_be_kept_is_refused_and_the_next_entry_begins_a_chain(
        self, clock: Clock
    ) -> None:
        trail = FailingOnce()
        services = MemoryServices(
            audit_trail=trail, audit=ChainWriter(trail, KEY, clock.read, clock.seconds)
        )
        view(services, "a")
        trail.fails = True
        with pytest.raises(StorageUnavailable):
            view(services, "b")
        view(services, "b")

        entries = kept(services)
        assert sorted(entry.number for entry in entries) == [1, 1, 2]  # it was kept, as may happen
        assert verify(entries, [], KEY, clock.now).faults == []

    def test_those_who_come_while_one_insert_is_under_way_share_the_next(
        self, clock: Clock
    ) -> None:
        trail = SlowFirst()
        services = MemoryServices(audit_trail=trail, audit=ChainWriter(trail, KEY, clock.read))
        first = threading.Thread(target=view, args=(services, "first"))
        first.start()
        assert trail.begun.wait(5)
        others = [threading.Thread(target=view, args=(services, f"{n}")) for n in range(20)]
        for other in others:
            other.start()
        while len(services.audit._waiting) < 20:
            pass
        trail.goes_on.set()
        for thread in (first, *others):
            thread.join(5)

        assert trail.sizes == [1, 20]
        assert verify(trail.read(), [], KEY, clock.now) == Verdict(21, 1, 21, "", [])


class FailingOnce(MemoryAuditTrail):
    """Keeps what it says that it did not keep."""

    fails = False

    def append(self, entries: Sequence[AuditEntry]) -> None:
        super().append(entries)
        if self.fails:
            self.fails = False
            raise StorageUnavailable("the answer was lost")


class SlowFirst(MemoryAuditTrail):
    """Its first insert ends when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.goes_on = threading.Event(), threading.Event()
        self.sizes: list[int] = []

    def append(self, entries: Sequence[AuditEntry]) -> None:
        self.sizes.append(len(entries))
        self.begun.set()
        assert self.goes_on.wait(5)
        super().append(entries)


class TestActing:
    def test_who_acts_is_recorded_and_itself_where_nobody_called(
        self, services: MemoryServices
    ) -> None:
        note(services, AuditDeed.ERASED, AuditSubject.BATCH, "b")
        act_as("anna")
        note(services, AuditDeed.ERASED, AuditSubject.BATCH, "b")
        assert [entry.who for entry in kept(services)] == ["imaginem", "anna"]

    def test_a_purpose_is_one_of_those_that_are_set(self, services: MemoryServices) -> None:
        services.core_settings = CoreSettings(purposes=("tracing", "protection"))
        act_as("anna", " tracing ")
        note(services, AuditDeed.SEARCHED_FACES, AuditSubject.PHOTOS)
        note(services, AuditDeed.VIEWED, AuditSubject.JOB, "b", "j")
        assert [entry.purpose for entry in kept(services)] == ["tracing", ""]
        for wrong in ("", "looking for Mr Abdi"):
            act_as("anna", wrong)
            with pytest.raises(InvalidMessage, match="one of tracing, protection"):
                note(services, AuditDeed.SEARCHED_FACES, AuditSubject.PHOTOS)

    def test_what_somebody_writes_as_a_purpose_is_not_kept_where_none_is_asked_for(
        self, services: MemoryServices
    ) -> None:
        act_as("anna", "looking for Mr Abdi")
        note(services, AuditDeed.SEARCHED_FACES, AuditSubject.PHOTOS)
        assert kept(services)[0].purpose == ""


@pytest.fixture(autouse=True)
def nobody_acts() -> Iterator[None]:
    act_as("imaginem")
    yield
    act_as("imaginem")


@pytest.fixture
def signed(services: MemoryServices, clock: Clock) -> MemoryServices:
    """A trail of two chains, both signed, with one entry that came later."""
    view(services, "a", "b", "c")
    clock.now += timedelta(days=1)
    view(services, "d", "e")
    sign(services, clock.now)
    view(services, "later")
    return services


def faults_in(services: MemoryServices, change: Callable[[list[Any]], None]) -> Sequence[str]:
    """Return what the verifier finds after a change of what is kept."""
    entries = kept(services)
    change(entries)
    return verify(entries, documents(services.blobs), KEY, DAY + timedelta(days=1)).faults


def relinked(entries: list[AuditEntry]) -> list[AuditEntry]:
    """Return a chain whose digests somebody computed afresh, as everybody can."""
    made: list[AuditEntry] = []
    for number, entry in enumerate(entries, 1):
        previous = made[-1].digest if made else "0" * 64
        moved = replace(entry, number=number, previous=previous)
        made.append(replace(moved, digest=moved.own_digest()))
    return made


class TestVerifier:
    def test_a_trail_that_nobody_touched_is_well(
        self, signed: MemoryServices, clock: Clock
    ) -> None:
        verdict = verify_stored(signed, clock.now)
        assert verdict == Verdict(6, 2, 1, "2026-11-28T09:00:00+00:00", [])

    @pytest.mark.parametrize("place", [0, 1, 2])
    @pytest.mark.parametrize("field", [field.name for field in fields(AuditEntry)])
    def test_a_change_of_any_field_is_found(
        self, signed: MemoryServices, field: str, place: int
    ) -> None:
        def change(entries: list[AuditEntry]) -> None:
            old: dict[str, Any] = {"number": 9, "chain": entries[0].chain + "0"}
            entries[place] = replace(entries[place], **{field: old.get(field, "x")})

        assert faults_in(signed, change)

    @pytest.mark.parametrize("place", [0, 1, 2, 3, 4])
    def test_a_removed_entry_is_found(self, signed: MemoryServices, place: int) -> None:
        assert faults_in(signed, lambda entries: entries.pop(place))

    def test_two_entries_in_each_others_place_are_found(self, signed: MemoryServices) -> None:
        def swap(entries: list[AuditEntry]) -> None:
            entries[0], entries[1] = entries[1], entries[0]

        assert faults_in(signed, swap)

        def renumber(entries: list[AuditEntry]) -> None:
            first, second = entries[:2]
            entries[:2] = [replace(second, number=1), replace(first, number=2)]

        assert faults_in(signed, renumber)

    @pytest.mark.parametrize("place", [0, 1, 3])
    def test_an_inserted_entry_is_found(self, signed: MemoryServices, place: int) -> None:
        assert faults_in(signed, lambda e: e.insert(place, replace(e[0], who="mallory")))

    @pytest.mark.parametrize("left", [0, 1, 2])
    def test_a_chain_cut_before_its_signed_head_is_found(
        self, signed: MemoryServices, left: int
    ) -> None:
        faults = faults_in(signed, lambda entries: entries.__delitem__(slice(left, 3)))
        assert any("entries" in fault and "missing" in fault for fault in faults)

    def test_a_tail_cut_after_the_last_signed_head_is_not_found(
        self, signed: MemoryServices
    ) -> None:
        assert faults_in(signed, lambda entries: entries.pop()) == []

    def test_a_chain_whose_digests_were_computed_afresh_is_found_by_its_signed_head(
        self, signed: MemoryServices
    ) -> None:
        def forge(entries: list[AuditEntry]) -> None:
            entries[:3] = relinked([replace(entries[0], who="mallory"), *entries[1:3]])

        assert any("whose digest was signed" in fault for fault in faults_in(signed, forge))

    def test_forging_before_an_earlier_head_is_found_after_a_later_one_was_signed(
        self, services: MemoryServices, clock: Clock
    ) -> None:
        view(services, "a", "b")
        sign(services, clock.now)
        forged = relinked([replace(kept(services)[0], who="mallory"), kept(services)[1]])
        services.audit_trail._entries = {(e.chain, e.number): e for e in forged}
        services.audit._last = forged[-1]
        view(services, "c")
        sign(services, clock.now)
        assert verify_stored(services, clock.now).faults

    def test_entries_with_right_digests_must_follow_each_other_all_the_same(
        self, signed: MemoryServices
    ) -> None:
        def forged(**change: Any) -> Sequence[str]:
            first, second, _ = kept(signed)[:3]
            changed = replace(second, **change)
            changed = replace(changed, digest=changed.own_digest())
            return verify([first, changed], [], KEY, DAY).faults

        assert forged() == []
        assert ["stands where entry 2 must be" in fault for fault in forged(number=3)] == [True]
        assert ["does not follow" in fault for fault in forged(previous="1" * 64)] == [True]

    def test_a_chain_that_was_added_later_is_found(self, signed: MemoryServices) -> None:
        def add(entries: list[AuditEntry]) -> None:
            entries[:0] = relinked([replace(entries[0], chain="20261126T000000-abcdef")])

        assert any("added" in fault for fault in faults_in(signed, add))

    def test_a_document_of_heads_that_was_changed_is_found(self, signed: MemoryServices) -> None:
        document = documents(signed.blobs)[0]
        chain = next(iter(document.heads))
        for change in (
            {"number": 2},
            {"at": "2026-11-29T09:00:00+00:00"},
            {"heads": {**document.heads, chain: (1, "0" * 64)}},
            {"kept_from": "2027"},
            {"previous": "1" * 64},
            {"mac": "0" * 64},
        ):
            changed = replace(document, **change)
            assert verify(kept(signed), [changed], KEY).faults, change

    def test_entries_that_nobody_signed_for_two_days_are_told(
        self, services: MemoryServices
    ) -> None:
        view(services, "a", "b")
        for days, told in ((1, 0), (3, 1)):
            verdict = verify(kept(services), [], KEY, DAY + timedelta(days=days))
            assert len(verdict.faults) == told and verdict.unsigned == 2

    def test_a_document_that_is_missing_or_of_another_installation_is_found(
        self, signed: MemoryServices, clock: Clock
    ) -> None:
        sign(signed, clock.now + timedelta(days=1))
        first, second = documents(signed.blobs)
        assert second.number == 2 and second.previous == first.digest()
        assert verify(kept(signed), [first, second], KEY, clock.now).faults == []
        (told,) = verify([], [second], KEY, clock.now).faults[:1]
        assert "stand where number 1 must be" in told
        rewritten = replace(first, at="2026-11-28T10:00:00+00:00")
        rewritten = replace(rewritten, mac=rewritten.signature(KEY))
        (told,) = verify(kept(signed), [rewritten, second], KEY, clock.now).faults
        assert "do not follow" in told
        other = MemoryInstallationKey(b"another")
        assert verify(kept(signed), [first, second], other).faults


class TestHeads:
    def test_they_are_signed_once_a_day(self, services: MemoryServices, clock: Clock) -> None:
        view(services, "a")
        assert sign_daily(services, clock.now) is not None
        assert sign_daily(services, clock.now + timedelta(hours=14)) is None
        assert sign_daily(services, clock.now + timedelta(hours=15)) is not None
        assert len(documents(services.blobs)) == 2

    def test_a_document_names_only_chains_that_have_grown(
        self, signed: MemoryServices, clock: Clock
    ) -> None:
        newer = sign(signed, clock.now)
        assert newer is not None
        assert [chain[:8] for chain in newer.heads] == ["20261128"]

    def test_of_two_instances_that_sign_at_once_one_does(
        self, services: MemoryServices, clock: Clock
    ) -> None:
        def late(*told: Any, **more: Any) -> str:
            raise Conflict("there is a blob of this name")

        services.blobs.put = late  # type: ignore[method-assign]  # the other instance was first
        assert sign(services, clock.now) is None

    def test_chains_older_than_retention_are_removed_and_the_trail_is_still_well(
        self, signed: MemoryServices, clock: Clock
    ) -> None:
        signed.core_settings = CoreSettings(retention=RetentionDays(audit=30))
        clock.now += timedelta(days=30)
        view(signed, "now")
        sign(signed, clock.now)
        assert [entry.chain[:8] for entry in kept(signed)] == ["20261128"] * 3 + ["20261228"]
        assert verify_stored(signed, clock.now).faults == []

        clock.now += timedelta(days=1)
        sign(signed, clock.now)
        assert [entry.chain[:8] for entry in kept(signed)] == ["20261228"]
        assert verify_stored(signed, clock.now).faults == []


class TestExport:
    def test_a_file_is_verified_as_what_is_kept(self, signed: MemoryServices) -> None:
        lines = list(export_lines(signed))
        verdict = verify_lines(signed, lines)
        assert verdict.faults == [] and verdict.unsigned == 0
        assert verdict.entries == len(kept(signed)) == 7  # the export itself is one
        assert kept(signed)[-1].deed == "exported"

    def test_a_changed_file_is_found(self, signed: MemoryServices) -> None:
        lines = list(export_lines(signed))
        changed = [line.replace('"who": "anna"', '"who": "ben"', 1) for line in lines]
        assert verify_lines(signed, changed).faults
        assert verify_lines(signed, lines[:-1]).faults
        with pytest.raises(InvalidMessage, match="no signed heads"):
            verify_lines(signed, [line for line in lines if "entry" in line])

    @pytest.mark.parametrize("line", ["", "[]", '{"type": "entry"}', '{"type": "heads"}', "7"])
    def test_a_file_that_is_none_is_refused_with_the_line(
        self, signed: MemoryServices, line: str
    ) -> None:
        with pytest.raises(InvalidMessage, match="line 2"):
            verify_lines(signed, [json.dumps({"type": "heads", **_heads(signed)}), line])


def _heads(services: MemoryServices) -> dict[str, Any]:
    return documents(services.blobs)[0].as_json()

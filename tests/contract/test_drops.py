"""Records of dropped photos: in memory and on Azure Storage alike."""

from dataclasses import replace

import pytest

from imaginem.errors import Conflict, InvalidMessage
from imaginem.ports import Drop, Drops

BLOB = f"my photos/{'long/' * 190}ü & 50%.png"


def drop_of(batch_id: str, blob: str = BLOB) -> Drop:
    return Drop(batch_id, blob, '"0x1"', "ü-50-.png-1a2b3c4d", "ab" * 32, size=5 * 2**30)


class TestDrops:
    def test_a_record_is_read_as_it_was_written(self, drops: Drops, name: str) -> None:
        batch = f"{name}/a%20b"
        assert drops.read(batch, BLOB) is None
        written = drops.write(drop_of(batch))
        assert drops.read(batch, BLOB) == written
        told = drops.write(replace(written, sent=True, replaced=("older", '"0x0"')))

        assert drops.read(batch, BLOB) == told
        assert told.replaced == ("older", '"0x0"')
        assert told.fence != written.fence

    def test_of_two_who_write_one_record_one_succeeds(self, drops: Drops, name: str) -> None:
        written = drops.write(drop_of(name))
        with pytest.raises(Conflict):
            drops.write(drop_of(name))
        drops.write(replace(written, sent=True))
        with pytest.raises(Conflict):
            drops.write(replace(written, sent=True))

    def test_a_record_that_was_removed_is_not_written_again(self, drops: Drops, name: str) -> None:
        written = drops.write(drop_of(name))
        drops.remove(written)
        drops.remove(written)
        assert drops.read(name, BLOB) is None
        with pytest.raises(Conflict):
            drops.write(replace(written, sent=True))

    def test_a_record_that_has_changed_is_not_removed(self, drops: Drops, name: str) -> None:
        before = drops.write(drop_of(name))
        after = drops.write(replace(before, etag='"0x2"'))
        drops.remove(before)
        assert drops.read(name, BLOB) == after

    def test_a_batch_has_its_own_records(self, drops: Drops, name: str) -> None:
        mine = [drops.write(drop_of(name, blob)) for blob in ("a.png", "b.png")]
        drops.write(drop_of(f"{name}2", "a.png"))

        assert sorted(drops.of_batch(name), key=lambda drop: drop.blob) == mine
        assert drops.of_batch(f"{name}3") == []

    def test_a_batch_id_that_no_table_takes_is_refused(self, drops: Drops) -> None:
        with pytest.raises(InvalidMessage):
            drops.read("x" * 600, BLOB)

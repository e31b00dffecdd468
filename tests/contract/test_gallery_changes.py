"""What changed in the gallery: in the order of committing, and never of another database."""

import uuid
from dataclasses import replace

import pytest
from sqlalchemy import select, text

from imaginem.errors import ImaginemError
from imaginem.sql import Database, changes
from imaginem.sql.changes import note_change, removed_since, state_of
from imaginem.sql.schema import FaceRow
from tests.contract.rows import ONE, TWO, face
from tests.stores import sql_stores


def numbers_of(database: Database) -> dict[uuid.UUID, int]:
    with database.session(reading=True) as session:
        query = select(FaceRow.face_id, FaceRow.number)
        return {row[0]: row[1] for row in session.execute(query)}


def test_a_state_tells_which_faces_were_removed_since(database: Database) -> None:
    gallery, one, other, third = sql_stores(database).gallery, face(1, 0), face(0, 1), face(1, 1)
    with database.session(reading=True) as session:
        nothing = state_of(session)
    gallery.enrol(ONE, [one, other])
    gallery.enrol(TWO, [third])
    numbers = numbers_of(database)
    with database.session(reading=True) as session:
        full = state_of(session)
        assert removed_since(session, nothing) == removed_since(session, full) == []
    assert full.version == nothing.version + 2
    gallery.enrol(ONE, [one])
    gallery.erase(TWO)
    with database.session(reading=True) as session:
        assert set(removed_since(session, full) or ()) == {
            numbers[other.face_id],
            numbers[third.face_id],
        }
        assert removed_since(session, state_of(session)) == []


def test_what_changes_nothing_makes_no_new_state(database: Database) -> None:
    gallery, one = sql_stores(database).gallery, face(1, 0)
    gallery.enrol(ONE, [one])
    with database.session(reading=True) as session:
        before = state_of(session)
    gallery.enrol(ONE, [one])
    gallery.erase(TWO)
    with database.session(reading=True) as session:
        assert state_of(session) == before


def test_a_state_that_this_database_never_had_is_told(database: Database) -> None:
    gallery = sql_stores(database).gallery
    gallery.enrol(ONE, [face(1, 0)])
    with database.session(reading=True) as session:
        state = state_of(session)
        assert removed_since(session, replace(state, stamp=uuid.uuid4())) is None
        assert removed_since(session, replace(state, version=state.version + 1)) is None


def test_old_changes_are_not_kept(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "KEPT_CHANGES", 3)
    gallery, states = sql_stores(database).gallery, []
    for _ in range(5):
        gallery.enrol(ONE, [face(1, 0)])
        with database.session(reading=True) as session:
            states.append(state_of(session))
    with database.session(reading=True) as session:
        known = [removed_since(session, state) is not None for state in states]
    assert known == [False, False, True, True, True]


def test_changes_are_committed_one_after_the_other(postgresql: Database) -> None:
    """Otherwise a face with a lower number could come after one with a higher number was read."""
    with postgresql.session() as first, pytest.raises(ImaginemError):
        note_change(first)
        with postgresql.session() as second:
            second.execute(text("SET LOCAL lock_timeout = '50ms'"))
            note_change(second)

"""People's decisions on faces: in memory, on SQLite and on PostgreSQL alike."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from imaginem.errors import NotFound
from imaginem.ports import EnrolledFace
from tests.stores import Stores


class TestReviews:
    def faces(self, stores: Stores) -> tuple[uuid.UUID, uuid.UUID]:
        made = [
            EnrolledFace(uuid.uuid4(), "m", bytes([0, 0, 128, 63]) * 4, 0.9, (1, 2, 3, 4))
            for _ in range(2)
        ]
        for number, each in enumerate(made):
            stores.gallery.enrol(("b", str(number)), [each])
        return made[0].face_id, made[1].face_id

    def test_a_decision_is_seen_from_both_sides_and_can_be_taken_back(self, stores: Stores) -> None:
        one, other = self.faces(stores)
        stores.reviews.review((one, other), "confirmed", "Ann")
        stores.reviews.review((other, one), "rejected", "Bob")
        for pair in ((one, other), (other, one)):
            said = stores.reviews.decisions([pair[0]])[pair]
            assert (said.decision, said.reviewer) == ("rejected", "Bob")
            assert datetime.now(UTC) - said.at < timedelta(minutes=1)
        stores.reviews.review((one, other), "", "Ann")
        assert stores.reviews.decisions([one, other]) == {}

    def test_an_erased_face_takes_its_reviews_along(self, stores: Stores) -> None:
        one, other = self.faces(stores)
        stores.reviews.review((one, other), "confirmed", "Ann")
        stores.gallery.enrol(("b", "0"), [])
        assert stores.reviews.decisions([other]) == {}
        with pytest.raises(NotFound):
            stores.reviews.review((one, other), "confirmed", "Ann")

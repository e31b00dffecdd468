"""Search over the gallery's embeddings: in memory, on SQLite and on PostgreSQL alike."""

import uuid

import numpy as np
import pytest

from tests.contract.rows import ONE, THREE, TWO, face
from tests.stores import Stores


class TestFaceIndex:
    def test_faces_of_other_jobs_are_found_best_first(self, stores: Stores) -> None:
        mine, near, nearer, far = face(1, 0), face(1, 0.5), face(1, 0.1), face(-1, 0)
        stores.gallery.enrol(ONE, [mine, face(1, 0.01)])
        stores.gallery.enrol(TWO, [near, far])
        stores.gallery.enrol(THREE, [nearer])

        found = stores.face_index.similar(ONE, mine.face_id, min_similarity=0.5, limit=10)
        assert [alike.face_id for alike in found] == [nearer.face_id, near.face_id]
        assert found[0].similarity == pytest.approx(1 / np.sqrt(1.01), abs=1e-5)
        assert found[0].quality == pytest.approx(0.8)
        assert len(stores.face_index.similar(ONE, mine.face_id, min_similarity=0.5, limit=1)) == 1

    def test_faces_of_different_models_never_mix(self, stores: Stores) -> None:
        mine, other = face(1, 0), face(1, 0, model="another")
        stores.gallery.enrol(ONE, [mine])
        stores.gallery.enrol(TWO, [other])

        assert stores.face_index.similar(ONE, mine.face_id, min_similarity=0, limit=10) == []

    def test_a_search_sees_what_was_enrolled_and_removed_since(self, stores: Stores) -> None:
        mine = face(1, 0)
        stores.gallery.enrol(ONE, [mine])
        for _ in range(3):
            other = face(1, 0.1)
            stores.gallery.enrol(TWO, [other])
            found = stores.face_index.similar(ONE, mine.face_id, min_similarity=0, limit=10)
            assert [alike.face_id for alike in found] == [other.face_id]

    def test_a_changed_embedding_counts(self, stores: Stores) -> None:
        mine, known = face(1, 0), uuid.uuid4()
        stores.gallery.enrol(ONE, [mine])
        stores.gallery.enrol(TWO, [face(1, 0, face_id=known)])
        assert stores.face_index.similar(ONE, mine.face_id, min_similarity=0.9, limit=10)
        stores.gallery.enrol(TWO, [face(0, 1, face_id=known)])
        assert stores.face_index.similar(ONE, mine.face_id, min_similarity=0.9, limit=10) == []

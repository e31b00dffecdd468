"""Photos by what own steps found: in memory, on SQLite and on PostgreSQL alike."""

import uuid
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from sqlalchemy import func, select

from imaginem.ports import PhotoFilter
from imaginem.ports.own_outputs.index import IndexedOutputs, index_nothing
from imaginem.sql import Database
from imaginem.sql.reindexing import reindex
from imaginem.sql.schema import PhotoFact
from imaginem.usecases.own_outputs import OwnOutputs
from tests.contract.conftest import SQL
from tests.own_steps import FOUND, NOTHING, keep_result, registry_with_signs
from tests.stores import Stores, memory_stores, sql_stores

OWN = OwnOutputs(registry_with_signs())
FACE = uuid.uuid4()


@pytest.fixture(params=("memory", *SQL))
def stores(request: pytest.FixtureRequest) -> Stores:
    if request.param == "memory":
        return memory_stores(OWN.index)
    return sql_stores(request.getfixturevalue(request.param), own=OWN.index)


def ids(stores: Stores, where: str = "", **wanted: Any) -> list[str]:
    asked = PhotoFilter(where=OWN.conditions(where), **wanted)
    return sorted(photo.id for photo in stores.catalogue.photos(asked).photos)


class TestFilters:
    @pytest.fixture(autouse=True)
    def _photos(self, stores: Stores) -> None:
        keep_result(stores, ("b", "full"), FOUND)
        dark = {"caption": "a zebra", "brightness": -3, "is_blurred": True, "words": ["Gate"]}
        keep_result(stores, ("c", "dark"), dark)
        keep_result(stores, ("b", "nothing"), NOTHING)
        keep_result(stores, ("b", "failed"), None, unsuccessful=("signs",))
        keep_result(stores, ("b", "odd"), {"brightness": "bright"})

    @pytest.mark.parametrize(
        ("where", "found"),
        [
            ("signs.brightness>=120.5", ["full"]),
            ("signs.brightness>120.5", []),
            ("signs.brightness=-3", ["dark"]),
            ("signs.brightness<1e9", ["dark", "full"]),
            ("signs.brightness<=-3 and signs.is_blurred=true", ["dark"]),
            ("signs.brightness>0 and signs.is_blurred=true", []),
            ("signs.is_blurred=no", ["full"]),
            ("signs.taken=2026-03-01", ["full"]),
            ("signs.taken<2026-03-01", []),
            ("signs.taken>=2026-03-01T10:00:00Z", ["full"]),
            ("signs.taken>2026-03-01", []),
            ("signs.words=GATE", ["dark", "full"]),
            ("signs.words=tree house", ["full"]),
            ("signs.words=tree", []),
            ("signs.caption=A zebra", ["dark"]),
            ("signs.signs.label=exit", ["full"]),
            ("signs.signs.confidence>0.8", ["full"]),
            ("signs.signs.confidence>0.9", []),
            ("signs.paper.kind=letter", ["full"]),
            ("signs.brightness!=-3", ["full"]),
            ("signs.is_blurred!=no", ["dark"]),
            ("signs.taken!=2026-03-01", []),
            ("signs.taken!=2026-03-02", ["full"]),
            ("signs.taken!=2026-03-01T10:00:01Z", ["full"]),
            ("signs.caption!=a ZEBRA", ["full"]),
            ("signs.words!=tree house", ["dark"]),
            ("signs.words!=nobody's", ["dark", "full"]),
            ("signs.signs.confidence!=0.4", []),
            ("signs.signs.label!=go and signs.words!=go", ["full"]),
            ("signs.words!=gate", []),
            ("signs.paper.width!=1", ["full"]),
            ("signs.caption='; DROP TABLE photo_fact; --", []),
        ],
    )
    def test_a_field_is_compared_by_its_type(
        self, stores: Stores, where: str, found: list[str]
    ) -> None:
        assert ids(stores, where) == found

    def test_a_photo_of_which_nothing_is_known_is_neither_equal_nor_unequal(
        self, stores: Stores
    ) -> None:
        equal, unequal = ids(stores, "signs.words=gate"), ids(stores, "signs.words!=gate")
        assert {"nothing", "failed", "odd"}.isdisjoint([*equal, *unequal])

    @pytest.mark.parametrize("few", [0, 2, 9])
    def test_common_and_rare_values_are_found_alike(
        self, stores: Stores, monkeypatch: pytest.MonkeyPatch, few: int
    ) -> None:
        monkeypatch.setattr("imaginem.sql.own_outputs._FEW", few)
        assert ids(stores, "signs.brightness<1e9") == ids(stores, "signs.words=gate")
        assert ids(stores, "signs.brightness<1e9 and signs.words=tree house") == ["full"]
        assert ids(stores, "signs.brightness<1e9 and signs.words=nobody") == []
        assert ids(stores, "signs.words!=tree house and signs.brightness!=9") == ["dark"]
        asked = PhotoFilter(where=OWN.conditions("signs.brightness<1e9"))
        assert dict(stores.catalogue.labels(asked, "tag"))["stop"] == 1

    def test_words_and_what_has_a_confidence_are_tags(self, stores: Stores) -> None:
        assert ids(stores, tag="gate") == ids(stores, tag="stop") == ["full"]
        assert stores.catalogue.labels(PhotoFilter(batch="b"), "tag") == [
            (name, 1) for name in ("exit", "gate", "stop", "tree house")
        ]
        (full,) = stores.catalogue.photos(PhotoFilter(tag="stop")).photos
        assert list(full.tags) == ["stop", "exit", "gate"]  # the surest first

    def test_texts_are_searched_like_text_that_was_read(self, stores: Stores) -> None:
        assert ids(stores, text="Zebra") == ["dark", "full"]
        assert ids(stores, text="gate ZEBRA") == ["full"]
        assert ids(stores, text="letter", tag="gate") == ["full"]
        assert ids(stores, text="zebra", where="signs.brightness>0") == ["full"]

    def test_what_is_not_to_be_searched_is_not_found(self, stores: Stores) -> None:
        assert ids(stores, text="searched") == ids(stores, text="shown") == []

    def test_hidden_batches_stay_hidden(self, stores: Stores) -> None:
        stores.batches.open_batch("red", "red")
        keep_result(stores, ("red", "secret"), FOUND)
        where = "signs.words=gate"
        assert ids(stores, where, groups=frozenset({"blue"})) == ["dark", "full"]
        assert ids(stores, where, groups=frozenset({"red"})) == ["dark", "full", "secret"]
        asked = PhotoFilter(where=OWN.conditions(where), groups=frozenset({"blue"}))
        assert dict(stores.catalogue.labels(asked, "tag"))["gate"] == 1

    def test_pages_of_photos_have_each_once(self, stores: Stores) -> None:
        asked, found, cursor = PhotoFilter(where=OWN.conditions("signs.brightness<1e9")), [], ""
        while page := stores.catalogue.photos(asked, cursor, limit=1):
            found += [photo.id for photo in page.photos]
            if not (cursor := page.cursor):
                break
        assert found == ["dark", "full"]

    def test_another_result_takes_the_place_of_the_one_before(self, stores: Stores) -> None:
        keep_result(stores, ("b", "full"), {"brightness": 7})
        assert ids(stores, "signs.brightness>0") == ids(stores, "signs.brightness=7") == ["full"]
        assert ids(stores, tag="stop") == ids(stores, text="letter") == []

    def test_what_tells_of_an_erased_face_is_not_found_by_any_more(self, stores: Stores) -> None:
        faces = [{**sign, "face_id": str(FACE)} for sign in FOUND["signs"][:1]]  # type: ignore[index]
        keep_result(stores, ("b", "full"), {**FOUND, "signs": [*faces, *FOUND["signs"][1:]]})  # type: ignore[index]
        keep_result(stores, ("b", "later"), {"caption": "zebra"})
        stores.results.drop_faces(("b", "full"), [FACE])
        assert ids(stores, tag="stop") == ids(stores, "signs.signs.label=stop") == []
        assert ids(stores, tag="exit") == ids(stores, "signs.signs.label=exit") == ["full"]
        found = stores.catalogue.photos(PhotoFilter(text="zebra", batch="b")).photos
        assert [photo.id for photo in found] == ["later", "full"]  # it kept its place


def test_nothing_is_left_of_an_erased_photo(database: Database) -> None:
    stores = sql_stores(database, own=OWN.index)

    def rows() -> int:
        with database.session(reading=True) as session:
            return session.scalar(select(func.count()).select_from(PhotoFact)) or 0

    erasures: list[Callable[[], None]] = [
        lambda: stores.results.erase(("b", "one")),
        lambda: stores.results.erase_batch("b", ["one"]),
        lambda: stores.results.erase_runs(("b", "one"), [""]),
    ]
    for erase in erasures:
        keep_result(stores, ("b", "one"), FOUND)
        assert rows() > 0
        erase()
        assert rows() == 0
    assert PhotoFact.__tablename__ in stores.results.holds


class TestReindexing:
    """Photos that were processed before a step declared its fields."""

    @pytest.fixture
    def stores(self, database: Database) -> Stores:
        """Keep results of a version that knew no fields; then return the stores of this one."""
        before = sql_stores(database)
        for key in (("b", "full"), ("c", "also")):
            keep_result(before, key, FOUND)
        keep_result(before, ("b", "failed"), None, unsuccessful=("signs",))
        assert ids(sql_stores(database, own=OWN.index), "signs.words=gate") == []
        return sql_stores(database, own=OWN.index)

    def test_they_are_found_by_fields_words_and_tags_without_running_again(
        self, stores: Stores, database: Database
    ) -> None:
        *_, last = reindex(database, OWN.index)
        assert (last.total, last.done, last.changed) == (3, 3, 2)
        assert ids(stores, "signs.words=gate") == ids(stores, tag="stop") == ["also", "full"]
        assert ids(stores, text="zebra", batch="b") == ["full"]
        (photo,) = stores.catalogue.photos(PhotoFilter(tag="stop", batch="c")).photos
        result = stores.results.read(("c", "also"))
        assert result is not None and photo.timestamp == result.timestamp

    def test_of_one_batch_alone_the_others_are_left(
        self, stores: Stores, database: Database
    ) -> None:
        assert [part.changed for part in reindex(database, OWN.index, "b")] == [1]
        assert ids(stores, "signs.words=gate") == ["full"]

    def test_one_that_was_stopped_goes_on_and_writes_nothing_twice(
        self, stores: Stores, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("imaginem.sql.reindexing._READ", 1)
        parts = reindex(database, OWN.index)
        while next(parts).changed == 0:
            pass
        del parts  # as if it was stopped here
        assert len(ids(stores, "signs.words=gate")) == 1
        assert [part.done for part in reindex(database, OWN.index)] == [1, 2, 3]
        assert ids(stores, "signs.words=gate") == ["also", "full"]
        *_, last = reindex(database, OWN.index)
        assert last.changed == 0

    def test_what_no_step_declares_any_more_is_not_found_by(
        self, stores: Stores, database: Database
    ) -> None:
        list(reindex(database, OWN.index))
        list(reindex(database, index_nothing))
        assert ids(stores, "signs.words=gate") == ids(stores, text="zebra") == []
        assert ids(stores) == ["also", "failed", "full"]

    def test_a_result_that_is_written_meanwhile_keeps_its_own_rows(
        self, stores: Stores, database: Database
    ) -> None:
        def index(outputs: Mapping[str, Any]) -> IndexedOutputs:
            if not asked:  # it was read, and is not locked yet
                keep_result(stores, ("b", "full"), {"words": ["newer"]})
            asked.append(outputs)
            return OWN.index(outputs)

        asked: list[object] = []
        list(reindex(database, index, "b"))
        assert ids(stores, "signs.words=newer", batch="b") == ["full"]
        assert ids(stores, "signs.words=gate", batch="b") == []

"""Photos by the words in them: in memory, on each database, and without a text index, alike."""

import random
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import delete, text

from imaginem.errors import InvalidMessage
from imaginem.ports import PhotoFilter
from imaginem.ports.own_outputs.index import IndexedOutputs, index_nothing
from imaginem.ports.text_search import Sureness, Term
from imaginem.ports.text_search.tokens import keys_of
from imaginem.sql import Database, SqlCatalogue
from imaginem.sql.reindexing import reindex
from imaginem.sql.schema import PhotoText
from imaginem.sql.search_rows import write_search_rows
from imaginem.sql.text_conditions import Gin, ReadTokens
from imaginem.sql.text_index import text_index_of
from imaginem.sql.text_types import as_column
from imaginem.sql.types import job_number
from imaginem.sql.wiping import write_anew
from tests.contract.revisions import add_result, add_tag, at_revision
from tests.contract.rows import save
from tests.stores import Stores, memory_stores, sql_stores

EXACT, BEGINNING, SIMILAR, OTHER = Sureness
# Words with what they find in `save_photos`. A database for each of them would take minutes.
EXACTLY = {
    "Lopez, Maria": ["card"],
    "maria lopez": ["card"],
    "María LÓPEZ": ["card"],
    "lopez-garcia": ["card"],
    "garcia nowhere": [],
    "14": ["arabic", "card"],
    "١٤": ["arabic", "card"],
    "احمد على": ["arabic"],
    "أَحمد": ["arabic"],
    "international": ["cut"],
    "obrien": ["cut"],
    "O'Brien committee": ["cut"],
    "東京": ["station"],
    "京東": [],
    "ようこそ": ["station"],
    "２０２６": ["station"],
    "%": [],
    "  ": [],
    "'; DROP TABLE photo_text; --": [],
    '" OR * NOT (': [],
    "12345": ["card"],
    "1234": [],
    "123456": [],
    "12346": [],
    "1": [],
    "mittee": [],
    "c": [],
}
ALIKE: dict[str, list[tuple[str, Sureness | None]]] = {
    "hopper": [("hoper", SIMILAR), ("h0pper", SIMILAR), ("hop", None), ("happier 0", None)],
    "burned": [("bumed", SIMILAR)],
    "Mohamed": [("Muhammad", SIMILAR), ("محمد", OTHER), ("Μοχάμεντ", OTHER), ("מוחמד", OTHER)],
    "محمد": [("مخمد", SIMILAR), ("Mohamed", OTHER), ("Мухаммед", OTHER)],
    "Fatima": [("फ़ातिमा", OTHER), ("ፋጢማ", OTHER), ("파티마", OTHER)],
    "al-Hassan": [("الحسن", OTHER)],
    "Abdurrahman Omar": [("عمر عبد الرحمن", OTHER), ("عمر", None)],
    "Abd al-Kareem": [("Abdalkareem", EXACT), ("Kareem, Abd al", EXACT)],
    "Ivanov, Sergey": [("Иванов\nСергей", OTHER), ("Сергей", None)],
}
NUMBERS: dict[str, list[tuple[str, Sureness | None]]] = {
    "0770123456": [("Tel. 0770 123456", EXACT), ("(0770) 12-34-56", EXACT), ("0770 123457", None)],
    "0771 123456": [("Tel.:0771123456!", EXACT), ("0771.123.456", EXACT), ("0771/12 34", None)],
    "٠٧٧٢ ١٢٣٤٥٦": [("0772-123456", EXACT), ("0772\n12345", None)],
    "07731234567": [
        ("+964 773 1234567", SIMILAR),
        ("00964 (0)773 123 4567", SIMILAR),
        ("9647731234567", SIMILAR),
        ("773 1234567", SIMILAR),
        ("+964 773 1234568", None),
    ],
    "+964 774 1234567": [
        ("0774 123 4567", SIMILAR),
        ("00964 774 1234567", EXACT),
        ("+963 774 1234567", None),
        ("7741234567", SIMILAR),
    ],
    "8 912 345-67-89": [("+7 (912) 345 67 89", SIMILAR), ("+70912345678", None)],
    "0775 1234567": [("0771 111 222 0775 123 4567 0772 333 444", EXACT)],
    "12.03.1998": [("12/03/1998", EXACT), ("1998, 12. 03.", EXACT), ("12.03.1999", None)],
    "07761234567": [
        ("الهاتف 4567 123 0776", EXACT),
        ("הטלפון 0776 123 4567", EXACT),
        ("Tel. 4567 123 0776", None),
    ],
    "+964 777 1234567": [("الهاتف 4567 123 0777", SIMILAR), ("هاتف 4567 123 777 +964", EXACT)],
    "120": [("12.0.1998", None), ("120", EXACT)],
    "0000000000": [("+964 000 000 000", None), ("0000 000000", EXACT)],
    "041998": [("12.04.1998", None)],
}

NAMES: dict[str, list[tuple[str, Sureness | None]]] = {
    "Abd al-Rahman": [
        ("Abdur Rahman", SIMILAR),
        ("Abdurrahman", SIMILAR),
        ("عبد الرحمن", OTHER),
        ("بسم الله الرحمن، عبد الله", None),
    ],
    "Nuruddin": [("Nour ed-Din", SIMILAR), ("Nour Eddine", SIMILAR), ("نور الدين", OTHER)],
    "نورالدين": [("نور الدين", EXACT), ("Nur al Din", OTHER), ("نور", None)],
    "Abubakar": [("Abu Bakr", SIMILAR), ("أبو بكر", OTHER), ("Abu", None)],
    "Omar Ben Ali": [("BENALI, Omar", EXACT), ("Omar Benali", EXACT), ("Omar Ben", None)],
    "Benali": [("Ben Ali", EXACT), ("Ben", None)],
    "Fatima Zahra": [("Fatimazahra", EXACT), ("Zahra", None)],
    "Fatimazahra": [("Zahra, Fatima", SIMILAR), ("Fatima", None)],
    "Gebremariam": [("Gebre Mariam", EXACT), ("ገብረ ማርያም", OTHER)],
    "Alnoor": [("Al Noor", SIMILAR), ("Noor", None)],
    "Al Noor": [("Alnoor", EXACT), ("Elnoor", SIMILAR)],
    "JR Smith": [("J. R. Smith", EXACT), ("Smith, R.", None)],
    "J. R. Smith": [("JR Smith", EXACT)],
    "김철수": [("Kim Chulsoo", OTHER), ("Kim Chul-soo", OTHER), ("Kim", None)],
    "Kim Chul Soo": [("Kim Chulsoo", EXACT), ("김철수", OTHER), ("김 철수", OTHER)],
    "Maria Delacruz": [("Maria de la Cruz", SIMILAR), ("Maria Cruz", None)],
    "photo is": [("photos", None), ("photois", EXACT)],
    "notable": [("not able", None)],
}


@pytest.fixture(params=("memory", "sqlite", "postgresql", "reading tokens"))
def stores(request: pytest.FixtureRequest) -> Stores:
    """The stores, on Azure SQL's way of searching, too: it needs nothing of a server.

    What is found is found among the newest three photos on servers, or beyond them.
    """
    if request.param == "memory":
        return memory_stores()
    if request.param == "sqlite":
        return sql_stores(request.getfixturevalue("sqlite"))
    server = request.param == "postgresql"
    database = request.getfixturevalue("postgresql" if server else "sqlite")
    index = Gin(newest=3) if server else ReadTokens(newest=3)
    return replace(sql_stores(database), catalogue=SqlCatalogue(database, index))


def found(stores: Stores, words: str, **wanted: object) -> list[tuple[str, Sureness | None]]:
    photos = stores.catalogue.photos(PhotoFilter(text=words, **wanted)).photos  # type: ignore[arg-type]
    return [(photo.id, photo.sureness) for photo in photos]


def ids(stores: Stores, words: str, **wanted: object) -> list[str]:
    return [photo for photo, _ in found(stores, words, **wanted)]


def save_photos(stores: Stores) -> None:
    save(stores, ("b", "card"), text="Maria\nLOPEZ-Garcia, 14 años\nNº AB 12345", tags=["card"])
    save(stores, ("b", "arabic"), text="الاسم: أحْمَد عليّ\nالعمر ١٤")
    save(stores, ("c", "cut"), text="found by the Inter-\nnational Committee, O’Brien")
    save(stores, ("c", "station"), text="東京駅へようこそ 2026年")
    save(stores, ("c", "none"), tags=["card"])


def test_all_words_are_found_in_any_order_and_form(stores: Stores) -> None:
    save_photos(stores)
    for words, hits in EXACTLY.items():
        assert found(stores, words) == [(photo, EXACT) for photo in hits], words

    save(stores, ("c", "whole"), text="Committ")
    save(stores, ("c", "longer"), text="committees")
    assert found(stores, "committ")[:3] == [
        ("whole", EXACT),
        ("longer", BEGINNING),
        ("cut", BEGINNING),
    ]


def test_a_word_hides_none_that_begins_with_it(stores: Stores) -> None:
    for name in ("marian", "mariana", "marianab", "mariane"):
        save(stores, ("b", name), text=name)
    assert sorted(ids(stores, "maria")) == ["marian", "mariana", "marianab", "mariane"]


def test_what_else_is_asked_for_must_hold_of_the_same_photo(stores: Stores) -> None:
    save_photos(stores)
    assert ids(stores, "14", tag="card") == ["card"]
    assert ids(stores, "14", tag="card", batch="c") == []
    assert ids(stores, "14", batch="b", faces=False) == ["arabic", "card"]
    assert ids(stores, "14", tag="Card") == []
    assert stores.catalogue.labels(PhotoFilter(text="14"), "tag") == [("card", 1)]
    assert stores.catalogue.labels(PhotoFilter(text="%"), "tag") == []
    assert stores.catalogue.labels(PhotoFilter(text="nobody"), "tag") == []
    stores.batches.open_batch("red", "red")
    save(stores, ("red", "hidden"), text="14")
    assert ids(stores, "14", groups=frozenset({"red"})) == ["hidden", "arabic", "card"]
    assert ids(stores, "14", groups=frozenset({"blue"})) == ["arabic", "card"]


def test_words_go_with_the_result_that_had_them(stores: Stores) -> None:
    save_photos(stores)
    save(stores, ("b", "card"), text="Anna")
    assert (ids(stores, "maria"), ids(stores, "anna")) == ([], ["card"])
    stores.results.erase_batch("c", ["cut", "station"])
    stores.results.erase(("b", "card"))
    for words in ("anna", "annna", "анна", "obrien", "東京"):
        assert ids(stores, words) == [], words
    assert ids(stores, "14") == ["arabic"]


@pytest.mark.parametrize("table", [ALIKE, NUMBERS, NAMES], ids=("words", "numbers", "names"))
def test_how_sure_a_hit_is_is_told(
    stores: Stores, table: dict[str, list[tuple[str, Sureness | None]]]
) -> None:
    for number, hits in enumerate(table.values()):
        for place, (written, _) in enumerate(hits):
            save(stores, (f"{number}", f"{place}"), text=written)
    for number, (words, hits) in enumerate(table.items()):
        sure = {f"{place}": sureness for place, (_, sureness) in enumerate(hits) if sureness}
        assert dict(found(stores, words, batch=f"{number}")) == sure, words


def test_the_surest_come_first_and_pages_lead_through_all_once(stores: Stores) -> None:
    texts = {"exact": "Ivan", "beginning": "Ivanov", "similar": "Iwan", "other": "Иван"}
    for number in range(2):
        for kind, each in texts.items():
            save(stores, ("many", f"{kind}{number}"), text=f"{each} {number}")
    seen: list[str] = []
    cursor = ""
    for _ in range(20):
        page = stores.catalogue.photos(PhotoFilter(text="ivan", batch="many"), cursor, 3)
        seen += [photo.id for photo in page.photos]
        cursor = page.cursor
        if not cursor:
            break
    assert seen == [f"{kind}{number}" for kind in texts for number in (1, 0)]
    for wrong in ("x", "WyJleGFjdCIsICJ4Il0", "WyJzdXJlIiwgIjEiXQ"):
        with pytest.raises(InvalidMessage, match="cursor"):
            stores.catalogue.photos(PhotoFilter(text="ivan"), wrong)


def test_odd_texts_find_the_same_everywhere(sqlite: Database) -> None:
    chance = random.Random(5)
    letters = "aàbdé'-\"*()^:~=#|&!\\%_ 0٣अमुحمدмашα東京ก็ำ\n\u200f🏕️"
    texts = ["".join(chance.choices(letters, k=chance.randrange(1, 30))) for _ in range(30)]
    kept, memory = sql_stores(sqlite), memory_stores()
    read = replace(kept, catalogue=SqlCatalogue(sqlite, ReadTokens()))
    for number, words in enumerate(texts):
        for stores in (kept, memory):
            save(stores, ("b", f"{number}"), text=words)
    for words in (*texts, *(each[: len(each) // 2] for each in texts)):
        assert found(kept, words) == found(memory, words) == found(read, words), words


def test_texts_from_before_are_found(address: str, tmp_path: Path) -> None:
    with at_revision(address, "runs_of_faces") as connection:
        new = add_result(connection, ("b", "new"), "2026-01-02", "Lopez\nMaria")
        add_result(connection, ("b", "old"), "2026-01-01", "maria")
        add_tag(connection, new, "cat")
    database = Database(address, tmp_path)
    stores = sql_stores(database)
    assert ids(stores, "maria") == ["new", "old"]
    assert ids(stores, "María", tag="cat", batch="b") == ["new"]
    assert ids(stores, "Мария") == ["new", "old"]
    database.close()


def test_photos_from_before_are_found_by_numbers_and_names_once_their_words_are_made_anew(
    database: Database,
) -> None:
    stores = sql_stores(database)
    save(stores, ("b", "old"), text="Abu Bakr 0770 123456")
    with database.session() as session:
        session.execute(delete(PhotoText))
        before = as_column(["abu", "bakr", "0770", "123456"])
        session.add(PhotoText(job=job_number("b", "old"), tokens=before))
    assert [ids(stores, words) for words in ("0770123456", "Abubakar", "Abu Bakr")] == [
        [],
        [],
        ["old"],
    ]
    *_, last = reindex(database, index_nothing)
    assert last.changed == 1
    assert [ids(stores, words) for words in ("0770123456", "Abubakar")] == [["old"], ["old"]]


def test_twelve_words_fit_into_a_statement_of_sql_server_in_however_many_parts() -> None:
    ways = tuple(Term((f"a{number}", f"b{number}", f"c{number}")) for number in range(200))
    for words in (1, 12):
        groups = (ways,) * words
        made = ReadTokens()._condition(groups, (), groups)
        assert 500 < len(made.compile().params) <= 1_700


def words_like(database: Database, word: str) -> set[str]:
    """Return what a database lists among the words that may be alike."""
    index = text_index_of(database.engine.dialect.name)
    with database.session(reading=True) as session:
        tokens = index.tokens_like(session, keys_of(word))
    return {token.partition("|")[2] for token in tokens}


def test_words_are_listed_as_long_as_a_photo_has_them(database: Database) -> None:
    stores = sql_stores(database)
    save(stores, ("b", "one"), text="zebra quagga okapi")
    save(stores, ("b", "two"), text="zebra okapi")
    assert words_like(database, "zebra") == {"zebra"}
    stores.results.erase(("b", "one"))
    assert words_like(database, "quagga") == set()
    assert words_like(database, "zebra") == {"zebra"}
    save(stores, ("b", "two"), text="okapi")  # run again
    assert words_like(database, "zebra") == set()
    assert words_like(database, "okapi") == {"okapi"}
    stores.results.erase_batch("b", ["two"])
    assert words_like(database, "okapi") == set()


def test_a_word_that_one_adds_while_another_erases_its_last_photo_stays_listed(
    postgresql: Database,
) -> None:
    stores, outputs = sql_stores(postgresql), {"ocr": {"full_text": "quagga"}}
    save(stores, ("b", "one"), text="quagga")
    save(stores, ("b", "two"))
    erasing = Thread(target=stores.results.erase, args=(("b", "one"),))
    with postgresql.session() as adding:
        now = datetime.now(UTC)
        write_search_rows(adding, ("b", "two"), outputs, IndexedOutputs(), now)
        adding.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))  # as at its end
        erasing.start()
        waits = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        while erasing.is_alive() and not adding.scalar(waits):
            time.sleep(0.01)
    erasing.join()
    assert words_like(postgresql, "quagga") == {"quagga"}


def test_compacting_leaves_nothing_of_an_erased_text_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "imaginem.db"
    database = Database("", tmp_path)
    stores = sql_stores(database)
    for number in range(60):
        words = " ".join(f"kept n{number} w{number}x{each}" for each in range(100))
        if number == 30:
            words = "Zarathustrova Xenophilia محمد"
        save(stores, ("b", f"{number}"), text=words)
    stores.results.erase(("b", "30"))
    database.close()

    assert write_anew(file)

    left = b"".join(each.read_bytes() for each in tmp_path.iterdir() if each.is_file())
    assert b"n59" in left
    for trace in (b"arathustrova", b"enophilia", "محمد".encode(), b"mmt|"):
        assert trace not in left
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(
            "INSERT INTO photo_text_index (photo_text_index) VALUES ('integrity-check')"
        )
    assert len(ids(stores, "kept")) == 48
    database.close()

"""How quickly photos are found by words: `TEXTS=1000000 make bench ARGS=text_search`.

A SQLite file, or the database that `TEXTS_DATABASE` names, gets the rows of that many photos with
made-up texts: twelve words whose frequency falls as in a language, a name in one of three scripts,
a number, labels, and 500 photos a batch. Searches go through the port, as pages and API do. How
well names are found is measured by `benchmarks.names`.
"""

import gc
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from benchmarks import names
from benchmarks.options import Options, read_options
from benchmarks.result import Result
from imaginem.ports import PhotoFilter
from imaginem.ports.text_search import marks_of, tokens_of
from imaginem.sql import Database, SqlCatalogue
from imaginem.sql.migrate import upgrade
from imaginem.sql.schema import Label, PhotoText, PipelineOutput
from imaginem.sql.text_types import as_column
from imaginem.sql.types import job_number

_PHOTOS_A_BATCH, _AT_ONCE = 500, 5_000
_WORDS, _WORDS_A_PHOTO = 60_000, 12
_TAGS, _TAGS_A_PHOTO = 200, 3
_ROUNDS, _MOST_MILLISECONDS = 20, 100.0
_BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
_SYLLABLES = [first + vowel for first in "bdfgklmnprstvz" for vowel in "aeiou"]
_GIVEN = (
    ("Mohamed", "محمد", "Мухаммед"),
    ("Yusuf", "يوسف", "Юсуф"),
    ("Fatima", "فاطمة", "Фатима"),
    ("Maria", "ماريا", "Мария"),
    ("Ivan", "إيفان", "Иван"),
    ("Omar", "عمر", "Омар"),
    ("Sergey", "سيرجي", "Сергей"),
    ("Khadija", "خديجة", "Хадиджа"),
)
_SEARCHES = {
    "a common word": [{"text": "{common}"}],
    "a rare word": [{"text": "{rare}"}],
    "a word that nobody has": [{"text": "xylophonist"}, {"text": "quizzical"}],
    "a beginning": [{"text": "{beginning}"}],
    "a name, in other scripts too": [{"text": "{name}"}, {"text": "{name} {rare}"}],
    "two words as one": [{"text": "{common}{other}"}, {"text": "{name}{rare}"}],
    "a name of three words": [{"text": "{name} {other} {rare}"}, {"text": "Abu {name} {common}"}],
    "two common words": [{"text": "{common} {other}"}],
    "a common and a rare word": [{"text": "{common} {rare}"}],
    "a number": [{"text": "{number}"}],
    "a number in groups": [{"text": "+964 770 {number}"}, {"text": "0770 {number}"}],
    "word, tag and batch": [{"text": "{common}", "tag": "{tag}", "batch": "{batch}"}],
    "word and tag": [{"text": "{common}", "tag": "{tag}"}],
    "a tag that nobody has": [{"tag": "nobody has this"}],
    "a rare tag": [{"tag": "tag199"}],
    "a common tag": [{"tag": "tag0"}],
    "tag and batch": [{"tag": "{tag}", "batch": "{batch}"}],
}
_LABELS = {
    "labels beside a common word": "a common word",
    "labels beside a name": "a name, in other scripts too",
    "labels beside a tag that nobody has": "a tag that nobody has",
    "labels beside a common tag": "a common tag",
}
"""What the page Photos asks beside its photos, with the search that it belongs to."""


@cache
def _words() -> list[str]:
    """Return made-up words, the commonest first and shortest."""
    chance = random.Random(16)
    found: dict[str, None] = {}
    while len(found) < _WORDS:
        syllables = 2 + len(found) // (_WORDS // 3)
        found["".join(chance.choices(_SYLLABLES, k=syllables))] = None
        if syllables == 2 and len(found) > 4_000:
            found["".join(chance.choices(_SYLLABLES, k=3))] = None
    return list(found)


class _Texts:
    """Makes the rows of photos; the tokens of a word are made once."""

    def __init__(self) -> None:
        self.words = _words()
        self._weights = list(accumulate(1 / (place + 3) for place in range(_WORDS)))
        self._tags = list(accumulate(1 / (place + 1) for place in range(_TAGS)))
        self._known: dict[str, list[str]] = {}
        self._chance = random.Random(17)

    def rows(self, number: int) -> tuple[dict[str, Any], dict[str, Any], list[dict[str, Any]]]:
        """Return a photo's result, its words and its labels."""
        batch = f"batch-{number // _PHOTOS_A_BATCH}"
        at = _BEGUN + timedelta(seconds=number)
        job = job_number(batch, f"{number}")  # as in use: neighbours in time lie far apart
        words = self._chance.choices(self.words, cum_weights=self._weights, k=_WORDS_A_PHOTO)
        words.append(self._chance.choice(self._chance.choice(_GIVEN)))
        words.append(f"{number}")
        chosen = self._chance.choices(range(_TAGS), cum_weights=self._tags, k=_TAGS_A_PHOTO)
        tags = {("tag", f"tag{tag}") for tag in chosen}
        tokens = dict.fromkeys(token for word in words for token in self._tokens(word))
        result = {
            "batch_id": batch,
            "id": f"{number}",
            "job": job,
            "processing_pipeline": "ocr",
            "image_url": "https://photos.test/photo.jpg",
            "job_output": "{}",
            "full_text": " ".join(words),
            "timestamp": at,
        }
        labels = [
            {"job": job, "kind": kind, "name": name, "confidence": 0.9, "timestamp": at}
            for kind, name in tags
        ]
        marked = [*tokens, *marks_of(tags, batch)]
        return result, {"job": job, "tokens": as_column(marked)}, labels

    def _tokens(self, word: str) -> list[str]:
        if word.isdigit():
            return [word]
        if word not in self._known:
            self._known[word] = tokens_of(word, [], "")
        return self._known[word]


def fill(database: Database, photos: int) -> None:
    """Write the rows of that many photos into a database."""
    texts = _Texts()
    gc.disable()  # rows have no cycles: looking for some would take half the time
    for begin in range(0, photos, _AT_ONCE):
        made = [texts.rows(number) for number in range(begin, min(begin + _AT_ONCE, photos))]
        with database.session() as session:
            session.execute(insert(PipelineOutput), [result for result, _, _ in made])
            session.execute(insert(PhotoText), [words for _, words, _ in made])
            session.execute(insert(Label), [label for _, _, labels in made for label in labels])
    gc.enable()
    # What filling has left would be looked through in the midst of a search, as in no real process.
    gc.collect()
    gc.freeze()


def _filters(photos: int, turn: int) -> Iterator[tuple[str, PhotoFilter]]:
    """Yield each kind of search with words of this turn."""
    words = _words()
    number = turn * 7919 % photos
    values = {
        "common": words[turn % 10],
        "other": words[10 + turn % 10],
        "rare": words[-1 - turn * 17],
        "beginning": words[-1 - turn * 31][: 2 + turn % 4],
        "name": _GIVEN[turn % len(_GIVEN)][turn % 3],
        "number": f"{number}",
        "tag": f"tag{turn % 20}",
        "batch": f"batch-{number // _PHOTOS_A_BATCH}",
    }
    for kind, choices in _SEARCHES.items():
        chosen = choices[turn % len(choices)]
        fields = {name: value.format(**values) for name, value in chosen.items()}
        yield kind, PhotoFilter(**fields)  # type: ignore[arg-type] # texts alone


def measure(database: Database, photos: int) -> list[Result]:
    """Return the 95th percentile of each kind of search, asked in turns."""
    catalogue = SqlCatalogue(database)
    taken: dict[str, list[tuple[float, float]]] = {kind: [] for kind in (*_SEARCHES, *_LABELS)}
    catalogue.photos(PhotoFilter(text="warm up"))
    for turn in range(_ROUNDS):
        wanted = dict(_filters(photos, turn))
        for kind, times in taken.items():
            begun = time.perf_counter(), time.process_time()
            if kind in _LABELS:
                catalogue.labels(wanted[_LABELS[kind]], "tag", 30)
            else:
                catalogue.photos(wanted[kind], limit=24)
            ended = time.perf_counter(), time.process_time()
            times.append(((ended[0] - begun[0]) * 1000, (ended[1] - begun[1]) * 1000))
    return [_result(kind, times, photos) for kind, times in taken.items()]


def _result(kind: str, times: list[tuple[float, float]], photos: int) -> Result:
    worst, computing = (statistics.quantiles(each, n=20)[-1] for each in zip(*times, strict=True))
    shown = f"{worst:.1f} ms (of computing {computing:.1f})"
    name = f"{photos:,} photos, {kind}: p95"
    if kind in _LABELS:
        return Result(name, worst, shown)
    return Result(
        name, worst, shown, f"<= {_MOST_MILLISECONDS:.0f} ms", worst <= _MOST_MILLISECONDS
    )


def run(options: Options | None = None) -> list[Result]:
    """Return how quickly photos are found by words, and how well names are."""
    options = options or read_options()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        database = Database(options.texts_database, home)
        if options.texts_database:
            _prepare(database)
        begun = time.perf_counter()
        fill(database, options.texts)
        seconds = time.perf_counter() - begun
        size = sum(each.stat().st_size for each in home.iterdir()) / 2**20
        filled = Result(
            f"{options.texts:,} photos with words: written",
            seconds,
            f"{seconds:.0f} s" if options.texts_database else f"{seconds:.0f} s, {size:.0f} MB",
        )
        measured = measure(database, options.texts)
        database.close()
        return [filled, *measured, *names.results()]


def _prepare(database: Database) -> None:
    """Make a server's tables.

    Raises:
        ValueError: there are photos in it.
    """
    engine = database.connect()
    upgrade(engine)
    engine.dispose()
    if SqlCatalogue(database).photos(PhotoFilter(), limit=1).photos:
        raise ValueError("TEXTS_DATABASE has photos: name an empty database")

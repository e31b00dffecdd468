"""The stores of one database together, in memory or in SQL."""

import hashlib
import json
from dataclasses import dataclass, fields
from pathlib import Path

from imaginem.memory.database import MemoryDatabase
from imaginem.memory.stores import MemoryStores
from imaginem.ports import (
    BarredPhotos,
    Batches,
    EarlierOutputs,
    ErasedRuns,
    FaceGallery,
    FaceIndex,
    KnownPhotos,
    Ledger,
    PhotoCatalogue,
    Results,
    Reviews,
    Submissions,
    SuppressedFaces,
)
from imaginem.ports.own_outputs.index import OutputIndexer, index_nothing
from imaginem.sql import (
    Database,
    SqlBarredPhotos,
    SqlBatches,
    SqlCatalogue,
    SqlEarlierOutputs,
    SqlErasedRuns,
    SqlGallery,
    SqlKnownPhotos,
    SqlLedger,
    SqlResults,
    SqlReviews,
    SqlSubmissions,
    SqlSuppressedFaces,
    face_index_of,
)
from imaginem.sql.face_index import SqlFaceIndex
from imaginem.sql.flat_index.by_size import SearchBySize


@dataclass(frozen=True)
class Stores:
    """What SQL keeps; what one of them writes, the others see."""

    results: Results
    catalogue: PhotoCatalogue
    batches: Batches
    submissions: Submissions
    earlier_outputs: EarlierOutputs
    face_index: FaceIndex
    gallery: FaceGallery
    reviews: Reviews
    erased_runs: ErasedRuns
    barred: BarredPhotos
    known_photos: KnownPhotos
    suppressed_faces: SuppressedFaces
    ledger: Ledger


def keyed(*words: str) -> str:
    """Return a hash of some words, as `ErasedJobs.mark` does with its key."""
    return hashlib.sha256(json.dumps(["key", *words]).encode()).hexdigest()


def memory_stores(own: OutputIndexer = index_nothing) -> Stores:
    """Return the in-memory fakes; `own` says what photos are found by of own steps' outputs."""
    made = MemoryStores(MemoryDatabase(index=own))
    return Stores(**{field.name: getattr(made, field.name) for field in fields(Stores)})


def sql_gallery(database: Database, index: FaceIndex) -> SqlGallery:
    """Return a gallery with an index of the test's own."""
    return SqlGallery(database, index, SqlErasedRuns(database), SqlSuppressedFaces(database))


def sql_stores(
    database: Database, index: FaceIndex | None = None, own: OutputIndexer = index_nothing
) -> Stores:
    """Return the SQL adapters, with the usual index or another one; `own` as above."""
    index = index or face_index_of(database, index_folder(database))
    erased, suppressed = SqlErasedRuns(database), SqlSuppressedFaces(database)
    return Stores(
        results=SqlResults(database, erased, own),
        catalogue=SqlCatalogue(database),
        batches=SqlBatches(database),
        submissions=SqlSubmissions(database),
        earlier_outputs=SqlEarlierOutputs(database, erased),
        face_index=index,
        gallery=SqlGallery(database, index, erased, suppressed),
        reviews=SqlReviews(database),
        erased_runs=erased,
        barred=SqlBarredPhotos(database),
        known_photos=SqlKnownPhotos(database),
        suppressed_faces=suppressed,
        ledger=SqlLedger(database),
    )


def index_folder(database: Database) -> Path:
    """Return where the index of faces puts its files."""
    return database._home / "face-index"


def index_by_file(database: Database) -> FaceIndex:
    """Return an index that puts even a single face into a file."""
    folder = index_folder(database)
    search = SearchBySize(database, folder, most_in_memory=0)
    return SqlFaceIndex(database, lambda session: search, folder)

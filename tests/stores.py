"""The stores of one database together, in memory or in SQL."""

from dataclasses import dataclass, fields

from imaginem.memory.stores import MemoryStores
from imaginem.ports import (
    Batches,
    EarlierOutputs,
    FaceGallery,
    FaceIndex,
    PhotoCatalogue,
    Results,
    Reviews,
    Submissions,
)
from imaginem.sql import (
    Database,
    SqlBatches,
    SqlCatalogue,
    SqlEarlierOutputs,
    SqlFaceIndex,
    SqlGallery,
    SqlResults,
    SqlReviews,
    SqlSubmissions,
)


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


def memory_stores() -> Stores:
    """Return the in-memory fakes."""
    made = MemoryStores()
    return Stores(**{field.name: getattr(made, field.name) for field in fields(Stores)})


def sql_stores(database: Database) -> Stores:
    """Return the SQL adapters."""
    index = SqlFaceIndex(database)
    return Stores(
        results=SqlResults(database),
        catalogue=SqlCatalogue(database),
        batches=SqlBatches(database),
        submissions=SqlSubmissions(database),
        earlier_outputs=SqlEarlierOutputs(database),
        face_index=index,
        gallery=SqlGallery(database, index),
        reviews=SqlReviews(database),
    )

"""Results, photos, batches and faces in SQL, on SQLAlchemy."""

from imaginem.sql.barred import SqlBarredPhotos
from imaginem.sql.batches import SqlBatches
from imaginem.sql.catalogue import SqlCatalogue
from imaginem.sql.choosing import face_index_of
from imaginem.sql.database import Database
from imaginem.sql.earlier import SqlEarlierOutputs
from imaginem.sql.erased_runs import SqlErasedRuns
from imaginem.sql.face_index import SqlFaceIndex
from imaginem.sql.gallery import SqlGallery
from imaginem.sql.known_photos import SqlKnownPhotos
from imaginem.sql.ledger import SqlLedger
from imaginem.sql.ledger_journal import LedgerJournal
from imaginem.sql.results import SqlResults
from imaginem.sql.reviews import SqlReviews
from imaginem.sql.service_faces import SqlServiceFaces
from imaginem.sql.submissions import SqlSubmissions
from imaginem.sql.suppressed_faces import SqlSuppressedFaces

__all__ = [
    "Database",
    "LedgerJournal",
    "SqlBarredPhotos",
    "SqlBatches",
    "SqlCatalogue",
    "SqlEarlierOutputs",
    "SqlErasedRuns",
    "SqlFaceIndex",
    "SqlGallery",
    "SqlKnownPhotos",
    "SqlLedger",
    "SqlResults",
    "SqlReviews",
    "SqlServiceFaces",
    "SqlSubmissions",
    "SqlSuppressedFaces",
    "face_index_of",
]

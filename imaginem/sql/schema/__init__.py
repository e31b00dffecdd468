"""The tables; `migrations` bring a database to this state, and a test compares the two."""

from imaginem.sql.schema.barred import BarredPhotoRow
from imaginem.sql.schema.base import KEY, Base, now
from imaginem.sql.schema.changes import GalleryChangeRow, GalleryStateRow
from imaginem.sql.schema.erased import ErasedBatchRow, ErasedRunRow
from imaginem.sql.schema.faces import (
    DIMENSIONS,
    FaceMatchRow,
    FaceRow,
    ReviewRow,
    SuppressedFaceRow,
)
from imaginem.sql.schema.jobs import (
    EarlierOutputRow,
    Label,
    PhotoBatch,
    PhotoFact,
    PhotoText,
    PipelineOutput,
    ReusableRow,
    SubmissionRow,
)
from imaginem.sql.schema.ledger import LedgerJobRow, LedgerSumRow
from imaginem.sql.schema.service_faces import AdditionRow, FaceListRow, RemovalRow, ServiceFaceRow

__all__ = [
    "DIMENSIONS",
    "KEY",
    "AdditionRow",
    "BarredPhotoRow",
    "Base",
    "EarlierOutputRow",
    "ErasedBatchRow",
    "ErasedRunRow",
    "FaceListRow",
    "FaceMatchRow",
    "FaceRow",
    "GalleryChangeRow",
    "GalleryStateRow",
    "Label",
    "LedgerJobRow",
    "LedgerSumRow",
    "PhotoBatch",
    "PhotoFact",
    "PhotoText",
    "PipelineOutput",
    "RemovalRow",
    "ReusableRow",
    "ReviewRow",
    "ServiceFaceRow",
    "SubmissionRow",
    "SuppressedFaceRow",
    "now",
]

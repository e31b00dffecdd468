"""Results and face gallery in SQL, on SQLAlchemy."""

from imaginem.results.archive import SqlArchive
from imaginem.results.database import Database
from imaginem.results.gallery import SqlGallery
from imaginem.results.output import SqlResults
from imaginem.results.service_faces import SqlServiceFaces

__all__ = ["Database", "SqlArchive", "SqlGallery", "SqlResults", "SqlServiceFaces"]

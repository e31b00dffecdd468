"""Results and face gallery in SQL, on SQLAlchemy."""

from imaginem.sql.archive import SqlArchive
from imaginem.sql.database import Database
from imaginem.sql.gallery import SqlGallery
from imaginem.sql.output import SqlResults
from imaginem.sql.service_faces import SqlServiceFaces

__all__ = ["Database", "SqlArchive", "SqlGallery", "SqlResults", "SqlServiceFaces"]

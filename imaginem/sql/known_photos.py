"""Which jobs are for which photo, as several tables tell."""

from sqlalchemy import select

from imaginem.ports import JobKey
from imaginem.sql.database import Database
from imaginem.sql.schema import FaceRow, PipelineOutput, SubmissionRow


class SqlKnownPhotos:
    """What SQL knows of jobs' photos."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def jobs_with(self, sha256: str) -> set[JobKey]:
        """Return the jobs that were sent with these bytes, or have faces found in them."""
        sent = select(SubmissionRow.batch_id, SubmissionRow.id).where(SubmissionRow.photo == sha256)
        shown = select(FaceRow.batch_id, FaceRow.job_id).where(FaceRow.photo_sha256 == sha256)
        with self._database.session(reading=True) as session:
            return {(row[0], row[1]) for query in (sent, shown) for row in session.execute(query)}

    def addresses(self, batch_id: str) -> dict[str, str]:
        """Return the address of each photo that has a result."""
        query = select(PipelineOutput.id, PipelineOutput.photo_url)
        with self._database.session(reading=True) as session:
            rows = session.execute(query.where(PipelineOutput.batch_id == batch_id))
            return {row.id: row.photo_url for row in rows if row.photo_url}

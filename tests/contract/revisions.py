"""Databases as earlier versions left them."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from alembic import command
from sqlalchemy import Connection, create_engine, text

from imaginem.ports import JobKey
from imaginem.sql.migrate import _config, upgrade

_RESULT = (
    "INSERT INTO pipeline_output (batch_id, id, job, processing_pipeline, image_url, photo_url, "
    "image_parameters, job_output, unfinished, full_text, faces, timestamp) VALUES "
    "(:batch_id, :id, :job, 'ocr', 'u', '', 'null', '{}', :unfinished, :text, 0, :at)"
)
_LABEL = "INSERT INTO photo_label (job, kind, name, confidence) VALUES (:job, 'tag', :name, 1)"


@contextmanager
def at_revision(address: str, revision: str) -> Iterator[Connection]:
    """Make the tables of an earlier revision in an empty database; bring it up to date afterwards.

    Yields:
        A connection for rows of that time.
    """
    engine = create_engine(address)
    with engine.begin() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        yield connection
    upgrade(engine)
    engine.dispose()


def add_result(
    connection: Connection, key: JobKey, at: str, words: str, unfinished: str = ""
) -> uuid.UUID:
    """Add a result in the columns that every revision has; return its job's number."""
    job = uuid.uuid5(uuid.NAMESPACE_OID, "/".join(key))
    values = {"batch_id": key[0], "id": key[1], "job": job.hex, "unfinished": unfinished}
    connection.execute(text(_RESULT), {**values, "text": words, "at": at})
    return job


def add_tag(connection: Connection, job: uuid.UUID, name: str) -> None:
    """Add a tag to a result, in the columns that the revisions up to `photo_texts` have."""
    connection.execute(text(_LABEL), {"job": job.hex, "name": name})

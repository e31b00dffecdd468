"""The faces nearest to one, found by PostgreSQL itself with the extension pgvector.

`imaginem db vectors` makes the table `face_vector`: for each face its embedding at half precision,
which goes with its row in `face`, and a graph (HNSW) over those of our own model. A search takes
the nearest from there, and compares with the embeddings in `face`, which are exact.
"""

from collections.abc import Callable, Iterator, Sequence

from sqlalchemy import Connection, Engine, text
from sqlalchemy.orm import Session

from imaginem.errors import ConfigurationError
from imaginem.ports import EnrolledFace
from imaginem.sql.candidates import Candidate
from imaginem.sql.face_rows import count_with_embeddings
from imaginem.sql.schema import DIMENSIONS
from imaginem.sql.types import as_text

_VERSION = (0, 8)  # the first that goes on in the graph until it has found enough
_EF_SEARCH = 400
"""Candidates that the graph keeps while it is searched; pgvector takes 1,000 at most. At 50,000
faces, 100 found 99.65 % of all similar faces, 400 found all, in 42 ms instead of 17."""

_TABLE = (
    "CREATE TABLE IF NOT EXISTS face_vector ("
    "face_id UUID PRIMARY KEY REFERENCES face (face_id) ON DELETE CASCADE, "
    "model VARCHAR(100) NOT NULL, embedding HALFVEC NOT NULL)"
)
_OURS = f"vector_dims(embedding) = {DIMENSIONS}"
_GRAPH = (
    "CREATE INDEX IF NOT EXISTS ix_face_vector ON face_vector "
    f"USING hnsw ((embedding::halfvec({DIMENSIONS})) halfvec_cosine_ops) WHERE {_OURS}"
)
_STORE = text(
    "INSERT INTO face_vector (face_id, model, embedding) "
    "SELECT face_id, model, CAST(:embedding AS halfvec) FROM face WHERE face_id = :face_id "
    "ON CONFLICT (face_id) DO NOTHING"
)


def is_ready(session: Session) -> bool:
    """Tell whether the server finds faces by itself."""
    return _has(session, "ix_face_vector")


def store_vectors(session: Session, faces: Sequence[EnrolledFace]) -> None:
    """Add faces that are in the gallery, if the server keeps vectors at all."""
    if not _has(session, "face_vector"):
        return
    for face in faces:
        if face.embedding:
            row = {"face_id": face.face_id, "embedding": as_text(face.embedding)}
            session.execute(_STORE, row)


def nearest_in_postgresql(
    session: Session, model: str, embedding: bytes, wanted: int
) -> list[Candidate]:
    """Return about the nearest faces of a model, best first; see `best_candidates`."""
    dimensions = len(embedding) // 4
    stored = f"embedding::halfvec({dimensions})" if dimensions == DIMENSIONS else "embedding"
    query = text(
        f"SELECT face_id, {stored} <=> CAST(:mine AS halfvec({dimensions})) AS distance "  # noqa: S608
        f"FROM face_vector WHERE vector_dims(embedding) = {dimensions} AND model = :model "
        "ORDER BY distance LIMIT :wanted"
    )
    _widen_search(session.connection())
    values = {"mine": as_text(embedding), "model": model, "wanted": wanted}
    return [(row[0], 1.0 - row[1]) for row in session.execute(query, values)]


def prepare(engine: Engine, told: Callable[[int, int], None]) -> int:
    """Make the table and the graph, and fill in what is missing; return how many faces it has.

    Safe to repeat, and while photos are processed: who adds a face after the table is there adds
    its vector too, and the table has all that were there before.

    Args:
        engine: of a server on which the extension is installed; its user owns the tables.
        told: called with the faces done so far, and with all there are.

    Raises:
        ConfigurationError: the server does not have the extension, or an old one.
        sqlalchemy.exc.DBAPIError: the user may not do this.
    """
    with engine.begin() as connection:
        _check(connection)
        connection.execute(text("CREATE EXTENSION IF NOT EXISTS vector"))
        connection.execute(text(_TABLE))
    with engine.connect() as connection:
        total = count_with_embeddings(connection)
    done = 0
    for rows in _missing(engine):
        with engine.begin() as connection:
            connection.execute(_STORE, rows)
        done += len(rows)
        told(done, total)
    with engine.begin() as connection:
        connection.execute(text(_GRAPH))
        return connection.scalar(text("SELECT count(*) FROM face_vector")) or 0


def _check(connection: Connection) -> None:
    version = connection.scalar(
        text("SELECT default_version FROM pg_available_extensions WHERE name = 'vector'")
    )
    if version is None:
        raise ConfigurationError(
            "this PostgreSQL does not have pgvector: install its package (such as "
            "postgresql-17-pgvector), or allow the extension vector where a cloud runs it"
        )
    if tuple(map(int, version.split(".")[:2])) < _VERSION:
        raise ConfigurationError(f"pgvector {version} is too old: install 0.8 or newer")


def _missing(engine: Engine) -> Iterator[list[dict[str, object]]]:
    """Yield the faces without a vector, in portions."""
    query = text(
        "SELECT number, face_id, embedding FROM face WHERE number > :after AND embedding IS NOT "
        "NULL AND NOT EXISTS (SELECT 1 FROM face_vector v WHERE v.face_id = face.face_id) "
        "ORDER BY number LIMIT 2000"
    )
    after = 0
    while True:
        with engine.connect() as connection:
            rows = connection.execute(query, {"after": after}).all()
        if not rows:
            return
        after = rows[-1][0]
        yield [{"face_id": row[1], "embedding": as_text(bytes(row[2]))} for row in rows]


def _widen_search(connection: Connection) -> None:
    """Let the graph look widely, and go on until it has as many rows as are asked for."""
    connection.execute(text(f"SET LOCAL hnsw.ef_search = {_EF_SEARCH}"))
    connection.execute(text("SET LOCAL hnsw.iterative_scan = 'strict_order'"))


def _has(session: Session, name: str) -> bool:
    return session.scalar(text("SELECT to_regclass(:name)"), {"name": name}) is not None

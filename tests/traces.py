"""Looks through a whole installation for what is left of a job."""

import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient
from sqlalchemy import Engine, inspect

from imaginem.ports import JobKey
from imaginem.sql.types import job_number


class Traces:
    """Every container, table, queue and SQL table, whichever they are, and the landing.

    Args:
        connection: string of the storage account.
        engine: of the database.
        home: folder in which jobs land.
    """

    def __init__(self, connection: str, engine: Engine, home: Path) -> None:
        self._blobs = BlobServiceClient.from_connection_string(connection)
        self._tables = TableServiceClient.from_connection_string(connection)
        self._queues = QueueServiceClient.from_connection_string(connection)
        self._engine, self._home = engine, home

    def close(self) -> None:
        """Close the connections."""
        for client in (self._blobs, self._tables, self._queues):
            client.close()

    def of(self, key: JobKey, word: str, face_ids: Sequence[uuid.UUID] = ()) -> set[str]:
        """Return the places that hold something of a job.

        Args:
            key: of the job.
            word: a part of its id that is spelled the same everywhere, and stands nowhere else.
            face_ids: of its faces, by which other tables know them.
        """
        numbers = {job_number(*key), *face_ids}
        spelled = {word, *(number.hex for number in numbers), *map(str, numbers)}
        return {
            place
            for place, texts in self._everything()
            if any(text == number for text in texts for number in spelled)
            or any(word in text for text in texts)
        }

    def _everything(self) -> Iterator[tuple[str, list[str]]]:
        """Yield every entry, as texts, with the place that it is in."""
        for container in self._blobs.list_containers():
            client = self._blobs.get_container_client(container.name)
            for name in client.list_blob_names():
                data = client.download_blob(name).readall()
                folder, _, _ = name.partition("/")
                own = folder.startswith("!")  # a folder of no batch
                place = f"{container.name}/{folder}" if own else container.name
                yield place, [name, data.decode("latin-1")]
        for table in self._tables.list_tables():
            for entity in self._tables.get_table_client(table.name).list_entities():
                yield table.name, [str(value) for value in entity.values()]
        for queue in self._queues.list_queues():
            for message in self._queues.get_queue_client(queue.name).peek_messages(32):
                yield queue.name, [str(message.content)]
        for path in self._home.glob("landing/*.job"):  # decisions tell what to erase: they stay
            yield "landing", [path.read_bytes().decode("utf-8", "replace")]
        with self._engine.connect() as connection:
            for name in inspect(connection).get_table_names():
                for row in connection.exec_driver_sql(f'SELECT * FROM "{name}"'):
                    yield name, [str(value) for value in row]

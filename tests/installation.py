"""A whole Imaginem for tests: a host with real workers, on a storage emulator."""

import json
import os
import socket
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

from azure.storage.queue import QueueServiceClient

from imaginem.assets import AssetStore
from imaginem.config.settings import Settings, read_settings
from imaginem.host import Host, HostOptions
from imaginem.pipeline.progress_row import ProgressRow
from imaginem.pipeline.states import ENDED
from imaginem.ports import LogEntry, PoisonEntry
from imaginem.runtime import Runtime
from tests.waiting import PATIENCE, until

ALL_STEPS = (
    "generalclassification",
    "ocr",
    "facedetection",
    "facecrop",
    "faceprint",
    "facematch",
    "pipelineoutput",
)


class Installation:
    """A running function app, with what tests do with it and read from it."""

    def __init__(
        self,
        app: Path,
        home: Path,
        connection: str,
        *,
        workers: int = 2,
        port: int = 0,
        environment: Mapping[str, str] | None = None,
        **settings: str,
    ) -> None:
        self.app, self.home = app, home
        self.environment = {
            "AzureWebJobsStorage": connection,
            "IMAGINEM_HOME": str(home),
            "RETRY_SECONDS": "0.2",
            "MAX_ATTEMPTS": "2",
            "DROPPED_PHOTOS": "off",  # tests upload photos and send their messages themselves
            **(environment or {}),
            **settings,
        }
        self.settings: Settings = read_settings(self.environment)
        self.runtime = Runtime(self.settings)
        home.mkdir(parents=True, exist_ok=True)
        self._log = (home / "host.log").open("ab")
        options = HostOptions(
            app,
            workers=workers,
            port=port,
            environment=self.environment,
            log=self._log,
            order=self.settings.pipeline,
            home=home,
        )
        self.host = Host(options, self.runtime.queues, self.runtime.blobs)
        self.client = QueueServiceClient.from_connection_string(connection)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *raised: object) -> None:
        self.stop()

    def start(self) -> None:
        self.host.start()

    def stop(self) -> None:
        self.host.close()
        self._log.close()
        self.runtime.database.close()

    @property
    def log_text(self) -> str:
        return (self.home / "host.log").read_text("utf-8", "replace")

    @property
    def assets(self) -> AssetStore:
        return AssetStore(self.settings.assets)

    def upload(self, data: bytes, name: str | None = None) -> str:
        """Put a photo into the input container and return its address."""
        name = name or f"uploads/{uuid.uuid4().hex}"
        return self.runtime.blobs.put("inputimages", name, data, "application/octet-stream")

    def put(self, queue: str, text: str) -> str:
        """Send a message with the plain SDK, as senders outside Imaginem do; return its id."""
        client = self.client.get_queue_client(queue)
        return str(client.send_message(text).id)

    def job(
        self,
        image_url: str,
        pipeline: Sequence[str] = ALL_STEPS,
        *,
        batch: str,
        job: str = "job-1",
        **more: Any,
    ) -> str:
        """Send a job to its first queue; return the message's text."""
        value = {
            "job_definition": {
                "id": job,
                "batch_id": batch,
                "input": {"image_url": image_url},
                "processing_pipeline": list(pipeline),
                "processing_step": 0,
            },
            **more,
        }
        text = json.dumps(value)
        self.put(pipeline[0], text)
        return text

    def process(self, photos: Mapping[str, bytes], *, batch: str) -> None:
        """Take photos through all steps, each as a job of its name; every step must succeed."""
        for name, photo in photos.items():
            self.job(self.upload(photo), batch=batch, job=name)
        self.wait(batch, photos)
        for name in photos:
            row = ProgressRow(self.entry(batch, name))
            states = {step: row.state_of(step) for step in ALL_STEPS}
            assert states == dict.fromkeys(ALL_STEPS, "success"), name

    def entry(self, batch: str, job: str = "job-1") -> LogEntry:
        """Return a job's entity in `pipelinelogs`."""
        entry = self.runtime.log.read((batch, job))
        assert entry is not None
        return entry

    def wait(
        self, batch: str, jobs: Iterable[str] = ("job-1",), seconds: float = PATIENCE
    ) -> LogEntry:
        """Wait until jobs have ended; return the entity of the last one."""
        deadline = time.monotonic() + seconds
        waiting = list(jobs)
        entry = None
        while waiting:
            entry = self.runtime.log.read((batch, waiting[0]))
            if entry is not None and entry.properties["job_state"] in ENDED:
                waiting.pop(0)
                continue
            if time.monotonic() > deadline:
                properties = dict(entry.properties) if entry else "it has no log entity"
                raise AssertionError(
                    f"{batch}/{waiting[0]} has not ended: {properties}\n{self.log_text[-3000:]}"
                )
            time.sleep(0.05)
        assert entry is not None
        return entry

    def wait_poisoned(self, message_id: str, queue: str, seconds: float = PATIENCE) -> PoisonEntry:
        """Wait until a message is in `pipelinepoison`; return its entry."""
        read = partial(self.runtime.poison.read, queue, message_id)
        until(read, seconds, lambda: self.log_text[-3000:])
        entry = read()
        assert entry is not None
        return entry

    def outputs(self, batch: str, job: str = "job-1") -> dict[str, Any]:
        """Return the outputs of a job's steps, from SQL."""
        result = self.runtime.results.read((batch, job))
        assert result is not None
        return dict(result.job_output)


def free_row() -> int:
    """Return a port that is free, as are the two after it."""
    while True:
        with socket.socket() as first, socket.socket() as second, socket.socket() as third:
            first.bind(("127.0.0.1", 0))
            number = int(first.getsockname()[1])
            try:
                second.bind(("127.0.0.1", number + 1))
                third.bind(("127.0.0.1", number + 2))
            except (OSError, OverflowError):
                continue
            return number


def command_environment(installation_environment: dict[str, str]) -> dict[str, str]:
    """Return the environment for a command that works on an installation's storage."""
    return {**os.environ, **installation_environment, "COLUMNS": "200", "NO_COLOR": "1"}

"""Photos from a person's disk or from the web become jobs on the first queue."""

import itertools
import re
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from imaginem.errors import ConfigurationError
from imaginem.models import decode_message
from imaginem.names import blob_segment
from imaginem.ports import Services
from imaginem.registry import Registry

PHOTO_ENDINGS = frozenset(
    {".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".heic", ".heif"}
)

_LONGEST_ID = 150


@dataclass(frozen=True)
class Source:
    """One photo to submit: a file, or an address."""

    name: str
    path: Path | None = None
    url: str = ""


def new_batch() -> str:
    """Return a batch id that sorts by time."""
    return datetime.now(UTC).strftime("%Y%m%d-%H%M%S-") + uuid.uuid4().hex[:4]


def find_sources(given: Sequence[str]) -> list[Source]:
    """Return the photos that arguments name; a folder stands for the photos in it.

    Raises:
        ConfigurationError: a path doesn't exist, or no photo is there.
    """
    found: list[Source] = []
    for argument in given:
        if re.match(r"https?://", argument):
            found.append(Source(name=argument.split("?")[0].rsplit("/", 1)[-1], url=argument))
            continue
        path = Path(argument).expanduser()
        if path.is_dir():
            found += [Source(file.name, file) for file in _photos(path)]
        elif path.is_file():
            found.append(Source(path.name, path))
        else:
            raise ConfigurationError(f"there is no file or folder {argument}")
    if not found:
        raise ConfigurationError(f"no photo is in {', '.join(given)}")
    return found


def _photos(folder: Path) -> Iterator[Path]:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return (file for file in files if file.suffix.lower() in PHOTO_ENDINGS)


def job_ids(sources: Sequence[Source]) -> list[str]:
    """Return a job id for each photo: its name, numbered where names repeat."""
    ids: dict[str, None] = {}
    for source in sources:
        base = re.sub(r"[^\w.-]+", "-", source.name).strip("-")[:_LONGEST_ID] or "photo"
        numbered = (f"{base}-{number}" for number in itertools.count(2))
        ids[
            next(
                name
                for name in (base, *itertools.islice(numbered, len(sources)))
                if name not in ids
            )
        ] = None
    return list(ids)


def check_pipeline_steps(names: Sequence[str], registry: Registry) -> list[str]:
    """Return warnings about names that no step here serves."""
    return [
        f"{name} is no step here: the job will be handed over to that queue"
        f"{registry.suggestion(name)}"
        for name in names
        if name not in registry
    ]


def submit_one(
    services: Services, source: Source, batch_id: str, job_id: str, pipeline: Sequence[str]
) -> str:
    """Upload a photo and put its job on the first queue; return the id of this run.

    Raises:
        InvalidMessage: the pipeline can't be.
    """
    url = source.url
    parameters: dict[str, Any] = {"original_name": source.name}
    if source.path is not None:
        data = source.path.read_bytes()
        name = f"{blob_segment(batch_id)}/{blob_segment(job_id)}"
        container = services.limits.input_container
        url = services.blobs.put(container, name, data, "application/octet-stream")
        parameters["size"] = len(data)
    value: dict[str, Any] = {
        "job_definition": {
            "id": job_id,
            "batch_id": batch_id,
            "input": {"image_url": url, "image_parameters": parameters},
            "processing_pipeline": list(pipeline),
            "processing_step": 0,
        },
        "job_output": {},
    }
    from pydantic_core import to_json

    message = decode_message(to_json(value), services.limits.default_pipeline)
    return services.queues.send(message.current, message.encode())

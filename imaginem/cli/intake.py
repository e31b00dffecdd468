"""Photos from a person's disk or from the web become jobs on the first queue."""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from imaginem.errors import ConfigurationError
from imaginem.pipeline.steps import Registry
from imaginem.ports import DashboardServices
from imaginem.usecases.submit import job_id_of, submit_photo

PHOTO_ENDINGS = frozenset(
    {".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".heic", ".heif"}
)


@dataclass(frozen=True)
class Source:
    """One photo to submit: a file, or an address."""

    name: str
    path: Path | None = None
    url: str = ""


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
        base = job_id_of(source.name)
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
    services: DashboardServices,
    source: Source,
    batch_id: str,
    job_id: str,
    pipeline: Sequence[str],
) -> str:
    """Submit a photo; return the id of this run. Errors as of `submit_photo`."""
    photo = source.url if source.path is None else source.path.read_bytes()
    return submit_photo(services, (batch_id, job_id), source.name, photo, pipeline)

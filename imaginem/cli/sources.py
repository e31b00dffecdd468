"""Find photos on the disk or on the web, and tell which files of a folder are none."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from imaginem.cli.shared import first_of, note
from imaginem.errors import ConfigurationError
from imaginem.images.limits import FILE_ENDINGS
from imaginem.redaction import without_query


@dataclass(frozen=True)
class Source:
    """A photo to submit.

    Attributes:
        name: file name, which people are shown.
        path: of the file; None when the photo has an address.
        url: address of the photo; empty when it is a file.
    """

    name: str
    path: Path | None = None
    url: str = ""

    @property
    def shown(self) -> str:
        """What tells it from others of its name: its path, or its address without a query."""
        return without_query(self.url) if self.path is None else str(self.path)


@dataclass(frozen=True)
class FoundSources:
    """What arguments name.

    Attributes:
        photos: to submit.
        left_out: files of folders whose names don't end as those of photos do.
        unread: folders in folders that can't be read.
    """

    photos: Sequence[Source]
    left_out: Sequence[str] = ()
    unread: Sequence[str] = ()

    def notes(self) -> list[str]:
        """Return what is to be said of files that are not sent, a sentence each."""
        said = []
        if self.left_out:
            said.append(
                f"{_counted(len(self.left_out), 'file')} left out, as photos' names end "
                f"otherwise: {first_of(self.left_out)}; name a file itself to send it"
            )
        if self.unread:
            one = _counted(len(self.unread), "folder")
            said.append(f"{one} left out that can't be read: {first_of(self.unread)}")
        return said

    def as_json(self) -> dict[str, list[str]]:
        """Return for programs which files are not sent."""
        return {"left_out": list(self.left_out), "unread_folders": list(self.unread)}

    def tell(self) -> None:
        """Print on standard error which files are not sent."""
        for said in self.notes():
            note(said)


def _counted(count: int, what: str) -> str:
    return f"1 {what} is" if count == 1 else f"{count:,} {what}s are"


def find_sources(arguments: Sequence[str]) -> FoundSources:
    """Return the photos that arguments name; a folder stands for all photos in it.

    Args:
        arguments: paths of files and folders, and http(s) addresses.

    Raises:
        ConfigurationError: a path doesn't exist, or there is no photo.
    """
    photos: list[Source] = []
    left_out: list[str] = []
    unread: list[str] = []
    for argument in arguments:
        if re.match(r"https?://", argument):
            photos.append(Source(name=argument.split("?")[0].rsplit("/", 1)[-1], url=argument))
            continue
        path = Path(argument).expanduser()
        if path.is_dir():
            for file in sorted(_files(path, unread)):
                if file.suffix.lower() in FILE_ENDINGS:
                    photos.append(Source(file.name, file))
                else:
                    left_out.append(str(file))
        elif path.is_file():
            photos.append(Source(path.name, path))
        else:
            raise ConfigurationError(f"there is no file or folder {argument}")
    found = FoundSources(photos, left_out, unread)
    if not photos:
        raise ConfigurationError(
            "; ".join([f"no photo is in {', '.join(arguments)}", *found.notes()])
        )
    return found


def _files(folder: Path, unread: list[str]) -> Iterator[Path]:
    """Yield the files in a folder and its folders; what can't be read is added to `unread`."""
    for place, _, names in os.walk(folder, onerror=lambda e: unread.append(str(e.filename))):
        yield from (file for name in names if (file := Path(place, name)).is_file())

"""Files that a step brings, such as weights: where each comes from, and its sha256.

Another file in its place is never used: sha256 is looked at when a file is fetched, and again when
a process first uses it.
"""

import re
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from imaginem.redaction import redact, without_query

_PACKAGE = re.compile(r"(pypi|npm):(@?[\w./-]+)==([\w.+-]+)")
_LOOPBACK = re.compile(r"http://(localhost|127\.0\.0\.1)(:\d+)?/")

LARGEST = 2 * 2**30
"""Bytes of a file at an address or in a blob, unless its `size` allows more.

An ONNX file that is whole has no more: protobuf ends there.
"""
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$", to_lower=True)]
"""A sha256 as 64 hexadecimal digits."""


class FileSource(BaseModel):
    """Where a file comes from: exactly one of `file`, `url`, `blob` and `package`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    file: str = Field(default="", description="Path of the file itself.")
    url: str = Field(default="", description="Its address, which needs no login: https://…")
    blob: str = Field(default="", description="Container and name in the app's storage account.")
    package: str = Field(
        default="", description="Package that has it: pypi:name==1.2 or npm:name==1.2."
    )
    member: str = Field(default="", description="Path of the file in the package.")
    archive_sha256: Sha256 | None = Field(
        default=None, description="sha256 of the package's archive."
    )
    sdist: bool = Field(
        default=False, description="The package is a source archive, for lack of a wheel."
    )
    sha256: Sha256 = Field(description="sha256 of the file: `sha256sum FILE` prints it.")
    size: int | None = Field(
        default=None,
        gt=0,
        description="Bytes of the file, for a `url` or `blob`: what is larger is not fetched. "
        "Needed above 2 GB.",
    )

    @model_validator(mode="after")
    def _one_place(self) -> "FileSource":
        given = [name for name in ("file", "url", "blob", "package") if getattr(self, name)]
        if len(given) != 1:
            found = f"there are {' and '.join(given)}" if given else "there is none"
            raise ValueError(f"give one of file, url, blob and package; {found}")
        if self.package and not (self.member and self.archive_sha256):
            raise ValueError(
                "a package needs `member`, the file's path in it, and `archive_sha256`, which "
                "`pip download --no-deps` or `npm pack` and then `sha256sum` tell"
            )
        if self.package and not _PACKAGE.fullmatch(self.package):
            raise ValueError("package must be like pypi:name==1.2 or npm:name==1.2")
        if self.url and not is_safe_address(self.url):
            raise ValueError("url must begin with https://")
        if not (self.url.isascii() and self.url.isprintable()) or " " in self.url:
            raise ValueError("url must have no spaces and no letters but a to z: write %20 for one")
        if _has_secret(self.url):
            raise ValueError(
                "url has a secret in it, which a file of the repository must not keep: put the "
                "file into the app's storage account, and name it with blob"
            )
        if self.blob and "/" not in self.blob.strip("/"):
            raise ValueError("blob must be like container/name")
        return self

    @property
    def place(self) -> str:
        """Where it comes from, for people; without an address's query."""
        if self.package:
            return f"{self.member} of {self.package}"
        return self.file or without_query(self.url) or f"blob {self.blob}"

    @property
    def file_name(self) -> str:
        """Name in the folder of assets: with part of the sha256, so that versions are apart."""
        name = PurePosixPath(without_query(self.member or self.url or self.blob or self.file))
        stem = re.sub(r"[^\w.-]", "_", name.stem) or "file"
        return f"{stem}-{self.sha256[:8]}{name.suffix}"

    def package_parts(self) -> tuple[str, str]:
        """Return the registry and the package with its version, `name==1.2`."""
        index, _, name = self.package.partition(":")
        return index, name


def is_safe_address(url: str) -> bool:
    """Tell whether a file may be fetched from an address: nobody on the way reads what is asked."""
    return url.startswith("https://") or _LOOPBACK.match(url) is not None


def _has_secret(url: str) -> bool:
    address, _, query = url.partition("?")
    return without_query(address) != address or redact(query) != query


class Weights(FileSource):
    """A file that a step needs, with its licence: `@step(weights=(NET,))` declares it.

    `file` is an absolute path here: `str(Path(__file__).with_name("net.onnx"))`.
    """

    licence: str = Field(min_length=1, description="Under which it may be used: Apache-2.0, MIT …")

    @model_validator(mode="before")
    @classmethod
    def _paths_as_texts(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("file"), Path):
            return {**value, "file": str(value["file"])}
        return value

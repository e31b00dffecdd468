"""Blobs: in memory and on Azure Storage alike."""

import urllib.error
import urllib.request

import pytest

from imaginem.errors import (
    Conflict,
    NotFound,
    PermanentError,
)
from imaginem.ports import Blobs
from imaginem.storage import (
    AzureBlobs,
)
from imaginem.storage.account import Account


class TestBlobs:
    def test_a_blob_is_written_over_and_read(self, blobs: Blobs, name: str) -> None:
        blobs.put(name, "a/b.txt", b"one", "text/plain")
        url = blobs.put(name, "a/b.txt", b"two", "text/plain")

        assert blobs.get(name, "a/b.txt", 10) == b"two"
        assert blobs.locate(url) == (name, "a/b.txt")
        assert "?" not in url

    @pytest.mark.parametrize("path", ["a b/ü.txt", "%2E%2E/x%2Fy.png", "a+b/c&d='e'.png"])
    def test_any_name_survives_its_address(self, blobs: Blobs, name: str, path: str) -> None:
        url = blobs.put(name, path, b"x", "text/plain")

        assert blobs.locate(url) == (name, path)
        assert blobs.get(name, path, 10) == b"x"

    def test_a_container_is_made_once_and_keeps_what_is_in_it(
        self, blobs: Blobs, name: str
    ) -> None:
        blobs.make(name)
        blobs.put(name, "a", b"1", "text/plain")
        blobs.make(name)
        assert blobs.get(name, "a", 10) == b"1"

    def test_a_new_blob_takes_nobodys_place(self, blobs: Blobs, name: str) -> None:
        url = blobs.put(name, "a b", b"one", "text/plain", metadata={"whose": "me"}, only_new=True)
        assert blobs.locate(url) == (name, "a b")
        with pytest.raises(Conflict, match="a b exists"):
            blobs.put(name, "a b", b"two", "text/plain", only_new=True)
        assert blobs.get(name, "a b", 10) == b"one"
        assert blobs.stat(name, "a b").metadata == {"whose": "me"}

    def test_a_missing_blob_or_container_is_told(self, blobs: Blobs, name: str) -> None:
        with pytest.raises(NotFound):
            blobs.get(name, "x", 10)
        blobs.put(name, "y", b"", "text/plain")
        with pytest.raises(NotFound):
            blobs.get(name, "x", 10)

    def test_a_blob_over_the_limit_is_refused(self, blobs: Blobs, name: str) -> None:
        blobs.put(name, "x", b"12345", "text/plain")
        with pytest.raises(PermanentError, match="limit is 4"):
            blobs.get(name, "x", 4)
        assert blobs.get(name, "x", 5) == b"12345"

    def test_blobs_are_listed_and_removed(self, blobs: Blobs, name: str) -> None:
        for path in ("b/2", "a/1", "b/1"):
            blobs.put(name, path, b"", "text/plain")
        assert blobs.list(name, "b/") == ["b/1", "b/2"]
        blobs.delete(name, "b/1")
        blobs.delete(name, "b/1")
        assert blobs.list(name, "b/") == ["b/2"]
        assert blobs.list(f"{name}x", "") == []

    def test_a_blob_is_known_without_being_read(self, blobs: Blobs, name: str) -> None:
        blobs.put(name, "a b/ü.png", b"12345", "image/png", metadata={"imaginem_job": "one"})
        found = blobs.stat(name, "a b/ü.png")

        assert (found.name, found.size) == ("a b/ü.png", 5)
        assert found.metadata == {"imaginem_job": "one"}
        assert list(blobs.scan(name)) == [found]
        assert blobs.locate(blobs.address(name, "a b/ü.png")) == (name, "a b/ü.png")
        blobs.put(name, "a b/ü.png", b"12345", "image/png")
        assert blobs.stat(name, "a b/ü.png").etag != found.etag
        assert blobs.stat(name, "a b/ü.png").metadata == {}
        assert list(blobs.scan(f"{name}x")) == []
        with pytest.raises(NotFound):
            blobs.stat(name, "gone")
        with pytest.raises(PermanentError):
            blobs.stat(name, "a/../b")

    @pytest.mark.parametrize("path", ["batch//photo.jpg", "/photo.jpg", "//batch/photo.jpg"])
    def test_a_name_with_empty_segments_is_one_of_its_own(
        self, blobs: Blobs, name: str, path: str
    ) -> None:
        plain = path.replace("//", "/").removeprefix("/")
        blobs.put(name, plain, b"another", "image/png")
        address = blobs.put(name, path, b"this", "image/png")

        assert blobs.locate(address) == (name, path)
        assert blobs.get(name, path, 10) == b"this"
        assert blobs.list(name, "") == sorted([path, plain])
        blobs.delete(name, path)
        assert blobs.list(name, "") == [plain]

    def test_a_blob_is_read_and_removed_only_as_long_as_it_is_the_same(
        self, blobs: Blobs, name: str
    ) -> None:
        blobs.put(name, "x", b"one", "text/plain")
        before = blobs.stat(name, "x").etag
        assert blobs.get(name, "x", 10, etag=before) == b"one"
        blobs.put(name, "x", b"two", "text/plain")

        with pytest.raises(Conflict, match="was replaced"):
            blobs.get(name, "x", 10, etag=before)
        blobs.delete(name, "x", etag=before)
        assert blobs.get(name, "x", 10) == b"two"
        blobs.delete(name, "x", etag=blobs.stat(name, "x").etag)
        blobs.delete(name, "x", etag=before)
        with pytest.raises(NotFound):
            blobs.get(name, "x", 10, etag=before)

    def test_an_empty_blob_is_read_only_as_long_as_it_is_the_same(
        self, blobs: Blobs, name: str
    ) -> None:
        blobs.put(name, "x", b"", "text/plain")
        before = blobs.stat(name, "x").etag
        assert blobs.get(name, "x", 10, etag=before) == b""
        blobs.put(name, "x", b"", "text/plain")
        with pytest.raises(Conflict):
            blobs.get(name, "x", 10, etag=before)

    @pytest.mark.parametrize(
        "url",
        [
            "https://elsewhere.test/inputimages/a",
            "http://127.0.0.1:1/devstoreaccount1/c/a",
            "YOUR_IMAGE_URL",
            "",
            "http://[broken/x",
            "ftp://127.0.0.1/x/y",
        ],
    )
    def test_an_address_elsewhere_is_not_ours(self, blobs: Blobs, url: str) -> None:
        assert blobs.locate(url) is None

    @pytest.mark.parametrize(
        "path", ["a/../../secrets/x", "a/%2e%2e/%2E%2E/secrets/x", "a/./x", ".."]
    )
    def test_an_address_that_leads_out_of_its_folder_is_nobodys(
        self, blobs: Blobs, name: str, path: str
    ) -> None:
        root = blobs.put(name, "here", b"", "text/plain").removesuffix("here")
        assert blobs.locate(root + path) is None


def test_a_link_opens_one_blob_and_no_other(account: Account, name: str) -> None:
    blobs = AzureBlobs(account)
    blobs.put(name, "b/photo of ü", b"photo", "image/png")
    blobs.put(name, "b/other", b"other", "image/png")
    link = blobs.link(name, "b/photo of ü", 5)

    assert urllib.request.urlopen(link).read() == b"photo"
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(link.replace("photo%20of%20%C3%BC", "other"))
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(link.partition("?")[0])
    assert blobs.locate(link) == (name, "b/photo of ü")

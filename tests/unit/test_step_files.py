"""Files that steps bring: fetched once, and used only if they are the declared ones."""

import hashlib
import http.server
import io
import shutil
import tarfile
import threading
import urllib.request
from collections.abc import Iterator
from functools import partial
from http.client import HTTPMessage
from pathlib import Path

import pytest

from imaginem import JobContext, StepOutput, Weights, step
from imaginem.assets import Package
from imaginem.assets import fetch as fetch_module
from imaginem.assets.download import Progress
from imaginem.assets.fetch_weights import fetch_weights
from imaginem.assets.one_file import KEPT_FREE, OnlySafely
from imaginem.assets.weights import WeightsStore
from imaginem.cli.weights import check_weights_of
from imaginem.errors import ConfigurationError, RegistrationError, RetryableError
from imaginem.memory.storage import MemoryBlobs
from imaginem.pipeline.brought import check_installed
from imaginem.pipeline.steps import Registry
from infra.package import packages_of_steps

DATA = b"weights of a network"
SHA256 = hashlib.sha256(DATA).hexdigest()


class Site(http.server.ThreadingHTTPServer):
    """A site whose pages are what `answers` says: a code and a body, by path.

    `lengths` has what it says of their length, where that is not true; empty if it says nothing.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.lengths: dict[str, str] = {}
        self.asked: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Answer(http.server.BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        code, body = self.server.answers[self.path.partition("?")[0]]
        self.send_response(code)
        if length := self.server.lengths.get(self.path, str(len(body))):
            self.send_header("Content-Length", length)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def store(tmp_path: Path) -> WeightsStore:
    return WeightsStore(tmp_path / "assets")


def fetch(store: WeightsStore, *weights: Weights, blobs: MemoryBlobs | None = None) -> list[str]:
    declared = [("tents", each) for each in weights]
    return fetch_weights(store, declared, lambda name, done, size: None, blobs or MemoryBlobs())


def test_a_file_at_an_address_is_fetched_once(store: WeightsStore, site: Site) -> None:
    site.answers["/net.onnx"] = (200, DATA)
    weights = Weights(url=f"{site.address}/net.onnx?download=true", sha256=SHA256, licence="MIT")

    assert fetch(store, weights) == [f"{site.address}/net.onnx"]
    assert store.path("tents", weights).read_bytes() == DATA
    assert store.path("tents", weights).name == f"net-{SHA256[:8]}.onnx"
    assert fetch(store, weights) == []
    assert site.asked == ["/net.onnx?download=true"]


def test_nothing_is_kept_of_another_file_whose_sha256_is_told(
    store: WeightsStore, site: Site
) -> None:
    site.answers["/net.onnx"] = (200, b"others")
    weights = Weights(url=f"{site.address}/net.onnx", sha256=SHA256, licence="MIT")

    with pytest.raises(ConfigurationError, match=hashlib.sha256(b"others").hexdigest()):
        fetch(store, weights)

    assert [path.name for path in store.folder.iterdir()] == [".lock"]


@pytest.mark.parametrize(
    ("code", "error", "told"),
    [
        (404, ConfigurationError, "the server answers 404: is the address right, and open"),
        (503, RetryableError, "the server answers 503: try again"),
    ],
)
def test_an_answer_without_the_file_says_whether_to_try_again(
    store: WeightsStore, site: Site, code: int, error: type[Exception], told: str
) -> None:
    site.answers["/net.onnx"] = (code, b"")
    weights = Weights(url=f"{site.address}/net.onnx?which=hidden", sha256=SHA256, licence="MIT")

    with pytest.raises(error, match=told) as refused:
        fetch(store, weights)

    assert "hidden" not in str(refused.value)


@pytest.mark.parametrize("length", [None, "", "1e99", "-1"])
def test_what_is_larger_than_its_size_is_not_fetched(
    store: WeightsStore, site: Site, length: str | None
) -> None:
    site.answers["/net.onnx"] = (200, DATA)
    if length is not None:
        site.lengths["/net.onnx"] = length
    weights = Weights(url=f"{site.address}/net.onnx", sha256=SHA256, size=9, licence="MIT")

    with pytest.raises(
        ConfigurationError,
        match=r"the step tents: .*/net.onnx has .*size allows 9 bytes: correct size, or the place",
    ):
        fetch(store, weights)

    assert [path.name for path in store.folder.iterdir()] == [".lock"]


def test_a_file_without_a_size_has_a_limit_that_says_how_to_go_beyond(
    store: WeightsStore, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imaginem.assets.one_file.LARGEST", len(DATA) - 1)
    site.answers["/net.onnx"] = (200, DATA)
    blobs = MemoryBlobs()
    blobs.put("models", "net.onnx", DATA, "application/octet-stream")
    at_an_address = Weights(url=f"{site.address}/net.onnx", sha256=SHA256, licence="MIT")
    in_a_blob = Weights(blob="models/net.onnx", sha256=SHA256, licence="MIT")

    for weights in (at_an_address, in_a_blob):
        with pytest.raises(ConfigurationError, match=r"has 20 bytes, and the limit is 19.*`size`"):
            fetch(store, weights, blobs=blobs)
        larger = weights.model_copy(update={"size": len(DATA)})
        assert fetch(store, larger, blobs=blobs) == [weights.place]
        store.place(larger).unlink()


@pytest.mark.parametrize("length", [None, ""])
def test_a_download_leaves_room_on_the_disk(
    store: WeightsStore, site: Site, monkeypatch: pytest.MonkeyPatch, length: str | None
) -> None:
    monkeypatch.setattr(
        "imaginem.assets.one_file.free_bytes", lambda folder: KEPT_FREE + len(DATA) - 1
    )
    site.answers["/net.onnx"] = (200, DATA)
    if length is not None:
        site.lengths["/net.onnx"] = length
    weights = Weights(url=f"{site.address}/net.onnx", sha256=SHA256, licence="MIT")

    with pytest.raises(
        ConfigurationError, match=r"step tents: .*net.onnx needs .* free.*room there, or set IMAGIN"
    ):
        fetch(store, weights)

    assert [path.name for path in store.folder.iterdir()] == [".lock"]


def test_a_download_that_breaks_off_can_be_tried_again(store: WeightsStore, site: Site) -> None:
    site.answers["/net.onnx"] = (200, DATA)
    site.lengths["/net.onnx"] = "1000"
    weights = Weights(url=f"{site.address}/net.onnx", sha256=SHA256, licence="MIT")

    with pytest.raises(RetryableError, match="ended after 20 of 1,000 bytes: try again"):
        fetch(store, weights)


def test_two_steps_that_name_the_same_file_differently_both_have_it(
    store: WeightsStore, site: Site
) -> None:
    for name in ("net", "model"):
        site.answers[f"/{name}.onnx"] = (200, DATA)
    both = [
        Weights(url=f"{site.address}/{name}.onnx", sha256=SHA256, licence="MIT")
        for name in ("net", "model")
    ]

    assert len(fetch(store, *both)) == 2
    assert [store.path("tents", each).read_bytes() for each in both] == [DATA, DATA]


def test_an_address_may_not_lead_out_of_encryption() -> None:
    request = urllib.request.Request("https://example.org/net.onnx?which=hidden")
    follow = partial(OnlySafely().redirect_request, request, io.BytesIO(), 302, "", HTTPMessage())

    assert follow("https://elsewhere.example.org/net.onnx") is not None
    with pytest.raises(ConfigurationError, match=r"org/net.onnx leads to an address without https"):
        follow("http://elsewhere.example.org/net.onnx")
    with pytest.raises(ConfigurationError, match="without https"):
        follow("http://127.0.0.1/net.onnx")


def test_a_blob_is_read_from_the_apps_own_storage(store: WeightsStore) -> None:
    weights = Weights(blob="models/nets/net.onnx", sha256=SHA256, licence="MIT")
    blobs = MemoryBlobs()
    blobs.put("models", "nets/net.onnx", DATA, "application/octet-stream")

    fetch(store, weights, blobs=blobs)

    assert store.path("tents", weights).read_bytes() == DATA


def test_a_file_of_a_package_comes_from_the_archive_of_the_declared_sha256(
    store: WeightsStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "pack.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        member = tarfile.TarInfo("package/net.onnx")
        member.size = len(DATA)
        tar.addfile(member, io.BytesIO(DATA))
    asked = []

    def download(package: Package, folder: Path, progress: Progress) -> Path:
        asked.append((package.name, package.index, package.sha256))
        return Path(shutil.copy(archive, folder / package.archive))

    monkeypatch.setattr(fetch_module, "download", download)
    weights = Weights(
        package="npm:@some/tents==1.2",
        member="package/net.onnx",
        archive_sha256="ab" * 32,
        sha256=SHA256,
        licence="MIT",
    )

    assert fetch(store, weights, weights) == ["package/net.onnx of npm:@some/tents==1.2"]
    assert asked == [("@some/tents==1.2", "npm", "ab" * 32)]
    assert store.path("tents", weights).read_bytes() == DATA


def test_a_file_that_was_changed_is_not_used(store: WeightsStore, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(b"others")
    weights = Weights(file=str(path), sha256=SHA256, licence="MIT")

    with pytest.raises(ConfigurationError, match=r"step tents: .*net.onnx has another sha256 \("):
        store.path("tents", weights)
    with pytest.raises(ConfigurationError, match=r"is it the right file, and sha256\?"):
        fetch(store, weights)


def test_the_doctor_names_every_step_that_lacks_a_file(
    store: WeightsStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared = [
        (name, Weights(url=f"https://example.org/{name}.onnx", sha256=SHA256, licence="MIT"))
        for name in ("tents", "boats")
    ]
    monkeypatch.setattr("imaginem.cli.weights.steps_weights", lambda app: declared)

    with pytest.raises(
        ConfigurationError, match=r"step tents: .*; the step boats: .* assets fetch"
    ):
        check_weights_of(tmp_path, store)


class TestDeclaring:
    @pytest.mark.parametrize(
        ("declared", "told"),
        [
            ({"weights": ["net.onnx"]}, "`weights` must be a list of Weights"),
            (
                {"weights": [Weights(file="net.onnx", sha256=SHA256, licence="MIT")]},
                r'write the file net.onnx as str\(Path\(__file__\).with_name\("net.onnx"\)\)',
            ),
            ({"requirements": ["numpy>=2"]}, "requirement 'numpy>=2': write name==1.2"),
        ],
    )
    def test_what_can_not_be_used_is_refused_at_the_start(
        self, declared: dict[str, list[object]], told: str
    ) -> None:
        def tents(job: JobContext) -> StepOutput:
            """Find tents."""
            return StepOutput()

        with pytest.raises(RegistrationError, match=f"step 'tents': {told}"):
            step(registry=Registry(), **declared)(tents)  # type: ignore[arg-type]


class TestPackages:
    def test_what_this_machine_lacks_is_told_with_its_step(self) -> None:
        check_installed([("tents", "pydantic")])

        with pytest.raises(
            ConfigurationError,
            match=r"step tents needs no-such-thing==1, which is not installed; the step boats "
            r"needs pydantic==0.1, and .* installed: `pip install no-such-thing==1 pydantic==0.1`$",
        ):
            check_installed(
                [("tents", "no-such-thing==1"), ("boats", "pydantic==0.1"), ("boats", "pydantic")]
            )

    def test_azure_installs_them_as_a_requirements_file_pins_them(self) -> None:
        listed = "pydantic==2.14.3\n"
        wanted = [("a", "numpy"), ("b", "numpy"), ("b", "pydantic"), ("c", "shapely==2.1")]

        lines = packages_of_steps(wanted, listed).splitlines()

        assert [line.partition("==")[0] for line in lines] == ["# Of steps.", "numpy", "shapely"]
        assert lines[2] == "shapely==2.1"
        assert packages_of_steps([], listed) == ""

    @pytest.mark.parametrize(
        ("wanted", "told"),
        [
            ([("a", "no-such-thing")], "the step a needs no-such-thing, which is pinned nowhere"),
            ([("a", "pydantic==1")], "the step a needs pydantic==1, and there is pydantic==2"),
            ([("a", "x==1"), ("b", "x==2")], "the step b needs x==2, and there is x==1"),
        ],
    )
    def test_two_versions_or_none_stop_the_package(
        self, wanted: list[tuple[str, str]], told: str
    ) -> None:
        with pytest.raises(SystemExit, match=told):
            packages_of_steps(wanted, "pydantic==2.14.3\n")

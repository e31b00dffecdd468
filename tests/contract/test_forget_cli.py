"""`imaginem forget` on a terminal of 80 columns, on real storage and SQL."""

import json
from pathlib import Path

import pytest

from imaginem.host import Emulator
from imaginem.pipeline.progress_row import RowChange
from imaginem.pipeline.states import JobState
from imaginem.ports import JobResult
from imaginem.runtime import Runtime
from tests.contract.rows import face
from tests.terminal import Cli, terminal


@pytest.fixture
def cli(runtime: Runtime, own_azurite: Emulator, monkeypatch: pytest.MonkeyPatch) -> Cli:
    return terminal(monkeypatch, own_azurite, runtime.settings.home, "forget")


def put(
    runtime: Runtime,
    batch: str,
    job: str,
    state: JobState = JobState.SUCCEEDED,
    photo: bytes = b"x",
) -> None:
    """Leave a photo, a row and a result of a job."""
    url = runtime.blobs.put("inputimages", f"{batch}/{job}/photo", photo, "image/png")
    row = RowChange(steps=(), job_state=state, pipeline=["ocr"], run=job, image_url=url)
    runtime.log.insert((batch, job), row.properties())
    runtime.results.save(JobResult(batch, job, ["ocr"], url, {}, {}, url))


def test_a_job_at_work_is_erased_with_a_receipt_that_names_the_stores(
    cli: Cli, runtime: Runtime, name: str
) -> None:
    put(runtime, name, "one", JobState.RUNNING)
    put(runtime, name, "two")

    done = cli("--batch", name, "--job", "one", "--yes")

    assert done.exit_code == 0, done.output
    for line in ("inputimages: 1", "pipeline_output: 1", "pipelinelogs: 1"):
        assert f"  {line}" in done.output.splitlines()
    assert max(map(len, done.output.splitlines())) <= 80
    assert runtime.log.read((name, "one")) is None
    assert runtime.results.read((name, "one")) is None
    assert runtime.blobs.list("inputimages", f"{name}/") == [f"{name}/two/photo"]
    assert runtime.results.read((name, "two")) is not None


def test_a_batch_is_erased_only_after_a_yes(cli: Cli, runtime: Runtime, name: str) -> None:
    put(runtime, name, "one")
    put(runtime, name, "two")

    assert cli("--batch", name, answer="n\n").exit_code == 1
    assert runtime.results.finished(name) == ["one", "two"]

    told = json.loads(cli("--batch", name, "--yes", "--json").output)
    assert told["jobs"] == 2
    assert told["removed"]["pipelinelogs"] == 2
    assert told["left"] == {}
    assert runtime.results.finished(name) == []


def test_what_is_not_there_is_told(cli: Cli, name: str) -> None:
    absent = cli("--batch", name, "--job", "x", "--yes")
    assert absent.exit_code == 1
    assert "there is no job x in batch" in absent.output


class TestPhoto:
    """`imaginem forget --photo`."""

    @pytest.fixture
    def photo(self, tmp_path: Path, name: str) -> Path:
        file = tmp_path / "family photo.png"
        file.write_bytes(name.encode())  # no other test has this photo
        return file

    @pytest.fixture
    def submit(
        self, runtime: Runtime, own_azurite: Emulator, monkeypatch: pytest.MonkeyPatch
    ) -> Cli:
        return terminal(monkeypatch, own_azurite, runtime.settings.home, "submit")

    def test_it_is_erased_in_every_batch_once_that_is_confirmed(
        self, cli: Cli, runtime: Runtime, name: str, photo: Path
    ) -> None:
        other = f"{name}-2"
        put(runtime, name, "one", photo=photo.read_bytes())
        put(runtime, other, "two", photo=bytes(reversed(photo.read_bytes())))
        put(runtime, other, "three", JobState.RUNNING, photo.read_bytes())

        asked = cli("--photo", str(photo), answer="n\n")
        assert asked.exit_code == 1
        assert "Jobs that have this photo: 2, in batches: 2." in " ".join(asked.output.split())
        assert runtime.results.finished(name) == ["one"]

        done = cli("--photo", str(photo), "--yes")
        assert done.exit_code == 0, done.output
        lines = done.output.splitlines()
        assert f"job one of batch {name} is erased" in lines
        assert f"job three of batch {other} is erased" in lines
        assert "  pipelinelogs: 2" in lines
        assert runtime.results.finished(other) == ["two"]

        again = cli("--photo", str(photo), "--yes")
        assert again.exit_code == 1
        assert "no job has this photo" in again.output

    def test_barred_it_can_not_be_submitted_until_that_is_lifted(
        self, cli: Cli, submit: Cli, runtime: Runtime, name: str, photo: Path
    ) -> None:
        told = json.loads(cli("--photo", str(photo), "--never-again", "--yes", "--json").output)
        assert (told["jobs"], told["erased"], told["barred"]) == (0, [], [""])

        steps = Path(__file__).parents[2]
        refused = submit(str(photo), "--batch", name, "--app", str(steps))
        assert refused.exit_code == 1
        said = " ".join(refused.output.split())
        assert "family photo.png was erased for good at somebody's wish, and is barred" in said
        assert runtime.submissions.submissions(name) == {}

        assert "may be sent again" in cli("--photo", str(photo), "--lift").output
        absent = cli("--photo", str(photo), "--lift")
        assert (absent.exit_code, "this photo is not barred" in absent.output) == (1, True)
        assert submit(str(photo), "--batch", name, "--app", str(steps)).exit_code == 0

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ((), "--batch BATCH, --face FACE_ID or --photo FILE"),
            (("--batch", "b", "--photo", "x"), "choose one"),
            (("--batch", "b", "--never-again"), "go with --photo FILE"),
            (("--photo", "x", "--never-again", "--lift"), "choose one"),
            (
                ("--photo", "nowhere.png"),
                "nowhere.png can't be read (No such file or directory), and is no SHA-256",
            ),
        ],
    )
    def test_what_says_nothing_or_two_things_is_refused(
        self, cli: Cli, words: tuple[str, ...], said: str
    ) -> None:
        refused = cli(*words)
        assert refused.exit_code == 2
        assert said in " ".join(refused.output.replace("│", " ").split())


def test_a_face_is_erased_after_a_yes_and_its_photo_stays(
    cli: Cli, runtime: Runtime, name: str
) -> None:
    put(runtime, name, "one")
    gone = face(1, 0)
    runtime.gallery.enrol((name, "one"), [gone])

    assert cli("--face", str(gone.face_id), answer="n\n").exit_code == 1
    assert runtime.gallery.faces_of((name, "one"))

    done = cli("--face", str(gone.face_id), "--yes")
    assert done.exit_code == 0, done.output
    assert "its photo stays" in done.output
    assert "  face: 1" in done.output.splitlines()
    assert runtime.gallery.faces_of((name, "one")) == []
    assert runtime.blobs.list("inputimages", f"{name}/") == [f"{name}/one/photo"]
    assert runtime.suppressed_faces.is_any(name)

    absent = "0d3c8a52-6f0e-5c1b-9a44-7e8b1d2f6a30"
    assert f"there is no face {absent} in the gallery" in cli("--face", absent, "--yes").output
    of_a_job = cli("--face", absent, "--batch", name, "--job", "one", "--yes")
    assert of_a_job.exit_code == 1 and f"there is no face {absent}\n" in of_a_job.output
    for wrong in (("--face", "x"), ("--face", absent, "--batch", name), ("--job", "one"), ()):
        assert cli(*wrong, "--yes").exit_code == 2

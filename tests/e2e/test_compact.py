"""After an erasure and a stop, no file of a home holds anything of what was erased."""

import base64
import io
import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest
from PIL import Image

from imaginem.config.settings import read_settings
from imaginem.host import Emulator, EmulatorPorts
from imaginem.runtime import Runtime
from tests.conftest import ROOT
from tests.installation import command_environment, free_row
from tests.waiting import PATIENCE

STEPS = "generalclassification,facecrop,facematch,pipelineoutput"
NAME, WORDS, JOB = "Zoë-Quixwander.jpg", "seen at the Xylobridge", "quixwander-7f3a"
BATCH = "the Wexlhofers"
_PART = 48
"""Bytes of a picture that are looked for: so many are the same by chance nowhere."""


class Started:
    """`imaginem start` on a home of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.settings = {
            "IMAGINEM_HOME": str(home),
            "EMULATOR_PORT": str(free_row()),
            "AzureWebJobsStorage": "",
            "SQL_CONNECTION_STRING": "",
        }
        port = free_row()
        command = [sys.executable, "-m", "imaginem.cli", "start", "--workers", "1"]
        self.process = subprocess.Popen(
            [*command, "--port", str(port)],
            cwd=ROOT,
            env=command_environment(self.settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout is not None
        lines = []
        while "Imaginem is ready" not in (line := self.process.stdout.readline()):
            lines.append(line)
            assert line, lines  # it has ended
        self.http = httpx2.Client(base_url=f"http://127.0.0.1:{port}/api", timeout=60)

    def process_photo(
        self, photo: bytes, name: str, job: str, steps: str, batch: str = "spring", **more: str
    ) -> Any:
        """Upload a photo; return what was found once its job has ended."""
        told = {"job_id": job, "pipeline": steps, **more}
        sent = self.http.post(f"/batches/{batch}/images", files={"file": (name, photo)}, data=told)
        assert sent.is_success, sent.text
        deadline = time.monotonic() + PATIENCE
        while (found := self.http.get(f"/jobs/{batch}/{job}").json())["state"] != "succeeded":
            assert time.monotonic() < deadline, found
            time.sleep(0.1)
        return found["job_output"]

    def stop(self) -> str:
        """Stop it in good order; return what it said since it was ready."""
        self.http.close()
        self.process.send_signal(signal.SIGTERM)
        text, _ = self.process.communicate(timeout=120)
        return text


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Started]:
    started = Started(tmp_path / "home")
    yield started
    started.http.close()
    if started.process.poll() is None:
        started.process.kill()
        started.process.communicate()


def with_words(data: bytes) -> bytes:
    """Return a photo of another size, with words in its EXIF."""
    exif = Image.Exif()
    exif[0x010E] = WORDS
    out = io.BytesIO()
    with Image.open(io.BytesIO(data)) as picture:
        picture.convert("RGB").save(out, "JPEG", exif=exif)
    return out.getvalue()


def spellings(what: bytes) -> set[bytes]:
    """Return bytes as they may stand in a file: as they are, in base64, as text of two bytes."""
    found = {what, what.hex().encode(), what.hex().upper().encode()}
    for shift in range(3):  # base64 spells bytes by threes, wherever the first one lies
        aligned = what[shift:]
        aligned = aligned[: len(aligned) // 3 * 3]
        found |= {base64.b64encode(aligned), base64.urlsafe_b64encode(aligned)}
    with suppress(UnicodeDecodeError):
        text = what.decode()
        found |= {text.encode("utf-16-le"), text.encode("utf-16-be")}
        found |= {json.dumps(text)[1:-1].encode(), httpx2.URL(path=text).raw_path}
        found |= spellings(json.dumps(text)[1:-1].encode()) if not text.isascii() else set()
    return found


def holding(home: Path, what: bytes) -> list[str]:
    """Return the files of a home that hold bytes, in any spelling."""
    wanted = spellings(what)
    return [
        str(path.relative_to(home))
        for path in home.rglob("*")
        if path.is_file() and any(each in path.read_bytes() for each in wanted)
    ]


def middle(data: bytes) -> bytes:
    return data[len(data) // 2 :][:_PART]


def test_nothing_of_an_erased_job_is_left_in_any_file_of_the_home(
    started: Started, sample: Callable[[str], bytes]
) -> None:
    home, photo, other = started.home, with_words(sample("obama.jpg")), sample("obama2.jpg")
    output = started.process_photo(photo, NAME, JOB, STEPS)
    face = output["facecrop"]["faces"][0]["face_id"]
    matched = started.process_photo(other, "other.jpg", "stays", "facematch,pipelineoutput")
    assert face in str(matched), "the job that stays knows the face of the other"
    started.process_photo(photo, NAME, "copy", "facedetection", BATCH, group="red")
    pictures = {
        "thumbnail": started.http.get(f"/images/spring/{JOB}/thumbnail").content,
        "crop": started.http.get(f"/faces/{face}/image").content,
    }
    with closing(sqlite3.connect(home / "imaginem.db")) as database:
        embedding, _ = (
            row for (row,) in database.execute("SELECT embedding FROM face ORDER BY rowid")
        )
    traces = {
        "photo": middle(photo),
        "EXIF": WORDS.encode(),
        "name": NAME.encode(),
        "job": JOB.encode(),
        "batch": BATCH.encode(),
        "face": face.encode(),
        "embedding": embedding[:_PART],
        **{name: middle(data) for name, data in pictures.items()},
    }
    for name, what in traces.items():
        assert holding(home, what), f"the search does not find the {name} while it is there"

    assert "imaginem compact" in started.http.delete(f"/jobs/spring/{JOB}").json()["remains"]
    assert started.http.delete(f"/batches/{BATCH}").is_success
    assert holding(home, traces["photo"]), "it is the emulator that leaves the photo there"
    said = started.stop()

    assert "nothing of what was erased is left" in said
    assert {name: found for name, what in traces.items() if (found := holding(home, what))} == {}
    assert not (home / "erased").exists()
    _check_what_stays(started, other)


def _check_what_stays(started: Started, photo: bytes) -> None:
    """Check in the files of the home that the other job is there, whole."""
    ports = EmulatorPorts.beginning_at(int(started.settings["EMULATOR_PORT"]))
    with Emulator(started.home / "storage", ports, ROOT):
        runtime = Runtime(read_settings(started.settings))
        row = runtime.log.read(("spring", "stays"))
        assert row is not None
        assert row.properties["job_state"] == "succeeded"
        (name,) = runtime.blobs.list("inputimages", "spring/")
        assert runtime.blobs.get("inputimages", name, len(photo)) == photo
        assert runtime.results.read(("spring", "stays")) is not None
        runtime.database.close()

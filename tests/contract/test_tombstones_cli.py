"""`imaginem tombstones` on real storage and SQL."""

from pathlib import Path

import pytest

from imaginem.host import Emulator
from imaginem.ports import JobResult
from imaginem.runtime import Runtime
from imaginem.usecases.erase import forget_job
from tests.terminal import Cli, terminal


@pytest.fixture
def cli(runtime: Runtime, own_azurite: Emulator, monkeypatch: pytest.MonkeyPatch) -> Cli:
    return terminal(monkeypatch, own_azurite, runtime.settings.home, "tombstones")


def test_what_a_restored_database_has_again_is_erased(
    cli: Cli, runtime: Runtime, name: str, tmp_path: Path
) -> None:
    result = JobResult(name, "one", ["ocr"], "https://x.test/a", {}, {}, run="run-1")
    runtime.results.save(result)
    runtime.log.insert((name, "one"), {"job_state": "succeeded", "imaginem_run": "run-1"})
    forget_job(runtime, (name, "one"))
    mark = runtime.erased.mark("barred", "", name)
    runtime.barred.bar("", mark, "Ann")
    file = tmp_path / "tombstones.jsonl"
    exported = cli("export", str(file))
    assert exported.exit_code == 0, exported.output
    assert file.stat().st_mode & 0o777 == 0o600
    assert name not in file.read_text("utf-8")

    runtime.blobs.put("faces", f"{name}/one/face.png", b"face", "image/png")
    runtime.results.save(JobResult(name, "stays", ["ocr"], "https://x.test/b", {}, {}))
    runtime.blobs.put("inputimages", f"{name}/one/photo", b"photo", "image/png")
    runtime.barred.lift(mark)
    told = cli("apply", str(file), "--dry-run").output
    assert "1 jobs would be erased" in told
    assert "photos of these jobs: 1; whole batches: 0\n" in told
    assert "photos that would be barred again: 1\n" in told
    assert runtime.blobs.list("faces", name) == [f"{name}/one/face.png"]
    told = cli("apply", str(file)).output
    assert "1 jobs are erased" in told
    assert "faces of photos that stay: 0\nphotos that are barred again: 1\n" in told
    assert runtime.blobs.list("faces", name) == []
    assert runtime.results.finished(name) == ["stays"]

    file.write_text(file.read_text("utf-8")[:-20], "utf-8")
    assert cli("apply", str(file)).exit_code == 1
    file.write_bytes(b"\xff\xd8 a photo, by mistake")
    wrong = cli("apply", str(file))
    assert wrong.exit_code == 1
    assert "no JSON object" in wrong.output

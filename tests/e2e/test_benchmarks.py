"""Measurements of `make bench` at a tiny size, on real processes and storage."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import fusion, pages
from benchmarks.baseline import ROOT, checked_out
from benchmarks.installation import installed
from benchmarks.rivals.environment import Missing, last_json
from benchmarks.search import ours
from benchmarks.search.crowd import write_crowd
from benchmarks.step_execution import recorded
from benchmarks.trivial.bare_calls import Caller, calls_of
from benchmarks.trivial.measure import PIPELINE, measure_calls, run_jobs, trivial_app
from imaginem.host import Emulator, EmulatorPorts
from imaginem.sql import Database
from imaginem.sql.schema import FaceMatchRow, FaceRow, Label, PipelineOutput

UNFUSED = next(iter(fusion.modes().values()))


def test_an_earlier_commit_is_checked_out_and_removed_again() -> None:
    with checked_out("HEAD") as tree:
        assert (tree / "function_app.py").is_file()
        assert tree != ROOT

    command = ["git", "worktree", "list", "--porcelain"]
    known = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert not tree.exists()
    assert str(tree) not in known.stdout


def test_a_commit_that_is_not_here_is_named() -> None:
    with pytest.raises(RuntimeError, match=r"git worktree add: .*no-such-commit"):
        checked_out("no-such-commit").__enter__()


def test_a_competitor_without_a_wheel_is_told_with_its_reason() -> None:
    with pytest.raises(Missing, match="No module named 'no_such_wheel': it could not be installed"):
        last_json([sys.executable, "-c", "import no_such_wheel"], {})


def test_a_competitor_that_breaks_is_told_with_its_last_words() -> None:
    with pytest.raises(Missing, match="out of order"):
        last_json([sys.executable, "-c", "import sys; sys.exit('out of order')"], {})


def test_the_calls_of_a_job_are_counted_and_can_be_made_by_the_bare_sdks() -> None:
    job = measure_calls(UNFUSED)
    calls = calls_of(job)

    assert job.executions == 7
    assert calls.count("GET queue") == calls.count("DELETE queue") == 7
    assert calls.count("POST queue") == 7  # the first one is of whoever sends the job
    assert job.operations == job.counts().total() + 14
    with Emulator(None, EmulatorPorts.free()) as emulator:
        caller = Caller(emulator.connection_string, "1-1")
        with recorded(emulator.ports) as made:
            for call in calls * 2:
                caller.make(call)
    assert made == calls * 2


def test_an_installation_stands_still_between_measurements() -> None:
    settings = {"PIPELINE_DEFINITION": PIPELINE, **UNFUSED}
    with trivial_app() as app, installed(settings=settings, app=app) as installation:
        installation.pause()
        states = {process.status() for process in installation.processes}

        assert states == {"stopped"}
        assert run_jobs(installation, 2) > 0


def test_a_crowd_is_searched_through_the_port(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_crowd(tmp_path, 300, 10)

    ours.main(tmp_path, 1)

    figures = json.loads(capsys.readouterr().out)
    assert figures["recall"] == 1
    assert figures["deleted_at_once"]


def test_pages_are_filled_with_faces_photos_labels_and_pairs(tmp_path: Path) -> None:
    pages.fill(tmp_path, 30)

    database = Database("", tmp_path)
    with database.session(reading=True) as session:
        counts = [
            session.query(table).count() for table in (FaceRow, FaceMatchRow, PipelineOutput, Label)
        ]
    database.close()
    assert counts == [30, 30, 8, 32]

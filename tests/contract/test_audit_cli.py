"""`imaginem audit` on real storage."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from imaginem.cli.__main__ import app
from imaginem.config.settings import read_settings
from imaginem.host import Emulator
from imaginem.ports import AuditDeed, AuditSubject
from imaginem.runtime import Runtime


def test_an_export_is_verified_and_a_change_in_it_is_told(
    own_azurite: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AzureWebJobsStorage", own_azurite.connection_string)
    monkeypatch.setenv("IMAGINEM_HOME", str(tmp_path))
    audit = Runtime(read_settings()).audit
    audit.record("anna", AuditDeed.ERASED, AuditSubject.JOB, ("spring", "family"))
    audit.record("anna", AuditDeed.VIEWED, AuditSubject.JOB, ("spring", "other"))
    run, file, place = CliRunner(), tmp_path / "trail.jsonl", ["--app", str(tmp_path)]

    exported = run.invoke(app, ["audit", "export", "--to", str(file), *place])
    assert exported.exit_code == 0, exported.output
    assert "family" not in file.read_text("utf-8")
    for what in ([], [str(file)]):
        verified = run.invoke(app, ["audit", "verify", *what, *place])
        assert verified.exit_code == 0, verified.output
        assert "3 entries in 2 chains; signed until" in verified.output

    file.write_text(file.read_text("utf-8").replace('"erased"', '"viewed"'), "utf-8")
    told = run.invoke(app, ["audit", "verify", str(file), "--json", *place])
    assert told.exit_code == 1
    assert "entry 1 was changed" in json.loads(told.stdout)["faults"][0]

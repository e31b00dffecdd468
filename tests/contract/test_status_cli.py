"""`imaginem status` is in the audit trail, as the same look in the API is."""

import pytest

from imaginem.host import Emulator
from imaginem.pipeline.progress_row import RowChange
from imaginem.pipeline.states import JobState
from imaginem.ports import AuditSubject
from imaginem.runtime import Runtime
from imaginem.usecases.audit.chain import hash_of
from tests.terminal import terminal


def test_who_looks_at_a_batch_or_a_job_is_recorded_and_what_is_not_there_is_not(
    runtime: Runtime, own_azurite: Emulator, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    row = RowChange(steps=(), job_state=JobState.SUCCEEDED, pipeline=["ocr"], run="r")
    for batch in (name, f"{name}-watched"):
        runtime.log.insert((batch, "one"), row.properties())
    cli = terminal(monkeypatch, own_azurite, runtime.settings.home, "status")

    assert cli(f"{name}-absent").exit_code == cli(name, "two").exit_code == 1
    for told in ((name,), (name, "one", "--json"), (f"{name}-watched", "--watch")):
        assert cli(*told).exit_code == 0

    def subject(kind: AuditSubject, *ids: str) -> tuple[str, str, str]:
        return kind, "viewed", hash_of(runtime.installation_key, kind, *ids)

    kept = [(e.kind, e.deed, e.subject) for e in runtime.audit_trail.read()]
    looked = [
        subject(AuditSubject.BATCH, name),
        subject(AuditSubject.JOB, name, "one"),
        subject(AuditSubject.BATCH, f"{name}-watched"),
    ]
    absent = [subject(AuditSubject.BATCH, f"{name}-absent"), subject(AuditSubject.JOB, name, "two")]
    assert sorted(each for each in kept if each in looked) == sorted(looked)
    assert not [each for each in kept if each in absent]

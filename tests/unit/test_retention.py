"""What is too old is erased, by the settings and by the rules of storage alike."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from imaginem.config.settings import read_settings
from imaginem.errors import ConfigurationError
from imaginem.names import job_prefix
from imaginem.ports import CoreSettings, PoisonEntry, RetentionDays
from imaginem.runtime import Runtime
from imaginem.testing import MemoryServices, photo_bytes
from imaginem.usecases.audit.acting import act_as
from imaginem.usecases.retention import apply_retention
from imaginem.usecases.submit import submit_photo
from tests.dashboard import PIPELINE, keep

KEY = ("spring", "family")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def services() -> MemoryServices:
    """Services with a job that has ended now, and everything that is kept of it."""
    act_as("imaginem")
    return with_jobs("family")


def with_jobs(*job_ids: str) -> MemoryServices:
    services = MemoryServices(core_settings=CoreSettings(default_pipeline=PIPELINE))
    services.batches.open_batch("spring")
    for job_id in job_ids:
        keep(services, ("spring", job_id))
        for container in ("inputimages", "faces", "thumbnails"):
            name = f"{job_prefix('spring', job_id)}x.png"
            services.blobs.put(container, name, photo_bytes(), "image/png")
        properties = {"job_state": "succeeded", "imaginem_run": "run-1"}
        services.log.insert(("spring", job_id), properties)
    return services


def after(services: MemoryServices, days: int, **retention: int) -> int:
    """Apply retention some days after everything ended."""
    services.core_settings = CoreSettings(PIPELINE, retention=RetentionDays(**retention))
    return apply_retention(services, datetime.now(UTC) + timedelta(days=days))


def left(services: MemoryServices) -> set[str]:
    """Return what is left of the jobs."""
    folder = "spring/"
    places = {"photos": "inputimages", "crops": "faces", "thumbnails": "thumbnails"}
    found = {kind for kind, name in places.items() if services.blobs.list(name, folder)}
    found |= {"rows"} if list(services.log.batch("spring")) else set()
    return found | ({"results"} if services.results.finished("spring") else set())


ALL = {"photos", "crops", "thumbnails", "rows", "results"}


@pytest.mark.parametrize(
    ("kind", "goes"),
    [
        ("photos", {"photos"}),
        ("crops", {"crops"}),
        ("thumbnails", {"thumbnails"}),
        ("rows", {"rows"}),
        ("results", ALL),
    ],
)
def test_each_kind_goes_after_its_days_and_no_other(
    services: MemoryServices, kind: str, goes: set[str]
) -> None:
    assert after(services, 29, **{kind: 30}) == 0
    assert left(services) == ALL
    assert after(services, 31, **{kind: 30}) == 1
    assert left(services) == ALL - goes
    assert after(services, 31, **{kind: 30}) == 0  # nothing is done twice


def test_nothing_goes_by_default(services: MemoryServices) -> None:
    assert after(services, 36_000) == 0
    assert left(services) == ALL
    assert not any(vars(read_settings({}).days()).values())


def test_a_job_at_work_keeps_everything(services: MemoryServices) -> None:
    submit_photo(services, ("spring", "new"), "a.png", photo_bytes(), PIPELINE)
    services.log.insert(("spring", "busy"), {"job_state": "running", "imaginem_run": "r"})
    services.blobs.put("faces", f"{job_prefix('spring', 'busy')}x.png", b"", "image/png")
    assert after(services, 31, results=30) == 1
    assert after(services, 31, crops=30) == 0
    assert services.blobs.list("faces", "spring/busy")
    assert {entry.job_id for entry in services.log.batch("spring")} == {"busy"}
    assert services.submissions.submission(("spring", "new")) is not None


def test_results_without_a_row_grow_old_too(services: MemoryServices) -> None:
    after(services, 31, rows=30)
    assert left(services) == ALL - {"rows"}
    assert after(services, 29, results=30) == 0
    assert after(services, 31, results=30) == 1
    assert left(services) == set()


def test_what_went_may_be_sent_again(services: MemoryServices) -> None:
    after(services, 31, results=30)
    submit_photo(services, KEY, "a.png", photo_bytes(), PIPELINE)
    assert services.submissions.submission(KEY) is not None


def test_a_run_of_the_timer_takes_a_slice_and_the_next_goes_on() -> None:
    services = with_jobs(*(f"job-{number}" for number in range(250)))
    assert after(services, 31, crops=30) == 200
    assert after(services, 31, crops=30) == 50
    assert after(services, 31, crops=30) == 0


def test_batches_are_looked_through_a_page_at_a_time(services: MemoryServices) -> None:
    for number in range(50):
        services.batches.open_batch(f"empty-{number}")
    assert after(services, 31, crops=30) == 1
    assert left(services) == ALL - {"crops"}


def test_it_stops_when_its_time_is_over(services: MemoryServices) -> None:
    services.core_settings = CoreSettings(PIPELINE, retention=RetentionDays(crops=30))
    clock = iter(range(0, 1000, 15))
    at = datetime.now(UTC) + timedelta(days=31)
    assert apply_retention(services, at, lambda: float(next(clock))) == 0


def test_old_poison_is_dropped(services: MemoryServices) -> None:
    services.poison.add(PoisonEntry("ocr", "m1", "why", "{}"))
    assert after(services, 9, poison=10) == 0
    assert after(services, 11, poison=10) == 1
    assert services.poison.list() == []


def test_it_is_in_the_audit_trail_as_nobodys_deed(services: MemoryServices) -> None:
    after(services, 31, results=30, crops=30)
    assert [(e.who, e.deed) for e in services.audit_trail.read()] == [("imaginem", "erased")]


def test_the_timer_has_it_where_days_are_set() -> None:
    def jobs(**environment: str) -> list[str]:
        return [job.name for job in Runtime(read_settings(environment)).maintenance_jobs]

    assert "retention" not in jobs()
    assert "retention" in jobs(RETENTION_CROPS_DAYS="7")
    assert read_settings({"RETENTION_AUDIT_DAYS": "7"}).core().retention.audit == 7
    for wrong in ("-1", "40000", "a week"):
        with pytest.raises(ConfigurationError, match=r"RETENTION_PHOTOS_DAYS is .* give days"):
            read_settings({"RETENTION_PHOTOS_DAYS": wrong})


def test_settings_and_the_rules_of_storage_take_the_same_days() -> None:
    storage = (ROOT / "infra/modules/storage.bicep").read_text("utf-8")
    app = (ROOT / "infra/modules/app.bicep").read_text("utf-8")
    main = (ROOT / "infra/main.bicep").read_text("utf-8")
    ruled = dict(
        re.findall(
            r"name: '(\w+)'\s+type: 'Lifecycle'.*?GreaterThan: (?:max\()?(\w+)", storage, re.S
        )
    )
    told = re.findall(r"RETENTION_(\w+)_DAYS: string\((\w+)\)", app)
    assert {kind.lower(): parameter for kind, parameter in told}.items() >= {
        (kind, parameter) for kind, parameter in ruled.items() if kind != "largemessages"
    }
    assert len(told) == len(vars(RetentionDays()))
    for _, parameter in told:  # both modules are given what main.bicep is given
        assert f"    {parameter}: {parameter}\n" in main
    for kind in ("photos", "crops", "thumbnails"):  # 0 is never, for a rule as for the setting
        assert f"enabled: {ruled[kind]} > 0" in storage

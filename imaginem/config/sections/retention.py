"""How long what is kept, and for which purposes people may search and export."""

from typing import Annotated

from pydantic import Field

from imaginem.config.declare import Expected, Section, setting
from imaginem.config.value_types import Names
from imaginem.ports import RetentionDays

_DAYS = (Field(ge=0, le=36_500), Expected("days, from 0 to 36500"))
Days = Annotated[int, *_DAYS]
_NEVER = "; 0: never"
_KEPT_ON_AZURE = 7
"""Days that Azure keeps SQL's backups and, as `infra/` says, blobs that were deleted."""


class RetentionSettings(Section):
    """Days after which things are erased, and purposes."""

    retention_photos_days: Days = setting(
        "RETENTION_PHOTOS_DAYS",
        0,
        f"days after a job's end after which its photo is erased{_NEVER}",
        usual="never",
    )
    retention_crops_days: Days = setting(
        "RETENTION_CROPS_DAYS",
        0,
        f"the same for the crops of its faces{_NEVER}",
        usual="never",
    )
    retention_thumbnails_days: Days = setting(
        "RETENTION_THUMBNAILS_DAYS",
        0,
        f"the same for its smaller copies, which are made again when somebody looks{_NEVER}",
        usual="never",
    )
    retention_results_days: Days = setting(
        "RETENTION_RESULTS_DAYS",
        0,
        f"the same for the whole job: results, faces, and all the rest{_NEVER}",
        usual="never",
    )
    retention_rows_days: Days = setting(
        "RETENTION_ROWS_DAYS",
        0,
        f"the same for its rows in `pipelinelogs` and `submission`, while results stay{_NEVER}",
        usual="never",
    )
    retention_poison_days: Days = setting(
        "RETENTION_POISON_DAYS",
        0,
        f"days after which a message that could not be processed is dropped{_NEVER}",
        usual="never",
    )
    retention_audit_days: Days = setting(
        "RETENTION_AUDIT_DAYS",
        0,
        f"days after which entries of the audit trail go{_NEVER}",
        usual="never",
    )
    stated_backup_days: Annotated[int | None, *_DAYS] = setting(
        "BACKUP_DAYS",
        None,
        "days for which backups and deleted blobs keep what was erased, as its receipt says; 0: "
        "there are none",
        usual="7 on Azure, else 0",
        not_on_azure="its default is what Azure keeps",
    )
    audit_purposes: Names = setting(
        "AUDIT_PURPOSES",
        (),
        "purposes with commas between: whoever searches with a face, exports or downloads must "
        "choose one, which the audit trail keeps",
        usual="none is asked for",
    )

    def backup_days(self, *, on_azure: bool) -> int:
        """Return for how many days backups keep what was erased."""
        if self.stated_backup_days is not None:
            return self.stated_backup_days
        return _KEPT_ON_AZURE if on_azure else 0

    def days(self) -> RetentionDays:
        """Return the days as use cases need them."""
        return RetentionDays(
            photos=self.retention_photos_days,
            crops=self.retention_crops_days,
            thumbnails=self.retention_thumbnails_days,
            results=self.retention_results_days,
            rows=self.retention_rows_days,
            poison=self.retention_poison_days,
            audit=self.retention_audit_days,
        )

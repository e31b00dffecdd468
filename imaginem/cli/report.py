"""The results of jobs as a table: tags, text, number of faces, and matching photos."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

from imaginem.outputs import Tag
from imaginem.ports import DashboardServices, JobKey, JobResult
from imaginem.runtime import Runtime
from imaginem.usecases.access import EVERYTHING
from imaginem.usecases.faces import matches_of_job
from imaginem.usecases.jobs import photo_name
from imaginem.usecases.looked import has_looked
from imaginem.usecases.submit import job_id_of

_UNSOUGHT = "?"
_SAME_PHOTO = "same photo"


@dataclass(frozen=True)
class MatchedPhoto:
    """A photo with a face that matches one in the photo in question.

    Attributes:
        confidence: of the best match of the two photos, from 0 to 1.
        band: match tier of that match.
        decision: of a person on that match; empty if there is none.
        same_photo: it is the same photo, sent again.
        copies: how many copies of it are known besides.
        may_have_more_copies: whether more of them may not have been kept.
    """

    batch_id: str
    job_id: str
    confidence: float
    band: str
    decision: str = ""
    same_photo: bool = False
    copies: int = 0
    may_have_more_copies: bool = False

    @property
    def told(self) -> str:
        """What is said of it: a person's word goes before a machine's."""
        told = self.decision or (_SAME_PHOTO if self.same_photo else self.band)
        return f"{told}{copies_told(self.copies, may_have_more=self.may_have_more_copies)}"


def copies_told(count: int, *, may_have_more: bool) -> str:
    """Return what is said of a photo's copies, to be put after it."""
    if not count:
        return ""
    return f" and {count} cop{'y' if count == 1 else 'ies'}{' or more' if may_have_more else ''}"


def matched_photos(services: DashboardServices, key: JobKey) -> list[MatchedPhoto]:
    """Return the photos that match a job's photo, whichever was processed first.

    The best come first, and those of which a person said that they show somebody else come last.
    """
    best: dict[JobKey, MatchedPhoto] = {}
    matches = matches_of_job(services, key, EVERYTHING)
    for match in sorted(matches, key=lambda match: (match.is_rejected, -match.confidence)):
        photo = MatchedPhoto(
            match.batch_id,
            match.job_id,
            match.confidence,
            match.band,
            match.decision,
            match.same_photo,
            len(match.copies),
            match.may_have_more_copies,
        )
        best.setdefault((match.batch_id, match.job_id), photo)
    return list(best.values())


def result_table(runtime: Runtime, batch_id: str, ids: Iterable[str]) -> Table:
    """Return a table of the results of these jobs.

    A cell says `-` if nothing was found, and `?` if nobody has looked.
    """
    table = Table(title=f"\nbatch {escape(batch_id)}", box=box.SIMPLE_HEAD, padding=(0, 1))
    table.add_column("photo", overflow="fold", min_width=16)
    table.add_column("tags", overflow="fold", min_width=12)
    table.add_column("text", overflow="fold")
    table.add_column("faces", justify="right", no_wrap=True)
    table.add_column("looks like", overflow="fold")
    for job_id in sorted(ids):
        key = (batch_id, job_id)
        result = runtime.results.read(key)
        if result is None:
            table.add_row(escape(job_id), "[red]no result[/]", "", "", "")
            continue
        count = len(_list(result.job_output, "facedetection", "faces"))
        similar = [
            f"{escape(photo.job_id)} {photo.confidence:.2f} {photo.told}"
            for photo in matched_photos(runtime, key)
        ]
        cells = (
            _cell(escape(_tags(result)), has_looked(result, "generalclassification", "tags")),
            _cell(escape(_text(result)), has_looked(result, "ocr")),
            str(count) if has_looked(result, "facedetection") else _UNSOUGHT,
            _cell("\n".join(similar), has_looked(result, "facematch")),
        )
        if _UNSOUGHT in cells:
            table.caption = f"{_UNSOUGHT} was not looked for: `imaginem status BATCH JOB` tells why"
        table.add_row(escape(_photo(result)), *cells)
    return table


def _cell(found: str, looked: bool) -> str:
    """Return what was found, or a sign for nothing or for what nobody looked for."""
    return found or ("-" if looked else _UNSOUGHT)


def _photo(result: JobResult) -> str:
    """Return a job's id, and its photo's name if the id does not begin with it."""
    name = photo_name(result.image_parameters, result.id)
    return result.id if result.id.startswith(job_id_of(name)) else f"{result.id}\n{name}"


def _list(outputs: Mapping[str, Any], step: str, name: str) -> list[Any]:
    """Return a field of a step's output that is a list; empty if there is none."""
    output = outputs.get(step)
    value = output.get(name) if isinstance(output, dict) else None
    return value if isinstance(value, list) else []


def _tags(result: JobResult) -> str:
    """Return the first three tags with their confidence."""
    tags = [
        Tag.model_validate(tag) for tag in _list(result.job_output, "generalclassification", "tags")
    ]
    return ", ".join(f"{tag.name} {tag.confidence:.2f}" for tag in tags[:3])


def _text(result: JobResult) -> str:
    """Return the first two lines of a photo's text, cut at 48 characters.

    Text that was seen and can't be read is said after what was read.
    """
    output = result.job_output.get("ocr")
    text = output.get("full_text", "") if isinstance(output, dict) else ""
    lines = _list(result.job_output, "ocr", "lines")
    unread = [line.get("unreadable") for line in lines if isinstance(line, dict)]
    said = dict.fromkeys(each for each in unread if isinstance(each, str))
    first = " / ".join([*text.splitlines(), *said][:2])
    return first if len(first) <= 48 else first[:47] + "…"

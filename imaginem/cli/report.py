"""The results of jobs as a table: tags, text, number of faces, and matching photos."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from imaginem.cli.matched_photos import photos_of
from imaginem.cli.shared import first_of
from imaginem.cli.terminal import visible
from imaginem.ports import JobResult
from imaginem.ports.searchable import unread_text
from imaginem.ports.seen_words import words_seen
from imaginem.redaction import redact_shown
from imaginem.runtime import Runtime
from imaginem.usecases.access import EVERYTHING
from imaginem.usecases.alike import may_have_more
from imaginem.usecases.faces import matches_of_job
from imaginem.usecases.findings import FOUND, Finding, findings_in
from imaginem.usecases.jobs import photo_name, visible_outputs
from imaginem.usecases.other_models import OtherModels
from imaginem.usecases.submit import job_id_of
from imaginem.usecases.unseen import unseen_in

_UNSOUGHT = "?"
_LINK_MINUTES = 15
_IN_VAIN = {
    "nothing": "-",
    "not_read": "not readable",
    "no_face": "0",
    "erased": "erased",
    "nothing_to_compare": "no face",
    "not_compared": "not comparable",
    "nobody": "nobody",
}
_UNKNOWN = {
    "unsuccessful": "failed",
    "no_step": "not asked",
    "nobody_comparable": "not all compared",
}
_COLUMNS = {"photo": 16, "tags": 14, "text": 12, "faces": 6, "looks like": 16}
"""Columns, each with the width that it has at least."""
_TABLE_WIDTH = 80
_BESIDE_CELLS = 16
"""Columns of such a table that its spaces take: three between cells, two at each end."""
_TAGS_SHOWN = 3
_KEPT = "Of a face, the {} best matches are kept: there may be more."
_WHY = "`imaginem status BATCH JOB` tells more:"


class ResultTable:
    """What was found, a row a photo; on a terminal under 80 columns, a block a photo.

    Args:
        batch_id: of the photos.
        rows: the cells of each photo, by the titles of the columns.
        notes: what is said under them.
    """

    def __init__(
        self, batch_id: str, rows: Sequence[Mapping[str, str]], notes: Sequence[str]
    ) -> None:
        self._title = f"\nbatch {escape(batch_id)}"
        self._rows = rows
        self._notes = notes

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Return what is printed, as wide as the terminal allows."""
        width = options.max_width
        yield self._table(width) if width >= _TABLE_WIDTH else self._blocks()

    def _table(self, room: int) -> Table:
        table = Table(title=self._title, box=box.SIMPLE_HEAD, padding=(0, 1))
        for name, width in self._widths(room - _BESIDE_CELLS).items():
            justify: Literal["left", "right"] = "right" if name == "faces" else "left"
            table.add_column(name, overflow="fold", width=width, justify=justify)
        for row in self._rows:
            table.add_row(*(row.get(name, "") for name in _COLUMNS))
        table.caption = "\n".join(self._notes) or None
        return table

    def _widths(self, room: int) -> dict[str, int]:
        """Return the width of each column: the least that it has, and what others leave it.

        First whole words have room, the shorter ones before; then cells of most lines grow.
        Rich itself would make the table wider than the terminal, and cut letters off at its edge.
        """
        cells = {
            name: "\n".join(
                Text.from_markup(visible(row.get(name, "")), emoji=False).plain
                for row in self._rows
            )
            for name in _COLUMNS
        }
        widths = dict(_COLUMNS)
        more = {name: _widest(cells[name].split()) - width for name, width in widths.items()}
        for name in sorted(more, key=lambda name: more[name]):
            widths[name] += max(0, min(more[name], room - sum(widths.values())))
        lines = {name: _widest(cells[name].splitlines()) for name in widths}
        for _ in range(room - sum(widths.values())):
            name = max(widths, key=lambda name: lines[name] / widths[name])
            widths[name] += lines[name] > widths[name]
        return widths

    def _blocks(self) -> Group:
        blocks: list[RenderableType] = []
        for row in self._rows:
            block = Table.grid(padding=(0, 1))
            block.add_column(no_wrap=True)
            block.add_column(overflow="fold")
            for name in _COLUMNS:
                block.add_row(name, row.get(name, ""))
            blocks += [block, ""]
        return Group(self._title, "", *blocks, *self._notes)


def _widest(texts: Iterable[str]) -> int:
    return max(map(cell_len, texts), default=0)


def result_table(runtime: Runtime, batch_id: str, ids: Iterable[str]) -> ResultTable:
    """Return a table of the results of these jobs.

    A cell says `-`, `0`, `nobody` or `no face` if it was looked for in vain; `failed`, `not asked`,
    `not all compared` or `?` if nobody has looked, or not at everything: then the notes say more,
    as they do of parts of a photo's file that nobody has looked at, and of text that can't be read
    where a cell has no room for it.
    """
    rows: list[dict[str, str]] = []
    unknown: dict[str, list[str]] = {}
    unseen: dict[str, list[str]] = {}
    most, cut = runtime.core_settings.match_limit, False
    others = OtherModels(runtime, EVERYTHING)
    for job_id in sorted(ids):
        key = (batch_id, job_id)
        result = runtime.results.read(key)
        if result is None:
            rows.append({"photo": escape(job_id), "tags": "[red]no result[/]"})
            continue
        matches = matches_of_job(runtime, key, EVERYTHING)
        matched = photos_of(matches)
        similar = [f"{escape(each.job_id)} {each.confidence:.2f} {each.told}" for each in matched]
        other_models = not matched and others.are_beside(result.job_output)
        told = findings_in(result, has_matches=bool(matched), other_models=other_models)
        count = len(_list(result.job_output, "facedetection", "faces"))
        cells = {
            "photo": escape(_photo(result)),
            "tags": escape(_tags(result)) or _word(told["tags"]),
            "text": escape(_text(result)) or _word(told["text"]),
            "faces": _word(told["faces"], str(count)),
            "looks like": "\n".join(similar) or _word(told["matches"]),
        }
        rows.append(cells)
        missing = {told[part].told for part in told if told[part].how not in (FOUND, *_IN_VAIN)}
        for sentence in missing:
            unknown.setdefault(sentence, []).append(job_id)
        unread = [each for each in unread_text(result.job_output) if each not in cells["text"]]
        for sentence in [*unseen_in(result.job_output), *unread]:
            unseen.setdefault(sentence, []).append(job_id)
        cut = cut or may_have_more(matches, most)
    notes = [_WHY] if unknown else []
    for sentence, jobs in [*sorted(unknown.items()), *unseen.items()]:
        notes.append(f"{escape(first_of(jobs))}: {escape(sentence)}")
    return ResultTable(batch_id, rows, [*notes, *([_KEPT.format(most)] if cut else [])])


def _word(finding: Finding, found: str = "-") -> str:
    """Return a word for what is told: what was found, what is not there, or what is not known."""
    return found if finding.how == FOUND else {**_IN_VAIN, **_UNKNOWN}.get(finding.how, _UNSOUGHT)


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
    """Return the first three tags with their confidence, then those that text and faces give."""
    listed = _list(result.job_output, "generalclassification", "tags")
    engines: dict[str, float] = {}  # a file of several pages may have a tag more than once
    for tag in listed:
        if isinstance(tag, dict) and isinstance(tag.get("confidence"), int | float):
            name = str(tag.get("name"))
            engines[name] = max(engines.get(name, 0.0), tag["confidence"])
    seen = words_seen(result.job_output)
    shown = dict(list(engines.items())[:_TAGS_SHOWN])
    shown |= {word: engines.get(word, confidence) for word, confidence in seen.items()}
    return ", ".join(f"{name} {confidence:.2f}" for name, confidence in shown.items())


def _text(result: JobResult) -> str:
    """Return the first two lines of a photo's text, cut at 48 characters.

    Text that was seen and can't be read is said after what was read. Whatever is left out, an
    ellipsis says so.
    """
    output = result.job_output.get("ocr")
    text = output.get("full_text", "") if isinstance(output, dict) else ""
    found = [*str(text or "").splitlines(), *unread_text(result.job_output)]
    first = " / ".join(found[:2])
    if len(first) > 48:
        return first[:47] + "…"
    return f"{first} …" if len(found) > 2 else first


def result_json(runtime: Runtime, result: JobResult, *, links: bool) -> dict[str, Any]:
    """Return a result as JSON has it, without matches of faces that were erased.

    Args:
        runtime: where faces and photos are.
        result: of a job.
        links: whether to add a link that opens the photo for some minutes.
    """
    matches = matches_of_job(runtime, (result.batch_id, result.id), EVERYTHING)
    return {
        "batch_id": result.batch_id,
        "id": result.id,
        "image_url": result.image_url,
        **({"photo_link": photo_link(runtime, result)} if links else {}),
        "image_parameters": redact_shown(result.image_parameters),
        "processing_pipeline": list(result.processing_pipeline),
        "unfinished": list(result.unsuccessful),
        "timestamp": result.timestamp,
        "unreadable": unread_text(result.job_output),
        "not_seen": unseen_in(result.job_output),
        "job_output": visible_outputs(result.job_output, matches),
    }


def photo_link(runtime: Runtime, result: JobResult) -> str:
    """Return a link that opens the photo for some minutes; empty if it is not in our storage."""
    place = runtime.blobs.locate(result.photo_url) if result.photo_url else None
    return runtime.blobs.link(*place, _LINK_MINUTES) if place else ""

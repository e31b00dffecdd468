"""What a search could not find: photos without a result, and text that can't be read.

What is told costs a list of the batches that may have photos at work, and the progress of small
ones; large ones are named without a count.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from imaginem.errors import ImaginemError
from imaginem.ports import DashboardServices, Groups, PhotoFilter
from imaginem.ports.searchable import UNREADABLE
from imaginem.usecases.looked_words import WORDS
from imaginem.usecases.waiting import progress_of

_MOST_IN_BATCH = 10_000
_MOST_PHOTOS = 1_000
"""Photos whose progress is read for a search in one batch, and in all."""
_MOST_BATCHES = 10
_MOST_TEXTS = 20


@dataclass(frozen=True)
class Unsearched:
    """Photos that were not searched.

    Attributes:
        how: `batch` or `batches` with photos that are still being looked at; `maybe_batch` or
            `maybe_batches` if that is not counted; `unknown` if it can't be told; `no_result` and
            `unsuccessful` for photos of which nobody will know more; `unreadable` for text in them
            that can't be read.
        values: that its sentence tells.
        texts: what is said of unreadable texts, and in how many photos they are.
    """

    how: str
    values: Mapping[str, str | int]
    texts: Sequence[tuple[str, int]] = ()

    @property
    def may_be_found_later(self) -> bool:
        """Whether the same search may find more later."""
        return self.how not in ("no_result", "unsuccessful", "unreadable")

    @property
    def sentence(self) -> str:
        """How it is told."""
        return WORDS[f"unsearched.{self.how}"].format(**self.values)


def unsearched(
    services: DashboardServices, wanted: PhotoFilter, *, found: bool
) -> list[Unsearched]:
    """Return which photos a search could not find.

    Args:
        services: know what is at work.
        wanted: what was searched for; its batch and its groups matter here.
        found: whether something was found: else photos of its batch are told that have no result.
    """
    unread = _unreadable(services, wanted) if wanted.text else []
    try:
        told = list(_at_work(services, wanted))
    except ImaginemError:  # the catalogue answers without storage
        return [Unsearched("unknown", {}), *unread]
    if not (told or found) and wanted.batch:
        told = list(_never_looked_at(services, wanted))
    return [*told, *unread]


def at_work_for(services: DashboardServices, groups: Groups) -> list[Unsearched]:
    """Return which photos are still being looked at, of those that these groups may see."""
    return unsearched(services, PhotoFilter(groups=groups), found=True)


def _unreadable(services: DashboardServices, wanted: PhotoFilter) -> list[Unsearched]:
    """Return what text nobody can find, of the photos that would fit with any words."""
    others = replace(wanted, text="")
    texts = services.catalogue.labels(others, UNREADABLE, _MOST_TEXTS)
    if not texts:
        return []
    # Of all that fit a filter, the newest are counted.
    about = "" if others == PhotoFilter() else "at least "
    told = "; ".join(f"{text} ({about}{_photos(count)})" for text, count in texts)
    return [Unsearched("unreadable", {"texts": told}, texts)]


def _photos(count: int) -> str:
    return f"{count:,} photo{'s' * (count != 1)}"


def _at_work(services: DashboardServices, wanted: PhotoFilter) -> Iterator[Unsearched]:
    noted = _visible(services, wanted.groups, services.open_batches.noted())
    batches = [name for name in noted if wanted.batch in ("", name)]
    uncounted = batches[_MOST_BATCHES:]
    photos, working, names = 0, 0, []
    left = _MOST_IN_BATCH if wanted.batch else _MOST_PHOTOS
    for name in batches[:_MOST_BATCHES]:
        size = _size(services, name)
        if size > left:
            uncounted.append(name)
            continue
        left -= size
        progress = progress_of(services, name)
        if progress.ended < len(progress.jobs):
            names.append(name)
            photos += len(progress.jobs)
            working += len(progress.jobs) - progress.ended
    if names:
        yield _of_batches("", names, {"photos": photos, "working": working})
    if uncounted:
        yield _of_batches("maybe_", uncounted, {})


def _of_batches(kind: str, names: list[str], values: Mapping[str, int]) -> Unsearched:
    if len(names) == 1:
        return Unsearched(f"{kind}batch", {**values, "batch": names[0]})
    return Unsearched(f"{kind}batches", {**values, "batches": len(names)})


def _never_looked_at(services: DashboardServices, wanted: PhotoFilter) -> Iterator[Unsearched]:
    info = services.batches.batch(wanted.batch)
    if info is None or not _visible(services, wanted.groups, [wanted.batch]):
        return
    # Photos that were dropped have results, and were not sent: there may be more than these.
    for how, count in (
        ("no_result", info.submitted - info.done),
        ("unsuccessful", info.unsuccessful),
    ):
        if count > 0:
            yield Unsearched(how, {"count": count, "batch": wanted.batch})


def _visible(services: DashboardServices, groups: Groups, names: list[str]) -> list[str]:
    if groups is None or not names:
        return names
    owners = services.batches.groups_of(names)
    return [name for name in names if name not in owners or owners[name] in groups]


def _size(services: DashboardServices, batch_id: str) -> int:
    info = services.batches.batch(batch_id)
    return max(info.submitted, info.done) if info else 0

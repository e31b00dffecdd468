"""What every part of the API and the pages is made with."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, unquote

from imaginem.errors import InvalidMessage, NotFound
from imaginem.names import table_key
from imaginem.pipeline.steps import Registry
from imaginem.ports import DashboardServices, JobKey, JobResult
from imaginem.web.access import Access, Caller, check_batch

_DOTS = re.compile(r"\.{1,2}")


@dataclass(frozen=True)
class Site:
    """The parts.

    Attributes:
        services: called for each request, so that nothing is built before it is needed.
    """

    registry: Registry
    access: Access
    services: Callable[[], DashboardServices]

    def visible(self, batch: str, job: str, caller: Caller) -> JobKey:
        """Return the key that path segments name.

        Raises:
            HTTPException: 404, the caller may not see it.
        """
        key = (unpath(batch), unpath(job))
        check_batch(self.services().batches, key[0], caller)
        return key

    def result(self, batch: str, job: str, caller: Caller) -> JobResult:
        """Return a job's result.

        Raises:
            NotFound: it has none.
            HTTPException: 404, the caller may not see it.
        """
        key = self.visible(batch, job, caller)
        found = self.services().results.read(key)
        if found is None:
            raise NotFound(f"there is no result of job {key[1]} in batch {key[0]}")
        return found


def path(text: str) -> str:
    r"""Return an id as a segment of an address: what keys forbid (`% / \ # ?`) encoded twice."""
    key = table_key(text, "id")
    if _DOTS.fullmatch(key):
        key = key.replace(".", "%2E")
    return quote(key, safe="")


def photo_page(batch_id: str, job_id: str) -> str:
    """Return the address of a photo's page; empty for ids that no job can have."""
    try:
        return f"/photos/{path(batch_id)}/{path(job_id)}"
    except InvalidMessage:
        return ""


def attachment(name: str) -> str:
    """Return a Content-Disposition that saves a file under a name (RFC 6266, RFC 8187)."""
    plain = re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII).strip("-") or "file"
    encoded = quote(name, safe="", errors="replace")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"


def unpath(segment: str) -> str:
    """Return the id that a decoded segment of an address stands for."""
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError:
        raise NotFound("the address is no UTF-8") from None

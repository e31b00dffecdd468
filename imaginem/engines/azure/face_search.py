"""Searches for a face in the trained lists, and among the fresh faces of the last day."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from imaginem.engines.azure.calls import ServiceRefused
from imaginem.engines.azure.face_lists import FaceLists
from imaginem.engines.azure.face_service import FACES_PER_CALL, FaceService, Similar
from imaginem.ports import CallContext, ServiceFaces

_logger = logging.getLogger("imaginem.engines.azure")


@dataclass
class Search:
    """A face to search for.

    Attributes:
        face: the service's id of it.
        fresh: the service's ids of fresh faces to compare it with.
        wait_for_quota: calls were made for it already; after a return to the queue they would be
            made, and paid for, again.
        call: whom the calls are made for.
    """

    face: str
    fresh: Sequence[str]
    wait_for_quota: bool
    call: CallContext


class Expired(Exception):
    """The service's id of the face that is searched for has expired."""


def _as_expired(refused: ServiceRefused) -> Exception:
    return Expired() if "FaceNotFound" in refused.codes else refused


class FaceSearch:
    """Searches one account.

    Args:
        service: the Face account.
        lists: the account's face lists.
        known: which of our faces has which id at the service.
        limit: most faces to find in each list.
    """

    def __init__(
        self, service: FaceService, lists: FaceLists, known: ServiceFaces, limit: int
    ) -> None:
        self._service = service
        self._lists = lists
        self._known = known
        self._limit = limit

    def everywhere(self, search: Search) -> list[tuple[str, Similar]]:
        """Return similar faces with the id of their list; it is empty for fresh faces.

        Raises:
            Expired: the service's id of the face that is searched for has expired.
        """
        results: list[tuple[str, Similar]] = []
        for face_list in self._known.lists():
            if not face_list.searchable:
                continue
            list_id = face_list.list_id
            try:
                similar = self._service.similar_in_list(
                    search.face,
                    list_id,
                    self._limit,
                    search.call,
                    wait_for_quota=search.wait_for_quota,
                )
            except ServiceRefused as refused:
                if not self._is_unsearchable(list_id, refused):
                    raise _as_expired(refused) from None
                search.wait_for_quota = True
                continue
            search.wait_for_quota = True
            results.append((list_id, similar))
        for start in range(0, len(search.fresh), FACES_PER_CALL):
            others = search.fresh[start : start + FACES_PER_CALL]
            results.append(("", self._among(search, others)))
        return results

    def _is_unsearchable(self, list_id: str, refused: ServiceRefused) -> bool:
        """Tell whether a list is deleted or no longer trained, and record that."""
        if "LargeFaceListNotFound" in refused.codes:
            self._lists.list_is_gone(list_id)
        elif "LargeFaceListNotTrained" in refused.codes:
            _logger.error("the face list %s is no longer trained: it is trained again", list_id)
            self._known.mark(list_id, searchable=False, changed=True)
        else:
            return False
        return True

    def _among(self, search: Search, others: Sequence[str]) -> Similar:
        """Compare with fresh faces, by halves: one expired id makes the service refuse them all."""
        try:
            similar = self._service.similar_faces(
                search.face, others, search.call, wait_for_quota=search.wait_for_quota
            )
            search.wait_for_quota = True
            return similar
        except ServiceRefused as refused:
            if "FaceNotFound" not in refused.codes:
                raise
        search.wait_for_quota = True
        if len(others) == 1:
            self._check_unexpired(search)
            self._known.lapsed(others)
            return []
        middle = len(others) // 2
        return self._among(search, others[:middle]) + self._among(search, others[middle:])

    def _check_unexpired(self, search: Search) -> None:
        """Raise Expired if it is the id of the face that is searched for that has expired."""
        try:
            self._service.similar_faces(
                search.face, [search.face], search.call, wait_for_quota=True
            )
        except ServiceRefused as refused:
            raise _as_expired(refused) from None

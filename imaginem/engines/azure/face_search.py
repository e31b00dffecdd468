"""Searches a face everywhere: in trained lists, and among the fresh faces of the last day."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from imaginem.engines.azure.calls import ServiceRefused
from imaginem.engines.azure.face_lists import FaceLists
from imaginem.engines.azure.face_service import AT_ONCE, FaceService, Similar
from imaginem.ports import ServiceFaces

_logger = logging.getLogger("imaginem.engines.azure")


@dataclass
class Search:
    """A face to search for.

    Attributes:
        fresh: ids of faces to compare it with.
        wait_for_quota: it has made calls already, which going back to the queue would make again.
    """

    face: str
    fresh: Sequence[str]
    wait_for_quota: bool


class Lapsed(Exception):
    """The service knows our own face no more."""


def _as_lapsed(refused: ServiceRefused) -> Exception:
    return Lapsed() if "FaceNotFound" in refused.codes else refused


class FaceSearch:
    """Searches one account.

    Args:
        service: the Face account.
        lists: the account's face lists.
        known: which face is called what.
        most: faces to find in each list at most.
    """

    def __init__(
        self, service: FaceService, lists: FaceLists, known: ServiceFaces, most: int
    ) -> None:
        self._service = service
        self._lists = lists
        self._known = known
        self._most = most

    def everywhere(self, search: Search) -> list[tuple[str, Similar]]:
        """Return what was found by list; the fresh ones under no list.

        Raises:
            Lapsed: the service knows the face that is searched for no more.
        """
        found: list[tuple[str, Similar]] = []
        for face_list in self._known.lists():
            if not face_list.searchable:
                continue
            list_id = face_list.list_id
            try:
                alike = self._service.similar_in_list(
                    search.face, list_id, self._most, wait_for_quota=search.wait_for_quota
                )
            except ServiceRefused as refused:
                if not self._is_unsearchable(list_id, refused):
                    raise _as_lapsed(refused) from None
                search.wait_for_quota = True
                continue
            search.wait_for_quota = True
            found.append((list_id, alike))
        for start in range(0, len(search.fresh), AT_ONCE):
            found.append(("", self._among(search, search.fresh[start : start + AT_ONCE])))
        return found

    def _is_unsearchable(self, list_id: str, refused: ServiceRefused) -> bool:
        """Note that a list is gone, or trained no more; tell whether it is either."""
        if "LargeFaceListNotFound" in refused.codes:
            self._lists.list_is_gone(list_id)
        elif "LargeFaceListNotTrained" in refused.codes:
            _logger.error("the face list %s is trained no more: it is trained anew", list_id)
            self._known.mark(list_id, searchable=False, changed=True)
        else:
            return False
        return True

    def _among(self, search: Search, others: Sequence[str]) -> Similar:
        """Compare with fresh faces; the service refuses all if it knows one of them no more."""
        try:
            alike = self._service.similar_faces(
                search.face, others, wait_for_quota=search.wait_for_quota
            )
            search.wait_for_quota = True
            return alike
        except ServiceRefused as refused:
            if "FaceNotFound" not in refused.codes:
                raise
        search.wait_for_quota = True
        if len(others) == 1:
            self._check_alive(search)
            self._known.lapsed(others)
            return []
        middle = len(others) // 2
        return self._among(search, others[:middle]) + self._among(search, others[middle:])

    def _check_alive(self, search: Search) -> None:
        """Raise Lapsed if it is our own face that the service knows no more."""
        try:
            self._service.similar_faces(search.face, [search.face], wait_for_quota=True)
        except ServiceRefused as refused:
            raise _as_lapsed(refused) from None

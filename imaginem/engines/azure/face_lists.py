"""The face lists at Azure Face: filled one after the other, trained and cleaned by a timer.

An installation makes its own lists, under names that no other installation has, and leaves all
other lists alone.
"""

import logging
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from imaginem.engines.azure.calls import ServiceRefused
from imaginem.engines.azure.face_service import FaceService
from imaginem.engines.azure.limits import FACE
from imaginem.engines.azure.payload import Payload, payload
from imaginem.errors import Busy, PermanentError, RetryableError
from imaginem.images.decoding import Photo
from imaginem.outputs import Rectangle
from imaginem.ports import CallContext, FaceList, ServiceFace, ServiceFaces

_logger = logging.getLogger("imaginem.engines.azure")
_REMOVALS_PER_RUN = 200
_LONGEST_TRAINING = timedelta(hours=6)  # Microsoft: a million faces take half an hour
_MARGIN = 1.0  # around a face, in its own size: the service must find the face in what is sent
_MIN_SIDE = 200  # pixels of what is sent; files under 1 KB are refused
_NO_FACE = frozenset({"InvalidImage", "InvalidImageSize"})
_NO_LIST, _FULL = "LargeFaceListNotFound", "QuotaExceeded"
_ACCOUNT_FULL = "the Face account takes no more faces: all its lists are full; erase some"
_ABANDONED = timedelta(minutes=15)  # no call lasts as long: an older addition never concluded

MAINTENANCE = CallContext.without_job("face list maintenance")
"""The timer's calls, which belong to no job."""


class FaceLists:
    """The face lists of one account.

    Args:
        service: the Face account.
        known: which of our faces has which id at the service.
        name: that the names of lists begin with; a random part and a number follow.
    """

    def __init__(self, service: FaceService, known: ServiceFaces, name: str) -> None:
        self._service = service
        self._known = known
        self._name = name

    def add(
        self,
        photo: Photo,
        faces: Mapping[uuid.UUID, tuple[int, int, int, int]],
        call: CallContext,
    ) -> dict[uuid.UUID, str]:
        """Add the faces that are in no list yet.

        Args:
            photo: that the faces are in.
            faces: left, top, width and height of each, in pixels of the photo.
            call: whom the calls are made for.

        Returns:
            The faces that the service can't add, each with the reason.
        """
        refused: dict[uuid.UUID, str] = {}
        own_lists = {face_list.list_id for face_list in self._known.lists()}
        for face_id, box in faces.items():
            # Read now: another delivery of this job may have added it a moment ago.
            held = self._known.read([face_id]).get(face_id)
            if held and held.persisted_face_id and held.list_id in own_lists:
                continue
            where = Rectangle(left=box[0], top=box[1], width=box[2], height=box[3])
            try:
                self._add(photo, where, face_id, call)
            except ServiceRefused as problem:
                if not _NO_FACE & set(problem.codes):
                    raise
                refused[face_id] = str(problem)
        return refused

    def _add(self, photo: Photo, where: Rectangle, face_id: uuid.UUID, call: CallContext) -> None:
        """Add a face to the open list, or to the next one if that list is full or deleted."""
        sent = payload(photo, FACE, _around(where, photo))
        while True:
            target, just_made = self._open(call)
            try:
                self._add_to(target.list_id, sent, where, face_id, call)
                return
            except ServiceRefused as refused:
                if _NO_LIST in refused.codes:
                    if just_made:
                        raise RetryableError(
                            f"Azure face: the list {target.list_id} was made, but is not there yet"
                        ) from None
                    self.list_is_gone(target.list_id)
                elif _FULL in refused.codes:
                    if target.empty:  # so the account is full, not the list
                        raise PermanentError(_ACCOUNT_FULL) from None
                    _logger.info("the face list %s is full", target.list_id)
                    self._known.mark(target.list_id, full=True)
                else:
                    raise

    def _add_to(
        self, list_id: str, sent: Payload, where: Rectangle, face_id: uuid.UUID, call: CallContext
    ) -> None:
        """Make the call, and record it before and after, so that an interrupted one is known."""
        additions: list[uuid.UUID] = []

        def ready() -> None:
            addition = self._known.adding(face_id, list_id)
            if addition is None:
                raise PermanentError("the face was erased while its job was running")
            additions.append(addition)

        try:
            persisted_face_id = self._service.add(
                list_id, sent, sent.in_file(where), face_id, call, ready=ready
            )
        except (ServiceRefused, Busy):  # the service refused, so it holds nothing of this face
            for addition in additions:
                self._known.not_added(addition)
            raise
        self._known.added(additions[0], face_id, list_id, persisted_face_id)

    def _open(self, call: CallContext) -> tuple[FaceList, bool]:
        """Return the list that takes faces now, and whether it has just been made."""
        lists = self._known.lists()
        open_lists = [face_list for face_list in lists if not face_list.full]
        if open_lists:
            return open_lists[-1], False
        number = 1 + max((face_list.number for face_list in lists), default=0)
        made = FaceList(f"{self._name}-{uuid.uuid4().hex[:8]}-{number}", number)
        try:
            self._service.make_list(made.list_id, call)
        except ServiceRefused as refused:
            if _FULL in refused.codes:
                raise PermanentError(_ACCOUNT_FULL) from None
            raise
        self._known.add_list(made.list_id, number)
        return made, True

    def list_is_gone(self, list_id: str) -> None:
        """Forget a list that was deleted at the service."""
        _logger.error(
            "the face list %s is gone at the service, and its faces with it: run the photos of "
            "these faces again for them to be found",
            list_id,
        )
        self._known.drop_list(list_id)

    def maintain(self, *, train: bool = True) -> None:
        """Remove erased faces from each list, conclude its training, and train it if it changed.

        Args:
            train: the account recognizes faces; if not, erased faces are removed and that is all.

        Raises:
            ImaginemError: the first list's that failed, once all lists were maintained.
        """
        problems: list[Exception] = []
        for face_list in self._known.lists():
            try:
                self._maintain_existing(face_list, train)
            except (RetryableError, PermanentError) as problem:
                _logger.error("maintenance of the face list %s: %s", face_list.list_id, problem)
                problems.append(problem)
        stranded = self._known.stranded()
        if stranded:
            _logger.error(
                "%s erased faces are still in face lists of an account that FACE_ENDPOINT no "
                "longer names: set it back until they are removed, or delete that account",
                stranded,
            )
        if problems:
            raise problems[0]

    def _maintain_existing(self, face_list: FaceList, train: bool) -> None:
        try:
            self._maintain_list(face_list, train)
        except ServiceRefused as refused:
            if _NO_LIST not in refused.codes:
                raise
            self.list_is_gone(face_list.list_id)

    def _maintain_list(self, face_list: FaceList, train: bool) -> None:
        changed = self._remove_erased(face_list.list_id)
        before = datetime.now(UTC) - _ABANDONED
        if self._known.cut_short(face_list.list_id, before):
            changed |= self._sweep(face_list.list_id, before)
            self._known.swept(face_list.list_id, before)
        if changed:
            self._known.mark(face_list.list_id, changed=True, full=False)
        if train and self._is_idle(face_list) and (changed or face_list.changed):
            self._train(face_list.list_id)

    def _is_idle(self, face_list: FaceList) -> bool:
        """Conclude a training that is over; tell whether none is running."""
        if not face_list.training:
            return True
        status = self._service.training(face_list.list_id, MAINTENANCE)
        if status == "running":
            began = face_list.training_began
            if began and datetime.now(UTC) - began < _LONGEST_TRAINING:
                return False
            status = "running for too long"
        succeeded = status == "succeeded"
        self._known.end_training(face_list.list_id, face_list.training, succeeded=succeeded)
        if not succeeded:
            _logger.error("training of the face list %s: %s", face_list.list_id, status)
        return True

    def _remove_erased(self, list_id: str) -> bool:
        """Remove faces that were erased here; tell whether there were any."""
        erased = self._known.removals(list_id, _REMOVALS_PER_RUN)
        for persisted_face_id in erased:
            self._service.remove(list_id, persisted_face_id, MAINTENANCE)
            self._known.removed(list_id, [persisted_face_id])
        return bool(erased)

    def _sweep(self, list_id: str, before: datetime) -> bool:
        """Remove faces that we have no record of; tell whether there were any.

        Their addition was interrupted after the call and before it was recorded.

        Args:
            list_id: the list.
            before: additions that began later may still be running, and are left alone.
        """
        removed = False
        after = ""
        while page := self._service.page(list_id, after, MAINTENANCE):
            after = page[-1][0]
            face_ids = {persisted: _as_id(user_data) for persisted, user_data in page}
            # In this order: an addition that is concluded between the two reads is in the second.
            running = self._known.under_way(list_id, before)
            known = self._known.read([face_id for face_id in face_ids.values() if face_id])
            for persisted, face_id in face_ids.items():
                if face_id and (
                    face_id in running or _holds(known.get(face_id), list_id, persisted)
                ):
                    continue
                self._service.remove(list_id, persisted, MAINTENANCE)
                removed = True
        return removed

    def _train(self, list_id: str) -> None:
        training = str(uuid.uuid4())
        self._known.cover(list_id, training)
        self._known.mark(list_id, changed=False)
        try:
            self._service.train(list_id, MAINTENANCE)
        except BaseException:
            self._known.mark(list_id, changed=True)
            raise
        self._known.begin_training(list_id, training)


def _as_id(user_data: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(user_data)
    except ValueError:
        return None


def _holds(face: ServiceFace | None, list_id: str, persisted_face_id: str) -> bool:
    """Tell whether our record of a face names this list and this id."""
    return face is not None and (face.list_id, face.persisted_face_id) == (
        list_id,
        persisted_face_id,
    )


def _around(where: Rectangle, photo: Photo) -> Rectangle:
    """Return the part of a photo that is sent for a face: the face with a margin around it."""
    room_x = max(round(where.width * _MARGIN), (_MIN_SIDE - where.width) // 2)
    room_y = max(round(where.height * _MARGIN), (_MIN_SIDE - where.height) // 2)
    left, top = max(where.left - room_x, 0), max(where.top - room_y, 0)
    right = min(where.left + where.width + room_x, photo.width)
    bottom = min(where.top + where.height + room_y, photo.height)
    if right <= left or bottom <= top:
        raise PermanentError("a face lies outside the photo: detect the faces of this photo again")
    return Rectangle(left=left, top=top, width=right - left, height=bottom - top)

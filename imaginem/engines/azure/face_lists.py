"""The face lists of the service: filled one after the other, trained and tidied by a timer.

An installation makes lists of its own, with names that nobody else has, and touches no other.
"""

import logging
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from imaginem.engines.azure.calls import ServiceRefused
from imaginem.engines.azure.face_service import FaceService
from imaginem.engines.azure.payload import FACE_LIMITS, Payload, payload
from imaginem.errors import Busy, PermanentError, RetryableError
from imaginem.images.decoding import Photo
from imaginem.outputs import Rectangle
from imaginem.ports import FaceList, ServiceFace, ServiceFaces

_logger = logging.getLogger("imaginem.engines.azure")
_REMOVALS_A_TURN = 200
_LONGEST_TRAINING = timedelta(hours=6)  # Microsoft: a million faces take half an hour
_MARGIN = 1.0  # of a face's own size around it: the service must find it again in the cut-out
_SMALLEST_CUT = 200  # pixels; files under 1 KB are refused
_NO_FACE = frozenset({"InvalidImage", "InvalidImageSize"})
_NO_LIST, _FULL = "LargeFaceListNotFound", "QuotaExceeded"
_ACCOUNT_FULL = "the Face account takes no more faces: all its lists are full; erase some"
_CUT_SHORT = timedelta(minutes=15)  # no call lasts as long: what is not concluded by then never is


class FaceLists:
    """Face lists of one account.

    Args:
        service: the Face account.
        known: which face is called what.
        name: of the lists; something of their own and a number are put behind it.
    """

    def __init__(self, service: FaceService, known: ServiceFaces, name: str) -> None:
        self._service = service
        self._known = known
        self._name = name

    def add(
        self, photo: Photo, faces: Mapping[uuid.UUID, tuple[int, int, int, int]]
    ) -> dict[uuid.UUID, str]:
        """Add the faces that are in no list yet; return those that can't be, and why."""
        refused: dict[uuid.UUID, str] = {}
        mine = {each.list_id for each in self._known.lists()}
        for face_id, box in faces.items():
            # Read now: another delivery of this job may have added it a moment ago.
            held = self._known.read([face_id]).get(face_id)
            if held and held.persisted_face_id and held.list_id in mine:
                continue
            where = Rectangle(left=box[0], top=box[1], width=box[2], height=box[3])
            try:
                self._add(photo, where, face_id)
            except ServiceRefused as problem:
                if not _NO_FACE & set(problem.codes):
                    raise
                refused[face_id] = str(problem)
        return refused

    def _add(self, photo: Photo, where: Rectangle, face_id: uuid.UUID) -> None:
        sent = payload(photo, FACE_LIMITS, _around(where, photo))
        while True:
            target, just_made = self._open()
            try:
                self._add_to(target.list_id, sent, where, face_id)
                return
            except ServiceRefused as refused:
                if _NO_LIST in refused.codes:
                    if just_made:
                        raise RetryableError(
                            f"Azure face: the list {target.list_id} was made, but is not there yet"
                        ) from None
                    self.list_is_gone(target.list_id)
                elif _FULL in refused.codes:
                    if target.empty:  # so it is the account that is full
                        raise PermanentError(_ACCOUNT_FULL) from None
                    _logger.info("the face list %s is full", target.list_id)
                    self._known.mark(target.list_id, full=True)
                else:
                    raise

    def _add_to(self, list_id: str, sent: Payload, where: Rectangle, face_id: uuid.UUID) -> None:
        """Make the call, noted before and after, so that what was cut short is known."""
        additions: list[uuid.UUID] = []

        def ready() -> None:
            addition = self._known.adding(face_id, list_id)
            if addition is None:
                raise PermanentError("the face was erased while its job was at work")
            additions.append(addition)

        rectangle = sent.rectangle_there(where)
        try:
            name = self._service.add(list_id, sent, rectangle, face_id, ready=ready)
        except (ServiceRefused, Busy):  # the service said no: it has nothing of this face
            for addition in additions:
                self._known.not_added(addition)
            raise
        self._known.added(additions[0], face_id, list_id, name)

    def _open(self) -> tuple[FaceList, bool]:
        """Return the list that takes faces now, and whether it was made for that just now."""
        lists = self._known.lists()
        open_lists = [each for each in lists if not each.full]
        if open_lists:
            return open_lists[-1], False
        number = 1 + max((each.number for each in lists), default=0)
        made = FaceList(f"{self._name}-{uuid.uuid4().hex[:8]}-{number}", number)
        try:
            self._service.make_list(made.list_id)
        except ServiceRefused as refused:
            if _FULL in refused.codes:
                raise PermanentError(_ACCOUNT_FULL) from None
            raise
        self._known.add_list(made.list_id, number)
        return made, True

    def list_is_gone(self, list_id: str) -> None:
        """Forget a list that somebody deleted at the service."""
        _logger.error(
            "the face list %s is gone at the service, and its faces with it: run the photos of "
            "these faces again for them to be found",
            list_id,
        )
        self._known.drop_list(list_id)

    def maintain(self, *, train: bool = True) -> None:
        """For each list: remove what was erased, conclude its training, train it again.

        Args:
            train: prints are made there; else erased faces are removed and nothing more.
        """
        problems: list[Exception] = []
        for held in self._known.lists():
            self._tried(held, train, problems)
        stranded = self._known.stranded()
        if stranded:
            _logger.error(
                "%s erased faces are still in face lists of an account that FACE_ENDPOINT no "
                "longer names: set it back until they are removed, or delete that account",
                stranded,
            )
        if problems:
            raise problems[0]

    def _tried(self, held: FaceList, train: bool, problems: list[Exception]) -> None:
        """Let one list's trouble not keep the others from being looked after."""
        try:
            try:
                self._look_after(held, train)
            except ServiceRefused as refused:
                if _NO_LIST not in refused.codes:
                    raise
                self.list_is_gone(held.list_id)
        except (RetryableError, PermanentError) as problem:
            _logger.error("maintenance of the face list %s: %s", held.list_id, problem)
            problems.append(problem)

    def _look_after(self, held: FaceList, train: bool) -> None:
        changed = self._remove(held)
        old = datetime.now(UTC) - _CUT_SHORT
        if self._known.cut_short(held.list_id, old):
            changed |= self._sweep(held.list_id, old)
            self._known.swept(held.list_id, old)
        if changed:
            self._known.mark(held.list_id, changed=True, full=False)
        if train and self._is_idle(held) and (changed or held.changed):
            self._train(held.list_id)

    def _is_idle(self, held: FaceList) -> bool:
        """Conclude a training that is over; tell whether none runs."""
        if not held.training:
            return True
        status = self._service.training(held.list_id)
        if status == "running":
            began = held.training_began
            if began and datetime.now(UTC) - began < _LONGEST_TRAINING:
                return False
            status = "running for too long"
        succeeded = status == "succeeded"
        self._known.end_training(held.list_id, held.training, succeeded=succeeded)
        if not succeeded:
            _logger.error("training of the face list %s: %s", held.list_id, status)
        return True

    def _remove(self, held: FaceList) -> bool:
        gone = self._known.removals(held.list_id, _REMOVALS_A_TURN)
        for name in gone:
            self._service.remove(held.list_id, name)
            self._known.removed(held.list_id, [name])
        return bool(gone)

    def _sweep(self, list_id: str, old: datetime) -> bool:
        """Remove faces that nobody knows: their addition was cut short before it was noted."""
        found = False
        after = ""
        while page := self._service.page(list_id, after):
            after = page[-1][0]
            ids = {name: _as_id(told) for name, told in page}
            # In this order: an addition that is concluded between the two reads is in the second.
            coming = self._known.under_way(list_id, old)
            known = self._known.read([each for each in ids.values() if each])
            for name, face_id in ids.items():
                if face_id and (face_id in coming or _holds(known.get(face_id), list_id, name)):
                    continue
                self._service.remove(list_id, name)
                found = True
        return found

    def _train(self, list_id: str) -> None:
        training = str(uuid.uuid4())
        self._known.cover(list_id, training)
        self._known.mark(list_id, changed=False)
        try:
            self._service.train(list_id)
        except BaseException:
            self._known.mark(list_id, changed=True)
            raise
        self._known.begin_training(list_id, training)


def _as_id(told: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(told)
    except ValueError:
        return None


def _holds(held: ServiceFace | None, list_id: str, name: str) -> bool:
    """Tell whether a face is called so in this list."""
    return held is not None and (held.list_id, held.persisted_face_id) == (list_id, name)


def _around(where: Rectangle, photo: Photo) -> Rectangle:
    """Return the part of a photo that is sent for a face: the face with room around it."""
    room_x = max(round(where.width * _MARGIN), (_SMALLEST_CUT - where.width) // 2)
    room_y = max(round(where.height * _MARGIN), (_SMALLEST_CUT - where.height) // 2)
    left, top = max(where.left - room_x, 0), max(where.top - room_y, 0)
    right = min(where.left + where.width + room_x, photo.width)
    bottom = min(where.top + where.height + room_y, photo.height)
    if right <= left or bottom <= top:
        raise PermanentError("a face lies outside the photo: detect the faces of this photo again")
    return Rectangle(left=left, top=top, width=right - left, height=bottom - top)

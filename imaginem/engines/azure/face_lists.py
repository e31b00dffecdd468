"""The face lists of the service: filled one after the other, trained and tidied by a timer."""

import logging
import uuid
from collections.abc import Mapping
from dataclasses import replace

from imaginem.engines.azure.calls import ServiceRefused
from imaginem.engines.azure.face_service import FaceService
from imaginem.engines.azure.payload import FACE_LIMITS, payload
from imaginem.errors import PermanentError
from imaginem.imaging import Photo
from imaginem.outputs import Rectangle
from imaginem.ports import FaceList, ServiceFaces

_logger = logging.getLogger("imaginem.engines.azure")
_REMOVALS_A_TURN = 200
_MARGIN = 1.0  # of a face's own size around it: the service must find it again in the cut-out
_SMALLEST_CUT = 200  # pixels; files under 1 KB are refused
_NO_FACE = ("InvalidImage", "InvalidImageSize", "BadArgument")


class FaceLists:
    """Face lists of one account.

    Args:
        service: the Face account.
        known: which face is called what.
        name: of the lists; a number is put behind it.
    """

    def __init__(self, service: FaceService, known: ServiceFaces, name: str) -> None:
        self._service = service
        self._known = known
        self._name = name

    def add(
        self, photo: Photo, faces: Mapping[uuid.UUID, tuple[int, int, int, int]]
    ) -> dict[uuid.UUID, str]:
        """Add the faces that are in no list yet; return those that can't be, and why."""
        known = self._known.read(list(faces))
        refused: dict[uuid.UUID, str] = {}
        for face_id, box in faces.items():
            held = known.get(face_id)
            if held and held.persisted_face_id:
                continue
            if held and held.list_id:  # the call was made, perhaps, and its answer never kept
                self._change(held.list_id, uncertain=True)
            where = Rectangle(left=box[0], top=box[1], width=box[2], height=box[3])
            try:
                self._add(photo, where, face_id)
            except ServiceRefused as problem:
                if not set(_NO_FACE) & set(problem.codes):
                    raise
                refused[face_id] = str(problem)
        return refused

    def _add(self, photo: Photo, where: Rectangle, face_id: uuid.UUID) -> None:
        sent = payload(photo, FACE_LIMITS, _around(where, photo))
        while True:
            open_list = self._open()
            self._known.adding(face_id, open_list.list_id)
            try:
                name = self._service.add(
                    open_list.list_id, sent, sent.rectangle_there(where), face_id
                )
            except ServiceRefused as refused:
                if "QuotaExceeded" not in refused.codes:
                    raise
                _logger.warning("the face list %s is full", open_list.list_id)
                self._change(open_list.list_id, full=True)
                continue
            self._known.added(face_id, open_list.list_id, name)
            return

    def _open(self) -> FaceList:
        """Return the list that takes faces now, made if need be."""
        lists = self._known.lists()
        open_lists = [each for each in lists if not each.full]
        if open_lists:
            return open_lists[-1]
        number = 1 + max((each.number for each in lists), default=0)
        made = FaceList(f"{self._name}-{number}", number)
        try:
            self._service.make_list(made.list_id)
        except ServiceRefused as refused:
            if "QuotaExceeded" in refused.codes:
                raise PermanentError(
                    "the Face account takes no more faces: all its lists are full; erase some, or "
                    "use another account (FACE_ENDPOINT)"
                ) from None
            raise
        self._known.put_list(made)
        return made

    def _change(self, list_id: str, **changes: bool) -> None:
        for held in self._known.lists():
            if held.list_id == list_id:
                self._known.put_list(replace(held, **changes))  # type: ignore[arg-type]

    def upkeep(self) -> None:
        """For each list: conclude its training, remove what was erased, train it again."""
        for held in self._known.lists():
            if held.training and not self._concluded(held):
                continue  # it is being trained: what has changed meanwhile is for the next turn
            changed = self._remove(held.list_id)
            if held.uncertain:
                changed |= self._sweep(held.list_id)
            now = next(each for each in self._known.lists() if each.list_id == held.list_id)
            if changed or now.changed or now.uncertain:
                self._known.put_list(replace(now, changed=True, uncertain=False))
                self._train(held.list_id)

    def _concluded(self, held: FaceList) -> bool:
        """Ask how a training stands; return whether it is over."""
        status = self._service.training(held.list_id)
        if status == "running":
            return False
        if status == "succeeded":
            self._known.end_training(held.list_id, held.training)
        else:
            _logger.error(
                "training of the face list %s: %s; it is begun anew", held.list_id, status
            )
            self._known.put_list(replace(held, training="", changed=True))
        return True

    def _remove(self, list_id: str) -> bool:
        gone = self._known.removals(list_id, _REMOVALS_A_TURN)
        for name in gone:
            self._service.remove(list_id, name)
            self._known.removed(list_id, [name])
        return bool(gone)

    def _sweep(self, list_id: str) -> bool:
        """Remove faces that nobody knows: their addition was cut short before it was noted."""
        found, after = False, ""
        while page := self._service.page(list_id, after):
            after = page[-1][0]
            names = dict(page)
            owners = self._known.owners(list_id, list(names))
            for name in names.keys() - owners.keys():
                if not self._being_added(names[name], list_id):
                    self._service.remove(list_id, name)
                    found = True
        return found

    def _being_added(self, told: str, list_id: str) -> bool:
        """Tell whether another instance may be adding this face right now."""
        try:
            face_id = uuid.UUID(told)
        except ValueError:
            return False
        held = self._known.read([face_id]).get(face_id)
        return held is not None and held.list_id == list_id and not held.persisted_face_id

    def _train(self, list_id: str) -> None:
        training = str(uuid.uuid4())
        self._known.begin_training(list_id, training)
        self._service.train(list_id)
        for held in self._known.lists():
            if held.list_id == list_id:
                self._known.put_list(replace(held, training=training, changed=False))


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

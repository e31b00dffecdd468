"""Looks at photos with our engines alone: `python -m benchmarks.rivals.ours KIND TASK.json`."""

import json
import sys
import uuid
from pathlib import Path
from typing import Any

from benchmarks.rivals.scripts.judging import (
    faces_right,
    images_a_second,
    pairs_right,
    use_one_core,
    words_right,
)
from imaginem.config.settings import read_settings
from imaginem.images.decoding import decode_photo
from imaginem.outputs import Face, name_face
from imaginem.ports import CallContext
from imaginem.runtime import Runtime
from imaginem.testing import MemoryFaceIndex, MemoryGallery

_CALL = CallContext.without_job("comparison")


class _Engines:
    """Our local engines, with a gallery in memory."""

    def __init__(self) -> None:
        self.runtime = Runtime(read_settings())
        self.index = MemoryFaceIndex()
        self.runtime.made["face_index"] = self.index
        self.runtime.made["gallery"] = MemoryGallery(index=self.index)
        self.match = self.runtime.settings.match_threshold

    def read(self, path: str) -> str:
        """Return a photo's text."""
        return self.runtime.ocr.read(decode_photo(Path(path).read_bytes()), _CALL).full_text

    def count(self, path: str) -> int:
        """Return the number of faces."""
        return len(self.runtime.faces.detect(decode_photo(Path(path).read_bytes()), _CALL))

    def enrol(self, path: str) -> tuple[tuple[str, str], list[Face]]:
        """Find a photo's faces and keep their embeddings; return their job and them."""
        photo, key = decode_photo(Path(path).read_bytes()), ("b", uuid.uuid4().hex)
        faces = [
            face.model_copy(
                update={"face_id": name_face(key, photo.sha256, "b", face.face_rectangle)}
            )
            for face in self.runtime.faces.detect(photo, _CALL)
        ]
        self.runtime.recognizer.enrol(key, photo, faces, _CALL)
        return key, faces

    def first_face(self, path: str) -> tuple[tuple[str, str], uuid.UUID] | None:
        """Return the job and the id of a photo's first face."""
        key, faces = self.enrol(path)
        return (key, faces[0].face_id) if faces and faces[0].face_id else None

    def alike(
        self, one: tuple[tuple[str, str], uuid.UUID], other: tuple[tuple[str, str], uuid.UUID]
    ) -> bool:
        """Tell whether two faces count as one person's."""
        found = self.index.similar(*one, min_similarity=self.match, limit=1000)
        return other[1] in {neighbor.face_id for neighbor in found}


def main(kind: str, task: dict[str, Any]) -> None:
    """Look at the photos of a task; print the figures."""
    use_one_core()
    engines = _Engines()
    if kind == "text":
        figures = words_right(engines.read, task["texts"])
        look: Any = engines.read
    else:
        figures = faces_right(engines.count, task["groups"], task["none"])
        persons = [(name, engines.first_face(path)) for path, name in task["persons"]]
        figures |= pairs_right(engines.alike, persons)
        look = engines.enrol
    for path in dict.fromkeys(task["photos"]):
        look(path)  # runtimes may compile for each shape
    figures["images_a_second"] = images_a_second(look, task["photos"])
    print(json.dumps(figures))


if __name__ == "__main__":
    main(sys.argv[1], json.loads(Path(sys.argv[2]).read_text("utf-8")))

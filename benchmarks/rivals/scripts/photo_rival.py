"""Looks at photos with what people use now: `photo_rival.py NAME TASK.json`; prints JSON."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.rivals.scripts.judging import (
    faces_right,
    images_a_second,
    pairs_right,
    use_one_core,
    words_right,
)

_TOLERANCE = 0.6  # of face_recognition, its default


def rapidocr(task: dict[str, Any]) -> dict[str, float]:
    """Read texts with RapidOCR as it comes."""
    from rapidocr import RapidOCR

    engine: Any = RapidOCR()

    def read(path: str) -> str:
        return " ".join(engine(path).txts or ())

    return _texts(read, task)


def tesseract(task: dict[str, Any]) -> dict[str, float]:
    """Read texts with Tesseract's program, English, as it comes."""
    program = shutil.which("tesseract")
    if program is None:
        sys.exit("there is no tesseract: on Debian, apt-get install tesseract-ocr")

    def read(path: str) -> str:
        done = subprocess.run([program, path, "stdout"], capture_output=True, text=True, check=True)
        return done.stdout

    return _texts(read, task)


def _texts(read: Any, task: dict[str, Any]) -> dict[str, float]:
    answers = words_right(read, task["texts"])
    for path in task["photos"]:
        read(path)  # warms up
    return {**answers, "images_a_second": images_a_second(read, task["photos"])}


def face_recognition(task: dict[str, Any]) -> dict[str, float]:
    """Find and compare faces with face_recognition: HOG, and dlib's network."""
    import face_recognition as library

    def encode(path: str) -> Any:
        image = library.load_image_file(path)
        return library.face_encodings(image, library.face_locations(image))

    def count(path: str) -> int:
        return len(library.face_locations(library.load_image_file(path)))

    persons = [(name, next(iter(encode(path)), None)) for path, name in task["persons"]]

    def alike(one: Any, other: Any) -> bool:
        return bool(library.face_distance([one], other)[0] <= _TOLERANCE)

    return {
        **faces_right(count, task["groups"], task["none"]),
        **pairs_right(alike, persons),
        "images_a_second": images_a_second(encode, task["photos"]),
    }


RIVALS = {"rapidocr": rapidocr, "tesseract": tesseract, "face_recognition": face_recognition}


def main(name: str, task: Path) -> None:
    """Look at the photos of a task; print the figures."""
    use_one_core()
    print(json.dumps(RIVALS[name](json.loads(task.read_text("utf-8")))))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))

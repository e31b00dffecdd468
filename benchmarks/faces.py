"""The recall of face detection, the similarity of photos of one person and of two, and search."""

import io
from itertools import combinations

import numpy as np
from PIL import Image

from benchmarks import face_search, hidden_faces
from benchmarks.result import Result
from benchmarks.samples import GROUPS, NO_FACES, ONE_PERSON, OTHERS
from imaginem.assets import AssetStore
from imaginem.config.settings import read_settings
from imaginem.engines.local.embedding import align, make_embedder
from imaginem.engines.local.faces import LocalFaces
from imaginem.engines.local.landmarks import FIVE
from imaginem.images.decoding import Photo, decode_photo, encode_png
from imaginem.outputs import Face
from imaginem.ports import CallContext

_CALL = CallContext.without_job("face benchmark")


def _photo(store: AssetStore, name: str) -> Photo:
    return decode_photo(store.path(name).read_bytes())


def crowd(store: AssetStore, height: int) -> Photo:
    """Return a photo of 12 megapixels with 24 real faces of this height."""
    large = _photo(store, "coffee.png").pil.resize((4000, 2667))
    people = [
        (_photo(store, "astronaut.png").pil.crop((100, 20, 340, 280)), 116),
        (_photo(store, "grace_hopper.jpg").pil.crop((90, 0, 420, 420)), 223),
    ]
    for number in range(24):
        person, face = people[number % 2]
        scale = height / face
        size = (round(person.width * scale), round(person.height * scale))
        corner = (100 + (number % 6) * 640, 100 + (number // 6) * 620)
        large.paste(person.resize(size, Image.Resampling.LANCZOS), corner)
    out = io.BytesIO()
    large.save(out, "JPEG", quality=92)
    return decode_photo(out.getvalue())


def run() -> list[Result]:
    """Return recall by size of the face, and similarities between people."""
    store = AssetStore(read_settings().assets)
    detector = LocalFaces(store)
    faces = {name: detector.detect(_photo(store, name), _CALL) for name in GROUPS}
    right = sum(min(len(faces[name]), count) for name, count in GROUPS.items())
    false = sum(len(detector.detect(_photo(store, name), _CALL)) for name in NO_FACES)
    results = [
        Result("faces found in 6 group photos", right, f"{right} of {sum(GROUPS.values())}"),
        Result("faces found where there are none", false, f"{false} in {len(NO_FACES)} photos"),
    ]
    for height in (30, 40, 50, 80):
        count = len(detector.detect(crowd(store, height), _CALL))
        results.append(
            Result(f"faces of {height} px found in 12 megapixels", count, f"{count} of 24")
        )
    return results + _hidden(store, detector) + _similarities(store, detector, faces)


def _hidden(store: AssetStore, detector: LocalFaces) -> list[Result]:
    """Return how many faces are found that are hidden, cut off or dark."""
    results = []
    plain = [_photo(store, name) for name in (*ONE_PERSON, *OTHERS, *GROUPS)]
    for kind, made in hidden_faces.KINDS.items():
        count = right = 0
        for photo in plain:
            for picture, boxes in made(photo.array, detector.detect(photo, _CALL)):
                shown = decode_photo(encode_png(Image.fromarray(picture)))
                seen = detector.detect(shown, _CALL)
                count += len(boxes)
                right += sum(hidden_faces.found(seen, box) for box in boxes)
        results.append(Result(f"faces found {kind}", right, f"{right} of {count}"))
    return results


def _similarities(
    store: AssetStore, detector: LocalFaces, groups: dict[str, list[Face]]
) -> list[Result]:
    """Return the cosine similarities of embeddings of one person and of two people."""
    embedder = make_embedder(store, None)

    def embed(photo: Photo, face: Face) -> np.ndarray:
        landmarks = face.face_landmarks
        points = np.array([[landmarks[name].x, landmarks[name].y] for name in FIVE])
        return embedder.embed(align(photo.array, points))

    def embed_first(name: str) -> np.ndarray:
        photo = _photo(store, name)
        return embed(photo, detector.detect(photo, _CALL)[0])

    one_person = [embed_first(name) for name in ONE_PERSON]
    same = [float(a @ b) for a, b in combinations(one_person, 2)]
    strangers = [embed_first(name) for name in (ONE_PERSON[0], *OTHERS)]
    different = [float(a @ b) for a, b in combinations(strangers, 2)]
    everybody: list[np.ndarray] = []
    for name, members in groups.items():  # two faces of one photo are two people
        photo = _photo(store, name)
        crowd = [embed(photo, face) for face in members]
        different += [float(a @ b) for a, b in combinations(crowd, 2)]
        different += [float(a @ b) for a in crowd for b in strangers]
        everybody += crowd
    real = np.array([*one_person, *strangers[1:], *everybody], np.float32)
    return _summary(same, different) + face_search.run(real)


def _summary(same: list[float], different: list[float]) -> list[Result]:
    wrong = sum(value >= 0.45 for value in different)
    missed = sum(value < 0.45 for value in same)
    return [
        Result("least cosine, one person", min(same), f"{min(same):.2f} of {len(same)} pairs"),
        Result(
            "greatest cosine, two people",
            max(different),
            f"{max(different):.2f} of {len(different)} pairs",
        ),
        Result("false matches / missed matches at 0.45", wrong + missed, f"{wrong} / {missed}"),
    ]

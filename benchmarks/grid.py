"""Several photos in one call to Azure Face: calls saved, and faces lost, against one photo a call.

The emulator of the AI services answers, whose detector is ours: another one loses others.
"""

import io
import random
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from PIL import Image, ImageOps
from pydantic_core import from_json

from benchmarks.faces import crowd
from benchmarks.result import Result
from imaginem.ai_emulator import AiEmulator, AiEmulatorServer
from imaginem.ai_emulator.app import LocalEngines
from imaginem.assets import AssetStore
from imaginem.config.settings import read_settings
from imaginem.engines.azure.face_sheet import cell_side
from imaginem.images.decoding import Photo, decode_photo
from imaginem.outputs import Face, Rectangle
from imaginem.pipeline.offload import expand
from imaginem.pipeline.progress_row import read_row
from imaginem.pipeline.states import JobState
from imaginem.pipeline.steps import Registry
from imaginem.ports import FaceGrid, JobKey
from imaginem.runtime import Runtime
from imaginem.testing import (
    MemoryQueues,
    MemoryServices,
    MemorySharedState,
    message_for,
    run_all,
)
from steps.facedetection import DetectedFaces, facedetection

GRIDS = (FaceGrid(2, 2), FaceGrid(3, 3), FaceGrid(4, 4))
MOST_CALLS, LEAST_FOUND = 0.15, 0.97
"""Budgets of the grid 3x3: calls a photo, and share of the faces of `SURE` pixels or more."""
SURE = 80
"""Pixels of a face in its cell from which it is to be found."""
CROWDS = (80, 120, 200, 300)
"""Pixels of the faces in photos of 12 megapixels with 24 faces each, which a grid is not made for.
"""
_SMALL = 36
_CAMERA = 3000  # pixels of a photo's longer side
_SAME_FACE = 0.5  # overlap from which two boxes are of one face


def _photos(store: AssetStore) -> list[bytes]:
    """Return each sample photo in four variants, and crowds, in an order that stays the same."""
    files = [_file(crowd(store, height).pil) for height in CROWDS]
    for asset in store.manifest.of_kind("sample", "bench"):
        picture = decode_photo(store.path(asset.name).read_bytes()).pil.convert("RGB")
        files += [_file(each) for each in _variants(picture)]
    random.Random(19).shuffle(files)
    return files


def _variants(picture: Image.Image) -> Iterator[Image.Image]:
    yield picture
    yield ImageOps.mirror(picture)
    yield picture.crop((0, 0, round(picture.width * 0.8), picture.height))
    scale = _CAMERA / max(picture.size)
    yield picture.resize((round(picture.width * scale), round(picture.height * scale)))


def _file(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=92)
    return out.getvalue()


@dataclass(frozen=True)
class Seen:
    """What one way of asking showed.

    Attributes:
        faces: of each photo.
        calls: that were made.
    """

    faces: list[list[Face]]
    calls: int


def _look(files: Sequence[bytes], grid: FaceGrid, server: AiEmulatorServer, home: str) -> Seen:
    """Return the faces of the photos, as facedetection finds them in one batch."""
    settings = {
        "FACE_ENGINE": "azure",
        "FACE_PRINT_ENGINE": "local",
        "FACE_ENDPOINT": server.address,
        "FACE_API_KEY": server.ai_emulator.key,
        "FACE_CALLS_PER_SECOND": "0",
        "FACE_GRID": str(grid),
        "IMAGINEM_HOME": home,
    }
    runtime = Runtime(read_settings(settings))
    runtime.made["shared_state"] = MemorySharedState()
    server.ai_emulator.requests.clear()
    found = _detected(files, runtime)
    detected = [each for each in server.ai_emulator.requests if "/detect" in each]
    if detected != server.ai_emulator.requests:
        raise AssertionError(f"other calls than detect: {set(server.ai_emulator.requests)}")
    return Seen(found, len(detected))


def _detected(files: Sequence[bytes], runtime: Runtime) -> list[list[Face]]:
    """Run the jobs of a batch, in memory; the last ones wait in vain for others."""
    seconds = 0.0
    services = MemoryServices(
        core_settings=runtime.settings.core(),
        queues=MemoryQueues(lambda: seconds),
        faces=runtime.faces,
    )
    registry = Registry()
    registry.add(facedetection)
    services.queues.create(facedetection.name)
    keys = [("grid", f"photo-{number}") for number in range(len(files))]
    for key, data in zip(keys, files, strict=True):
        url = services.blobs.put("inputimages", "/".join(key), data, "image/jpeg")
        message = message_for(url, [facedetection.name], batch_id=key[0], job_id=key[1])
        services.queues.send(facedetection.name, message.encode())
    run_all(services, registry)
    seconds += services.core_settings.face_grid_seconds
    run_all(services, registry)
    return [_faces_of(key, services) for key in keys]


def _faces_of(key: JobKey, services: MemoryServices) -> list[Face]:
    row = read_row(services.log, key)
    if row is None or row.job_state != JobState.SUCCEEDED:
        raise AssertionError(f"{key[1]} did not succeed")
    output = expand(from_json(row.output_of(facedetection.name)), key, services.blobs)
    return DetectedFaces.model_validate(output).faces


@dataclass(frozen=True)
class _Compared:
    """A face that was found in its photo alone.

    Attributes:
        pixels: of its shorter side in the cell of a grid.
        overlap: with the face that the grid found there; 0 if it found none.
    """

    pixels: float
    overlap: float


def _compared(
    alone: Sequence[Sequence[Face]],
    many: Sequence[Sequence[Face]],
    photos: Sequence[Photo],
    grid: FaceGrid,
) -> list[_Compared]:
    compared = []
    for photo, one, other in zip(photos, alone, many, strict=True):
        scale = min(1.0, cell_side(grid) / max(photo.width, photo.height))
        for face in one:
            where = face.face_rectangle
            overlap = max((_overlap(where, each.face_rectangle) for each in other), default=0.0)
            compared.append(_Compared(min(where.width, where.height) * scale, overlap))
    return compared


def _overlap(one: Rectangle, other: Rectangle) -> float:
    across = min(one.left + one.width, other.left + other.width) - max(one.left, other.left)
    down = min(one.top + one.height, other.top + other.height) - max(one.top, other.top)
    shared = max(across, 0) * max(down, 0)
    return shared / (one.width * one.height + other.width * other.height - shared)


def _rows(alone: Seen, many: Seen, photos: Sequence[Photo], grid: FaceGrid) -> list[Result]:
    """Return the table of one grid; the budgets are for 3x3."""
    bound = grid == FaceGrid(3, 3)
    faces = _compared(alone.faces, many.faces, photos, grid)
    back = _compared(many.faces, alone.faces, photos, grid)
    calls = many.calls / len(photos)
    title = f"grid {grid}"
    rows = [
        Result(
            f"{title}: calls a photo",
            calls,
            f"{calls:.3f} ({many.calls} for {len(photos)} photos)",
            f"<= {MOST_CALLS}" if bound else "-",
            calls <= MOST_CALLS if bound else None,
        )
    ]
    for name, least, most in (
        (f"{SURE} pixels or more", SURE, float("inf")),
        (f"{_SMALL} to {SURE} pixels", _SMALL, SURE),
        (f"less than {_SMALL} pixels", 0, _SMALL),
    ):
        sized = [face for face in faces if least <= face.pixels < most]
        right = sum(face.overlap >= _SAME_FACE for face in sized)
        share = right / max(len(sized), 1)
        judged = bound and least == SURE
        rows.append(
            Result(
                f"{title}: faces found again, {name} in the cell",
                share if sized else None,
                f"{right} of {len(sized)} ({share:.3f})" if sized else "there are none",
                f">= {LEAST_FOUND}" if judged else "-",
                share >= LEAST_FOUND if judged else None,
            )
        )
    more = sum(face.overlap < _SAME_FACE for face in back)
    same = [face.overlap for face in faces if face.overlap >= _SAME_FACE]
    middle = statistics.median(same)
    return [
        *rows,
        Result(f"{title}: faces found by the grid alone", more, f"{more} of {len(back)}"),
        Result(f"{title}: overlap of the boxes, median", middle, f"{middle:.2f}"),
    ]


def run() -> list[Result]:
    """Return calls and faces with each grid."""
    store = AssetStore(read_settings().assets)
    files = _photos(store)
    photos = [decode_photo(data) for data in files]
    emulator = AiEmulator(LocalEngines(store))
    with AiEmulatorServer(emulator) as server, tempfile.TemporaryDirectory() as home:
        alone = _look(files, FaceGrid(), server, home)
        results = []
        for grid in GRIDS:
            results += _rows(alone, _look(files, grid, server, home), photos, grid)
    count = sum(len(faces) for faces in alone.faces)
    first = Result(
        "one photo a call", alone.calls / len(files), f"{alone.calls} calls, {count} faces"
    )
    return [first, *results]

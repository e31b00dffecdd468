"""Broken photo files through everything that reads them: a photo within the limits, or a reason."""

import math
import random
import re
import resource
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial

from imaginem.engines.azure.limits import ServiceLimits
from imaginem.engines.azure.payload import payload
from imaginem.errors import PermanentError
from imaginem.images.bare_jpeg import NotBare, bare_jpeg
from imaginem.images.decoding import Photo, check_photo, decode_photo
from imaginem.images.limits import BYTE_LIMIT, PIXEL_LIMIT, OverLimit
from imaginem.ports import JobResult
from imaginem.testing import MemoryServices
from imaginem.usecases.renditions import SIZES, facts_of, make_rendition, size_of
from tests.fuzz.cases import Case, forget_peak, peak_megabytes
from tests.fuzz.corpus import alien_files, real_photos, small_files
from tests.fuzz.spoil import spoil

MEGABYTES = 600.0
_LONGEST_REASON = 600
_FIX = re.compile("send|save it")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_INNER = re.compile(r"object at 0x|Traceback|File \"")
_REAL_SHARE = 0.05
_ADDRESS_SPACE = 4 * 2**30
"""Bytes after which a file that asks for all of it fails, before this machine does."""
_SERVICE = ServiceLimits(min_side=36, max_side=4_096, max_bytes=4 * 2**20)


class Breach(Exception):
    """Something that a file must not be able to do."""


def prepare() -> Callable[[int], Case]:
    """Make this process ready: it can't fill the machine's memory; warnings are nobody's."""
    warnings.simplefilter("ignore")
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    small_files(), alien_files(), real_photos()
    return play


def file_of(seed: int) -> tuple[bytes, str]:
    """Return the broken file that a seed makes, and what was done to which file."""
    rng = random.Random(seed)
    small, alien, real = small_files(), alien_files(), real_photos()
    every = [*small.values(), *alien.values()]
    if real and rng.random() < _REAL_SHARE:
        name = rng.choice(sorted(real))
        whole = real[name]
    else:
        name = rng.choice(sorted({**small, **alien}))
        whole = small.get(name) or alien.get(name, b"")
    broken, ways = spoil(rng, whole, every)
    return broken[: BYTE_LIMIT + 1], f"{name}: {', '.join(ways)}"


def play(seed: int) -> Case:
    """Read the file of a seed in every way that the app does."""
    data, about = file_of(seed)
    forget_peak()
    begun, breach, outcome = time.perf_counter(), "", "?"
    try:
        outcome = read_everything(data)
    except Breach as problem:
        breach = str(problem)
    except Exception as problem:
        breach = f"{type(problem).__name__}: {problem}"
    seconds = time.perf_counter() - begun
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    megabytes = peak_megabytes()
    if not breach and max(megabytes, children) > MEGABYTES + 40:  # a child's libraries
        breach = f"{megabytes:.0f} MB, its children {children:.0f} MB"
    return Case(seed, outcome, seconds, about, megabytes, breach)


def read_everything(data: bytes) -> str:
    """Read a file as pipeline, pages and engines do; return how it ended.

    Raises:
        Breach: a result is not as promised.
    """
    decoded = _told(lambda: decode_photo(data))
    if isinstance(decoded, Photo):
        _check_photo(decoded)
        _told(lambda: _check_payload(decoded))
    services = MemoryServices()
    url = services.blobs.put("inputimages", "b/j", data, "image/jpeg")
    result = JobResult("b", "j", ("ocr",), url, {}, {}, photo_url=url)
    services.results.save(result)
    header = _told(lambda: check_photo(data))
    size = _told(lambda: size_of(services, result))
    if isinstance(decoded, Photo) and size != (decoded.width, decoded.height):
        raise Breach(f"size_of says {size}, but it is decoded to {decoded.pil.size}")
    facts = _told(lambda: facts_of(services, result, gps=True))
    if isinstance(facts, dict):
        _check_facts(facts)
    for name, longer_side in SIZES.items() if isinstance(decoded, Photo) else ():
        made = _told(partial(_rendition, services, result, name))
        if isinstance(made, bytes):
            small = decode_photo(made)
            if max(small.width, small.height) > longer_side or read_any_exif(made):
                raise Breach(f"the {name} has {small.pil.size} pixels, or metadata")
        elif not isinstance(made, OverLimit):  # at the limit of memory chance decides
            raise Breach(f"no {name} of a photo that is decoded: {made}")
    _check_bare(data)
    if isinstance(decoded, Photo):
        return f"a photo ({decoded.format})"
    return "refused" if isinstance(header, PermanentError) else "refused after its header"


def _rendition(services: MemoryServices, result: JobResult, name: str) -> bytes:
    return make_rendition(services, result, name).data


def _told(read: Callable[[], object]) -> object:
    """Return what is read, or the refusal if it is as people should see it."""
    try:
        return read()
    except PermanentError as problem:
        text = str(problem)
        if not _FIX.search(text):
            raise Breach(f"the reason names nothing to do: {text!r}") from None
        if len(text) > _LONGEST_REASON or _CONTROL.search(text) or _INNER.search(text):
            raise Breach(f"the reason is no plain line: {text!r}") from None
        return problem


def _check_photo(photo: Photo) -> None:
    if not 0 < photo.width * photo.height <= PIXEL_LIMIT or photo.pil.mode != "RGB":
        raise Breach(f"a photo of {photo.pil.size} pixels in {photo.pil.mode}")
    if photo.array.shape != (photo.height, photo.width, 3):
        raise Breach(f"an array of {photo.array.shape}")


def _check_payload(photo: Photo) -> None:
    try:
        sent = payload(photo, _SERVICE)
    except PermanentError as problem:
        if "cut it into parts" not in str(problem):
            raise
        return
    if len(sent.data) > _SERVICE.max_bytes or b"Exif\0" in sent.data[:4_096]:
        raise Breach(f"{len(sent.data)} bytes would be sent, or Exif")


def _check_facts(facts: dict[str, str]) -> None:
    for name, text in facts.items():
        if not isinstance(text, str) or len(text) > 200 or _CONTROL.search(text):
            raise Breach(f"the fact {name} is {text!r}")
    for name, most in (("latitude", 90), ("longitude", 180)):
        if name in facts and not (
            math.isfinite(float(facts[name])) and abs(float(facts[name])) <= most
        ):
            raise Breach(f"{name} {facts[name]} is no place on Earth")


def _check_bare(data: bytes) -> None:
    try:
        bare = bare_jpeg(data)
    except NotBare:
        return
    if read_any_exif(bare):
        raise Breach("Exif is left in a bare file")


def read_any_exif(data: bytes) -> bool:
    """Tell whether a JPEG file has a segment of Exif before its first scan."""
    return b"\xff\xe1" in data[: data.find(b"\xff\xda")] and b"Exif\0\0" in data

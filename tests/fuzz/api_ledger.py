"""What a run of the API knows: which jobs are there, which were erased, what answers named.

It takes ids from answers, as a client does, so that the next requests name what is there.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.fuzz.api_world import BATCHES, MARKS

_FACE = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
Key = tuple[str, str]


@dataclass
class Ledger:
    """What was sent, erased and named.

    Attributes:
        names: file names that each job had, also an erased one.
        photos: SHA-256 of the photos of jobs that have one.
        barred: photos that may not come back, by the group of the batches.
        erased: jobs that were erased, and not sent since.
        gone: names that only erased jobs had.
        gone_faces: ids of faces of erased jobs.
        removed_faces: ids of faces that were erased from photos that stay.
        faces: ids of faces that answers named.
        pairs: faces that look alike.
        poison: ids of messages that could not be processed.
        receipts: of erasures, by id.
        cursors: of lists.
    """

    names: dict[Key, set[str]] = field(default_factory=dict)
    photos: dict[Key, str] = field(default_factory=dict)
    barred: set[tuple[str, str]] = field(default_factory=set)
    erased: set[Key] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    gone_faces: set[str] = field(default_factory=set)
    removed_faces: set[str] = field(default_factory=set)
    faces: list[str] = field(default_factory=list)
    pairs: list[tuple[str, str]] = field(default_factory=list)
    poison: list[str] = field(default_factory=list)
    receipts: dict[str, dict[str, Any]] = field(default_factory=dict)
    cursors: list[str] = field(default_factory=list)

    def sent(self, key: Key, name: str, photo_sha256: str = "") -> None:
        """Note that a job was sent, be it one that was erased."""
        self.names.setdefault(key, set()).add(name)
        if photo_sha256:
            self.photos[key] = photo_sha256
        self.erased.discard(key)
        self.gone = {text for text in self.gone if text != name and text not in key[1]}

    def erase(self, keys: list[Key], faces: set[str]) -> None:
        """Note that jobs were erased."""
        self.erased.update(keys)
        self.photos = {key: photo for key, photo in self.photos.items() if self._lives(key)}
        living = [key for key in self.names if self._lives(key)]
        told = [text for key in living for text in (key[1], *self.names[key])]
        for name in {name for key in keys for name in self.names.get(key, ())}:
            if not any(name in text for text in told):
                self.gone.add(name)
        self.gone_faces |= faces

    def with_photo(self, photo_sha256: str) -> list[Key]:
        """Return the jobs that have a photo."""
        return [key for key, photo in self.photos.items() if photo == photo_sha256]

    def is_barred(self, group: str, photo_sha256: str) -> bool:
        """Tell whether a photo may not be in batches of a group."""
        return (group, photo_sha256) in self.barred

    def _lives(self, key: Key) -> bool:
        return key not in self.erased

    def learn(self, answer: Any) -> None:
        """Take from an answer's JSON what later requests can name."""
        for item in _objects(answer):
            one, other = item.get("face_id"), item.get("matched_face_id")
            for face in filter(None, (one, other)):
                self._add(self.faces, str(face))
            if one and other:
                self._add(self.pairs, (str(one), str(other)))
            if "queue" in item and "attempts" in item:
                self._add(self.poison, str(item["id"]))
            if "mac" in item:
                self.receipts[str(item["id"])] = item
            if item.get("cursor"):
                self._add(self.cursors, str(item["cursor"]))

    @staticmethod
    def _add(known: list[Any], found: Any) -> None:
        if found not in known:
            known.append(found)
            del known[:-40]  # what was named long ago is gone by now

    def a_key(self, random: Random) -> Key:
        """Return a job, most often one that is there."""
        known = list(self.names)
        if not known or random.random() < 0.1:
            return random.choice(list(BATCHES)), f"nobody-{random.randrange(9)}"
        living = [key for key in known if self._lives(key)]
        return random.choice(living if living and random.random() < 0.8 else known)


def marked_name(random: Random, batch_id: str) -> str:
    """Return a file name that tells whose photo it is."""
    return f"{MARKS[BATCHES[batch_id]]}-photo{random.randrange(30)}.png"


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Return every object in a JSON value."""
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from _objects(item)
    if isinstance(value, list):
        for item in value:
            yield from _objects(item)


def jobs_in(value: Any) -> set[Key]:
    """Return the jobs that a JSON value names."""
    found: set[Key] = set()
    for item in _objects(value):
        batch_id, jobs = item.get("batch_id"), item.get("jobs")
        if batch_id and item.get("job_id"):
            found.add((str(batch_id), str(item["job_id"])))
        if batch_id and isinstance(jobs, dict):
            found |= {(str(batch_id), str(job)) for job in jobs}
    return found


def faces_in(text: str) -> set[str]:
    """Return what looks like the id of a face."""
    return set(_FACE.findall(text.lower()))

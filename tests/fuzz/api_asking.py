"""How runs of the API ask: whatever is answered is checked, and the ledger learns from it."""

import hashlib
import logging
from collections.abc import Collection, Mapping
from random import Random
from typing import Any

from fastapi.testclient import TestClient
from hypothesis.stateful import RuleBasedStateMachine

from imaginem.testing import photo_bytes
from tests.fuzz.api_checks import Asked, check, check_lines
from tests.fuzz.api_ledger import Key, Ledger, marked_name
from tests.fuzz.api_report import Report
from tests.fuzz.api_requests import APP, OPERATIONS, served
from tests.fuzz.api_world import BATCHES, FETCHED, PEOPLE, LogLines, Someone, World

UPLOAD, SEARCH = "POST /api/batches/{batch_id}/images", "POST /api/faces/search"
FORGET, LIFT = "POST /api/photos/forget", "POST /api/photos/lift"
BY_FILE = (UPLOAD, SEARCH, FORGET, LIFT)
"""Operations that are asked with a photo's file."""
REPORT = Report()
"""What all runs of this process did."""
_PHOTOS = [*(photo_bytes(color=f"#{number:06x}") for number in range(9)), FETCHED]
PHOTOS = {hashlib.sha256(photo).hexdigest(): photo for photo in _PHOTOS}
"""Every photo that is sent, by its SHA-256; the last one is what addresses answer with."""


class Asking(RuleBasedStateMachine):
    """An app of its own, and ways to ask it."""

    sqlite = False

    def __init__(self) -> None:
        super().__init__()
        self.world, self.ledger, self.log = World(sqlite=self.sqlite), Ledger(), LogLines()
        served["services"] = self.world.services
        self.client = TestClient(APP, raise_server_exceptions=False)
        logging.getLogger().addHandler(self.log)
        own = logging.getLogger("imaginem")
        self.level = own.level
        own.setLevel(logging.DEBUG)
        REPORT.runs += 1

    def tell(self, label: str, response: Any, who: str = "operator") -> None:
        """Check what somebody was answered."""
        told = response.status_code, dict(response.headers), response.content
        stated = str(response.request.url).split("/")
        self.answered(label, PEOPLE[who], stated, *told)
        OPERATIONS[label].validate_response(response)

    def answered(
        self,
        label: str,
        who: Someone,
        stated: list[str],
        status: int,
        headers: dict[str, str],
        content: bytes | None,
    ) -> None:
        REPORT.answers[label][status] += 1
        method, _, path = label.partition(" ")
        text = (content or b"").decode("utf-8", "replace")
        asked = Asked(who, method, path, stated, status, headers, text)
        check(asked, self.ledger, self.world)
        self.ledger.learn(asked.json)
        self.step_is_done()

    def step_is_done(self) -> None:
        REPORT.steps += 1
        check_lines(self.log.lines)
        self.log.lines.clear()

    def send_photo(
        self, label: str, who: Someone, random: Random, batch_id: str = "", digest: str = ""
    ) -> Key | None:
        """Send a photo to a batch, or search with one; return the job that it has become."""
        batch_id = batch_id or random.choice(list(BATCHES))
        name = marked_name(random, batch_id)
        form = {} if label == SEARCH or random.random() < 0.5 else {"job_id": f"{name}.job"}
        if form:
            form |= {"replace": random.choice(["true", "false"]), "again": "true"}
        if label == UPLOAD and random.random() < 0.3:
            form["group"] = random.choice(["red", "blue", ""])
        digest = digest or random.choice(list(PHOTOS)[:-1])
        path = label.partition(" ")[2].format(batch_id=batch_id)
        response = self.client.post(
            path,
            files={"file": (name, PHOTOS[digest], "image/png")},
            data=form,
            headers=who.headers,
        )
        told = response.status_code, dict(response.headers), response.content
        key = None
        if label == UPLOAD and response.status_code < 300:
            key = (batch_id, response.json()["job_id"])
            assert not self.ledger.is_barred(self.world.group_of(batch_id), digest), (
                f"{key} is barred"
            )
            self.ledger.sent(key, name, digest)
        if "was erased for good" in response.text:
            assert self.ledger.is_barred(self.world.group_of(batch_id), digest), response.text
        self.answered(label, who, [batch_id, name, *form.values()], *told)
        OPERATIONS[label].validate_response(response)
        return key

    def doomed(self, label: str, names: Mapping[str, Any]) -> tuple[list[Key], set[str]]:
        """Return which jobs and faces a request erases, should it succeed."""
        batch_id, job_id = names.get("batch_id"), names.get("job_id")
        keys = [key for key in self.ledger.names if key == (batch_id, job_id)]
        if label == "DELETE /api/batches/{batch_id}":
            keys = [key for key in self.ledger.names if key[0] == batch_id]
        elif label != "DELETE /api/jobs/{batch_id}/{job_id}":
            return [], set()
        gallery = self.world.services.gallery
        return keys, {str(face.face_id) for key in keys for face in gallery.faces_of(key)}

    def name_photo(self, label: str, who: Someone, random: Random, digest: str = "") -> None:
        """Forget a photo by its file or hash, perhaps for good, or let it come back."""
        digest = digest or random.choice(list(PHOTOS))
        if label == LIFT and self.ledger.barred and random.random() < 0.8:
            digest = random.choice(sorted(self.ledger.barred))[1]
        form = {"group": random.choice(["", "", "red", "blue"])}
        if label == FORGET:
            form["never_again"] = random.choice(["true", "false", "false"])
        file = ("photo.png", PHOTOS[digest], "image/png")
        files = {"file": file} if random.random() < 0.7 else None
        form |= {} if files else {"sha256": digest}
        faces = self.faces_of(list(self.ledger.names))
        response = self.client.post(
            label.partition(" ")[2], files=files, data=form, headers=who.headers
        )
        told = response.status_code, dict(response.headers), response.content
        self.answered(label, who, [*form.values(), file[0]], *told)
        OPERATIONS[label].validate_response(response)
        done = response.json() if response.status_code < 300 else {}
        if label == LIFT:
            self.ledger.barred -= {(group, digest) for group in done.get("lifted", ())}
            return
        self.ledger.barred |= {(group, digest) for group in done.get("barred", ())}
        erased = [(job["batch_id"], job["job_id"]) for job in done.get("erased", ())]
        self.ledger.erase(erased, {face for key in erased for face in faces.get(key, ())})
        if response.status_code in (200, 404):
            self._nothing_has(digest, who, form["group"])

    def _nothing_has(self, digest: str, who: Someone, group: str) -> None:
        """Check that a photo is nowhere any more that it was to be erased from."""
        left = [
            key
            for key in self.ledger.with_photo(digest)
            if who.sees(own := self.world.group_of(key[0])) and group in ("", own)
        ]
        assert not left, f"jobs still have the photo that was erased: {left}"

    def faces_of(self, keys: Collection[Key]) -> dict[Key, set[str]]:
        """Return the faces in the gallery of each job."""
        gallery = self.world.services.gallery
        return {key: {str(face.face_id) for face in gallery.faces_of(key)} for key in keys}

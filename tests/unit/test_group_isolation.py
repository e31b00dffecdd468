"""No route, in whatever spelling, tells somebody of another group that something is there.

Every route of the app is in `TABLE`; a new one without an entry fails. Each is asked for what is
hidden and for what is not there, and both answers must be the same but for the names.
"""

import asyncio
import hashlib
import json
import re
import unicodedata
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from imaginem.names import job_prefix
from imaginem.pipeline.steps import default_registry
from imaginem.ports import EnrolledFace, JobResult, PoisonEntry
from imaginem.testing import MemoryServices, photo_bytes
from imaginem.usecases.kept_receipts import keep
from imaginem.usecases.receipts import Receipt
from imaginem.web import make_app
from tests.dashboard import PIPELINE, pair, principal, web_services

SECRET = "sesame"
HIDDEN, ABSENT = ("Hidné batch", "Hidné job"), ("Absné batch", "Absné job")
HIDDEN_FACES = [uuid.UUID(int=number) for number in (0xA0001, 0xA0002)]
ABSENT_FACES = [uuid.UUID(int=number) for number in (0xB0001, 0xB0002)]
BLUE = principal("caseworker", groups=("blue",))
BLUE_VIEWER = principal("viewer", groups=("blue",))
RED = principal("caseworker", groups=("red",))
RECEIPT = "0f8fad5bd9cb469fa16570867728950e"
UNASKED = (HIDDEN[0][:4], quote(HIDDEN[0]), *map(str, HIDDEN_FACES))
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Route:
    """How a route is asked.

    Attributes:
        query: with names in braces, as in paths.
        body: the same.
        kind: of the body.
        wrong: other queries and bodies, most of them refused as such: the answers must always be
            the same.
        same: whether hidden and absent are answered alike; no, where something is made.
    """

    query: str = ""
    body: str = ""
    kind: str = ""
    wrong: tuple[tuple[str, str], ...] = ()
    same: bool = True


NAMED = Route()
OPERATORS = Route()
RERUN = Route(
    body='{"from_step": "ocr"}',
    kind=JSON,
    wrong=(("", "{"), ("", "{}"), ("", '{"from_step": "nonsense"}'), ("", '{"from_step": 5}')),
)


def message(url: str = "https://example.org/a.png", **more: object) -> str:
    """Return a job message in which the ids are names in braces."""
    definition = {"id": "{job_id}", "batch_id": "{batch_id}", "input": {"image_url": url}, **more}
    return json.dumps({"job_definition": definition})


MESSAGES = Route(
    body=message(),
    kind=JSON,
    wrong=(
        ("", message(processing_pipeline=["nonsense"])),
        ("", message(processing_step=77)),
        ("", message("https://memory.test/inputimages/elsewhere/a")),
        ("", message("https://memory.test/inputimages/{batch_id}/{job_id}", id="")),
    ),
    same=False,  # an absent batch is made: who may send learns that a batch id is taken
)
LISTED = Route(
    "batch={batch_id}&text=" + SECRET[:-1], wrong=(("", ""), ("batch={batch_id}&limit=0", ""))
)
GPS = Route("gps=false", wrong=(("gps=true", ""), ("gps=nonsense", "")))
UPLOAD = Route(
    body="\r\n".join(
        (
            "--cut",
            'Content-Disposition: form-data; name="file"; filename="a.png"',
            "Content-Type: image/png",
            "",
            "no photo",
            "--cut--",
            "",
        )
    ),
    kind="multipart/form-data; boundary=cut",
)
BY_FILE = replace(UPLOAD, same=True, wrong=(("", ""), ("", UPLOAD.body.replace("file", "sha256"))))
VERDICT = Route(body='{"verdict": "confirmed"}', kind=JSON, wrong=(("", "{}"), ("", "{")))
TABLE = {
    "GET /api/health": NAMED,
    "GET /api/me": NAMED,
    "GET /api/pipeline/steps": NAMED,
    "POST /api/pipeline/resolve": Route(body='{"steps": ["ocr"]}', kind=JSON),
    "GET /api/batches": NAMED,
    "GET /api/batches/{batch_id}": NAMED,
    "GET /api/batches/{batch_id}/costs": NAMED,
    "GET /api/costs": OPERATORS,
    "GET /api/forecast": Route("photos=9", wrong=(("", ""), ("photos=x", ""))),
    "POST /api/batches/{batch_id}/images": UPLOAD,
    "POST /api/batches/{batch_id}/cancel": NAMED,
    "POST /api/batches/{batch_id}/reopen": NAMED,
    "POST /api/batches/{batch_id}/pause": NAMED,
    "POST /api/batches/{batch_id}/resume": NAMED,
    "PUT /api/batches/{batch_id}/budget": NAMED,
    "GET /api/batches/{batch_id}/export": Route("format=json", wrong=(("format=x", ""),)),
    "DELETE /api/batches/{batch_id}": NAMED,
    "POST /api/jobs": MESSAGES,
    "GET /api/jobs/{batch_id}/{job_id}": NAMED,
    "POST /api/jobs/{batch_id}/{job_id}/retry": NAMED,
    "POST /api/jobs/{batch_id}/{job_id}/rerun": RERUN,
    "GET /api/jobs/{batch_id}/{job_id}/comparison": NAMED,
    "DELETE /api/jobs/{batch_id}/{job_id}": NAMED,
    "GET /api/images": LISTED,
    "GET /api/tags": LISTED,
    "GET /api/images/{batch_id}/{job_id}/original": NAMED,
    "GET /api/images/{batch_id}/{job_id}/exif": GPS,
    "GET /api/images/{batch_id}/{job_id}/{size}": NAMED,
    "POST /api/faces/search": UPLOAD,
    "GET /api/faces/{face_id}/matches": NAMED,
    "GET /api/faces/{face_id}/image": NAMED,
    "DELETE /api/faces/{face_id}": Route(
        "batch={batch_id}&job={job_id}", wrong=(("", ""), ("batch={batch_id}", ""))
    ),
    "PUT /api/faces/{face_id}/matches/{other_id}/verdict": VERDICT,
    "POST /api/photos/forget": BY_FILE,
    "POST /api/photos/lift": OPERATORS,
    "POST /operations/photo/erase": OPERATORS,
    "POST /operations/photo/lift": OPERATORS,
    "GET /api/operations": OPERATORS,
    "GET /api/audit": OPERATORS,
    "GET /api/receipts": OPERATORS,
    "GET /api/receipts/{receipt_id}": NAMED,  # who has its id may see it: it names nobody
    "GET /receipts/{receipt_id}": NAMED,
    "GET /operations/audit": OPERATORS,
    "GET /operations/receipts": OPERATORS,
    "GET /api/poison": OPERATORS,
    "POST /api/poison/replay": OPERATORS,
    "POST /api/poison/drop": OPERATORS,
    "GET /api/poison/{poison_id}": OPERATORS,
    "POST /api/poison/{poison_id}/replay": OPERATORS,
    "DELETE /api/poison/{poison_id}": OPERATORS,
    "GET /": NAMED,
    "GET /upload": Route("batch={batch_id}"),
    "GET /photos": LISTED,
    "GET /photos/cards": LISTED,
    "GET /photos/facets": LISTED,
    "GET /photos/{batch_id}/{job_id}": NAMED,
    "GET /photos/{batch_id}/{job_id}/file": GPS,
    "POST /photos/{batch_id}/{job_id}/erase": NAMED,
    "POST /photos/{batch_id}/{job_id}/faces/{face_id}/erase": NAMED,
    "POST /photos/{batch_id}/{job_id}/retry": NAMED,
    "POST /photos/{batch_id}/{job_id}/rerun": Route(
        body="from_step=ocr", kind=FORM, wrong=(("", ""), ("", "from_step=nonsense"))
    ),
    "GET /batches": NAMED,
    "GET /batches/{batch_id}": NAMED,
    "GET /batches/{batch_id}/progress": NAMED,
    "GET /batches/{batch_id}/state": NAMED,
    "POST /batches/{batch_id}/cancel": NAMED,
    "POST /batches/{batch_id}/reopen": NAMED,
    "POST /batches/{batch_id}/pause": NAMED,
    "POST /batches/{batch_id}/resume": NAMED,
    "POST /batches/{batch_id}/budget": Route(body="usd=5", kind=FORM, wrong=(("", ""),)),
    "POST /batches/{batch_id}/{job_id}/retry": NAMED,
    "POST /batches/{batch_id}/erase": NAMED,
    "GET /faces": Route("face={face_id}", wrong=(("", ""),)),
    "POST /faces/search": UPLOAD,
    "POST /faces/{face_id}/matches/{other_id}": Route(body="verdict=confirmed", kind=FORM),
    "GET /operations/costs": OPERATORS,
    "GET /batches/{batch_id}/costs": NAMED,
    "GET /operations": OPERATORS,
    "GET /operations/now": OPERATORS,
    "GET /operations/poison": OPERATORS,
    "GET /operations/poison/{poison_id}": OPERATORS,
    "POST /operations/poison/replay": OPERATORS,
    "POST /operations/poison/drop": OPERATORS,
    "POST /operations/poison/{poison_id}/replay": OPERATORS,
    "POST /operations/poison/{poison_id}/drop": OPERATORS,
    "GET /api/docs": NAMED,
    "GET /api/openapi.json": NAMED,
    "GET /static/{name}": NAMED,
    "GET /favicon.ico": NAMED,
}
"""Every route; the tests ask each for names in its path, its query and its body."""


def _every_byte(name: str, case: str = "02X") -> str:
    return "".join(f"%{byte:{case}}" for byte in name.encode())


NAMES: dict[str, Callable[[str], str]] = {
    "as it is": lambda name: quote(name, safe=""),
    "every byte encoded": _every_byte,
    "in small letters": lambda name: _every_byte(name, "02x"),
    "encoded twice": lambda name: quote(_every_byte(name), safe=""),
    "upper case": lambda name: quote(name.upper(), safe=""),
    "lower case": lambda name: quote(name.lower(), safe=""),
    "decomposed": lambda name: quote(unicodedata.normalize("NFD", name), safe=""),
    "a wide letter": lambda name: quote(name[:-1] + chr(ord(name[-1]) + 0xFEE0), safe=""),
    "a blank after it": lambda name: quote(name, safe="") + "%20",
    "a dot after it": lambda name: quote(name, safe="") + ".",
    "a null after it": lambda name: quote(name, safe="") + "%00",
    "parameters after it": lambda name: quote(name, safe="") + ";a=b",
    "a slash in it": lambda name: quote(name, safe="") + "%2F..",
    "a dot segment in it": lambda name: "%2e%2e%2f" + quote(name, safe=""),
}
PATHS: dict[str, Callable[[str], str]] = {
    "as it is": lambda path: path,
    "a slash after it": lambda path: f"{path}/",
    "slashes doubled": lambda path: path.replace("/", "//"),
    "dot segments": lambda path: path.replace("/", "/./"),
    "up and down": lambda path: path.replace("/", "/x/../"),
    "encoded dots": lambda path: path.replace("/", "/%2e/"),
    "upper case": lambda path: re.sub(r"(?<!%)\b[a-z]+\b", lambda word: word[0].upper(), path),
    "encoded slashes": lambda path: "/" + path[1:].replace("/", "%2F"),
}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """Headers and body, as far as somebody learns from them."""
        told = {name: text for name, text in self.headers.items() if name != "content-length"}
        return f"{self.status} {sorted(told.items())} {self.body.decode('utf-8', 'replace')}"


async def ask(
    app: FastAPI, method: str, path: str, query: str, body: str, headers: dict[str, str]
) -> Answer:
    """Send a request with a path that no client has tidied up."""
    sent = [(name.lower().encode(), text.encode()) for name, text in headers.items()]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote_to_bytes(path).decode("utf-8", "replace"),
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(b"host", b"x.test"), *sent],
        "server": ("x.test", 80),
        "client": ("127.0.0.1", 5),
    }
    told: dict[str, Any] = {"body": b""}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body.encode(), "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            told["status"], told["headers"] = message["status"], message["headers"]
        else:
            told["body"] += message.get("body", b"")

    await app(scope, receive, send)
    named = {name.decode().lower(): text.decode() for name, text in told["headers"]}
    return Answer(told["status"], named, told["body"])


@pytest.fixture(scope="module")
def services() -> MemoryServices:
    """Return services with one job of the red group, which has everything that a job can have."""
    made = web_services()
    batch_id, job_id = HIDDEN
    made.batches.open_batch(batch_id, "red")
    url = made.blobs.put("inputimages", f"{job_prefix(*HIDDEN)}a", photo_bytes(), "image/png")
    outputs = {
        "ocr": {"full_text": SECRET},
        "generalclassification": {"tags": [{"name": SECRET, "confidence": 0.9}]},
    }
    given = {"original_name": f"{SECRET}.png"}
    made.results.save(JobResult(batch_id, job_id, PIPELINE, url, given, outputs, photo_url=url))
    sent = hashlib.sha256(b"no photo").hexdigest()  # as `UPLOAD` has it
    made.submissions.submitted(HIDDEN, "run", given, sent)
    states = {"job_state": "succeeded", "processing_pipeline": "ocr", "imaginem_run": "run"}
    made.log.insert(HIDDEN, states)
    made.poison.add(PoisonEntry("ocr", "m", SECRET, "{}", 1, batch_id, job_id))
    embedding = bytes([0, 0, 128, 63]) * 4
    faces = [EnrolledFace(face, "m", embedding, 0.9, (1, 2, 3, 4)) for face in HIDDEN_FACES]
    made.gallery.enrol(HIDDEN, faces)
    at = "2026-11-27T12:00:00+00:00"
    keep(made, Receipt(1, {"face": 2}, id=RECEIPT, at=at, kind="job", final=True, final_at=at))
    pair(made, *HIDDEN_FACES)
    for face in HIDDEN_FACES:
        made.blobs.put("faces", f"{job_prefix(*HIDDEN)}{face}.png", photo_bytes(), "image/png")
    return made


@pytest.fixture(scope="module")
def app(services: MemoryServices) -> FastAPI:
    return make_app(default_registry, "platform", lambda: services)


def named(job: tuple[str, str], faces: list[uuid.UUID]) -> dict[str, str]:
    return {
        "batch_id": job[0],
        "job_id": job[1],
        "face_id": str(faces[0]),
        "other_id": str(faces[1]),
        "poison_id": "ocr.m" if job == HIDDEN else "ocr.n",
    }


def filled(text: str, names: dict[str, str], spell: Callable[[str], str]) -> str:
    own = {"size": "thumbnail", "name": "app.js", "receipt_id": RECEIPT}
    for name, value in names.items():
        text = text.replace(f"{{{name}}}", spell(value))
    for name, value in own.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def without_names(text: str) -> str:
    """Return an answer in which names of what is hidden and of what is absent are the same."""
    for hidden, absent in (("Hidn", "Absn"), ("HIDN", "ABSN"), ("hidn", "absn")):
        text = text.replace(hidden, "…").replace(absent, "…")
    for spelled in (_every_byte("Hidn"), _every_byte("Absn"), _every_byte("Hidn", "02x")):
        text = text.replace(spelled, "…")
    text = text.replace(_every_byte("Absn", "02x"), "…").replace("ocr.n", "ocr.m")
    for face in (*HIDDEN_FACES, *ABSENT_FACES):
        text = re.sub(re.escape(str(face)), "…", text, flags=re.IGNORECASE)
    return text


def questions(route: Route) -> Iterator[tuple[str, str]]:
    yield route.query, route.body
    yield from route.wrong


async def compare(app: FastAPI, place: str, route: Route, headers: dict[str, str]) -> int:
    """Ask a route for what is hidden and what is absent, in every spelling; count the pairs."""
    method, template = place.split(" ", 1)
    sent = {**headers, **({"Content-Type": route.kind} if route.kind else {})}
    spellings = [(spell, path) for spell in NAMES.values() for path in (PATHS["as it is"],)]
    spellings += [(NAMES["as it is"], path) for path in PATHS.values()]
    if "{" not in template:
        spellings = [(NAMES["as it is"], path) for path in PATHS.values()]
    if headers is not BLUE:
        spellings = spellings[:1]
    asked = 0
    for number, (query, body) in enumerate(questions(route)):
        for spell, shape in spellings if not number else spellings[:1]:
            answers = []
            for job, faces in ((HIDDEN, HIDDEN_FACES), (ABSENT, ABSENT_FACES)):
                names = named(job, faces)
                answers.append(
                    await ask(
                        app,
                        method,
                        shape(filled(template, names, spell)),
                        filled(query, names, lambda name: quote(name)),
                        filled(body, names, str) if route.kind == JSON else body,
                        sent,
                    )
                )
            hidden, absent = answers
            for told in (hidden, absent):
                assert SECRET not in told.text, (place, told)
            # Who asks for something else must not be told the names of what is hidden.
            assert not [name for name in UNASKED if name in absent.text], (place, absent)
            assert hidden.status < 500, (place, hidden)
            if route.same or number:
                assert without_names(hidden.text) == without_names(absent.text), place
            asked += 1
    return asked


def routes_of(routes: Iterable[Any]) -> set[str]:
    """Return method and path of routes, also of those in routers; fail for any other kind."""
    found = set()
    for route in routes:
        if isinstance(route, APIRoute):
            found |= {f"{method} {route.path}" for method in route.methods or ()}
        else:  # an included router; a mounted app has none, and fails here
            found |= routes_of(route.original_router.routes)
    return found


def test_every_route_is_in_the_table(app: FastAPI) -> None:
    assert routes_of(app.routes) - set(TABLE) == set(), "say in TABLE how these routes are asked"
    assert set(TABLE) - routes_of(app.routes) == set(), (
        "these routes are no more: remove them from TABLE"
    )


def test_what_is_hidden_is_answered_like_what_is_not_there(
    app: FastAPI, services: MemoryServices
) -> None:
    async def everything() -> int:
        return sum(
            [
                await compare(app, place, route, headers)
                # What makes something comes last: the absent would be there from then on.
                for place, route in sorted(TABLE.items(), key=lambda item: not item[1].same)
                for headers in (BLUE, BLUE_VIEWER)
            ]
        )

    assert asyncio.run(everything()) > 1000
    # Nothing was changed either.
    assert services.results.read(HIDDEN) is not None
    assert services.submissions.submission(HIDDEN) is not None
    assert len(services.gallery.faces_of(HIDDEN)) == 2
    assert services.reviews.decisions(HIDDEN_FACES) == {}
    assert len(services.poison.list()) == 1
    assert not services.cancellations.is_cancelled(HIDDEN[0])


def test_the_group_itself_gets_all_of_it(app: FastAPI) -> None:
    """Show that the requests of the other test would find something if they were let in."""

    async def looked() -> dict[str, int]:
        names = named(HIDDEN, HIDDEN_FACES)
        told = {}
        for place, route in TABLE.items():
            method, template = place.split(" ", 1)
            if method == "GET" and route is not OPERATORS:
                path, query = filled(template, names, NAMES["as it is"]), route.query
                answer = await ask(app, method, path, filled(query, names, quote), "", RED)
                told[place] = answer.status
        return told

    answered = asyncio.run(looked())
    refused = {place for place, status in answered.items() if status >= 400}
    assert refused == {"GET /api/jobs/{batch_id}/{job_id}/comparison"}

"""Runs of the API: random requests of many callers in a row, while jobs are worked on.

Requests are made from the OpenAPI document by schemathesis, then most of their ids are replaced by
those that earlier answers named.
"""

import logging
from collections.abc import Mapping
from random import Random
from typing import Any

from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from imaginem.testing import photo_bytes
from tests.dashboard import PIPELINE
from tests.fuzz.api_checks import Asked, check, check_lines
from tests.fuzz.api_ledger import Key, Ledger, marked_name
from tests.fuzz.api_report import Report
from tests.fuzz.api_requests import APP, CASES, OPERATIONS, PAGES, aim, served, texts_of
from tests.fuzz.api_world import (
    BATCHES,
    PEOPLE,
    PROBLEMS,
    SECRET,
    LogLines,
    Someone,
    World,
)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
_UPLOAD, _SEARCH = "POST /api/batches/{batch_id}/images", "POST /api/faces/search"
_OPERATOR = PEOPLE["operator"].headers
REPORT = Report()
"""What all runs of this process did."""
RANDOM = st.integers(0, 2**32 - 1).map(Random)
_MAY = sorted(name for name, someone in PEOPLE.items() if someone.role)
WHO = st.one_of(
    st.sampled_from(_MAY),
    st.just("operator"),
    st.sampled_from(_MAY),
    st.sampled_from(sorted(PEOPLE)),
)


class ApiRun(RuleBasedStateMachine):
    """One run: an app of its own, and what is asked of it."""

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

    @initialize(random=RANDOM)
    def begin(self, random: Random) -> None:
        """Have a photo in each batch, and something that could not be processed."""
        for batch_id in BATCHES:
            self.upload(batch_id, random)
        self.world.work(200)
        for key in list(self.ledger.names):
            address = "/api/jobs/{}/{}".format(*key)
            told = self.client.get(address, headers=_OPERATOR)
            self._tell("GET /api/jobs/{batch_id}/{job_id}", told)
            self.world.put_nonsense(random, key)
        self.world.work(20)
        self._tell("GET /api/poison", self.client.get("/api/poison", headers=_OPERATOR))

    def _tell(self, label: str, response: Any, who: str = "operator") -> None:
        """Check what somebody was answered."""
        told = response.status_code, dict(response.headers), response.content
        stated = str(response.request.url).split("/")
        self._answered(label, PEOPLE[who], stated, *told)
        OPERATIONS[label].validate_response(response)

    def teardown(self) -> None:
        """Check what is kept."""
        logging.getLogger().removeHandler(self.log)
        logging.getLogger("imaginem").setLevel(self.level)
        kept = self.world.kept()
        self.world.close()
        assert SECRET not in kept, kept[max(kept.index(SECRET) - 300, 0) :][:400]

    @rule(
        data=st.data(),
        asked=st.lists(st.tuples(st.sampled_from(sorted(OPERATIONS)), WHO, RANDOM), max_size=12),
    )
    def ask(self, data: st.DataObject, asked: list[tuple[str, str, Random]]) -> None:
        """Ask for anything that the document has."""
        for label, who, random in asked:
            self._ask(data, label, who, random)

    def _ask(self, data: st.DataObject, label: str, who: str, random: Random) -> None:
        if label in (_UPLOAD, _SEARCH) and random.random() < 0.8:
            self._send_photo(label, PEOPLE[who], random)
            return
        case = data.draw(CASES[label])
        key = self.ledger.a_key(random)
        aim(case, label, key, self.ledger, random)
        doomed = self._doomed(label, case.path_parameters or {})
        response = case.call(headers=PEOPLE[who].headers)
        headers = {name: ", ".join(values) for name, values in response.headers.items()}
        stated = [*texts_of(case.path_parameters), *texts_of(case.query), *texts_of(case.body)]
        self._answered(label, PEOPLE[who], stated, response.status_code, headers, response.content)
        if response.status_code < 300 and label.startswith("DELETE /api/"):
            self.ledger.erase(*doomed)
        case.validate_response(response, checks=CHECKS)

    @rule(batch_id=st.sampled_from(sorted(BATCHES)), random=RANDOM)
    def upload(self, batch_id: str, random: Random) -> None:
        """Send a photo as somebody who may."""
        self._upload(batch_id, random)

    def _upload(self, batch_id: str, random: Random) -> Key | None:
        """Send a photo as somebody who may; return its job, unless it was refused."""
        group = BATCHES[batch_id]
        who = f"{group} caseworker" if group else "operator"
        return self._send_photo(_UPLOAD, PEOPLE[who], random, batch_id)

    @rule(most=st.integers(1, 60), later=st.booleans())
    def work(self, most: int, later: bool) -> None:
        """Let the workers do something."""
        if later:
            self.world.later()
        REPORT.executions += self.world.work(most)
        self._step_is_done()

    @rule(problem=st.sampled_from(PROBLEMS))
    def change(self, problem: Exception | None) -> None:
        """Let engines fail from now on, or work again."""
        self.world.mood.problem = problem

    @rule(random=RANDOM)
    def send_nonsense(self, random: Random) -> None:
        """Put on a queue what can't be processed."""
        key = self.ledger.a_key(random)
        self.ledger.sent(key, key[1])
        self.world.put_nonsense(random, key)
        REPORT.executions += self.world.work(7)
        self._step_is_done()

    @rule(who=WHO, whole=st.booleans(), at_work=st.booleans(), random=RANDOM)
    def erase(self, who: str, whole: bool, at_work: bool, random: Random) -> None:
        """Erase a job or a batch, perhaps while it is at work, and look whether it comes back."""
        key = self.ledger.a_key(random)
        if at_work:
            key = self._upload(key[0], random) or key
            self.world.work(random.randrange(6))
        place = "batches/{batch_id}" if whole else "jobs/{batch_id}/{job_id}"
        label, names = f"DELETE /api/{place}", {"batch_id": key[0], "job_id": key[1]}
        doomed = self._doomed(label, names)
        address = f"/api/{place.format_map(names)}"
        answer = self.client.delete(address, headers=PEOPLE[who].headers)
        if answer.status_code < 300:
            self.ledger.erase(*doomed)
        self._tell(label, answer, who)
        REPORT.executions += self.world.work(80)
        for place in ("/api/poison", "/api/images", "/api/batches/{batch_id}"):
            answer = self.client.get(place.format_map(names), headers=_OPERATOR)
            self._tell(f"GET {place}", answer)

    @rule(who=WHO, random=RANDOM)
    def compare(self, who: str, random: Random) -> None:
        """Run a job again from a late step, once there are more faces, and compare."""
        self._upload(random.choice(list(BATCHES)), random)
        REPORT.executions += self.world.work(60)
        address = "/api/jobs/{}/{}".format(*self.ledger.a_key(random))
        body = {"from_step": random.choice(PIPELINE[-2:])}
        label = "POST /api/jobs/{batch_id}/{job_id}/rerun"
        self._tell(label, self.client.post(f"{address}/rerun", json=body, headers=_OPERATOR))
        REPORT.executions += self.world.work(60)
        label = "GET /api/jobs/{batch_id}/{job_id}/comparison"
        answer = self.client.get(f"{address}/comparison", headers=PEOPLE[who].headers)
        self._tell(label, answer, who)

    @rule(page=st.sampled_from(PAGES), who=WHO, random=RANDOM)
    def look(self, page: str, who: str, random: Random) -> None:
        """Look at a page."""
        key = self.ledger.a_key(random)
        names = {
            "batch_id": key[0],
            "job_id": key[1],
            "face_id": random.choice(self.ledger.faces or ["0" * 32]),
            "poison_id": random.choice(self.ledger.poison or ["ocr.none"]),
        }
        address = page.format_map(names)
        headers = {"Accept": "text/html", **PEOPLE[who].headers}
        response = self.client.get(address, headers=headers, follow_redirects=False)
        stated = [text for name, text in names.items() if f"{{{name}}}" in page]
        told = response.status_code, dict(response.headers), response.content
        self._answered(f"GET {page.partition('?')[0]}", PEOPLE[who], stated, *told)

    def _send_photo(
        self, label: str, who: Someone, random: Random, batch_id: str | None = None
    ) -> Key | None:
        """Send a photo to a batch, or search with one; return the job that it has become."""
        batch_id = batch_id or random.choice(list(BATCHES))
        name = marked_name(random, batch_id)
        form = {} if label == _SEARCH or random.random() < 0.5 else {"job_id": f"{name}.job"}
        if form:
            form |= {"replace": random.choice(["true", "false"]), "again": "true"}
        if label == _UPLOAD and random.random() < 0.3:
            form["group"] = random.choice(["red", "blue", ""])
        data = photo_bytes(color=f"#{random.randrange(9):06x}")
        path = label.partition(" ")[2].format(batch_id=batch_id)
        response = self.client.post(
            path, files={"file": (name, data, "image/png")}, data=form, headers=who.headers
        )
        told = response.status_code, dict(response.headers), response.content
        key = None
        if label == _UPLOAD and response.status_code < 300:
            key = (batch_id, response.json()["job_id"])
            self.ledger.sent(key, name)
        self._answered(label, who, [batch_id, name, *form.values()], *told)
        OPERATIONS[label].validate_response(response)
        return key

    def _doomed(self, label: str, names: Mapping[str, Any]) -> tuple[list[Key], set[str]]:
        """Return which jobs and faces a request erases, should it succeed."""
        batch_id, job_id = names.get("batch_id"), names.get("job_id")
        keys = [key for key in self.ledger.names if key == (batch_id, job_id)]
        if label == "DELETE /api/batches/{batch_id}":
            keys = [key for key in self.ledger.names if key[0] == batch_id]
        elif label != "DELETE /api/jobs/{batch_id}/{job_id}":
            return [], set()
        gallery = self.world.services.gallery
        return keys, {str(face.face_id) for key in keys for face in gallery.faces_of(key)}

    def _answered(
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
        self._step_is_done()

    def _step_is_done(self) -> None:
        REPORT.steps += 1
        check_lines(self.log.lines)
        self.log.lines.clear()


def play(
    runs: int, first_seed: int, *, steps: int = 40, sqlite: bool = False, shrink: bool = False
) -> Report:
    """Play so many runs; return what all runs of this process did.

    Args:
        runs: how many.
        first_seed: the same one plays the same runs.
        steps: of a run, at most.
        sqlite: keep results in SQLite.
        shrink: look for the fewest steps that fail, which takes minutes.

    Raises:
        AssertionError: something did not hold; the steps that lead to it are printed.
    """
    machine = type("Run", (ApiRun,), {"sqlite": sqlite})
    profile = settings(
        max_examples=runs,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        derandomize=False,
        phases=(Phase.generate, Phase.shrink) if shrink else (Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(seed(first_seed)(machine), settings=profile)
    return REPORT

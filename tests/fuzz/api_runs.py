"""Runs of the API: random requests of many callers in a row, while jobs are worked on.

Requests are made from the OpenAPI document by schemathesis, then most of their ids are replaced by
those that earlier answers named.
"""

import logging
import uuid
from collections.abc import Mapping
from random import Random
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule, run_state_machine_as_test
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.dashboard import PIPELINE
from tests.fuzz.api_asking import BY_FILE, FORGET, LIFT, REPORT, SEARCH, UPLOAD, Asking
from tests.fuzz.api_ledger import Key
from tests.fuzz.api_report import Report
from tests.fuzz.api_requests import CASES, OPERATIONS, PAGES, aim, texts_of
from tests.fuzz.api_world import (
    BATCHES,
    PEOPLE,
    PROBLEMS,
    SECRET,
)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
_OPERATOR = PEOPLE["operator"].headers
RANDOM = st.integers(0, 2**32 - 1).map(Random)
_MAY = sorted(name for name, someone in PEOPLE.items() if someone.role)
WHO = st.one_of(
    st.sampled_from(_MAY),
    st.just("operator"),
    st.sampled_from(_MAY),
    st.sampled_from(sorted(PEOPLE)),
)


class ApiRun(Asking):
    """One run: what is asked of an app of its own."""

    @initialize(data=st.data(), random=RANDOM)
    def begin(self, data: st.DataObject, random: Random) -> None:
        """Have a photo in each batch, and something that could not be processed; ask for some."""
        for batch_id in BATCHES:
            self.upload(batch_id, random)
        self.world.work(200)
        for key in list(self.ledger.names):
            address = "/api/jobs/{}/{}".format(*key)
            told = self.client.get(address, headers=_OPERATOR)
            self.tell("GET /api/jobs/{batch_id}/{job_id}", told)
            self.world.put_nonsense(random, key)
        self.world.work(20)
        self.tell("GET /api/poison", self.client.get("/api/poison", headers=_OPERATOR))
        for label in random.sample(sorted(OPERATIONS), 6):
            self._ask(data, label, "operator", random)
        for page in random.sample(PAGES, 3):
            self._look(page, "operator", random)

    def teardown(self) -> None:
        """Check what is kept."""
        logging.getLogger().removeHandler(self.log)
        logging.getLogger("imaginem").setLevel(self.level)
        photos = self.world.photos()
        group_of = self.world.group_of
        back = {
            batch_id: [each for each in found if self.ledger.is_barred(group_of(batch_id), each)]
            for batch_id, found in photos.items()
        }
        kept = self.world.kept()
        self.world.close()
        assert not any(back.values()), f"barred photos are kept: {back}"
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
        if label in BY_FILE and random.random() < 0.8:
            send = self.send_photo if label in (UPLOAD, SEARCH) else self.name_photo
            send(label, PEOPLE[who], random)
            return
        case = data.draw(CASES[label])
        key = self.ledger.a_key(random)
        aim(case, label, key, self.ledger, random)
        doomed = self.doomed(label, case.path_parameters or {})
        response = case.call(headers=PEOPLE[who].headers)
        headers = {name: ", ".join(values) for name, values in response.headers.items()}
        stated = [*texts_of(case.path_parameters), *texts_of(case.query), *texts_of(case.body)]
        self.answered(label, PEOPLE[who], stated, response.status_code, headers, response.content)
        if response.status_code < 300 and label.startswith("DELETE /api/"):
            self.ledger.erase(*doomed)
            self.ledger.removed_faces |= _face_of(label, case.path_parameters)
        case.validate_response(response, checks=CHECKS)

    @rule(batch_id=st.sampled_from(sorted(BATCHES)), random=RANDOM)
    def upload(self, batch_id: str, random: Random) -> None:
        """Send a photo as somebody who may."""
        self._upload(batch_id, random)

    def _upload(self, batch_id: str, random: Random, digest: str = "") -> Key | None:
        """Send a photo as somebody who may; return its job, unless it was refused."""
        group = BATCHES[batch_id]
        who = f"{group} caseworker" if group else "operator"
        return self.send_photo(UPLOAD, PEOPLE[who], random, batch_id, digest)

    @rule(most=st.integers(1, 60), later=st.booleans())
    def work(self, most: int, later: bool) -> None:
        """Let the workers do something."""
        if later:
            self.world.later()
        REPORT.executions += self.world.work(most)
        self.step_is_done()

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
        self.step_is_done()

    @rule(who=WHO, whole=st.booleans(), at_work=st.booleans(), random=RANDOM)
    def erase(self, who: str, whole: bool, at_work: bool, random: Random) -> None:
        """Erase a job or a batch, perhaps while it is at work, and look whether it comes back."""
        key = self.ledger.a_key(random)
        if at_work:
            key = self._upload(key[0], random) or key
            self.world.work(random.randrange(6))
        place = "batches/{batch_id}" if whole else "jobs/{batch_id}/{job_id}"
        label, names = f"DELETE /api/{place}", {"batch_id": key[0], "job_id": key[1]}
        doomed = self.doomed(label, names)
        address = f"/api/{place.format_map(names)}"
        answer = self.client.delete(address, headers=PEOPLE[who].headers)
        if answer.status_code < 300:
            self.ledger.erase(*doomed)
        self.tell(label, answer, who)
        REPORT.executions += self.world.work(80)
        for place in ("/api/poison", "/api/images", "/api/batches/{batch_id}"):
            answer = self.client.get(place.format_map(names), headers=_OPERATOR)
            self.tell(f"GET {place}", answer)

    @rule(who=WHO, at_work=st.booleans(), again=st.booleans(), random=RANDOM)
    def forget(self, who: str, at_work: bool, again: bool, random: Random) -> None:
        """Forget a photo, perhaps at work and for good, send it again, and let it come back."""
        batch_id = random.choice(list(BATCHES))
        key = self._upload(batch_id, random)
        if not at_work:
            REPORT.executions += self.world.work(60)
        digest = self.ledger.photos.get(key, "") if key else ""
        self.name_photo(FORGET, PEOPLE[who], random, digest)
        REPORT.executions += self.world.work(60)
        for place in ("/api/images", "/api/receipts"):
            self.tell(f"GET {place}", self.client.get(place, headers=_OPERATOR))
        if again:
            self._upload(batch_id, random, digest)
            REPORT.executions += self.world.work(60)
            self.name_photo(LIFT, PEOPLE[who], random, digest)

    @rule(who=WHO, at_work=st.booleans(), random=RANDOM)
    def forget_face(self, who: str, at_work: bool, random: Random) -> None:
        """Erase a face, perhaps while its job is at work, and run the job again."""
        key = self.ledger.a_key(random)
        key = self._upload(key[0], random) or key
        REPORT.executions += self.world.work(random.randrange(3, 7) if at_work else 60)
        face_id = next(iter(sorted(self.faces_of([key])[key])), "0" * 32)
        label = "DELETE /api/faces/{face_id}"
        answer = self.client.delete(f"/api/faces/{face_id}", headers=PEOPLE[who].headers)
        self.tell(label, answer, who)
        if answer.status_code < 300:
            self.ledger.removed_faces.add(str(uuid.UUID(face_id)))
        address = "/api/jobs/{}/{}".format(*key)
        for _ in range(2):
            REPORT.executions += self.world.work(60)
            told = self.client.get(address, headers=_OPERATOR)
            self.tell("GET /api/jobs/{batch_id}/{job_id}", told)
            self.client.post(f"{address}/rerun", json={"from_step": PIPELINE[0]}, headers=_OPERATOR)

    @rule(who=WHO, random=RANDOM)
    def compare(self, who: str, random: Random) -> None:
        """Run a job again from a late step, once there are more faces, and compare."""
        self._upload(random.choice(list(BATCHES)), random)
        REPORT.executions += self.world.work(60)
        address = "/api/jobs/{}/{}".format(*self.ledger.a_key(random))
        body = {"from_step": random.choice(PIPELINE[-2:])}
        label = "POST /api/jobs/{batch_id}/{job_id}/rerun"
        self.tell(label, self.client.post(f"{address}/rerun", json=body, headers=_OPERATOR))
        REPORT.executions += self.world.work(60)
        label = "GET /api/jobs/{batch_id}/{job_id}/comparison"
        answer = self.client.get(f"{address}/comparison", headers=PEOPLE[who].headers)
        self.tell(label, answer, who)

    @rule(page=st.sampled_from(PAGES), who=WHO, random=RANDOM)
    def look(self, page: str, who: str, random: Random) -> None:
        """Look at a page."""
        self._look(page, who, random)

    def _look(self, page: str, who: str, random: Random) -> None:
        key = self.ledger.a_key(random)
        names = {
            "batch_id": key[0],
            "job_id": key[1],
            "face_id": random.choice(self.ledger.faces or ["0" * 32]),
            "poison_id": random.choice(self.ledger.poison or ["ocr.none"]),
            "receipt_id": random.choice([*self.ledger.receipts, "0" * 32]),
        }
        address = page.format_map(names)
        headers = {"Accept": "text/html", **PEOPLE[who].headers}
        response = self.client.get(address, headers=headers, follow_redirects=False)
        stated = [text for name, text in names.items() if f"{{{name}}}" in page]
        told = response.status_code, dict(response.headers), response.content
        self.answered(f"GET {page.partition('?')[0]}", PEOPLE[who], stated, *told)


def _face_of(label: str, names: Mapping[str, Any]) -> set[str]:
    """Return the face that a request erases whose photo stays."""
    if label != "DELETE /api/faces/{face_id}":
        return set()
    return {str(uuid.UUID(names["face_id"]))}


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

"""Who may do and see what."""

import pytest

from imaginem.errors import InvalidMessage, NotFound
from imaginem.names import blob_segment
from imaginem.testing import MemoryServices, message_for, photo_bytes
from imaginem.usecases.access import (
    EVERYTHING,
    ROLES,
    Caller,
    check_batch,
    check_photo_address,
    hidden_batches,
)
from tests.dashboard import web_services

ANN = Caller("Ann", "caseworker", frozenset({"red-group"}))
BOB = Caller("Bob", "caseworker")


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_do_all_that_those_before_it_may(role: str) -> None:
    below = ROLES[: ROLES.index(role) + 1]
    assert [other for other in ROLES if Caller("x", role).may(other)] == list(below)


def test_a_batch_of_no_group_is_everybodys() -> None:
    assert BOB.may_see("")
    assert not BOB.may_see("red-group")
    assert ANN.may_see("red-group")
    assert EVERYTHING.may_see("red-group")


def test_a_hidden_batch_is_told_like_one_that_is_not_there() -> None:
    services = web_services()
    services.batches.open_batch("red", "red-group")
    services.batches.open_batch("open")
    assert hidden_batches(services, ["red", "open", "unknown"], BOB) == {"red"}
    assert hidden_batches(services, ["red", "open"], ANN) == set()
    assert hidden_batches(services, ["red"], EVERYTHING) == set()
    for batch_id, caller in (("open", BOB), ("unknown", BOB), ("red", ANN), ("red", EVERYTHING)):
        check_batch(services, batch_id, caller)
    with pytest.raises(NotFound, match=r"^there is no batch red$"):
        check_batch(services, "red", BOB)


class TestPhotoAddress:
    @pytest.fixture
    def services(self) -> MemoryServices:
        return web_services()

    def check(self, services: MemoryServices, address: str, caller: Caller) -> None:
        message = message_for(address, ["ocr"], batch_id="mine")
        check_photo_address(services, message.job_definition, caller)

    def kept(self, services: MemoryServices, container: str, batch_id: str) -> str:
        name = f"{blob_segment(batch_id)}/one"
        return services.blobs.put(container, name, photo_bytes(), "image/png")

    def test_a_photo_elsewhere_is_for_the_guarded_fetcher(self, services: MemoryServices) -> None:
        self.check(services, "https://example.org/a.jpg", BOB)

    def test_only_operators_may_name_a_photo_of_another_batch(
        self, services: MemoryServices
    ) -> None:
        own = self.kept(services, "inputimages", "mine")
        other = self.kept(services, "inputimages", "other")
        for address, caller in ((own, BOB), (own, EVERYTHING), (other, EVERYTHING)):
            self.check(services, address, caller)
        with pytest.raises(InvalidMessage, match="from the folder of the job's own batch"):
            self.check(services, other, BOB)

    def test_nobody_may_name_a_blob_of_another_container(self, services: MemoryServices) -> None:
        secret = self.kept(services, "azure-webjobs-secrets", "mine")
        for caller in (BOB, EVERYTHING):
            with pytest.raises(InvalidMessage, match="photos of this account are read from"):
                self.check(services, secret, caller)

"""What requests may hold: memory for their bodies, and turns at heavy work."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import pytest

from imaginem.errors import Busy
from imaginem.images.bodies import BodyRefused, BoundedBody
from imaginem.images.shares import Crowded, Share
from imaginem.web.bodies import Bodies
from imaginem.web.turns import Turns

MB = 2**20
Event = MutableMapping[str, Any]


def share(total: int, waiting: int = 8, seconds: float = 5.0) -> Share:
    return Share(total, waiting=waiting, seconds=seconds, refusal="later")


def sending(*parts: bytes, complete: bool = True) -> Callable[[], Awaitable[Event]]:
    """Return a `receive` that gives these parts, and then nothing for ever."""
    events = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    if complete and events:
        events[-1]["more_body"] = False

    async def receive() -> Event:
        if not events:
            await asyncio.Event().wait()
        return events.pop(0)

    return receive


def body(
    receive: Callable[[], Awaitable[Event]],
    room: Share,
    declared: int | None = None,
    silent: float = 5.0,
) -> BoundedBody:
    return BoundedBody(receive, declared, 20 * MB, room, too_large="too large", silent=silent)


def test_who_waits_longest_is_served_first() -> None:
    async def scene() -> list[str]:
        good, served = share(10), list[str]()

        async def want(name: str, amount: int) -> None:
            await good.take(amount)
            served.append(name)

        await want("first", 8)
        tasks = [asyncio.create_task(want(name, 5)) for name in ("second", "third")]
        late = asyncio.create_task(want("small", 1))  # it would fit, but came last
        await asyncio.sleep(0)
        assert served == ["first"]
        good.give_back(8)
        await asyncio.gather(*tasks)
        assert not late.done()
        good.give_back(5)
        await late
        return served

    assert asyncio.run(scene()) == ["first", "second", "third", "small"]


def test_no_more_than_so_many_wait_and_not_for_ever() -> None:
    async def scene() -> None:
        good = share(1, waiting=1, seconds=0.02)
        await good.take(1)
        waiting = asyncio.create_task(good.take(1))
        await asyncio.sleep(0)
        with pytest.raises(Crowded, match="later"):
            await good.take(1)
        with pytest.raises(Busy, match="later"):
            await waiting
        good.give_back(1)
        assert await good.take(1) == 1  # who stopped waiting took nothing along

    asyncio.run(scene())


def test_a_waiting_request_that_is_cancelled_takes_nothing_along() -> None:
    async def scene() -> None:
        good = share(1)
        await good.take(1)
        waiting = asyncio.create_task(good.take(1))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        good.give_back(1)
        assert await good.take(1) == 1

    asyncio.run(scene())


def test_unfinished_bodies_hold_no_more_than_the_room() -> None:
    async def scene() -> list[object]:
        room = share(40 * MB, waiting=1, seconds=0.02)
        bodies = [body(sending(b"x" * MB, complete=False), room, 20 * MB) for _ in range(5)]
        tasks = (each.receive() for each in bodies)
        return list(await asyncio.gather(*tasks, return_exceptions=True))

    outcomes = asyncio.run(scene())
    refused = [each for each in outcomes if isinstance(each, BodyRefused)]
    assert [each.status for each in refused] == [503] * 3
    assert sorted(each.close for each in refused) == [False, True, True]


def test_an_idle_upload_holds_no_room_and_an_answered_one_gives_it_back() -> None:
    async def scene() -> None:
        room = share(20 * MB, waiting=0)
        idle = asyncio.create_task(body(sending(), room, 20 * MB).receive())
        for _ in range(3):
            await asyncio.sleep(0)
            answered = body(sending(b"x" * MB), room, 20 * MB)
            await answered.receive()
            answered.close()
        idle.cancel()

    asyncio.run(scene())


def test_small_requests_need_no_room() -> None:
    async def scene() -> None:
        room = share(MB, waiting=0)
        await room.take(MB)
        assert (await body(sending(b"{}"), room, 2).receive())["body"] == b"{}"

    asyncio.run(scene())


@pytest.mark.parametrize("declared", [21 * MB, None])
def test_a_body_beyond_the_limit_is_refused(declared: int | None) -> None:
    async def scene() -> None:
        reader = body(sending(b"x" * 11 * MB, b"x" * 11 * MB), share(40 * MB), declared)
        while True:
            await reader.receive()

    with pytest.raises(BodyRefused, match="too large") as refusal:
        asyncio.run(scene())
    assert refusal.value.status == 413


def test_a_body_that_does_not_come_is_given_up() -> None:
    async def scene() -> None:
        reader = body(sending(b"x", complete=False), share(MB), 2, silent=0.02)
        await reader.receive()
        await reader.receive()

    with pytest.raises(BodyRefused, match="too slowly") as refusal:
        asyncio.run(asyncio.wait_for(scene(), 2))
    assert (refusal.value.status, refusal.value.close) == (408, True)


def test_a_request_that_failed_gives_its_room_back() -> None:
    async def app(scope: Event, receive: Callable[[], Awaitable[Event]], send: Any) -> None:
        await receive()
        raise RuntimeError("a defect")

    async def scene() -> None:
        bodies = Bodies(app)
        for _ in range(10):  # each takes a third of the room
            with pytest.raises(RuntimeError):
                await bodies(
                    {"type": "http", "headers": [(b"content-length", b"21000000")]},
                    sending(b"x" * MB, complete=False),
                    None,  # type: ignore[arg-type] # nothing is sent
                )

    asyncio.run(asyncio.wait_for(scene(), 10))


def test_heavy_work_waits_for_its_turn_and_the_event_loop_does_not() -> None:
    async def scene() -> None:
        turns, going, begun = Turns(waiting=38), threading.Event(), list[int]()

        def work() -> None:
            begun.append(1)
            going.wait(10)

        tasks = [asyncio.create_task(turns.run(work)) for _ in range(40)]
        while len(begun) < 2:
            await asyncio.sleep(0.001)
        with pytest.raises(Busy, match="too many photos"):
            await turns.run(work)
        assert len(begun) == 2
        going.set()
        await asyncio.gather(*tasks)
        assert len(begun) == 40

    asyncio.run(scene())

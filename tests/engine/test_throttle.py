"""Whatever the slots say, nothing goes out beyond the limits."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import TypeVar

from probe.core.allowance import Limits, RelayLimits
from probe.core.model import RouteKey
from probe.engine.throttle import Throttle, Turn
from probe.ports import Launches
from tests.engine.folder_world import LoopClock, VirtualLoop

KEY = RouteKey("pool", "n1", "shop", "corp")
NEIGHBOUR = RouteKey("other", "n1", "shop", "corp")
DAY = 86400.0
Result = TypeVar("Result")


def run(work: Coroutine[None, None, Result]) -> Result:
    """The result, in no time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)


def throttle(
    mailboxes: dict[str, int] | None = None, *, launches: Iterable[Launches] = (), **limits: int
) -> Throttle:
    made = Throttle(Limits({"pool": RelayLimits(**limits)}, mailboxes or {}), LoopClock())
    made.remember(launches)
    return made


async def begun(
    gate: Throttle, wishes: list[tuple[float, RouteKey]], patience: float
) -> list[float]:
    """When those of the wishes that are let go begin, each over at once."""
    found: list[float] = []
    loop = asyncio.get_running_loop()

    async def wish(moment: float, key: RouteKey) -> None:
        await asyncio.sleep(moment)
        turn = await gate.turn(key, moment + patience)
        if turn is not None:
            found.append(loop.time())
            turn.leave()

    async with asyncio.TaskGroup() as group:
        for moment, key in wishes:
            group.create_task(wish(moment, key))
    return found


def test_without_limits_everything_goes_at_once() -> None:
    found = run(begun(Throttle(Limits(), LoopClock()), [(1.0, KEY)] * 50, 0.0))
    assert found == [1.0] * 50


def test_no_minute_holds_more_than_its_messages_however_they_come() -> None:
    wishes = [(float(moment), KEY) for moment in (0, 0, 0, 0, 1, 2, 59, 60, 61, 90, 200, 200)]
    found = run(begun(throttle(per_minute=3), wishes, 1000.0))
    assert len(found) == len(wishes)
    assert all(sum(one <= other < one + 60 for other in found) <= 3 for one in found)
    assert found[:3] == [0.0, 0.0, 0.0]
    assert found[3] < 60.2


def test_a_turn_that_cannot_come_in_time_is_none_at_once() -> None:
    async def late() -> float:
        gate = throttle(per_minute=1)
        assert await gate.turn(KEY, 15.0) is not None
        assert await gate.turn(KEY, 15.0) is None
        return asyncio.get_running_loop().time()

    assert run(late()) == 0.0


def test_a_mailbox_counts_what_comes_through_all_relays() -> None:
    wishes = [(0.0, KEY), (1.0, NEIGHBOUR), (2.0, KEY)]
    assert run(begun(throttle({"corp": 2}), wishes, 60.0)) == [0.0, 1.0]


def test_what_was_sent_before_the_restart_still_counts() -> None:
    before = [Launches("pool", "corp", -DAY / 2, 5), Launches("pool", "corp", -DAY - 200, 9)]
    assert run(begun(throttle(per_day=6, launches=before), [(0.0, KEY)] * 3, 60.0)) == [0.0]
    assert run(begun(throttle({"corp": 5}, launches=before), [(0.0, KEY)], 60.0)) == []
    assert run(begun(throttle(per_day=5, launches=before), [(DAY / 2 + 90, KEY)], 0.0)) != []


def test_connections_are_taken_in_turn_and_given_back() -> None:
    async def world() -> None:
        gate = throttle(connections=2)
        first, second = await gate.turn(KEY, 0.0), await gate.turn(KEY, 0.0)
        assert first is not None and second is not None
        waiting = asyncio.create_task(gate.turn(KEY, 15.0))
        elsewhere = await gate.turn(NEIGHBOUR, 0.0)
        assert elsewhere is not None, "another relay has connections of its own"
        await asyncio.sleep(5)
        assert not waiting.done()
        first.leave()
        first.leave()
        third = await waiting
        assert third is not None
        assert await gate.turn(KEY, 20.0) is None, "leaving twice frees one connection only"
        assert asyncio.get_running_loop().time() == 20.0

    run(world())


def test_a_second_try_waits_for_a_connection_too() -> None:
    async def world() -> None:
        gate = throttle(connections=1)
        first = await gate.turn(KEY, 0.0)
        assert first is not None
        first.leave()
        second = await gate.turn(KEY, 0.0)
        assert second is not None
        again = asyncio.create_task(first.hold())
        await asyncio.sleep(100)
        assert not again.done()
        second.leave()
        await again
        assert await gate.turn(KEY, 100.0) is None
        first.leave()
        assert isinstance(await gate.turn(KEY, 100.0), Turn)

    run(world())


def test_who_is_cancelled_while_waiting_holds_nothing() -> None:
    async def world() -> None:
        gate = throttle(connections=1)
        first = await gate.turn(KEY, 0.0)
        waiting = asyncio.create_task(gate.turn(KEY, 50.0))
        await asyncio.sleep(1)
        waiting.cancel()
        await asyncio.wait({waiting})
        assert first is not None
        first.leave()
        assert await gate.turn(KEY, 1.0) is not None

    run(world())

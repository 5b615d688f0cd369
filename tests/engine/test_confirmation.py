"""Confirmation probes: sent at once or not at all, and on no account of the schedule."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from probe.core.allowance import Limits, RelayLimits
from probe.core.model import UnknownCause
from probe.core.record import Unknown
from probe.engine.sender import Sender
from tests.engine.test_courier import World
from tests.engine.world import ACCEPTED, GREYLISTED, KEY, LOGIN_REFUSED, NODE, ROUTE
from tests.hand_turned import settle
from tests.secret import FixedSecret


@asynccontextmanager
async def sending(world: World) -> AsyncIterator[Sender]:
    """A sender at work, with the route of the tests, whose slots are far away."""
    sender = Sender(world.courier, metrics=world.metrics, clock=world.clock)
    sender.add(replace(ROUTE, interval=1e9), NODE)
    running = asyncio.create_task(sender.run(lambda: None))
    await settle()
    yield sender
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_confirmation_probe_goes_at_once_and_is_on_no_account_of_the_schedule() -> None:
    world = World([ACCEPTED])
    async with sending(world) as sender:
        assert sender.confirm(KEY)
        await settle()
    [record] = world.journal.records.values()
    assert record.probe.confirmation and record.in_flight
    assert world.journal.steps == ["journal", "submit"]
    assert world.wakes["corp"].is_set()
    for verb in ("scheduled", "sent", "timed", "lagged", "judged", "skipped"):
        assert world.metrics.count(verb) == 0, verb
    level = world.ledger.levels.of(KEY)
    assert (level.undecided, level.in_flight) == (0, 1)


async def test_confirmation_probes_take_no_place_of_the_slots() -> None:
    world = World([ACCEPTED])
    world.submitter.gate = asyncio.Event()
    async with sending(world) as sender:
        sender.add(ROUTE, NODE)
        assert all(sender.confirm(KEY) for _ in range(9))
        for slot in range(1, 4):
            world.clock.moment = 1000.0 + slot * ROUTE.interval
            sender._changed.set()
            await settle()
        assert len(world.submitter.letters) == 12
        assert world.metrics.count("skipped") == 0
        world.submitter.gate.set()


async def test_what_is_not_in_force_is_not_confirmed() -> None:
    world = World([ACCEPTED])
    idle = Sender(world.courier, metrics=world.metrics, clock=world.clock)
    idle.add(ROUTE, NODE)
    assert not idle.confirm(KEY), "the loop does not turn"
    async with sending(world) as sender:
        assert not sender.confirm(replace(KEY, node="n2"))
        assert sender.confirm(KEY)
        world.books.drop(KEY)
        await settle()
        assert world.submitter.letters == [], "it went before the probe was begun"
        assert not sender.confirm(KEY)
        world.books.open(KEY)
        sender.remove(KEY)
        assert not sender.confirm(KEY)
        sender.add(ROUTE, NODE)
        await sender.stop()
        assert not sender.confirm(KEY)


async def test_the_end_waits_for_a_confirmation_probe() -> None:
    world = World([ACCEPTED])
    world.submitter.gate = asyncio.Event()
    async with sending(world) as sender:
        sender.confirm(KEY)
        await settle()
        stopping = asyncio.create_task(sender.stop())
        await settle()
        assert not stopping.done()
        world.submitter.gate.set()
        await stopping


async def test_a_confirmation_that_is_cut_off_before_it_begins_holds_nothing() -> None:
    limits = Limits({"pool": RelayLimits(connections=1)})
    world = World([ACCEPTED], password=FixedSecret(), limits=limits)
    await world.carry()
    sender = Sender(world.courier, metrics=world.metrics, clock=world.clock)
    sender.add(replace(ROUTE, interval=1e9), NODE)
    running = asyncio.create_task(sender.run(lambda: None))
    await settle()
    running.cancel()
    assert sender.confirm(KEY)
    assert not sender.confirm(KEY), "the connection is taken"
    with pytest.raises(asyncio.CancelledError):
        await running
    assert len(world.submitter.letters) == 1
    async with sending(world) as again:
        assert again.confirm(KEY)
        await settle()
    assert len(world.submitter.letters) == 2


async def test_confirmations_keep_within_the_limits_and_wait_for_no_turn() -> None:
    limits = Limits({"pool": RelayLimits(per_minute=5)}, {"corp": 7})
    world = World([ACCEPTED], limits=limits)
    async with sending(world) as sender:
        assert [sender.confirm(KEY) for _ in range(6)] == [True] * 5 + [False]
        await settle()
        await world.clock.advance(61)
        assert [sender.confirm(KEY) for _ in range(3)] == [True, True, False]
        await settle()
    assert len(world.submitter.letters) == 7


async def test_half_of_the_connections_are_left_to_the_schedule() -> None:
    world = World([ACCEPTED], limits=Limits({"pool": RelayLimits(connections=4)}))
    world.submitter.gate = asyncio.Event()
    async with sending(world) as sender:
        assert [sender.confirm(KEY) for _ in range(3)] == [True, True, False]
        await settle()
        async with asyncio.TaskGroup() as group:
            group.create_task(world.carry())
            group.create_task(world.carry())
            await settle()
            assert len(world.submitter.letters) == 4
            world.submitter.gate.set()


async def test_a_login_that_may_be_wrong_is_not_confirmed() -> None:
    world = World([LOGIN_REFUSED, ACCEPTED, LOGIN_REFUSED], password=FixedSecret())
    async with sending(world) as sender:
        assert not sender.confirm(KEY), "nobody knows yet whether it is right"
        await world.carry()
        assert not sender.confirm(KEY)
        await world.carry()
        assert sender.confirm(KEY)
        await settle()
        assert not sender.confirm(KEY), "a burst does not use up the tries before a lock-out"
    assert len(world.submitter.letters) == 3
    assert world.metrics.count("confirmed", KEY, "ok=False") == 1


async def test_a_confirmation_that_is_put_off_as_a_stranger_says_nothing() -> None:
    world = World([GREYLISTED])
    async with sending(world) as sender:
        assert sender.confirm(KEY)
        await world.clock.advance(15 * 60)
    [record] = world.journal.records.values()
    assert record.verdict == Unknown(UnknownCause.PROBER)
    assert len(world.submitter.letters) == 1, "it is not tried again"
    for verb in ("confirmed", "greylisted", "unknown", "judged"):
        assert world.metrics.count(verb) == 0, verb
    assert world.books.histories[KEY].evidence == ""


async def test_a_confirmation_that_somebody_known_is_refused_is_a_failure() -> None:
    world = World([GREYLISTED], accepted_before={("pool", "n1", "shop", "corp"): 0.0})
    async with sending(world) as sender:
        assert sender.confirm(KEY)
        await settle()
    assert world.metrics.count("confirmed", KEY, "ok=False") == 1
    assert list(world.books.histories[KEY].verdicts) == []


async def test_a_confirmation_that_cannot_be_written_breaks_nothing() -> None:
    world = World([ACCEPTED], limits=Limits({"pool": RelayLimits(connections=1)}))
    async with sending(world) as sender:
        world.clock.moment = -1e9  # No tag can say that.
        assert sender.confirm(KEY)
        await settle()
        world.clock.moment = 1000.0
        assert sender.confirm(KEY)
        await settle()
    assert world.metrics.count("failed", "sender") == 1
    assert len(world.submitter.letters) == 1

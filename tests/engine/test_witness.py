"""DNS is asked when it is of interest whether anything answers us, and only then."""

from __future__ import annotations

import asyncio

from probe.core.model import Sender
from probe.core.targets import MxRecord, Records
from probe.engine.witness import PAUSE, Witness
from probe.ports import ResolveFailure
from tests.hand_turned import HandTurnedClock, settle


class Resolver:
    """Has no answer, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def mx(self, name: str) -> Records[MxRecord]:
        self.asked.append(name)
        raise ResolveFailure("nothing within 1 s")


async def test_it_asks_as_long_as_that_is_wanted_and_no_more_often_than_it_may() -> None:
    resolver, clock = Resolver(), HandTurnedClock()
    witness = Witness(resolver, clock)  # type: ignore[arg-type]
    witness.follow([Sender("shop", "probe@shop.example"), Sender("other", "probe@other.example")])
    running = asyncio.create_task(witness.run(lambda: None))
    await settle()
    assert resolver.asked == []
    for _ in range(3):
        witness.ask()
        await settle()
    assert resolver.asked == ["example"]
    await clock.advance(PAUSE)
    assert resolver.asked == ["example"] * 2, "it was wanted again meanwhile"
    await clock.advance(10 * PAUSE)
    assert resolver.asked == ["example"] * 2
    running.cancel()

"""Whose mailboxes they are is found out behind the start, and asked again until it is known."""

import asyncio
from dataclasses import replace
from itertools import pairwise

from probe.core.model import ImapServer, Mailbox
from probe.core.targets import MxRecord, Records
from probe.engine.providers import RETRY, TURN, ProviderFinder
from probe.ports import ResolveFailure
from tests.hand_turned import HandTurnedClock

IMAP = ImapServer("imap.example", 993, "probe")


class World:
    def __init__(self, *mailboxes: Mailbox, **answers: tuple[str, ...] | None) -> None:
        self.answers = {name.replace("_", "."): hosts for name, hosts in answers.items()}
        self.asked: list[str] = []
        self.limits: dict[str, int] = {}
        self.beats: list[float] = []
        self.clock = HandTurnedClock()
        self.finder = self.finder_of(*mailboxes)

    def finder_of(
        self, *mailboxes: Mailbox, former: ProviderFinder | None = None
    ) -> ProviderFinder:
        return ProviderFinder(
            mailboxes,
            self,
            limit=self.limits.__setitem__,
            clock=self.clock,
            former=former,
        )

    async def mx(self, name: str) -> Records[MxRecord]:
        self.asked.append(name)
        if (hosts := self.answers[name]) is None:
            raise ResolveFailure("no server answered")
        return Records(tuple(MxRecord(10, host) for host in hosts), 60.0)

    async def run(self, seconds: float) -> None:
        running = asyncio.create_task(self.finder.run(lambda: self.beats.append(self.clock.now())))
        await self.clock.turn(seconds)
        running.cancel()
        await asyncio.wait({running})


def mailbox(name: str, address: str, per_day: int | None = None) -> Mailbox:
    return Mailbox(name, address, IMAP, per_day=per_day)


async def test_only_what_nothing_else_tells_is_asked_and_only_once() -> None:
    world = World(
        mailbox("corp", "probe@corp.example"),
        mailbox("own", "probe@own.example"),
        mailbox("public", "probe@gmail.com"),
        mailbox("written", "probe@written.example", per_day=5),
        corp_example=("aspmx.l.google.com",),
        own_example=("mx.own.example",),
    )
    await world.run(3 * RETRY)
    assert world.asked == ["corp.example", "own.example"]
    assert world.limits == {"corp": 2000}


async def test_a_domain_that_nobody_answers_for_is_asked_again_and_the_loop_keeps_turning() -> None:
    world = World(mailbox("corp", "probe@corp.example"), corp_example=None)
    await world.run(RETRY + 1)
    assert len(world.asked) == 2
    world.answers["corp.example"] = ("mx01.mail.icloud.com",)
    await world.run(2 * RETRY)
    assert world.limits == {"corp": 2000}
    steps = [b - a for a, b in pairwise(world.beats)]
    assert max(steps) <= TURN


async def test_after_a_reload_only_what_is_new_is_asked() -> None:
    corp = mailbox("corp", "probe@corp.example")
    world = World(corp, corp_example=("aspmx.l.google.com",), own_example=("mx.own.example",))
    await world.run(1)
    own = mailbox("own", "probe@own.example")
    world.finder = world.finder_of(replace(corp, keep=5.0), own, former=world.finder)
    assert world.finder.limits == {"corp": 2000}
    await world.run(1)
    assert world.asked == ["corp.example", "own.example"]
    assert world.finder.limits == {"corp": 2000}

"""A check's probes: one on each route, and how each submission went."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from probe.core import schedule
from probe.core.model import Attempt, Node, Phase, PhaseTime, Place, Probe, Reason, Route
from probe.core.record import Bad, Record
from probe.edges.journal_memory import MemoryJournal
from probe.engine.recorder import Recorder
from probe.engine.volley import Volley
from probe.ports import Letter
from tests.engine.world import ACCEPTED, KEY, NODE, ROUTE
from tests.hand_turned import HandTurnedClock, settle

LETTER = Letter("a@shop.example", "b@corp.example", b"\r\n", "token")


class Gate:
    """A courier that waits at the door."""

    def __init__(self) -> None:
        self.carried: Counter[str] = Counter()
        self.open = asyncio.Event()

    async def carry(self, route: Route, node: Node, slot: float) -> bool:
        assert route.interval == math.inf, "no slot follows: limits are waited for"
        self.carried[route.key.mailbox] += 1
        await self.open.wait()
        return True


async def test_each_route_once_and_a_node_is_not_overrun() -> None:
    gate = Gate()
    volley = Volley(gate, clock=HandTurnedClock())  # type: ignore[arg-type]
    names = [f"box{number}" for number in range(schedule.OVERLAP + 3)]
    for name in [*names, "gone"]:
        volley.add(replace(ROUTE, key=replace(KEY, mailbox=name)), NODE)
    volley.remove(replace(KEY, mailbox="gone"))
    firing = asyncio.create_task(volley.fire())
    await settle()
    assert (len(gate.carried), volley.over) == (schedule.OVERLAP, False)
    assert not any(volley.is_done(key) for key in volley.routes)
    gate.open.set()
    await firing
    assert gate.carried == Counter(names)
    assert volley.over
    assert all(volley.is_done(key) for key in volley.routes)


async def test_a_trace_has_the_phases_of_a_submission_that_hangs_and_of_one_that_ended() -> None:
    done = asyncio.Event()

    class Slow:
        async def submit(
            self, node: Node, letter: Letter, entered: Callable[[Phase, float], None]
        ) -> Attempt:
            entered(Phase.CONNECT, 10.0)
            entered(Phase.GREETING, 10.5)
            await done.wait()
            return ACCEPTED

    recorder = Recorder()
    submitting = asyncio.create_task(
        recorder.recording(Slow()).submit(NODE, LETTER, lambda phase, moment: None)
    )
    await settle()
    trace = recorder.trace("token")
    assert trace.phase is Phase.GREETING
    assert trace.phases(12.0) == (
        PhaseTime(Phase.CONNECT, 0.5),
        PhaseTime(Phase.GREETING, 1.5),
    )
    done.set()
    await submitting
    assert (trace.phase, trace.phases(12.0)) == (None, ACCEPTED.phases)


async def test_a_journal_in_memory_gives_what_is_due_until_it_is_cleaned() -> None:
    journal = MemoryJournal(HandTurnedClock())
    first, second = (Place("corp", "INBOX", 1, uid) for uid in (1, 2))
    journal.keep_until(second, None, 5.0)
    journal.keep_until(first, None, 4.0)
    assert await journal.to_clean("corp", "INBOX", 4.5, 10) == [first]
    assert await journal.to_clean("corp", "Junk", 9.0, 10) == []
    assert await journal.to_clean("corp", "INBOX", 9.0, 10) == [first, second]
    await journal.cleaned([first, second])
    assert journal.is_clean
    assert journal.next_sequence() != journal.next_sequence()
    assert MemoryJournal(HandTurnedClock()).id != journal.id


async def test_a_journal_in_memory_gives_up_what_was_due_and_nothing_else() -> None:
    journal = MemoryJournal(HandTurnedClock())
    for sequence in (1, 2, 3):
        probe = Probe(sequence, KEY, 0.0, 0.0, "token", deadline=60.0, give_up=100.0)
        journal.save(
            Record(
                probe,
                accepted=float(sequence),
                ended=True,
                verdict=None if sequence == 2 else Bad(Reason.OVERDUE),
            )
        )
    journal.give_up("other", 500.0, 9)
    journal.give_up("corp", 103.0, 9)
    assert [record.lost for record in journal.records] == [True, False, False]
    journal.give_up("corp", 500.0, 2)
    assert [record.lost for record in journal.records] == [True, False, False]

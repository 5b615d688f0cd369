import asyncio
import sqlite3
import tempfile
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probe.core.model import Place, Probe, Reason, RouteKey, UnknownCause
from probe.core.record import Bad, Good, Record, Unknown
from probe.edges.clock import SystemClock
from probe.edges.journal_writer import SEQUENCES
from probe.ports import Launches, Position
from tests.edges.journal_world import DAY, NOW, QUICK, ROUTE, opened, place, probe
from tests.hand_turned import HandTurnedClock


def rows(path: Path, sql: str) -> list[tuple]:
    db = sqlite3.connect(path)
    try:
        return db.execute(sql).fetchall()
    finally:
        db.close()


# ---- what comes back


async def test_a_launched_probe_comes_back_as_not_ended(tmp_path: Path) -> None:
    async with opened(tmp_path / "j") as journal:
        await journal.launch(probe(journal.next_sequence()))
        identity = journal.id, journal.created
    async with opened(tmp_path / "j") as journal:
        assert journal.load().open == (Record(probe(0), ended=False),)
        assert (journal.id, journal.created) == identity
        assert len(journal.id) == 12 and int(journal.id, 16) >= 0


async def test_only_open_records_are_loaded(tmp_path: Path) -> None:
    in_flight = Record(probe(1), accepted=NOW, verdict=Bad(Reason.OVERDUE))
    settled = [
        Record(probe(2), accepted=NOW, verdict=Good(), arrived=NOW),
        Record(probe(3), verdict=Bad(Reason.PERM_REJECT)),
        Record(probe(4), accepted=NOW, verdict=Bad(Reason.OVERDUE), lost=True),
        Record(probe(5), verdict=Unknown(UnknownCause.PROBER)),
    ]
    async with opened(tmp_path / "j") as journal:
        for record in [Record(probe(0)), in_flight, *settled]:
            journal.save(record)
    async with opened(tmp_path / "j") as journal:
        assert journal.load().open == (Record(probe(0)), in_flight)
        assert [await journal.find(record.probe.sequence) for record in settled] == settled
        assert await journal.find(99) is None


async def test_the_learned_node_that_took_a_probe_comes_back(tmp_path: Path) -> None:
    record = Record(probe(0), accepted=NOW, ended=True, learned="mx1.test")
    async with opened(tmp_path / "j") as journal:
        journal.save(record)
    async with opened(tmp_path / "j") as journal:
        assert journal.load().open == (record,)


async def test_of_very_many_open_records_the_newest_are_loaded(tmp_path: Path) -> None:
    async with opened(tmp_path / "j") as journal:
        for sequence in range(5):
            journal.save(Record(probe(sequence)))
    async with opened(tmp_path / "j", limits=replace(QUICK, open=2)) as journal:
        assert [record.probe.sequence for record in journal.load().open] == [3, 4]
        assert await journal.find(0) == Record(probe(0)), "the others are found if they come"


async def test_what_is_given_up_together_is_lost_and_nothing_else(tmp_path: Path) -> None:
    other = replace(ROUTE, mailbox="back")
    judged = Record(probe(0), accepted=NOW, verdict=Bad(Reason.OVERDUE))
    left = [
        replace(judged, probe=probe(1, route=other)),
        replace(judged, probe=probe(2), accepted=NOW + 1),
        replace(judged, probe=probe(3), verdict=None),
        replace(judged, probe=probe(4), bounced=True),
        replace(judged, probe=probe(5)),
    ]
    async with opened(tmp_path / "j") as journal:
        for record in [judged, *left]:
            journal.save(record)
        journal.give_up("corp", NOW + DAY, 4)
        assert await journal.find(0) == replace(judged, lost=True)
        assert [await journal.find(record.probe.sequence) for record in left] == left
    async with opened(tmp_path / "j") as journal:
        assert [record.probe.sequence for record in journal.load().open] == [1, 2, 3, 5]


async def test_find_sees_what_is_still_queued(tmp_path: Path) -> None:
    async with opened(tmp_path / "j") as journal:
        journal.save(Record(probe(0)))
        journal.save(Record(probe(0), accepted=NOW + 1))
        assert await journal.find(0) == Record(probe(0), accepted=NOW + 1)


async def test_successes_and_acceptances_follow_from_the_records(tmp_path: Path) -> None:
    late = Record(probe(1, launched=NOW - 50), accepted=NOW - 49, verdict=Good())
    other = replace(ROUTE, node="192.0.2.2")
    async with opened(tmp_path / "j") as journal:
        journal.save(Record(probe(0), accepted=NOW + 1, verdict=Good()))
        await journal.launch(probe(5))
        journal.save(late)
        journal.save(Record(probe(2, route=other), accepted=NOW, ack_lost=True))
        confirmation = replace(probe(6), confirmation=True)
        journal.save(Record(confirmation, accepted=NOW + 2, verdict=Good()))
    async with opened(tmp_path / "j") as journal:
        remembered = journal.load()
        assert remembered.last_success == {ROUTE: NOW + 1}
        names = (ROUTE.relay, ROUTE.node, ROUTE.sender, ROUTE.mailbox)
        assert remembered.accepted_before == {names: NOW + 2}


async def test_what_was_launched_in_the_last_day_comes_back_by_relay_mailbox_and_minute(
    tmp_path: Path,
) -> None:
    minute = NOW - NOW % 60 - 600
    other = replace(ROUTE, node="192.0.2.2", mailbox="back")
    async with opened(tmp_path / "j") as journal:
        for sequence, (launched, route) in enumerate(
            [
                (NOW - DAY - 1, ROUTE),
                (minute + 1, ROUTE),
                (minute + 9, replace(ROUTE, sender="other")),
                (minute + 5, other),
                (minute + 61, ROUTE),
            ]
        ):
            journal.save(Record(probe(sequence, launched=launched, route=route)))
    clock = HandTurnedClock(50.0)  # Another timeline, the same wall.
    clock.offset = NOW - 50
    async with opened(tmp_path / "j", clock) as journal:
        assert sorted(journal.load().launches, key=str) == [
            Launches("pool", "back", minute + 5 - clock.offset, 1),
            Launches("pool", "corp", minute + 61 - clock.offset, 1),
            Launches("pool", "corp", minute + 9 - clock.offset, 2),
        ]


async def test_a_route_without_any_success_began_with_its_first_probe(tmp_path: Path) -> None:
    other = replace(ROUTE, node="192.0.2.2")
    async with opened(tmp_path / "j") as journal:
        for sequence in (3, 4):
            journal.save(Record(probe(sequence, launched=NOW + sequence, route=other)))
        journal.save(Record(probe(5), accepted=NOW, verdict=Good(), arrived=NOW))
    async with opened(tmp_path / "j") as journal:
        assert journal.load().began == {other: NOW + 3}


async def test_sequence_numbers_are_never_given_twice(tmp_path: Path) -> None:
    greatest = -1
    for _ in range(3):
        async with opened(tmp_path / "j") as journal:
            first = journal.next_sequence()
            assert first > greatest
            for greatest in range(first + 1, first + SEQUENCES * 2 // 3):
                assert journal.next_sequence() == greatest


async def test_positions_are_remembered(tmp_path: Path) -> None:
    position = Position("corp", "INBOX", 7, 42, scanned=True)
    async with opened(tmp_path / "j") as journal:
        assert await journal.position("corp", "INBOX") is None
        await journal.advance(replace(position, next_uid=5, scanned=False))
        await journal.advance(position)
        assert await journal.position("corp", "INBOX") == position
    async with opened(tmp_path / "j") as journal:
        assert await journal.position("corp", "INBOX") == position
        assert await journal.position("corp", "Junk") is None


async def test_what_was_found_is_durable_before_the_position_says_so(tmp_path: Path) -> None:
    async with opened(tmp_path / "j") as journal:
        await journal.launch(probe(0))
        arrived = Record(probe(0), accepted=NOW, arrived=NOW, verdict=Good(), places=(place(1),))
        journal.arrived(arrived, expunge=NOW)
        journal.keep_until(place(2), None, NOW)
        await journal.advance(Position("corp", "INBOX", 7, 3, scanned=True))
        assert rows(tmp_path / "j", "SELECT verdict FROM probes") == [("good",)]
        assert rows(tmp_path / "j", "SELECT uid FROM places ORDER BY 1") == [(1,), (2,)]
        assert rows(tmp_path / "j", "SELECT next_uid FROM positions") == [(3,)]


async def test_places_are_cleaned_when_their_time_has_come(tmp_path: Path) -> None:
    copies = (place(1), place(3))
    record = Record(probe(0), accepted=NOW, arrived=NOW, places=copies)
    async with opened(tmp_path / "j") as journal:
        journal.arrived(replace(record, places=copies[:1]), expunge=NOW + 20)
        journal.arrived(record, expunge=NOW + 10)
        journal.keep_until(place(2), None, NOW + 30)
        journal.keep_until(place(9, folder="Junk"), None, NOW)
        assert await journal.to_clean("corp", "INBOX", NOW + 9, 10) == []
        assert await journal.to_clean("corp", "INBOX", NOW + 30, 2) == [place(3), place(1)]
        await journal.cleaned([place(1), place(3)])
        assert await journal.to_clean("corp", "INBOX", NOW + 30, 10) == [place(2)]
    async with opened(tmp_path / "j") as journal:
        assert await journal.to_clean("corp", "INBOX", NOW + 30, 10) == [place(2)]
        found = await journal.find(0)
        assert found is not None and found.places == copies


# ---- any record


names = st.text(max_size=12)
moments = st.floats(min_value=0, max_value=4e9)
integers = st.integers(min_value=0, max_value=2**32 - 1)
keys = st.builds(RouteKey, names, names, names, names)
probes = st.builds(
    Probe, st.integers(0, 2**40 - 1), keys, moments, moments, names, moments, moments, st.booleans()
)
texts = st.text(st.characters(), max_size=8)  # Surrogates too.
places = st.builds(Place, texts, texts, integers, integers)
records = st.builds(
    Record,
    probe=probes,
    accepted=st.none() | moments,
    ack_lost=st.booleans(),
    ended=st.booleans(),
    verdict=st.none()
    | st.just(Good())
    | st.builds(Bad, st.sampled_from(Reason))
    | st.builds(Unknown, st.sampled_from(UnknownCause)),
    overdue=st.booleans(),
    bounced=st.booleans(),
    arrived=st.none() | moments,
    lost=st.booleans(),
    places=st.lists(places, max_size=3).map(tuple),
)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(saved=st.lists(records, max_size=5, unique_by=lambda record: record.probe.sequence))
def test_every_record_comes_back_as_it_was(tmp_path: Path, saved: list[Record]) -> None:
    async def there_and_back(path: Path) -> None:
        async with opened(path) as journal:
            for record in saved:
                journal.save(record)
        async with opened(path) as journal:
            for record in saved:
                assert await journal.find(record.probe.sequence) == record
            remembered = {record.probe.sequence: record for record in journal.load().open}
            assert remembered == {r.probe.sequence: r for r in saved if not r.settled}
            assert journal.errors == 0

    with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
        asyncio.run(there_and_back(Path(folder) / "j"))


async def test_a_row_that_is_refused_takes_no_other_with_it(tmp_path: Path) -> None:
    async with opened(tmp_path / "j") as journal:
        journal.save(Record(probe(0)))
        journal.save(Record(probe(2**70)))
        journal.save(Record(probe(1, launched=float("nan"))))
        journal.keep_until(place(2**80), None, NOW)
        await journal.launch(probe(2))
        assert (journal.up, journal.errors) == (True, 3)
    async with opened(tmp_path / "j") as journal:
        assert [record.probe.sequence for record in journal.load().open] == [0, 2]


async def test_surrogates_in_names_and_tokens_break_nothing(tmp_path: Path) -> None:
    odd = RouteKey("p\udc80", "n", "s", "m")
    async with opened(tmp_path / "j") as journal:
        await journal.launch(replace(probe(0, route=odd), token="t\udcff"))
        journal.keep_until(place(1, folder="J\udc80"), None, NOW)
        assert (journal.up, journal.errors) == (True, 0)
        found = await journal.find(0)
        assert found is not None and found.probe.token == "t?"
        assert len(await journal.to_clean("corp", "J\udc80", NOW, 10)) == 1


# ---- time


async def test_a_shift_moves_everything_open(tmp_path: Path) -> None:
    clock = HandTurnedClock(NOW)
    settled = Record(probe(1), accepted=NOW, ended=True, verdict=Good(), arrived=NOW)
    async with opened(tmp_path / "j", clock) as journal:
        await journal.launch(probe(0))
        journal.save(settled)
        journal.keep_until(place(1), None, NOW + 5)
        clock.offset = 3600.0
        journal.shift(3600.0)
        await journal.launch(probe(2))
        assert await journal.find(0) == Record(probe(0), ended=False)
        assert await journal.to_clean("corp", "INBOX", NOW + 5, 1) == [place(1)]
    moved = NOW + 3600.0
    async with opened(tmp_path / "j", HandTurnedClock(moved)) as journal:
        remembered = journal.load()
        assert [record.probe.launched for record in remembered.open] == [moved, moved]
        assert remembered.last_success == {ROUTE: moved}
        assert await journal.to_clean("corp", "INBOX", moved + 4, 1) == []
        assert journal.created == moved


async def test_a_step_of_the_wall_clock_over_a_restart_is_seen(tmp_path: Path) -> None:
    async def restart(*, after: float, wall: float, boot: str = "boot") -> bool:
        name = f"{after}{wall}{boot}"
        async with opened(
            tmp_path / name, HandTurnedClock(NOW), monotonic=lambda: 100.0
        ) as journal:
            await journal.launch(probe(0))
        clock = HandTurnedClock(NOW + wall)
        later = opened(tmp_path / name, clock, monotonic=lambda: 100.0 + after, boot=boot)
        async with later as journal:
            remembered = journal.load()
            assert remembered.stopped == NOW
            return remembered.clock_stepped

    assert not await restart(after=500.0, wall=500.0)
    assert not await restart(after=500.0, wall=500.9)
    assert await restart(after=500.0, wall=502.0)
    assert await restart(after=500.0, wall=-20.0)
    assert not await restart(after=-90.0, wall=500.0, boot="another")
    assert await restart(after=-90.0, wall=-1.0, boot="another")


async def test_a_step_that_was_never_shifted_is_seen_at_the_next_start(tmp_path: Path) -> None:
    clock = HandTurnedClock(NOW)
    async with opened(tmp_path / "j", clock) as journal:
        clock.offset = 60.0
        await journal.launch(probe(0))
    async with opened(tmp_path / "j", HandTurnedClock(NOW + 60.0)) as journal:
        assert journal.load().clock_stepped


async def test_a_new_journal_remembers_nothing(tmp_path: Path) -> None:
    clock = SystemClock()
    async with opened(tmp_path / "deep" / "down" / "j", clock) as journal:
        remembered = journal.load()
        assert (remembered.open, remembered.stopped) == ((), None)
        assert not remembered.clock_stepped
        assert abs(journal.created - clock.now()) < 5
        assert journal.up


# ---- pruning


async def pruned(path: Path, now: float, *, limit: int = 1_000_000) -> list[int]:
    """The sequence numbers that are left after pruning, which has ended by then."""
    async with opened(path, HandTurnedClock(now), limits=replace(QUICK, rows=limit)) as journal:
        journal.prune(now)
        last = Record(probe(2**39, launched=now), verdict=Good())
        journal.save(last)
        for _ in range(20):  # Each is a turn of the writer at least, and a turn prunes a step.
            await journal.find(last.probe.sequence)
    return [row[0] for row in rows(path, "SELECT sequence FROM probes ORDER BY 1")][:-1]


async def test_settled_probes_go_when_nothing_can_come_any_more(tmp_path: Path) -> None:
    patient = replace(probe(1), give_up=9 * DAY)
    kept = Record(probe(2), verdict=Good(), places=(place(1),))
    async with opened(tmp_path / "j") as journal:
        journal.save(Record(probe(0), verdict=Good()))
        journal.save(Record(patient, verdict=Good()))
        journal.arrived(kept, expunge=NOW + DAY)
        journal.save(Record(probe(3)))
    assert await pruned(tmp_path / "j", NOW + 7.9 * DAY) == [0, 1, 2, 3]
    assert await pruned(tmp_path / "j", NOW + 8.1 * DAY) == [1, 2, 3]
    assert await pruned(tmp_path / "j", NOW + 10.1 * DAY) == [2, 3]
    async with opened(tmp_path / "j") as journal:
        await journal.cleaned([place(1)])
    assert await pruned(tmp_path / "j", NOW + 10.2 * DAY) == [3]


async def test_beyond_the_bound_the_oldest_settled_go(tmp_path: Path) -> None:
    async with opened(tmp_path / "j") as journal:
        journal.save(Record(probe(0)))
        for sequence in range(1, 10):
            journal.save(Record(probe(sequence), verdict=Good()))
    left = await pruned(tmp_path / "j", NOW + 1, limit=5)
    assert left == [0, 7, 8, 9]


async def test_acceptances_are_forgotten_after_35_days(tmp_path: Path) -> None:
    async with opened(tmp_path / "j") as journal:
        journal.save(Record(probe(0), accepted=NOW, verdict=Good(), arrived=NOW))
    await pruned(tmp_path / "j", NOW + 36 * DAY)
    async with opened(tmp_path / "j", HandTurnedClock(NOW + 36 * DAY)) as journal:
        remembered = journal.load()
        assert remembered.accepted_before == {}
        assert remembered.last_success == {ROUTE: NOW}


async def test_pruning_gives_the_space_back(tmp_path: Path) -> None:
    path = tmp_path / "j"
    async with opened(path) as journal:
        for sequence in range(2000):
            journal.save(Record(replace(probe(sequence), token="x" * 200), verdict=Good()))
    before = path.stat().st_size
    assert await pruned(path, NOW + 9 * DAY) == []
    assert path.stat().st_size < before / 2


# ---- notes


async def test_a_note_comes_back_and_can_be_taken_back(tmp_path: Path) -> None:
    async with opened(tmp_path / "j") as journal:
        journal.note("dns", "shop.example spf", "one")
        journal.note("dns", "shop.example spf", "two")
        journal.note("dns", "gone", "three")
        journal.note("other", "shop.example spf", "\ud800")
    async with opened(tmp_path / "j") as journal:
        assert journal.load().notes == {
            ("dns", "shop.example spf"): "two",
            ("dns", "gone"): "three",
            ("other", "shop.example spf"): "?",
        }
        journal.note("dns", "gone", "")
    async with opened(tmp_path / "j") as journal:
        assert ("dns", "gone") not in journal.load().notes


async def test_an_old_note_is_dropped(tmp_path: Path) -> None:
    async with opened(tmp_path / "j") as journal:
        journal.note("dns", "old", "text")
    async with opened(tmp_path / "j", HandTurnedClock(NOW + 2 * DAY)) as journal:
        journal.note("dns", "new", "text")
    await pruned(tmp_path / "j", NOW + 61 * DAY)
    async with opened(tmp_path / "j") as journal:
        assert set(journal.load().notes) == {("dns", "new")}

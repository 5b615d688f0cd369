"""What the prober named, and what it learned, survives it."""

import asyncio
import json
import logging
import sqlite3
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probe.core.component import Component, Fault, Kind
from probe.core.incident import End, Grievance, Incident, Share
from probe.core.record import Good, Record
from probe.edges.journal_changes import MOST_BASELINES, MOST_INCIDENTS, Changes
from tests.edges.journal_world import DAY, NOW, QUICK, opened, probe, until
from tests.hand_turned import HandTurnedClock

NODE = Component(Kind.NODE, "pool", "192.0.2.12")
OPEN = Incident(
    id="a1",
    component=NODE,
    opened=NOW,
    changed=NOW + 30,
    since=NOW - 12.5,
    faults=(Grievance(Fault.HOLDING, NOW - 12.5, NOW + 20), Grievance(Fault.INTERMITTENT, NOW)),
    share=Share(0.25, 0.75),
    alternatives=(Component(Kind.MAILBOX, mailbox="corp"),),
    evidence=("12:01 accepted as 4XyZ, and not there 60 s later", "old"),
    unaffected=("pool/192.0.2.11 delivers",),
    standby=("reserve",),
)
CLOSED = replace(OPEN, id="b2", closed=NOW + 90, end=End.RECOVERED, share=None)


def execute(path: Path, sql: str, *values: object) -> None:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute(sql, values)
    db.close()


async def test_incidents_come_back_as_they_were_last_known(tmp_path: Path) -> None:
    async with opened(tmp_path / "j") as journal:
        journal.save_incident(replace(OPEN, faults=OPEN.faults[:1], evidence=()))
        journal.save_incident(CLOSED)
        journal.save_incident(OPEN)
    async with opened(tmp_path / "j") as journal:
        assert journal.load().incidents == (OPEN, CLOSED)
        journal.save_incident(replace(OPEN, closed=NOW + 99, end=End.BLIP))
    async with opened(tmp_path / "j") as journal:
        ends = [incident.end for incident in journal.load().incidents]
        assert ends == [End.BLIP, End.RECOVERED]


async def test_baselines_come_back_and_others_stay(tmp_path: Path) -> None:
    async with opened(tmp_path / "j") as journal:
        journal.keep_baselines({"pool/n1": (0.1, 2.0), "pool/n2": ()})
        journal.keep_baselines({"pool/n1": (0.2,)})
    async with opened(tmp_path / "j") as journal:
        assert journal.load().baselines == {"pool/n1": (0.2,), "pool/n2": ()}


async def test_all_that_are_open_come_back_and_the_newest_that_are_closed(tmp_path: Path) -> None:
    async with opened(tmp_path / "j") as journal:
        for number in range(250):
            opened_at = replace(OPEN, id=f"o{number}", opened=NOW + number)
            journal.save_incident(opened_at)
            ended = NOW + 1000 - number
            journal.save_incident(replace(opened_at, id=f"c{number}", closed=ended))
    async with opened(tmp_path / "j") as journal:
        known = [incident.id for incident in journal.load().incidents]
        assert sorted(i for i in known if i[0] == "o") == sorted(f"o{n}" for n in range(250))
        assert sorted(i for i in known if i[0] == "c") == sorted(f"c{n}" for n in range(200))
        assert known[:2] == ["c0", "o0"]


# ---- any incident

moments = st.integers(0, 2**34).map(lambda eighth: eighth / 8)  # Sums of these are exact.
texts = st.text(max_size=8)
lines = st.lists(st.text(st.characters(), max_size=8), max_size=2).map(tuple)
components = st.builds(Component, st.sampled_from(Kind), texts, texts, texts, texts, texts)
incidents = st.builds(
    Incident,
    id=texts,
    component=components,
    opened=moments,
    changed=moments,
    since=moments,
    faults=st.lists(
        st.builds(Grievance, st.sampled_from(Fault), moments, st.none() | moments),
        min_size=1,
        max_size=3,
    ).map(tuple),
    closed=st.none() | moments,
    end=st.none() | st.sampled_from(End),
    share=st.none() | st.builds(Share, st.floats(0, 1), st.floats(0, 1)),
    alternatives=st.lists(components, max_size=2).map(tuple),
    evidence=lines,
    unaffected=lines,
    standby=lines,
)
rows = st.dictionaries(texts, st.lists(st.floats(-1e9, 1e9), max_size=3).map(tuple), max_size=3)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(incidents, max_size=4, unique_by=lambda one: one.id), rows)
def test_whatever_is_kept_comes_back(
    tmp_path: Path, saved: list[Incident], learned: dict[str, tuple[float, ...]]
) -> None:
    async def there_and_back(path: Path) -> None:
        async with opened(path, HandTurnedClock(0.0)) as journal:
            for incident in saved:
                journal.save_incident(incident)
            journal.keep_baselines(learned)
        async with opened(path, HandTurnedClock(0.0)) as journal:
            assert {one.id: one for one in journal.load().incidents} == {i.id: i for i in saved}
            assert journal.load().baselines == learned
            assert journal.errors == 0

    with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
        asyncio.run(there_and_back(Path(folder) / "j"))


# ---- rows that make no sense

TOLD = {
    "component": ["node", "pool", "n1", "", "", ""],
    "changed": 0,
    "since": 0,
    "faults": [["holding", 0, None]],
    "end": None,
    "share": None,
    "alternatives": [],
    "evidence": [],
    "unaffected": [],
    "standby": [],
}
NONSENSE = [
    "",
    "no JSON",
    "[" * 100_000,
    "17",
    "[]",
    "{}",
    *(
        json.dumps(TOLD | wrong)
        for wrong in (
            {"component": ["engine", "pool", "n1", "", "", ""]},
            {"component": ["node", "pool", 1, "", "", ""]},
            {"component": ["node", *"abcdefgh"]},
            {"component": None},
            {"changed": None},
            {"changed": "1"},
            {"changed": True},
            {"since": float("nan")},
            {"since": 10**400},
            {"faults": []},
            {"faults": "holding"},
            {"faults": [["hungry", 0, None]]},
            {"faults": [["holding", 0]]},
            {"end": "well"},
            {"share": [1]},
            {"share": [0, float("inf")]},
            {"alternatives": ["node"]},
            {"evidence": "a line"},
            {"evidence": [["a", "line"]]},
        )
    ),
]


async def test_incidents_that_make_no_sense_are_passed_over_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    async with opened(tmp_path / "j") as journal:
        journal.save_incident(OPEN)
    insert = "INSERT INTO incidents VALUES (?, ?, NULL, ?)"
    execute(tmp_path / "j", insert, "sound", NOW, json.dumps(TOLD | {"more": "of a later version"}))
    for number, text in enumerate(NONSENSE):
        execute(tmp_path / "j", insert, f"x{number}", NOW, text)
    execute(tmp_path / "j", insert, "when", "yesterday", json.dumps(TOLD))
    async with opened(tmp_path / "j") as journal:
        assert [incident.id for incident in journal.load().incidents] == ["a1", "sound"]
        assert (journal.up, journal.errors) == (True, len(NONSENSE) + 1)
    assert caplog.text.count("makes no sense") == len(NONSENSE) + 1
    assert max(len(line) for line in caplog.text.splitlines()) < 600


async def test_baselines_that_make_no_sense_are_passed_over_and_counted(tmp_path: Path) -> None:
    async with opened(tmp_path / "j") as journal:
        journal.keep_baselines({"sound": (1.0,), "odd": (float("nan"),)})
    for name, text in (("x", "no JSON"), ("y", "1"), ("z", '["1"]')):
        execute(tmp_path / "j", "INSERT INTO baselines VALUES (?, ?, ?)", name, NOW, text)
    async with opened(tmp_path / "j") as journal:
        assert journal.load().baselines == {"sound": (1.0,)}
        assert journal.errors == 4


async def test_an_incident_that_is_refused_takes_no_other_with_it(tmp_path: Path) -> None:
    async with opened(tmp_path / "j") as journal:
        journal.save_incident(OPEN)
        journal.save_incident(replace(OPEN, id="x", opened=float("nan")))
        journal.save_incident(replace(CLOSED, id="\udc80", evidence=("\udcff",)))
        await journal.launch(probe(0))
        assert (journal.up, journal.errors) == (True, 1)
    async with opened(tmp_path / "j") as journal:
        assert [incident.id for incident in journal.load().incidents] == ["?", "a1"]
        assert journal.load().incidents[0].evidence == ("\udcff",)


# ---- time


async def test_a_step_of_the_wall_clock_moves_incidents(tmp_path: Path) -> None:
    clock = HandTurnedClock(NOW)
    async with opened(tmp_path / "j", clock) as journal:
        journal.save_incident(OPEN)
        await journal.launch(probe(0))
        clock.offset = 3600.0
        journal.shift(3600.0)
        journal.save_incident(CLOSED)
    async with opened(tmp_path / "j", HandTurnedClock(NOW + 3600.0)) as journal:
        first, second = journal.load().incidents
        assert (first.opened, first.changed) == (NOW + 3600, NOW + 3630)
        assert first.faults[0] == Grievance(Fault.HOLDING, NOW + 3587.5, NOW + 3620)
        assert (second.since, second.closed) == (NOW + 3587.5, NOW + 3690)


async def test_what_is_long_over_is_dropped(tmp_path: Path) -> None:
    async def left(now: float) -> tuple[list[str], list[str]]:
        async with opened(tmp_path / "j", HandTurnedClock(now)) as journal:
            journal.prune(now)
            journal.save(Record(probe(2**39, launched=now), verdict=Good()))
            for _ in range(20):  # Each is a turn of the writer at least, and a turn prunes a step.
                await journal.find(2**39)
        async with opened(tmp_path / "j", HandTurnedClock(now)) as journal:
            known = journal.load()
            return [incident.id for incident in known.incidents], list(known.baselines)

    async with opened(tmp_path / "j") as journal:
        journal.save_incident(OPEN)
        journal.save_incident(CLOSED)
        journal.keep_baselines({"pool/n1": (1.0,)})
    assert await left(NOW + 30 * DAY) == (["a1", "b2"], ["pool/n1"])
    assert await left(NOW + 30 * DAY + 91) == (["a1"], ["pool/n1"])
    assert await left(NOW + 36 * DAY) == (["a1"], [])


# ---- without a disk


async def test_what_was_named_while_the_disk_was_away_is_written_when_it_is_back(
    tmp_path: Path,
) -> None:
    (tmp_path / "disk").touch()
    async with opened(tmp_path / "disk" / "j") as journal:
        assert not journal.up
        journal.save_incident(OPEN)
        journal.save_incident(replace(OPEN, changed=NOW + 60))
        journal.keep_baselines({"pool/n1": (1.0,)})
        (tmp_path / "disk").unlink()
        await until(lambda: journal.up)
    async with opened(tmp_path / "disk" / "j") as journal:
        assert journal.load().incidents == (replace(OPEN, changed=NOW + 60),)
        assert journal.load().baselines == {"pool/n1": (1.0,)}


async def test_memory_for_incidents_is_bounded_without_a_disk(tmp_path: Path) -> None:
    (tmp_path / "disk").touch()
    async with opened(tmp_path / "disk" / "j", limits=replace(QUICK, retry=3600)) as journal:
        for number in range(MOST_INCIDENTS + 50):
            journal.save_incident(replace(OPEN, id=f"{number}"))
        await until(lambda: journal.errors >= 51)
        journal.save_incident(replace(OPEN, id="another"))
        await until(lambda: journal.errors >= 52)


def test_of_too_many_the_newest_are_kept() -> None:
    changes = Changes()
    for number in range(MOST_INCIDENTS):
        changes.report(replace(OPEN, id=f"{number}"))
    changes.report(replace(OPEN, id="0", changed=NOW + 99))
    later = Changes()
    later.report(replace(OPEN, id="new"))
    later.learn({f"{number}": (1.0,) for number in range(MOST_BASELINES + 7)})
    changes.absorb(later)
    assert changes.trim(100) == 8
    assert {"0", "new"} <= changes.incidents.keys()
    assert "1" not in changes.incidents and "6" not in changes.baselines


async def test_a_file_that_is_made_again_has_them(tmp_path: Path) -> None:
    path, ticks = tmp_path / "j", iter(range(0, 1000, 10))
    async with opened(path, monotonic=lambda: float(next(ticks))) as journal:
        journal.save_incident(OPEN)
        journal.keep_baselines({"pool/n1": (1.0,)})
        await journal.launch(probe(0))
        for name in ("j", "j-wal", "j-shm"):
            (tmp_path / name).unlink()
        await journal.launch(probe(1))
    async with opened(path) as journal:
        assert journal.load().incidents == (OPEN,)
        assert journal.load().baselines == {"pool/n1": (1.0,)}

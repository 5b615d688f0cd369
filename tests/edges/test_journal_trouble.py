"""The journal when its file, or the disk under it, is not as it should be."""

import asyncio
import logging
import os
import random
import signal
import sqlite3
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from probe.core.record import Good, Record
from probe.edges.clock import SystemClock
from probe.edges.journal import SqliteJournal
from probe.edges.journal_guard import JournalForbidden, JournalLocked
from probe.edges.journal_open import migrate
from probe.edges.journal_rows import STEPS
from probe.ports import Position
from tests.edges.journal_world import (
    NOW,
    QUICK,
    mount,
    opened,
    place,
    probe,
    small_disk,
    unprivileged,
    until,
)
from tests.hand_turned import HandTurnedClock

ROOT = Path(__file__).parents[2]


async def child(path: Path) -> asyncio.subprocess.Process:
    """Another process with the journal open."""
    arguments = [sys.executable, "-m", "tests.edges.journal_child", str(path)]
    process = await asyncio.create_subprocess_exec(
        *arguments, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"open True\n"
    return process


async def killed(process: asyncio.subprocess.Process, *, after: int) -> list[str]:
    """What the process printed, when it is killed after so many lines."""
    assert process.stdout is not None
    lines = [await process.stdout.readline() for _ in range(after)]
    os.kill(process.pid, signal.SIGKILL)
    lines += (await process.stdout.read()).splitlines(keepends=True)
    await process.wait()
    return [line.decode().strip() for line in lines if line.endswith(b"\n")]


async def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    chance = random.Random(9)
    seen: set[int] = set()
    for _ in range(3):
        process = await child(tmp_path / "j")
        told = [line.split() for line in await killed(process, after=chance.randint(1, 1200))]
        launched = {int(number) for word, number in told if word == "launched"}
        accepted = {int(number) for word, number in told if word == "accepted"}
        assert launched and not launched & seen, "a sequence number was given twice"
        seen |= launched
        async with opened(tmp_path / "j", SystemClock()) as journal:
            there = {record.probe.sequence: record for record in journal.load().open}
            assert seen <= there.keys()
            assert all(there[number].accepted and there[number].ended for number in accepted)
            assert not any(there[number].ended for number in launched if number % 3 == 0)
            assert journal.next_sequence() > max(there)


async def test_a_second_process_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    process = await child(tmp_path / "j")
    with pytest.raises(JournalLocked, match=str(tmp_path / "j")):
        await SqliteJournal.open(tmp_path / "j", HandTurnedClock(NOW))
    await killed(process, after=1)
    async with opened(tmp_path / "j") as journal:
        assert journal.up


# ---- files that are no journal of ours


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2 - 100)


def overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(random.Random(1).randbytes(path.stat().st_size - 4096))


def garbage(path: Path) -> None:
    path.write_bytes(random.Random(2).randbytes(20_000))


def foreign(path: Path) -> None:
    path.unlink()
    execute(path, "CREATE TABLE probes (colour TEXT)")


def newer(path: Path) -> None:
    execute(path, "PRAGMA user_version = 999")


def aside(path: Path, kind: str) -> list[Path]:
    """The files that have been set aside."""
    return list(path.parent.glob(f"{path.name}.{kind}-????????T??????*"))


def execute(path: Path, sql: str) -> None:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute(sql)
    db.close()


@pytest.mark.parametrize("damage", [truncate, overwrite, garbage, foreign, newer])
async def test_an_unfit_file_is_set_aside(tmp_path: Path, damage, caplog) -> None:
    path = tmp_path / "j"
    async with opened(path) as journal:
        for sequence in range(200):
            journal.save(Record(probe(sequence)))
        identity = journal.id
    damage(path)
    content = path.read_bytes()
    async with opened(path) as journal:
        assert journal.up and journal.id != identity
        assert journal.load().open == ()
        await journal.launch(probe(0))
    kind = "newer" if damage is newer else "corrupt"
    (old,) = aside(path, kind)
    if damage is not foreign:  # SQLite has put that one into WAL mode.
        assert old.read_bytes() == content
    assert old.name in caplog.text
    async with opened(path) as journal:
        assert len(journal.load().open) == 1


async def test_a_second_file_set_aside_does_not_replace_the_first(tmp_path: Path) -> None:
    for _ in range(3):
        (tmp_path / "j").write_bytes(b"not a database" * 1000)
        async with opened(tmp_path / "j") as journal:
            assert journal.up
    assert len(aside(tmp_path / "j", "corrupt")) == 3


async def test_damage_found_while_running_loses_nothing_new(tmp_path: Path) -> None:
    path, count = tmp_path / "j", 12_000  # More than SQLite keeps in memory.
    records = [Record(replace(probe(n), token="x" * 250), verdict=Good()) for n in range(count)]
    async with opened(path) as journal:
        identity = journal.id
        for record in records:
            journal.save(record)
    async with opened(path) as journal:
        number = journal.next_sequence()
        overwrite(path)
        for record in records:
            journal.save(replace(record, verdict=None))
        await journal.launch(probe(number))
        assert journal.up and journal.errors >= 1
        assert aside(path, "corrupt")
    async with opened(path) as journal:
        assert journal.id == identity
        assert journal.next_sequence() > number
        assert len(journal.load().open) == count + 1


async def test_a_file_that_was_removed_is_made_again(tmp_path: Path) -> None:
    path, ticks = tmp_path / "j", iter(range(0, 1000, 10))
    async with opened(path, monotonic=lambda: float(next(ticks))) as journal:
        await journal.launch(probe(0))
        await journal.advance(Position("corp", "INBOX", 7, 8, scanned=True))
        for name in ("j", "j-wal", "j-shm"):
            (tmp_path / name).unlink()
        await journal.launch(probe(1))
        identity = journal.id
    async with opened(path) as journal:
        assert [record.probe.sequence for record in journal.load().open] == [0, 1]
        assert await journal.position("corp", "INBOX") is not None
        assert journal.id == identity


def test_an_older_file_is_migrated(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "j", isolation_level=None)
    assert db.execute("PRAGMA user_version").fetchone() == (0,)
    migrate(db)
    assert db.execute("PRAGMA user_version").fetchone() == (len(STEPS),)
    db.execute("INSERT INTO meta VALUES ('id', 'abc')")
    more = ("ALTER TABLE meta ADD COLUMN remark TEXT", "UPDATE meta SET remark = 'moved'")
    migrate(db, [*STEPS, more])
    assert db.execute("SELECT * FROM meta").fetchall() == [("id", "abc", "moved")]
    with pytest.raises(sqlite3.OperationalError):
        migrate(db, [*STEPS, more, ("DROP TABLE routes", "DROP TABLE nothing")])
    assert db.execute("PRAGMA user_version").fetchone() == (len(STEPS) + 1,)
    assert db.execute("SELECT count(*) FROM routes").fetchone() == (0,)
    db.close()


async def test_an_empty_file_is_a_journal_of_version_0(tmp_path: Path) -> None:
    (tmp_path / "j").touch()
    async with opened(tmp_path / "j") as journal:
        assert journal.up and not aside(tmp_path / "j", "*")


# ---- disks


async def test_a_full_disk_costs_nothing_once_there_is_room(tmp_path: Path, caplog) -> None:
    caplog.set_level(logging.WARNING)
    with small_disk(tmp_path / "disk", "512k") as disk:
        async with opened(disk / "j") as journal:
            await journal.launch(probe(0))
            fill(disk / "ballast")
            sequence = 0
            while journal.up:
                sequence += 1
                await journal.launch(probe(sequence))
            for more in range(sequence + 1, sequence + 200):
                await journal.launch(probe(more))
            journal.keep_until(place(1), None, NOW)
            found = await journal.find(sequence + 150)
            assert found == Record(probe(sequence + 150), ended=False)
            assert await journal.find(0) == Record(probe(0), ended=False)
            assert await journal.to_clean("corp", "INBOX", NOW, 5) == [place(1)]
            assert not journal.up and journal.errors >= 1
            (disk / "ballast").unlink()
            await until(lambda: journal.up)
        async with opened(disk / "j") as journal:
            there = [record.probe.sequence for record in journal.load().open]
            assert there == list(range(sequence + 200))
            assert await journal.to_clean("corp", "INBOX", NOW, 5) == [place(1)]
    assert caplog.text.count("going on in memory") == 1
    assert "written again" in caplog.text


async def test_a_restart_on_a_full_disk_still_knows_what_is_in_flight(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "512k") as disk:
        async with opened(disk / "j") as journal:
            await journal.launch(probe(0))
            identity = journal.id
        fill(disk / "ballast")
        async with opened(disk / "j") as journal:
            assert not journal.up
            assert journal.id == identity
            assert len(journal.load().open) == 1
            number = journal.next_sequence()
            await journal.launch(probe(number))
            (disk / "ballast").unlink()
            await until(lambda: journal.up)
        async with opened(disk / "j") as journal:
            assert [record.probe.sequence for record in journal.load().open] == [0, number]
            assert journal.id == identity


async def test_a_full_disk_from_the_first_start(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "64k") as disk:
        fill(disk / "ballast")
        async with opened(disk / "j") as journal:
            assert not journal.up
            identity = journal.id
            await journal.launch(probe(journal.next_sequence()))
            mount(disk, "remount", "size=512k")
            await until(lambda: journal.up)
        async with opened(disk / "j") as journal:
            assert journal.id == identity
            assert len(journal.load().open) == 1


async def test_a_read_only_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "512k") as disk:
        async with opened(disk / "j") as journal:
            await journal.launch(probe(0))
            identity = journal.id
        mount(disk, "remount", "ro")
        async with opened(disk / "j") as journal:
            assert not journal.up and journal.errors >= 1
            assert journal.id == identity
            assert journal.load().open == (Record(probe(0), ended=False),)
            number = journal.next_sequence()
            await journal.launch(probe(number))
            mount(disk, "remount", "rw")
            await until(lambda: journal.up)
        async with opened(disk / "j") as journal:
            assert [record.probe.sequence for record in journal.load().open] == [0, number]


async def test_a_read_only_directory_without_a_journal(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "512k") as disk:
        mount(disk, "remount", "ro")
        async with opened(disk / "sub" / "j") as journal:
            assert not journal.up
            identity = journal.id
            record = Record(probe(journal.next_sequence()), accepted=NOW, places=(place(4),))
            journal.arrived(record, expunge=NOW)
            assert await journal.find(record.probe.sequence) == record
            assert await journal.to_clean("corp", "INBOX", NOW, 5) == [place(4)]
            await journal.cleaned([place(4)])
            assert await journal.to_clean("corp", "INBOX", NOW, 5) == []
            mount(disk, "remount", "rw")
            await until(lambda: journal.up)
        async with opened(disk / "sub" / "j") as journal:
            assert journal.id == identity
            assert journal.load().open == (record,)


async def test_a_directory_that_is_closed_to_us_is_refused_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "closed" / "j"
    path.parent.mkdir(mode=0)
    with unprivileged() as user, pytest.raises(JournalForbidden) as refused:
        await SqliteJournal.open(path, HandTurnedClock(NOW))
    assert str(refused.value) == f"cannot open {path}.lock as user {user}: Permission denied"


async def test_a_directory_in_the_place_of_the_file_is_refused_at_the_start(tmp_path: Path) -> None:
    """Docker makes one where it is to mount a file that is not there."""
    path = tmp_path / "j"
    path.mkdir()
    with pytest.raises(JournalForbidden) as refused:
        await SqliteJournal.open(path, HandTurnedClock(NOW))
    assert str(refused.value) == f"cannot open {path}: it is a directory, and no file"


async def test_another_journal_that_comes_with_the_disk_is_set_aside(tmp_path: Path) -> None:
    disk, mounted, before = tmp_path / "disk", tmp_path / "mounted", tmp_path / "before"
    async with opened(mounted / "j") as journal:
        await journal.launch(probe(0))
    before.touch()
    disk.symlink_to(before)
    async with opened(disk / "j") as journal:
        assert not journal.up
        identity = journal.id
        await journal.launch(probe(journal.next_sequence()))
        (tmp_path / "new").symlink_to(mounted)
        (tmp_path / "new").rename(disk)
        await until(lambda: journal.up)
    assert aside(disk / "j", "other")
    async with opened(disk / "j") as journal:
        assert journal.id == identity


async def test_a_disk_that_hangs_holds_nobody_up(tmp_path: Path) -> None:
    path = tmp_path / "j"
    async with opened(path, limits=replace(QUICK, stall=1.0)) as journal:
        await journal.launch(probe(0))
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        await journal.launch(probe(1))
        assert not journal.up and journal.errors == 1
        await journal.launch(probe(2))
        assert await journal.find(0) is None
        other.execute("ROLLBACK")
        other.close()
        await until(lambda: journal.up)
        assert await journal.find(1) is not None
        assert await journal.find(2) is not None


async def test_memory_is_bounded_while_the_disk_is_away(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    limits = replace(QUICK, entries=100, retry=3600)
    async with opened(tmp_path / "file" / "j", limits=limits) as journal:
        journal.save(Record(probe(0)))
        for sequence in range(1, 1000):
            journal.save(Record(probe(sequence), verdict=Good()))
            await journal.find(sequence)
        assert await journal.find(0) is not None
        assert await journal.find(1) is None
        assert await journal.find(999) is not None
        assert journal.errors > 800


async def test_the_end_waits_for_the_disk_but_not_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "j"
    limits = replace(QUICK, stall=1.0, closing=0.5)
    async with opened(path, limits=limits) as journal:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        journal.save(Record(probe(0)))
        await journal.close()
        assert not journal.up
        await journal.launch(probe(1))
        other.execute("ROLLBACK")
        other.close()


def fill(path: Path) -> None:
    """Use up the space of the disk that `path` is on."""
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            return


BACKWARDS = [  # From version 4 to 3, from 3 to 2, and from 2 to 1.
    ("DROP TABLE notes",),
    (
        "ALTER TABLE probes DROP COLUMN confirmation",
        "DROP TABLE incidents",
        "DROP TABLE baselines",
    ),
    ("ALTER TABLE probes DROP COLUMN learned",),
]


@pytest.mark.parametrize("version", [3, 2, 1])
async def test_probes_of_an_older_file_are_still_known(tmp_path: Path, version: int) -> None:
    path = tmp_path / "j"
    async with opened(path) as journal:
        await journal.launch(probe(0))
        identity = journal.id
    for sql in (sql for step in BACKWARDS[: len(STEPS) - version] for sql in step):
        execute(path, sql)
    execute(path, f"PRAGMA user_version = {version}")
    async with opened(path) as journal:
        assert (journal.id, journal.errors) == (identity, 0)
        assert journal.load().open == (Record(probe(0), ended=False),)
        assert journal.load().incidents == ()
        confirmation = Record(replace(probe(1), confirmation=True), accepted=NOW, learned="mx1")
        journal.save(confirmation)
    async with opened(path) as journal:
        assert journal.load().open == (Record(probe(0), ended=False), confirmation)

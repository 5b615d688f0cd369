"""More than one thing at a time: is what is named true?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from probe.core.component import Component, Kind
from probe.core.incident import Incident
from tests.simulation.fault import Fault, Ill
from tests.simulation.grid import Grid
from tests.simulation.judge import CLOSED_WITHIN, LAG, is_right, is_true, told
from tests.simulation.matrix import archive_for
from tests.simulation.mind import real_mind
from tests.simulation.simulation import Simulation
from tests.simulation.world import Climate

_START = 60.0  # s


@dataclass(frozen=True, slots=True)
class Scene:
    """Faults, and what goes with them."""

    name: str
    grid: Grid
    faults: tuple[Fault, ...]
    lasts: float = 300.0  # s from the first fault on.
    killed: float | None = None  # When the prober is, after the beginning of the first fault (s).
    only: Kind | None = None  # The only kind that may be named.


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one run."""

    scene: Scene
    seed: int
    false: tuple[str, ...]
    found: tuple[float | None, ...]  # When each fault was rightly named, after its beginning (s).
    incidents: int
    confirmed: int
    open: int  # At the end.

    def __str__(self) -> str:
        found = ", ".join("never" if one is None else f"{one:.0f} s" for one in self.found)
        false = "".join(f"; FALSE: {one}" for one in self.false)
        return f"{self.scene.name}, seed {self.seed}: found after {found}{false}"


def act(scene: Scene, seed: int) -> Outcome:
    """One run, to its end."""
    climate = Climate()
    run = Simulation(
        scene.grid,
        climate,
        seed=seed,
        make_mind=real_mind,
        archive=archive_for(scene.grid, climate),
    )
    start = _START + scene.grid.interval * (seed * 0.6180339887 % 1.0)
    faults = tuple(_shifted(fault, start) for fault in scene.faults)
    run.world.strike(*faults)
    if scene.killed is not None:
        run.agenda.at(start + scene.killed, run.restart, 5.0)
    run.until(start + scene.lasts)
    return _outcome(scene, seed, faults, run)


def _shifted(fault: Fault, seconds: float) -> Fault:
    return replace(fault, start=fault.start + seconds, end=fault.end + seconds)


def _outcome(scene: Scene, seed: int, faults: tuple[Fault, ...], run: Simulation) -> Outcome:
    false: dict[str, str] = {}
    known: dict[str, Component] = {}
    found: list[float | None] = [None] * len(faults)
    for one in run.diary.told:
        incident = one.incident
        if incident.closed is not None:
            continue
        for number, fault in enumerate(faults):
            if found[number] is None and is_right(incident, fault.where, scene.grid):
                found[number] = one.moment - fault.start
        # One that is known stays true until it is closed; what it is renamed to may as well.
        lag = CLOSED_WITHIN if incident.id in known else LAG
        lately = [f for f in faults if f.start <= one.moment < f.end + lag]
        is_news = known.get(incident.id) != incident.component
        known[incident.id] = incident.component
        if is_news and not _is_allowed(scene, incident, lately):
            line = f"{told(incident)} after {one.moment - faults[0].start:.1f} s"
            false.setdefault(str(incident.component), line)
    last = [one.incident for one in run.diary.last]
    return Outcome(
        scene,
        seed,
        tuple(false.values()),
        tuple(found),
        incidents=len(last),
        confirmed=sum(incident.confirmed for incident in last),
        open=sum(incident.closed is None for incident in last),
    )


def _is_allowed(scene: Scene, incident: Incident, lately: Sequence[Fault]) -> bool:
    if scene.only is not None:
        return incident.component.kind is scene.only
    return is_true(incident, lately, scene.grid)


def _node(name: str) -> Component:
    return Component(Kind.NODE, name[0], name)


_M1 = Component(Kind.MAILBOX, mailbox="m1")


def rolling(grid: Grid, every: float) -> tuple[Fault, ...]:
    """All nodes restart, one after the other, so many seconds apart; each takes 30 s."""
    return tuple(
        Fault(Component(Kind.NODE, relay, node), Ill.RESTART, number * every, number * every + 30.0)
        for number, (relay, node) in enumerate(grid.node_names)
    )


_THREE, _POOLS = Grid(1, 3, 1), Grid(2, 3, 2)

SCENES = (
    Scene(
        "a node refuses and a mailbox swallows",
        Grid(2, 2, 3),
        (Fault(_node("a1"), Ill.REFUSE), Fault(_M1, Ill.LOSE)),
    ),
    Scene(
        "the same, each by half",
        Grid(2, 2, 3),
        (Fault(_node("a1"), Ill.REFUSE, share=0.5), Fault(_M1, Ill.LOSE, share=0.5)),
    ),
    Scene(
        "two nodes of different relays",
        _POOLS,
        (Fault(_node("a1"), Ill.HOLD), Fault(_node("b2"), Ill.REFUSE_CONNECTIONS)),
    ),
    Scene(
        "two nodes of one relay of three",
        _THREE,
        (Fault(_node("a1"), Ill.HOLD), Fault(_node("a2"), Ill.HOLD)),
    ),
    Scene(
        "the same with two mailboxes, the second a minute later",
        Grid(1, 3, 2),
        (
            Fault(_node("a1"), Ill.HOLD),
            Fault(_node("a2"), Ill.REFUSE_CONNECTIONS, start=60.0),
        ),
    ),
    Scene(
        "all relays refuse connections",
        Grid(3, 2, 2),
        tuple(Fault(Component(Kind.RELAY, one), Ill.REFUSE_CONNECTIONS) for one in "abc"),
    ),
    Scene("a rolling restart that overlaps", _THREE, rolling(_THREE, 20.0)),
    Scene("a rolling restart back to back", _THREE, rolling(_THREE, 30.0)),
    Scene("a rolling restart with a pause", _THREE, rolling(_THREE, 60.0), lasts=400.0),
    Scene("two pools restart, overlapping", _POOLS, rolling(_POOLS, 20.0), lasts=400.0),
    Scene("two pools restart, back to back", _POOLS, rolling(_POOLS, 30.0), lasts=500.0),
    Scene(
        "a mailbox is dead for ten minutes",
        Grid(1, 3, 2),
        (Fault(_M1, Ill.DEAD, 0.0, 600.0),),
        lasts=1800.0,
        only=Kind.MAILBOX,
    ),
    Scene(
        "the only mailbox is dead for ten minutes",
        _THREE,
        (Fault(_M1, Ill.DEAD, 0.0, 600.0),),
        lasts=1800.0,
        only=Kind.MAILBOX,
    ),
    Scene(
        "the prober is killed while a node holds",
        _THREE,
        (Fault(_node("a1"), Ill.HOLD, 0.0, 300.0),),
        lasts=600.0,
        killed=120.0,
    ),
)

"""What is a fact needs no statistics: two of them name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from probe.core.change import Change, Copied, Returned
from probe.core.component import Component, Kind
from probe.core.sight import Sight
from tests.simulation.archive import Archive
from tests.simulation.fault import Fault, Ill
from tests.simulation.grid import Grid
from tests.simulation.judge import is_right, told
from tests.simulation.matrix import HEALTH, archive_for
from tests.simulation.mind import real_mind
from tests.simulation.prober import Mind
from tests.simulation.simulation import EPOCH, Simulation

NODE = Component(Kind.NODE, "a", "a1")


@dataclass
class Facts:
    """When copies and DSNs were seen, in simulated time."""

    moments: list[float] = field(default_factory=list)

    def make_mind(self, sights: Mapping[str, Sight], archive: Archive) -> Mind:
        mind = real_mind(sights, archive)
        tell = mind.detector.changed

        def changed(change: Change) -> None:
            for event in change.events:
                match event:
                    case Copied(sighting):
                        self.moments.append(sighting.seen - EPOCH)
                    case Returned(bounce):
                        self.moments.append(bounce.seen - EPOCH)
                    case _:
                        pass
            tell(change)

        mind.detector.changed = changed  # type: ignore[method-assign]
        return mind


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("share", [1.0, 0.25])
@pytest.mark.parametrize("ill", [Ill.DUPLICATE, Ill.BOUNCE])
@pytest.mark.parametrize("grid", [Grid(1, 3, 1), Grid(2, 2, 2)], ids=str)
def test_two_copies_or_returns_name_their_node(
    grid: Grid, ill: Ill, share: float, seed: int
) -> None:
    facts = Facts()
    run = Simulation(
        grid, HEALTH, seed=seed, make_mind=facts.make_mind, archive=archive_for(grid, HEALTH)
    )
    fault = Fault(NODE, ill, start=60.0, share=share)
    run.world.strike(fault)
    run.until(600.0)
    first = run.diary.opened[0]
    assert NODE in (first.incident.component, *first.incident.alternatives)
    assert first.incident.faults[0].fault in fault.names
    assert first.moment <= facts.moments[1] + (5.0 if share == 1.0 else 15.0)
    alone = [one.moment for one in run.diary.told if is_right(one.incident, NODE, grid)]
    assert alone, "not told apart from all else: " + told(run.diary.told[-1].incident)
    assert share < 1.0 or alone[0] == first.moment, told(first.incident)

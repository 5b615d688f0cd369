"""How a route stands: by its verdicts, and by what is named on it before they are there."""

import pytest

from probe.core.component import Component, Fault, Kind
from probe.core.incident import Incident
from probe.core.model import Folder, Place, Sighting, State
from probe.core.status import ComponentStatus, FaultStatus
from tests.engine.test_roster import World
from tests.engine.world import KEY, NODE

POOL, N1 = Component(Kind.RELAY, KEY.relay), Component(Kind.NODE, KEY.relay, KEY.node)


class Named:
    """Knows of one component, which is at fault."""

    def __init__(self, component: Component, state: State, *others: Component) -> None:
        """`others`: what it cannot be told apart from."""
        fault = FaultStatus(Fault.HOLDING, 1000.0)
        status = ComponentStatus(component, state, 1000.0, (fault,), alternatives=others)
        self._statuses = (status,)

    def components(self) -> tuple[ComponentStatus, ...]:
        return self._statuses

    def incidents(self) -> tuple[Incident, ...]:
        return ()


@pytest.mark.parametrize(
    ("component", "state", "expected"),
    [
        (N1, State.DOWN, State.DOWN),
        (POOL, State.DOWN, State.DOWN),
        (Component(Kind.ROUTE, KEY.relay, sender=KEY.sender), State.DOWN, State.DOWN),
        (N1, State.DEGRADED, State.OK),
        (Component(Kind.NODE, KEY.relay, "another"), State.DOWN, State.OK),
        (Component(Kind.MAILBOX, mailbox=KEY.mailbox), State.DOWN, State.OK),
        (Component(Kind.PROBER), State.DOWN, State.OK),
    ],
    ids=["node", "relay", "combination", "in part", "another", "blind", "prober"],
)
def test_a_route_stands_no_better_than_what_is_named_on_it(
    component: Component, state: State, expected: State
) -> None:
    world = delivering(Named(component, state))
    (route,) = world.overview.status().routes
    assert route.state is expected
    everything = State.DOWN if expected is State.DOWN else State.DEGRADED
    assert world.overview.status().state is everything


@pytest.mark.parametrize(
    ("other", "expected"),
    [(POOL, State.DOWN), (Component(Kind.NODE, KEY.relay, "another"), State.OK)],
    ids=["whichever it is", "only if it is not the other"],
)
def test_of_several_suspects_it_has_to_be_on_all(other: Component, expected: State) -> None:
    tie = Component(Kind.ROUTE, KEY.relay, KEY.node)
    (route,) = delivering(Named(tie, State.DOWN, N1, other)).overview.status().routes
    assert route.state is expected


def delivering(diagnosis: Named) -> World:
    """A route whose only probe has arrived."""
    world = World(diagnosis)
    world.roster.joined(NODE)
    world.accept(1, 1000.0)
    place = Place(KEY.mailbox, "INBOX", 1, 1)
    sighting = Sighting(1, "", place, Folder.INBOX, 1000.5)
    world.books.post([world.ledger.sighted(sighting, world.ledger.get(1))])
    return world

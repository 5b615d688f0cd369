"""What is kept stays small, however long it runs and however often nodes come and go."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping

import pytest

from probe.core.detection.baseline import Baselines
from probe.core.detection.lesson import Lessons
from tests.core.detection.world import CLOSED, TAKEN, World

HOUR = 3600.0
LIFE = 9 * HOUR
GENERATIONS = 80  # Of nodes: a month.
YOUNG = 8  # By then as much is known as ever should be.


def sizes(root: object) -> dict[str, int]:
    """How much is in each collection that can be reached, by whose attribute it is."""
    found: dict[str, int] = {}
    seen: set[int] = set()
    waiting: list[tuple[str, object]] = [("", root)]
    while waiting:
        where, one = waiting.pop()
        if id(one) in seen or isinstance(one, Baselines):  # That has a bound of its own.
            continue
        seen.add(id(one))
        if isinstance(one, (Mapping, set, frozenset, list, deque, tuple)):
            found[where] = found.get(where, 0) + (0 if isinstance(one, tuple) else len(one))
            inside = one.values() if isinstance(one, Mapping) else one
            waiting += ((f"{where}[]", each) for each in inside)
        elif type(one).__module__.startswith("probe"):
            kind = type(one).__name__
            waiting += ((f"{kind}.{name}", each) for name, each in attributes(one))
    return found


def attributes(one: object) -> Iterator[tuple[str, object]]:
    slots = (name for kind in type(one).__mro__ for name in getattr(kind, "__slots__", ()))
    for name in (*getattr(one, "__dict__", ()), *slots):
        if hasattr(one, name):
            yield name, getattr(one, name)


def live(world: World, generation: int, *, learned: bool) -> None:
    """The life of three nodes, the first of which is down for a while."""
    begin = LIFE * generation
    names = [f"n{generation}_{number}" for number in range(3)]
    for step in range(12):
        moment = begin + 5 * step
        for name in names:
            attempt = CLOSED if name == names[0] and 3 <= step < 7 else TAKEN
            greeted = name if learned and attempt is TAKEN else ""
            record = world.sent(moment, attempt, "" if learned else name, learned=greeted)
            if attempt is TAKEN:
                world.came(record, moment + 0.1)
        world.read(moment + 0.5)
        world.tick(moment + 0.5)


@pytest.mark.parametrize("learned", [False, True], ids=["addresses", "greetings"])
def test_after_a_month_no_more_is_kept_than_after_two_days(learned: bool) -> None:
    world = World(nodes=[""])
    young: dict[str, int] = {}
    for generation in range(GENERATIONS):
        if not learned:
            names = [f"n{generation}_{number}" for number in range(3)]
            world.keys = [key for name in names for key in World(nodes=[name]).keys]
        world.follow()
        if learned:
            for number in range(3):
                world.detector.forget("pool", f"n{generation - 1}_{number}")
        live(world, generation, learned=learned)
        if generation == YOUNG:
            young = sizes(world.detector)
    old = sizes(world.detector)
    grown = {where: (young.get(where, 0), size) for where, size in old.items()
             if size > 1.5 * young.get(where, 0) + 64}  # fmt: skip
    assert not grown


def test_nothing_is_kept_of_relays_that_are_gone() -> None:
    lessons = Lessons(Baselines())
    for number in range(50):
        lessons.ended(f"r{number}", 0.0, 1.0, confirmed=True)
    lessons.pass_on(1000.0, {})
    assert sizes(lessons)["Lessons._held"] == 0

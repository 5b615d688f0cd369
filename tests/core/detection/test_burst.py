"""What is sent beside the schedule: how much, to whom first, and what cannot be sent now."""

import pytest

from probe.core.detection.burst import LASTING, MOST_DECIDING, PACE, SIBLING_SIZE, SIZE, Bursts
from probe.core.model import RouteKey

KEYS = [RouteKey("pool", "n1", "shop", f"m{n}") for n in range(3)]
SIBLING = RouteKey("pool", "n2", "shop", "m0")


def sent(bursts: Bursts, seconds: float) -> list[RouteKey]:
    keys: list[RouteKey] = []
    for half in range(int(2 * seconds)):
        keys += bursts.due(half * PACE / 2, [("pool", "n1")])
    return keys


def test_a_burst_is_twelve_on_the_suspect_in_turn_and_four_on_its_sibling() -> None:
    bursts = Bursts()
    bursts.suspect(("pool", "n1"), KEYS, SIBLING, 0.0)
    keys = sent(bursts, 30.0)
    assert [keys.count(key) for key in KEYS] == [SIZE // 3] * 3
    assert keys.count(SIBLING) == SIBLING_SIZE
    assert keys[0] == KEYS[0]


def test_a_node_gets_no_more_than_24_in_a_minute() -> None:
    bursts = Bursts()
    count = 0
    for half in range(118):
        bursts.suspect(("pool", "n1"), KEYS, None, half / 2)
        count += sum(1 for _ in bursts.due(half / 2, [("pool", "n1")]))
    assert count == 24


def test_over_all_a_third_is_kept_for_deciding_and_rechecking() -> None:
    bursts = Bursts()
    nodes = [("pool", f"n{n}") for n in range(9)]
    for relay, node in nodes:
        bursts.suspect((relay, node), [RouteKey(relay, node, "shop", "corp")], None, 0.0)
    assert sum(1 for half in range(100) for _ in bursts.due(half / 2, nodes)) == 40
    assert [*bursts.recheck(50.0, RouteKey("other", "n", "shop", "corp"))]


def test_a_question_gets_no_more_than_sixty_probes() -> None:
    bursts = Bursts()
    many = [RouteKey("pool", f"n{n}", "shop", "corp") for n in range(30)]
    asked = sum(1 for second in range(600) for _ in bursts.deciding(float(second), many))
    assert asked == MOST_DECIDING


@pytest.mark.parametrize("calm", [True, False])
def test_a_burst_ends_when_it_is_known_what_is_wrong(calm: bool) -> None:
    bursts = Bursts()
    bursts.suspect(("pool", "n1"), KEYS, SIBLING, 0.0)
    if calm:
        bursts.calm(("pool", "n1"))
    assert bool(sent(bursts, 5.0)) is not calm


# ---- what cannot be sent now


def test_what_was_not_sent_is_still_to_be_sent() -> None:
    bursts, keys = Bursts(), list[RouteKey]()
    bursts.suspect(("pool", "n1"), KEYS, None, 0.0)
    for half in range(200):
        for key in bursts.due(half / 2, [("pool", "n1")]):
            if half < 40:
                bursts.denied(key)
            else:
                keys.append(key)
    assert len(keys) == SIZE, "nothing that was denied is counted"
    assert {keys.count(key) for key in KEYS} == {SIZE // 3}


def test_what_cannot_be_sent_for_long_is_not_worth_it_any_more() -> None:
    bursts = Bursts()
    bursts.suspect(("pool", "n1"), KEYS, SIBLING, 0.0)
    for half in range(int(2 * LASTING) + 4):
        for key in bursts.due(half / 2, [("pool", "n1")]):
            bursts.denied(key)
    assert not [*bursts.due(LASTING + 10.0, [("pool", "n1")])]


def test_a_probe_that_was_not_sent_decides_nothing() -> None:
    bursts = Bursts()
    for second in range(2 * MOST_DECIDING):
        for key in bursts.deciding(float(second), KEYS):
            bursts.denied(key)
    assert [*bursts.deciding(3.0 * MOST_DECIDING, KEYS)]


def test_a_relay_that_throttles_uses_nothing_up() -> None:
    bursts = Bursts()
    bursts.suspect(("pool", "n1"), KEYS, None, 0.0)
    bursts.spare({"pool"})
    assert not sent(bursts, 30.0)
    assert not [*bursts.recheck(30.0, KEYS[0])]
    for second in range(2 * MOST_DECIDING):
        assert not [*bursts.deciding(float(second), KEYS)]
    bursts.spare(())
    later = 2.0 * MOST_DECIDING
    assert [*bursts.deciding(later, KEYS)]
    assert [*bursts.due(later, [("pool", "n1")])]

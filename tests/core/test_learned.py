"""Which node greeted, and how many are known."""

import pytest

from probe.core.learned import MAX_LEARNED, MEMORY, OTHER, forgotten, label, node_name
from probe.core.model import Attempt, Phase, PhaseTime, Reply


def attempt(host: str, *phases: Phase) -> Attempt:
    timed = tuple(PhaseTime(phase, 0.1) for phase in phases or (Phase.GREETING, Phase.EHLO))
    return Attempt(timed, Phase.ACK, 0.0, reply=Reply(250, "", "ok"), greeting_host=host)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("mx1.Pool.TEST", "mx1.pool.test"),
        ("mx1.pool.test.", "mx1.pool.test"),
        ("mx_1", "mx_1"),
        ("", OTHER),
        ("[192.0.2.1]", OTHER),
        ("*****", OTHER),
        ('mx"\n', OTHER),
        ("mx1.pool.test\n", OTHER),
        ("mx²", OTHER),
        ("\u212aelvin", OTHER),
        ("-mx", OTHER),
        ("x" * 253, "x" * 253),
        ("x" * 254, OTHER),
    ],
)
def test_a_node_is_named_by_its_greeting_if_that_is_a_host_name(host: str, name: str) -> None:
    assert node_name(attempt(host)) == name


def test_who_never_greeted_has_no_name() -> None:
    assert node_name(attempt("", Phase.CONNECT)) == ""
    assert node_name(attempt("", Phase.CONNECT, Phase.TLS, Phase.GREETING)) == ""


def test_32_nodes_are_known_and_the_others_are_one() -> None:
    heard = {f"mx{n}": 0.0 for n in range(MAX_LEARNED - 1)} | {OTHER: 0.0}
    assert label(heard, "new") == "new"
    heard["new"] = 0.0
    assert label(heard, "newer") == OTHER
    assert label(heard, "mx3") == "mx3"
    assert label(heard, OTHER) == OTHER


def test_a_node_is_forgotten_after_an_hour_with_nothing_in_flight() -> None:
    heard = {"quiet": 0.0, "waiting": 0.0, "busy": 1.0}
    assert forgotten(heard, MEMORY, in_flight={"waiting"}) == []
    assert forgotten(heard, MEMORY + 0.5, in_flight={"waiting"}) == ["quiet"]

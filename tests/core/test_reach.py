"""How far away an address is, and what that proves."""

import pytest

from probe.core.reach import Reach, furthest, reach_of


@pytest.mark.parametrize(
    ("host", "reach"),
    [
        ("127.0.0.53", Reach.HOST),
        ("::1", Reach.HOST),
        ("169.254.20.10", Reach.HOST),
        ("fe80::1", Reach.HOST),
        ("10.0.0.2", Reach.SITE),
        ("192.168.1.1", Reach.SITE),
        ("fd00::2", Reach.SITE),
        ("8.8.8.8", Reach.WORLD),
        ("2606:4700::1111", Reach.WORLD),
        ("smtp.example.com", Reach.WORLD),
        ("", Reach.WORLD),
    ],
)
def test_how_far_away_an_address_is(host: str, reach: Reach) -> None:
    assert reach_of(host) is reach


def test_the_furthest_node_is_what_has_to_be_reached() -> None:
    assert furthest(["10.0.0.1", "192.0.2.1", "1.1.1.1"]) is Reach.WORLD
    assert furthest(["10.0.0.1", "127.0.0.1"]) is Reach.SITE
    assert furthest([]) is Reach.HOST

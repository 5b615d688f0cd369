"""What was seen is known for a week."""

from __future__ import annotations

import pytest

from probe.core.remembrance import HELD, MOST, Remembrance


def test_what_was_seen_is_known_for_a_week_and_under_its_name() -> None:
    seen = Remembrance()
    seen.saw("shop.example", ["s2", "s1"], 0.0)
    assert seen.known("shop.example", HELD - 1) == ("s1", "s2")
    assert seen.known("other.example", 0.0) == ()
    assert seen.known("shop.example", HELD) == ()


def test_it_is_written_down_when_that_is_worth_it() -> None:
    seen = Remembrance()
    assert seen.saw("a", ["s1"], 0.0)
    seen.text("a")
    assert not seen.saw("a", ["s1"], 10.0)
    assert seen.saw("a", ["s1"], 4000.0)
    seen.text("a")
    assert seen.saw("a", ["s2"], 4001.0)


def test_it_comes_back() -> None:
    seen, again = Remembrance(), Remembrance()
    seen.saw("a", ["s1"], 5.0)
    again.restore("a", seen.text("a"))
    assert again.known("a", 6.0) == ("s1",)
    assert not again.saw("a", ["s1"], 7.0)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"a": "b"}', '{"a": null}', "[" * 99999])
def test_what_makes_no_sense_is_passed_over(text: str) -> None:
    seen = Remembrance()
    seen.restore("a", text)
    assert seen.known("a", 0.0) == ()


def test_of_very_many_the_newest_stay() -> None:
    seen = Remembrance()
    for number in range(MOST + 5):
        seen.saw("a", [f"s{number:02}"], float(number))
    assert seen.known("a", 99.0) == tuple(f"s{number:02}" for number in range(5, MOST + 5))

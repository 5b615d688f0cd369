"""Slots are stretched until every limit fits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.core.allowance import Limits, RelayLimits
from probe.core.forecast import daily
from probe.core.limits import DAY, fitted
from probe.core.model import Route, RouteKey


def route(relay: str, node: str, mailbox: str, interval: float = 15.0) -> Route:
    return Route(RouteKey(relay, node, "shop", mailbox), interval, 60.0, 3600.0)


POOL = [route("pool", node, box) for node in ("n1", "n2", "n3") for box in ("corp", "mail")]


def intervals(limits: Limits, routes: list[Route] = POOL) -> list[float]:
    return [each.interval for each in fitted(routes, limits)]


@pytest.mark.parametrize(
    "limits",
    [
        Limits(),
        Limits({"pool": RelayLimits(per_minute=60, per_day=50_000, connections=1)}),
        Limits({"other": RelayLimits(per_minute=1)}, {"elsewhere": 1}),
    ],
    ids=["none", "wide", "not ours"],
)
def test_what_fits_is_left_alone(limits: Limits) -> None:
    assert fitted(POOL, limits) == POOL


def test_six_routes_at_six_a_minute_come_once_a_minute() -> None:
    found = intervals(Limits({"pool": RelayLimits(per_minute=6)}))
    assert found == [pytest.approx(60 / 0.99)] * 6


def test_the_day_counts_where_it_is_less_than_its_minutes() -> None:
    found = intervals(Limits({"pool": RelayLimits(per_minute=60, per_day=6000)}))
    assert found == [pytest.approx(DAY / 1000 / 0.99)] * 6


def test_a_mailbox_stretches_its_own_routes_over_all_relays_and_no_others() -> None:
    routes = [*POOL, route("second", "m1", "mail", 30.0)]
    found = fitted(routes, Limits(mailboxes={"mail": 2000}))
    factor = 3.5 / 15 / (0.99 * 2000 / DAY)
    for before, after in zip(routes, found, strict=True):
        limited = before.key.mailbox == "mail"
        assert after.interval == pytest.approx(before.interval * (factor if limited else 1.0))


def test_where_two_limits_meet_the_slower_holds() -> None:
    relay, mailbox = {"pool": RelayLimits(per_minute=12)}, {"mail": 2000}
    found = intervals(Limits(relay, mailbox))
    of_mail = 3 * DAY / 2000 / 0.99
    assert found[1::2] == [pytest.approx(of_mail)] * 3
    rest = 0.99 * 12 / 60 - 3 / of_mail
    assert found[::2] == [pytest.approx(max(15.0, 3 / rest))] * 3


def test_what_a_slow_relay_leaves_of_a_mailbox_goes_to_the_other_relays() -> None:
    routes = [route("slow", "n1", "mail"), route("fast", "n1", "mail")]
    found = intervals(Limits({"slow": RelayLimits(per_day=100)}, {"mail": 2000}), routes)
    assert found == [
        pytest.approx(DAY / 100 / 0.99),
        pytest.approx(DAY / (0.99 * 2000 - 0.99 * 100)),
    ]


LIMIT = st.none() | st.integers(1, 100_000)


@given(
    relays=st.dictionaries(
        st.sampled_from("ab"), st.builds(RelayLimits, per_minute=LIMIT, per_day=LIMIT)
    ),
    mailboxes=st.dictionaries(st.sampled_from("xy"), st.integers(1, 100_000)),
    ways=st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from("xy"), st.floats(1, DAY)), max_size=8
    ),
)
def test_no_limit_is_ever_exceeded_and_nothing_comes_more_often(
    relays: dict[str, RelayLimits],
    mailboxes: dict[str, int],
    ways: list[tuple[str, str, float]],
) -> None:
    routes = [
        route(relay, f"n{number}", box, interval)
        for number, (relay, box, interval) in enumerate(ways)
    ]
    found = fitted(routes, Limits(relays, mailboxes))
    assert [one.key for one in found] == [one.key for one in routes]
    assert all(new.interval >= old.interval for new, old in zip(found, routes, strict=True))
    for name, messages in daily(found, lambda key: key.relay).items():
        limits = relays.get(name, RelayLimits())
        assert limits.per_minute is None or messages / 1440 <= limits.per_minute
        assert limits.per_day is None or messages <= limits.per_day
    for name, messages in daily(found, lambda key: key.mailbox).items():
        assert name not in mailboxes or messages <= mailboxes[name]

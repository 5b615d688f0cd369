"""Which hosts MX and SRV records name, and which IP versions are left out."""

import pytest

from probe.core.model import Relay, TlsMode
from probe.core.node_plan import IpVersion
from probe.core.targets import (
    MxRecord,
    SrvRecord,
    Target,
    left_out,
    mx_targets,
    services,
    srv_targets,
)

RELAY = Relay("pool", "pool.test", 25)


def hosts(*targets: Target) -> list[str]:
    return [target.host for target in targets]


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([], ["pool.test"]),
        ([(20, "b"), (10, "c"), (10, "a")], ["a", "c", "b"]),
        ([(10, "a"), (20, "a")], ["a"]),
        ([(0, "")], []),
        ([(0, ""), (10, "a")], ["a"]),
    ],
    ids=["implicit", "preference", "twice", "null", "null_beside_others"],
)
def test_mx_hosts_by_preference(records: list[tuple[int, str]], expected: list[str]) -> None:
    targets = mx_targets([MxRecord(*record) for record in records], RELAY)
    assert hosts(*targets) == expected
    assert all((t.port, t.tls) == (25, None) for t in targets)


@pytest.mark.parametrize(
    ("tls", "later"),
    [
        (TlsMode.STARTTLS, TlsMode.STARTTLS),
        (TlsMode.IMPLICIT, TlsMode.STARTTLS),
        (TlsMode.NONE, TlsMode.NONE),
    ],
)
def test_submissions_is_asked_first_and_always_speaks_tls(tls: TlsMode, later: TlsMode) -> None:
    first, second = services(Relay("pool", "pool.test", 587, tls=tls))
    assert (first.name, first.tls) == ("_submissions._tcp.pool.test", TlsMode.IMPLICIT)
    assert (second.name, second.tls) == ("_submission._tcp.pool.test", later)


def test_srv_hosts_by_priority_then_weight_at_their_ports() -> None:
    records = [
        SrvRecord(20, 0, 465, "c"),
        SrvRecord(10, 1, 465, "b"),
        SrvRecord(10, 9, 4650, "a"),
        SrvRecord(30, 0, 466, "a"),
    ]
    targets = srv_targets(records, TlsMode.IMPLICIT)
    assert [(t.host, t.port) for t in targets] == [("a", 4650), ("b", 465), ("c", 465)]


def test_a_service_that_is_not_offered_has_no_hosts() -> None:
    assert srv_targets([SrvRecord(0, 0, 0, "")], TlsMode.IMPLICIT) == ()


@pytest.mark.parametrize(
    ("choice", "seen", "routed", "expected"),
    [
        (IpVersion.FOUR, {4, 6}, {4, 6}, {6}),
        (IpVersion.SIX, {4}, {4}, {4}),
        (IpVersion.BOTH, {4, 6}, {4}, set()),
        (IpVersion.AUTO, {4, 6}, {4}, {6}),
        (IpVersion.AUTO, {4, 6}, {4, 6}, set()),
        (IpVersion.AUTO, {4, 6}, set(), set()),
        (IpVersion.AUTO, {4}, {4}, set()),
    ],
)
def test_auto_leaves_out_what_has_no_route_while_anything_has(
    choice: IpVersion, seen: set[int], routed: set[int], expected: set[int]
) -> None:
    assert left_out(choice, seen, routed) == expected

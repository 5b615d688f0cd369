"""The kernel is asked for a route, and nothing is sent."""

import pytest

from probe.edges.route import KernelRoutes


@pytest.mark.parametrize(
    ("address", "source", "expected"),
    [
        ("127.0.0.1", None, True),
        ("127.0.0.1", "127.0.0.9", True),
        ("127.0.0.1", "::1", False),
        ("::1", "127.0.0.1", False),
        ("127.0.0.1", "192.0.2.77", False),
        ("fe80::1", None, False),
    ],
    ids=["loopback", "from", "not from IPv6", "not from IPv4", "not ours", "without its link"],
)
def test_whether_there_is_a_route(address: str, source: str | None, expected: bool) -> None:
    assert KernelRoutes().reaches(address, source) is expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [("127.0.0.1", True), ("192.0.2.1", False), ("fe80::1", False)],
)
def test_whether_an_address_is_one_of_this_machine(address: str, expected: bool) -> None:
    assert KernelRoutes().is_ours(address) is expected

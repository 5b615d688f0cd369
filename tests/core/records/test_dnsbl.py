"""Blocklists: where an address would be listed."""

import pytest

from probe.core.records import dnsbl


@pytest.mark.parametrize(
    ("ip", "name"),
    [
        ("192.0.2.99", "99.2.0.192.bl.test"),
        (
            "2001:db8:1:2:3:4:567:89ab",
            "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.bl.test",
        ),
        (dnsbl.LISTED_6, "2.0.0.0.0.0.f.7.f.f.f.f" + ".0" * 20 + ".bl.test"),
    ],
)
def test_names(ip: str, name: str) -> None:
    """RFC 5782 §2.1, §2.4, §5"""
    assert dnsbl.name(ip, "bl.test") == name

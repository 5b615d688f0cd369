"""Names of domains as people write them."""

import pytest

from probe.core.records.name import canonical, sending_address


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Shop.Example.", "shop.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("_spf.shop.example", "_spf.shop.example"),
        ("s1", "s1"),
        (" a.b ", "a.b"),
    ],
)
def test_names(text: str, name: str) -> None:
    assert canonical(text) == name


@pytest.mark.parametrize(
    "text",
    ["", ".", "a..b", "-a.test", "a b.test", "192.0.2.1", "x" * 64, "a.1", "a\n.test", "a/b"],
)
def test_what_is_no_name(text: str) -> None:
    with pytest.raises(ValueError, match="not the name of a domain"):
        canonical(text)


def test_a_name_is_not_longer_than_dns_allows() -> None:
    with pytest.raises(ValueError, match="not the name"):
        canonical(".".join(["abcdefghi"] * 26))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
    ],
)
def test_addresses(text: str, address: str) -> None:
    assert sending_address(text) == address


@pytest.mark.parametrize("text", ["", "192.0.2", "shop.test", "fe80::1%eth0"])
def test_what_nobody_can_send_from(text: str) -> None:
    with pytest.raises(ValueError, match="IP"):
        sending_address(text)

"""Names of domains as people write them."""

import pytest

from probe.core.records.name import canonical


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

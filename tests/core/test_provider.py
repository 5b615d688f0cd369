"""Whose mailbox it is: by its address, by its MX records, by the server it is read from."""

import pytest

from probe.core import provider
from probe.core.model import ImapServer, Mailbox
from probe.core.provider import Provider
from probe.core.targets import MxRecord, Records


@pytest.mark.parametrize(
    ("address", "owner"),
    [
        ("probe@gmail.com", Provider.GMAIL),
        ("Probe@GoogleMail.com", Provider.GMAIL),
        ("probe@hotmail.co.uk", Provider.MICROSOFT),
        ("probe@outlook.com", Provider.MICROSOFT),
        ("probe@yahoo.fr", Provider.YAHOO),
        ("probe@aol.com", Provider.YAHOO),
        ("probe@me.com", Provider.APPLE),
        ("probe@yahoo.co.jp", None),
        ("probe@notgmail.com", None),
        ("gmail.com@corp.example", None),
    ],
)
def test_the_owner_of_an_address(address: str, owner: Provider | None) -> None:
    assert provider.of_address(address) is owner


@pytest.mark.parametrize(
    ("hosts", "owner"),
    [
        (("aspmx.l.google.com",), Provider.GMAIL),
        (("smtp.google.com",), Provider.GMAIL),
        (("corp-example.mail.protection.outlook.com",), Provider.MICROSOFT),
        (("corp-example.r-v1.mx.microsoft",), Provider.MICROSOFT),
        (("mta5.am0.yahoodns.net",), Provider.YAHOO),
        (("mx01.mail.icloud.com",), Provider.APPLE),
        (("mx1.corp.example", "aspmx2.googlemail.com"), Provider.GMAIL),
        (("mx.corp.example", "mail.notgoogle.com"), None),
        ((), None),
    ],
)
def test_the_owner_of_a_domain_by_its_mx(hosts: tuple[str, ...], owner: Provider | None) -> None:
    records = tuple(MxRecord(number, host) for number, host in enumerate(hosts))
    assert provider.of_exchangers(Records(records, 60.0)) is owner


def test_an_account_of_gmail_has_many_spellings() -> None:
    spellings = ("d.e.livery@gmail.com", "Delivery+probe@GoogleMail.com")
    assert {provider.account(one) for one in spellings} == {"delivery@gmail.com"}
    assert provider.account("a.b+c@corp.example") == "a.b@corp.example"


@pytest.mark.parametrize(
    ("address", "per_day", "limit", "lookup"),
    [
        ("probe@gmail.com", None, 2000, False),
        ("probe@gmail.com", 4000, 4000, False),
        ("probe@corp.example", None, None, True),
        ("probe@corp.example", 10, 10, False),
    ],
)
def test_what_is_written_wins_over_what_is_usual(
    address: str, per_day: int | None, limit: int | None, lookup: bool
) -> None:
    mailbox = Mailbox("box", address, ImapServer("imap.example", 993, "probe"), per_day=per_day)
    assert provider.known_limit(mailbox) == limit
    assert provider.needs_lookup(mailbox) is lookup

"""The large providers of mailboxes, and what they think of many messages.

Who sends 5,000 messages or more a day to the consumers of one of them is a bulk sender, and its
domain stays one for good (Gmail's and Yahoo's sender guidelines, 2024).
"""

from __future__ import annotations

from enum import StrEnum

from probe.core.model import Mailbox
from probe.core.targets import MxRecord, Records

PER_DAY = 2000  # Messages to one mailbox, and to one provider, that are far from bulk.


class Provider(StrEnum):
    """Who runs a mailbox, by the name that people know."""

    GMAIL = "Gmail"
    MICROSOFT = "Microsoft"
    YAHOO = "Yahoo"
    APPLE = "Apple"


_DOMAINS = {
    Provider.GMAIL: "gmail.com googlemail.com",
    Provider.MICROSOFT: """outlook.com outlook.at outlook.be outlook.cl outlook.co.id outlook.co.il
        outlook.co.th outlook.com.ar outlook.com.au outlook.com.br outlook.com.gr outlook.com.tr
        outlook.com.vn outlook.cz outlook.de outlook.dk outlook.es outlook.fr outlook.hu outlook.ie
        outlook.in outlook.it outlook.jp outlook.kr outlook.lv outlook.my outlook.ph outlook.pt
        outlook.sa outlook.sg outlook.sk hotmail.com hotmail.be hotmail.ca hotmail.cl hotmail.co.jp
        hotmail.co.nz hotmail.co.th hotmail.co.uk hotmail.com.ar hotmail.com.au hotmail.com.br
        hotmail.com.tr hotmail.cz hotmail.de hotmail.dk hotmail.es hotmail.fi hotmail.fr hotmail.gr
        hotmail.hu hotmail.it hotmail.nl hotmail.no hotmail.se live.com live.at live.be live.ca
        live.cl live.cn live.co.uk live.co.za live.com.ar live.com.au live.com.mx live.com.my
        live.com.pt live.com.sg live.de live.dk live.fi live.fr live.ie live.in live.it live.jp
        live.nl live.no live.ru live.se msn.com passport.com windowslive.com""",
    # yahoo.co.jp is another company.
    Provider.YAHOO: """yahoo.com yahoo.at yahoo.be yahoo.bg yahoo.ca yahoo.cl yahoo.co.id
        yahoo.co.il yahoo.co.in yahoo.co.nz yahoo.co.th yahoo.co.uk yahoo.co.za yahoo.com.ar
        yahoo.com.au yahoo.com.br yahoo.com.co yahoo.com.hk yahoo.com.mx yahoo.com.my yahoo.com.pe
        yahoo.com.ph yahoo.com.sg yahoo.com.tr yahoo.com.tw yahoo.com.ua yahoo.com.ve yahoo.com.vn
        yahoo.cz yahoo.de yahoo.dk yahoo.ee yahoo.es yahoo.fi yahoo.fr yahoo.gr yahoo.hr yahoo.hu
        yahoo.ie yahoo.in yahoo.it yahoo.lt yahoo.lv yahoo.nl yahoo.no yahoo.pl yahoo.pt yahoo.ro
        yahoo.se yahoo.sk ymail.com rocketmail.com myyahoo.com aol.com aol.co.uk aol.de aol.fr
        aim.com""",
    Provider.APPLE: "icloud.com me.com mac.com privaterelay.appleid.com",
}
_BY_DOMAIN = {
    domain: provider for provider, domains in _DOMAINS.items() for domain in domains.split()
}
_EXCHANGERS = {
    ".google.com": Provider.GMAIL,
    ".googlemail.com": Provider.GMAIL,
    ".outlook.com": Provider.MICROSOFT,
    ".mx.microsoft": Provider.MICROSOFT,
    ".yahoodns.net": Provider.YAHOO,
    ".mail.icloud.com": Provider.APPLE,
}
_MICROSOFT_SERVERS = (".outlook.com", ".office365.com", ".office.com")


def of_address(address: str) -> Provider | None:
    """Whose consumer domain an address is in, as far as its domain alone tells."""
    return _BY_DOMAIN.get(domain_of(address))


def of_exchangers(found: Records[MxRecord]) -> Provider | None:
    """Who takes the mail of a domain with these MX records, by the preferred one that tells."""
    for record in sorted(found.records):
        for ending, provider in _EXCHANGERS.items():
            if f".{record.host}".endswith(ending):
                return provider
    return None


def known_limit(mailbox: Mailbox) -> int | None:
    """How many messages a day a mailbox takes, as far as the configuration tells."""
    if mailbox.per_day is None and of_address(mailbox.address) is not None:
        return PER_DAY
    return mailbox.per_day


def needs_lookup(mailbox: Mailbox) -> bool:
    """Whether only MX records can tell if a mailbox has a limit."""
    return mailbox.per_day is None and of_address(mailbox.address) is None


def is_microsoft_server(host: str) -> bool:
    """Whether a host that takes logins, over SMTP or IMAP, is Microsoft's."""
    return f".{host.rstrip('.').lower()}".endswith(_MICROSOFT_SERVERS)


def is_gmail_server(host: str) -> bool:
    """Likewise for Gmail, Google Workspace included."""
    return host.rstrip(".").lower().endswith((".gmail.com", ".googlemail.com"))


def account(address: str) -> str:
    """The account that an address leads to: Gmail ignores dots and what is behind a +."""
    local, _, domain = address.rpartition("@")
    local, domain = local.partition("+")[0].lower(), domain.lower()
    if _BY_DOMAIN.get(domain) is Provider.GMAIL:
        return f"{local.replace('.', '')}@gmail.com"
    return f"{local}@{domain}"


def domain_of(address: str) -> str:
    """What is behind the @, in small letters."""
    return address.rpartition("@")[2].lower()

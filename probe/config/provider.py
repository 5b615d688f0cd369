"""What large providers of mail do not allow, and what they punish."""

from __future__ import annotations

from collections.abc import Iterator

from probe.config import plan
from probe.config.file import File, Mailbox, Relay
from probe.config.problem import Finding
from probe.config.sender import Sender
from probe.config.settings import Settings
from probe.core import provider
from probe.core.forecast import daily_by_provider, planned
from probe.core.limits import fitted
from probe.core.provider import PER_DAY, Provider

_IMAP = (
    "takes no passwords for IMAP any more, and nothing else is available in this version: read a"
    " mailbox elsewhere, to which a rule in this one redirects the probes"
)
_GMAIL = (
    "Gmail does not deliver what an account sends to itself; use another account, or leave this"
    " combination out of the routes"
)
_SMTP = (
    "Microsoft disables logins with a password over SMTP at the end of December 2026: have your"
    " administrator enable them again, or submit through another relay"
)


def impossible(file: File) -> Iterator[Finding]:
    """What cannot work, with its remedy."""
    for name, mailbox in file.mailboxes.items():
        if provider.is_microsoft_server(mailbox.imap.host):
            yield Finding(("mailboxes", name, "imap", "host"), f"Microsoft {_IMAP}")
    for (relay, sender, box), _ in plan.in_force(file):
        mailbox = file.mailboxes[box]
        if not _is_gmail(mailbox):
            continue
        if _is_sender(file.senders[sender], mailbox):
            place = ("senders", sender, "address")
            yield Finding(place, f"is the account of mailbox '{box}': {_GMAIL}")
        elif _is_login(file.relays[relay], mailbox):
            place = ("relays", relay, "username")
            yield Finding(place, f"is the account of mailbox '{box}': {_GMAIL}")


def ending(file: File) -> Iterator[str]:
    """What works today, and will not."""
    for name, relay in file.relays.items():
        if relay.password is not None and provider.is_microsoft_server(relay.host):
            yield f"relays.{name}: {_SMTP}"


def bulk(settings: Settings) -> Iterator[str]:
    """Where a provider gets so much that it may take us for a bulk sender, as far as is known.

    Addresses tell the provider; MX records are not looked up, and nodes that are resolved count
    as one.
    """
    owners = {one.name: provider.of_address(one.address) for one in settings.mailboxes}
    nodes = {relay.name: [one.name for one in relay.listed] or [""] for relay in settings.relays}
    routes = fitted(planned(settings.plans, nodes), settings.limits)
    known = {name: owner for name, owner in owners.items() if owner is not None}
    for owner, messages in daily_by_provider(routes, known).items():
        if messages > PER_DAY:
            yield _too_many(owner, messages, [name for name in known if known[name] is owner])


def _too_many(owner: Provider, messages: float, mailboxes: list[str]) -> str:
    return (
        f"mailboxes {', '.join(mailboxes)}: {messages:.0f} messages a day to {owner}; more than"
        f" {PER_DAY} are too many, and 5000 make the domain a bulk sender for good"
    )


def _is_gmail(mailbox: Mailbox) -> bool:
    by_address = provider.of_address(mailbox.address) is Provider.GMAIL
    return by_address or provider.is_gmail_server(mailbox.imap.host)


def _is_sender(sender: Sender, mailbox: Mailbox) -> bool:
    return provider.account(sender.address) == provider.account(mailbox.address)


def _is_login(relay: Relay, mailbox: Mailbox) -> bool:
    """Whether the relay is Gmail's own, and we log in there as the owner of the mailbox."""
    if relay.username is None or not provider.is_gmail_server(relay.host):
        return False
    return provider.account(relay.username) in (
        provider.account(mailbox.address),
        provider.account(mailbox.imap.username),
    )

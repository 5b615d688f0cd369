"""What a configuration means: the words of core, and the secrets that edges ask for."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from probe.config import file as typed
from probe.config import plan
from probe.config.heartbeat import Heartbeat
from probe.config.plan import Combination, Plan
from probe.config.scalar import domain
from probe.core.allowance import NO_LIMITS, Limits, RelayLimits
from probe.core.model import ImapServer, Mailbox, Node, Relay, Role, Sender, Timeouts, TlsMode
from probe.core.node_plan import NodePlan
from probe.core.provider import known_limit
from probe.core.records.timetable import DnsTimes
from probe.core.sender_domain import SenderDomain
from probe.ports import Secret

_SMTP_PORTS = {TlsMode.NONE: 25, TlsMode.STARTTLS: 587, TlsMode.IMPLICIT: 465}
_IMAP_PORTS = {TlsMode.NONE: 143, TlsMode.STARTTLS: 143, TlsMode.IMPLICIT: 993}


@dataclass(frozen=True, slots=True)
class Settings:
    """A configuration that is right in itself. Nodes are not yet known: they are resolved."""

    source: str  # The file, to be read again on a reload.
    instance: str
    tag_keys: tuple[Secret, ...]  # The first signs, all verify.
    journal: str
    listen: tuple[str, int]
    external_url: str  # Without a slash at its end; empty: links begin with one.
    login: tuple[str, Secret] | None  # Who may see the pages.
    certificate: tuple[str, str] | None  # The files of our own, and of its key.
    resolvers: tuple[str, ...] | None  # HOST:PORT; None: the system's.
    log_level: str
    log_format: str
    relays: tuple[Relay, ...]
    senders: tuple[Sender, ...]
    domains: tuple[SenderDomain, ...]  # One for each sender.
    dns: DnsTimes
    dnsbls: tuple[str, ...]  # Zones.
    mailboxes: tuple[Mailbox, ...]
    plans: Mapping[Combination, Plan]  # What is not in it is not probed.
    smtp_passwords: Mapping[str, Secret]  # By relay.
    imap_passwords: Mapping[str, Secret]  # By mailbox.
    slow_after: float = 5.0  # s over its normal from which on an SMTP phase is slow.
    settle: float = 600.0  # s that relays may need to come back to a mailbox.
    heartbeat: tuple[str, float] | None = None  # URL and interval (s).
    warnings: tuple[str, ...] = ()

    @property
    def standby(self) -> frozenset[str]:
        """The relays that are there in case another fails."""
        return frozenset(relay.name for relay in self.relays if relay.role is Role.STANDBY)

    @property
    def helo(self) -> str:
        """What we call ourselves to mail servers that are not our relays."""
        return self.relays[0].helo

    @property
    def limits(self) -> Limits:
        """The limits of relays and mailboxes; the MX records of mailboxes may tell of more."""
        mailboxes = {mailbox.name: known_limit(mailbox) for mailbox in self.mailboxes}
        return Limits(
            {relay.name: relay.limits for relay in self.relays if relay.limits != NO_LIMITS},
            {name: per_day for name, per_day in mailboxes.items() if per_day is not None},
        )


def settings(source: str, file: typed.File, warnings: tuple[str, ...]) -> Settings:
    """What the file means."""
    host, _, port = file.web.listen.rpartition(":")
    return Settings(
        source=source,
        instance=file.instance or short_name(socket.gethostname()),
        tag_keys=file.tag_key,
        journal=file.journal,
        listen=(host.strip("[]"), int(port)),
        external_url=file.web.external_url or "",
        login=_login(file.web.basic_auth),
        certificate=_certificate(file.web.tls),
        resolvers=file.resolvers,
        log_level=file.log.level.value,
        log_format=file.log.format.value,
        relays=_relays(file),
        senders=tuple(_sender(name, file) for name in file.senders),
        domains=tuple(_domain(name, file) for name in file.senders),
        dns=DnsTimes(file.dns.interval, file.dns.dnsbl_interval),
        dnsbls=file.dns.dnsbl,
        mailboxes=tuple(_mailbox(name, box) for name, box in file.mailboxes.items()),
        plans={names: plan.plan(values) for names, values in plan.in_force(file)},
        smtp_passwords={n: r.password for n, r in file.relays.items() if r.password is not None},
        imap_passwords={name: box.imap.password for name, box in file.mailboxes.items()},
        slow_after=file.detection.slow_after,
        settle=file.detection.settle,
        heartbeat=_heartbeat(file.heartbeat),
        warnings=warnings,
    )


def _login(given: typed.BasicAuth | None) -> tuple[str, Secret] | None:
    return None if given is None else (given.username, given.password)


def _certificate(given: typed.WebTls | None) -> tuple[str, str] | None:
    return None if given is None else (given.cert_file, given.key_file)


def _heartbeat(given: Heartbeat | None) -> tuple[str, float] | None:
    return None if given is None else (given.url, given.interval)


def short_name(host: str) -> str:
    """The first part of a host's name, as the name of an instance may be."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", host.partition(".")[0]).strip("-_")[:64] or "mailprobe"


def _full_name() -> str:
    """This host's name for EHLO: with a domain, or else an address literal (RFC 5321 4.1.4)."""
    name = domain(socket.getfqdn())
    return name if name and "." in name else "[127.0.0.1]"


def _relays(file: typed.File) -> tuple[Relay, ...]:
    unnamed = any(relay.helo is None for relay in file.relays.values())
    ours = _full_name() if unnamed else ""  # It may take a lookup, so only once.
    return tuple(_relay(name, relay, relay.helo or ours) for name, relay in file.relays.items())


def _relay(name: str, relay: typed.Relay, helo: str) -> Relay:
    port = relay.port or _SMTP_PORTS[relay.tls]
    listed = () if isinstance(relay.nodes, NodePlan) else relay.nodes
    return Relay(
        name=name,
        host=relay.host,
        port=port,
        tls=relay.tls,
        ca_file=relay.ca_file,
        plan=relay.nodes if isinstance(relay.nodes, NodePlan) else NodePlan.LIST,
        ip_version=relay.ip_version,
        listed=tuple(Node(name, each.name, each.address, each.port or port) for each in listed),
        username=relay.username,
        auth=relay.auth,
        helo=helo,
        source_address=relay.source_address,
        limits=RelayLimits(**dict(relay.limits)),
        timeouts=Timeouts(**dict(relay.timeouts)),
        role=relay.role,
    )


def _sender(name: str, file: typed.File) -> Sender:
    sender = file.senders[name]
    own = (n for n, box in file.mailboxes.items() if box.address.lower() == sender.address.lower())
    return Sender(
        name=name,
        address=sender.address,
        display_name=sender.name,
        envelope=sender.envelope,
        bounces=sender.bounces or next(own, None),
    )


def _domain(name: str, file: typed.File) -> SenderDomain:
    sender = file.senders[name]
    return SenderDomain(
        sender=name,
        domain=sender.address.rpartition("@")[2].lower(),
        selectors=sender.dkim_selectors,
        egress_ips=sender.egress_ips,
        checked=sender.dns,
    )


def _mailbox(name: str, mailbox: typed.Mailbox) -> Mailbox:
    imap, junk = mailbox.imap, mailbox.folders.junk
    return Mailbox(
        name=name,
        address=mailbox.address,
        imap=ImapServer(
            host=imap.host,
            port=imap.port or _IMAP_PORTS[imap.tls],
            username=imap.username,
            tls=imap.tls,
            ca_file=imap.ca_file,
        ),
        inbox=mailbox.folders.inbox,
        junk=None if junk == "none" else junk,
        authserv_id=mailbox.authserv_id,
        per_day=mailbox.per_day,
        keep=mailbox.keep,
        keep_failed=mailbox.keep_failed,
    )

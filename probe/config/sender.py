"""What the file says of the senders, and of how their domains' DNS is checked."""

from __future__ import annotations

from pydantic import Field

from probe.config.kind import (
    DnsInterval,
    Email,
    Envelope,
    Flag,
    Ips,
    Selectors,
    Text,
    Word,
    Zones,
)
from probe.config.section import Section
from probe.core.model import EnvelopeMode


class Dns(Section):
    """How the DNS of the senders' domains is checked."""

    interval: DnsInterval = Field(
        default=300.0, description="Each check is made again at the latest after so much time."
    )
    dnsbl_interval: DnsInterval = Field(
        default=1800.0, description="Likewise for blocklists, whose operators count questions."
    )
    dnsbl: Zones = Field(
        default=(),
        description="Blocklists by their zones: each egress_ips of each sender is looked up.",
        examples=[["zen.spamhaus.org"]],
    )


class Sender(Section):
    """Who a probe is from."""

    address: Email = Field(description="MAIL FROM and From.", examples=["probe@shop.example"])
    name: Text = Field(default="Delivery check", description="The name beside the address in From.")
    envelope: Envelope = Field(
        default=EnvelopeMode.PLAIN, description="plain, or verp (probe+ID@, one for each probe)."
    )
    bounces: Word | None = Field(
        default=None,
        description="The mailbox where bounces come; by default the one with the sender's address.",
        examples=["corp"],
    )
    dkim_selectors: Selectors = Field(
        default=(),
        description="The keys that its mail is signed with; those seen in arrived mail are added.",
        examples=[["s1"]],
    )
    egress_ips: Ips = Field(
        default=(),
        description="The addresses that its mail leaves from: for SPF, PTR and blocklists.",
        examples=[["192.0.2.10"]],
    )
    dns: Flag = Field(default=True, description="Whether the DNS of its domain is checked.")

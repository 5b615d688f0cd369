"""The file as types: every key, what it means, and what it is where it is left out.

The example and the JSON Schema are made from these, so they cannot say anything else.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from probe.config.detection import Detection
from probe.config.heartbeat import Heartbeat
from probe.config.kind import (
    Auth,
    CaFile,
    Count,
    Deadline,
    Email,
    Endpoint,
    Format,
    GiveUp,
    Host,
    Instance,
    Interval,
    Ip,
    Keep,
    Keys,
    Level,
    LogFormat,
    LogLevel,
    Name,
    Nameservers,
    Password,
    Port,
    RelayRole,
    Text,
    Timeout,
    Tls,
    Url,
    Version,
    Word,
)
from probe.config.section import Section
from probe.config.sender import Dns, Sender
from probe.config.target import Nodes
from probe.core.model import AuthMode, Role, TlsMode
from probe.core.node_plan import IpVersion, NodePlan

PREFIX = "MAILPROBE_"
TAG_KEY_PLACEHOLDER = "replace-this-with-a-long-random-text"

_HOUR = 3600.0
_DAY = 24 * _HOUR


class BasicAuth(Section):
    """Who may see the pages."""

    username: Text = Field(description="Who logs in.", examples=["prometheus"])
    password: Password = Field(
        description="Itself, or {file: /run/secrets/web}, which is read again for each request.",
        examples=["replace-this"],
    )


class WebTls(Section):
    """Our own certificate."""

    cert_file: Text = Field(
        description="The certificate with its chain, in PEM.", examples=["/etc/ssl/mailprobe.pem"]
    )
    key_file: Text = Field(
        description="Its key, without a password.", examples=["/etc/ssl/mailprobe.key"]
    )


class Web(Section):
    """Where metrics and pages are served."""

    listen: Endpoint = Field(
        default="127.0.0.1:9841", description="HOST:PORT; 0.0.0.0:9841 for all addresses."
    )
    external_url: Url | None = Field(
        default=None,
        description="What the links of the pages begin with, where a proxy stands before them.",
        examples=["https://ops.example/mailprobe"],
    )
    basic_auth: BasicAuth | None = Field(
        default=None,
        description="Who may see the pages, but for /-/healthy and /-/ready, which are for all.",
    )
    tls: WebTls | None = Field(
        default=None,
        description="Serve with TLS 1.2 or newer; the files are read again when they change.",
    )


class Log(Section):
    """What is logged, on standard error."""

    level: Level = Field(default=LogLevel.INFO, description="debug, info, warning or error.")
    format: Format = Field(default=LogFormat.LOGFMT, description="logfmt or json.")


class Defaults(Section):
    """What holds where neither the route nor the mailbox says otherwise."""

    interval: Interval = Field(default=15.0, description="One probe on each route in so much time.")
    deadline: Deadline = Field(
        default=60.0, description="What arrives later after acceptance is late."
    )
    give_up: GiveUp = Field(default=_DAY, description="What has not arrived by then is lost.")


class Timeouts(Section):
    """How long a phase may take before it is judged."""

    connect: Timeout = Field(default=10.0, description="The TCP handshake.")
    greeting: Timeout = Field(default=10.0, description="Until the 220 has come.")
    command: Timeout = Field(default=30.0, description="Each other phase.")
    hard: Timeout = Field(default=60.0, description="Until then even a slow phase is watched.")


class Limits(Section):
    """What a relay may take from us."""

    per_minute: Count | None = Field(
        default=None,
        description="Messages in any minute; slots come as much more rarely as is needed.",
        examples=[60],
    )
    per_day: Count | None = Field(
        default=None, description="Likewise in any 24 hours.", examples=[20000]
    )
    connections: Count | None = Field(
        default=None,
        description="Submissions at a time; a slot that must wait longer than its interval is"
        " skipped.",
        examples=[10],
    )


class Relay(Section):
    """An SMTP service that probes are submitted to."""

    later = frozenset({"api"})

    host: Host = Field(
        description="The name that TLS is verified against.", examples=["smtp.example.com"]
    )
    port: Port | None = Field(
        default=None,
        description="By default, by tls: none 25, starttls 587, implicit 465.",
        examples=[587],
    )
    tls: Tls = Field(
        default=TlsMode.STARTTLS,
        description="none, starttls (required, not opportunistic) or implicit.",
    )
    ca_file: CaFile | None = Field(
        default=None,
        description="Trusted instead of the system's certificates.",
        examples=["/etc/ssl/own-ca.pem"],
    )
    nodes: Nodes = Field(
        default=NodePlan.NONE,
        description="How the host becomes nodes: none (one target, whatever the name resolves to),"
        " a (every A and AAAA address), mx (every address of its MX hosts), srv (of the hosts that"
        " its SRV records name for submission, at their ports), greeting (a load balancer: nodes"
        " are told apart by the host name in the greeting), or a list of ADDRESS[:PORT] or"
        " NAME=ADDRESS[:PORT].",
    )
    ip_version: Version = Field(
        default=IpVersion.AUTO,
        description="Which of the addresses that are looked up are used: auto (leaves out a version"
        " that there is no route for), 4, 6 or both.",
    )
    username: Text | None = Field(
        default=None, description="Without it there is no login.", examples=["probe"]
    )
    password: Password | None = Field(
        default=None,
        description="Itself, or {file: /run/secrets/smtp}, which is read again before each login.",
        examples=["replace-this"],
    )
    auth: Auth = Field(
        default=AuthMode.AUTO,
        description="auto (the first offered of PLAIN, LOGIN, CRAM-MD5), plain, login or cram-md5.",
    )
    helo: Word | None = Field(
        default=None,
        description="What we call ourselves; by default the host's full name.",
        examples=["prober.example"],
    )
    source_address: Ip | None = Field(
        default=None, description="The address of ours to connect from.", examples=["192.0.2.7"]
    )
    limits: Limits = Field(
        default_factory=Limits, description="How much the relay may take; by default anything."
    )
    timeouts: Timeouts = Field(default_factory=Timeouts, description="How long a phase may take.")
    role: RelayRole = Field(default=Role.PRIMARY, description="primary or standby.")


class Imap(Section):
    """How a mailbox is read."""

    host: Host = Field(
        description="The name that TLS is verified against.", examples=["imap.corp.example"]
    )
    port: Port | None = Field(
        default=None,
        description="By default, by tls: none and starttls 143, implicit 993.",
        examples=[993],
    )
    tls: Tls = Field(default=TlsMode.IMPLICIT, description="none, starttls (required) or implicit.")
    username: Text = Field(description="Who logs in.", examples=["probe@corp.example"])
    password: Password = Field(
        description="Itself, or {file: /run/secrets/imap}, which is read again before each login.",
        examples=["replace-this"],
    )
    ca_file: CaFile | None = Field(
        default=None,
        description="Trusted instead of the system's certificates.",
        examples=["/etc/ssl/own-ca.pem"],
    )


class Folders(Section):
    """Where in the mailbox probes are looked for."""

    inbox: Text = Field(default="INBOX", description="Where they belong.")
    junk: Text = Field(
        default="auto",
        description="auto (the one that the server marks), the folder's name, or none.",
    )


class Mailbox(Section):
    """Where probes arrive."""

    address: Email = Field(description="RCPT TO, exactly.", examples=["probe@corp.example"])
    imap: Imap = Field(description="How it is read.")
    folders: Folders = Field(default_factory=Folders, description="Where probes are looked for.")
    authserv_id: Word | None = Field(
        default=None,
        description="Whose Authentication-Results to trust; none for servers that write no id;"
        " left out, nothing is trusted.",
        examples=["mx.corp.example"],
    )
    interval: Interval | None = Field(
        default=None, description="Instead of the default, for this mailbox.", examples=["30s"]
    )
    deadline: Deadline | None = Field(default=None, description="Likewise.", examples=["120s"])
    give_up: GiveUp | None = Field(default=None, description="Likewise.", examples=["24h"])
    per_day: Count | None = Field(
        default=None,
        description="Messages in any 24 hours, over all its routes; by default 2000 where the"
        " address or its MX is Gmail's, Microsoft's, Yahoo's or Apple's, else without limit.",
        examples=[2000],
    )
    keep: Keep = Field(default=_HOUR, description="How long delivered probes stay in the mailbox.")
    keep_failed: Keep = Field(default=7 * _DAY, description="How long the others stay.")


class Route(Section):
    """Relay x sender x mailbox. What is left out of the three means all of them."""

    relay: Word | None = Field(default=None, description="One relay.", examples=["pool"])
    sender: Word | None = Field(default=None, description="One sender.", examples=["shop"])
    mailbox: Word | None = Field(default=None, description="One mailbox.", examples=["corp"])
    interval: Interval | None = Field(
        default=None, description="Instead of the mailbox's and the default.", examples=["30s"]
    )
    deadline: Deadline | None = Field(default=None, description="Likewise.", examples=["120s"])
    give_up: GiveUp | None = Field(default=None, description="Likewise.", examples=["24h"])


def _some(value: object) -> object:
    if not isinstance(value, list):
        raise ValueError("must be a list")
    if not value:
        raise ValueError("is an empty list; leave the key out for every combination")
    return value


class File(BaseSettings):
    """The configuration of mailprobe."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        validate_default=False,
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        json_schema_extra={"required": ["tag_key", "relays", "senders", "mailboxes"]},
    )

    later: ClassVar[frozenset[str]] = frozenset({"flows", "limits", "api"})

    instance: Instance | None = Field(
        default=None,
        description="The name of this prober, part of every tag: several may share a mailbox."
        " By default the host's short name.",
        examples=["fra1"],
    )
    tag_key: Keys = Field(
        default=(),
        description="The key that signs the tags, at least 16 characters: itself,"
        " {file: /run/secrets/tag}, or a list: the first signs, all verify.",
        examples=[TAG_KEY_PLACEHOLDER],
    )
    journal: Text = Field(
        default="/var/lib/mailprobe/journal.sqlite3",
        description="What survives a restart is kept here.",
    )
    web: Web = Field(default_factory=Web, description="Where metrics and pages are served.")
    detection: Detection = Field(
        default_factory=Detection, description="When something is called a fault."
    )
    resolvers: Nameservers | None = Field(
        default=None,
        description="DNS servers, HOST or HOST:PORT; by default the system's.",
        examples=[["192.0.2.53"]],
    )
    secrets_dir: Text | None = Field(
        default=None,
        description="A folder with secrets in files like relays__pool__password, which win over"
        " this file.",
        examples=["/run/secrets"],
    )
    log: Log = Field(default_factory=Log, description="What is logged, on standard error.")
    defaults: Defaults = Field(
        default_factory=Defaults,
        description="The route's value wins over the mailbox's, and that over these.",
    )
    dns: Dns = Field(
        default_factory=Dns, description="How the DNS of the senders' domains is checked."
    )
    heartbeat: Heartbeat | None = Field(
        default=None,
        description="Who is called while the prober truly works: its loops turn, and submissions"
        " come to an end. By default nobody.",
    )
    relays: dict[Name, Relay] = Field(
        default_factory=dict,
        description="The SMTP services that probes are submitted to, by name.",
        json_schema_extra={"minProperties": 1},
    )
    senders: dict[Name, Sender] = Field(
        default_factory=dict,
        description="Who probes are from, by name.",
        json_schema_extra={"minProperties": 1},
    )
    mailboxes: dict[Name, Mailbox] = Field(
        default_factory=dict,
        description="Where probes arrive, by name. A mailbox needs no route: it may be there for"
        " bounces.",
        json_schema_extra={"minProperties": 1},
    )
    routes: Annotated[tuple[Route, ...], BeforeValidator(_some)] = Field(
        default=(),
        description="By default every relay with every sender and every mailbox. A field left out"
        " of a route means all; a later route wins over an earlier one.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what we laid together ourselves: see environment.py."""
        return (init_settings,)

"""What is wrong between the values of a file, each of which is right by itself."""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import Iterable, Iterator

from probe.config import plan
from probe.config.document import Tree
from probe.config.file import TAG_KEY_PLACEHOLDER, File, Relay
from probe.config.plan import Sourced
from probe.config.problem import Finding, Path, nearest, suggestion
from probe.config.provider import ending, impossible
from probe.config.scalar import NAME, spelled
from probe.config.secret import LiteralSecret
from probe.config.sender import Sender
from probe.core.model import EnvelopeMode, TlsMode
from probe.core.node_plan import IpVersion, NodePlan

_SECTIONS = {"relay": "relays", "sender": "senders", "mailbox": "mailboxes"}
_LOGIN = ("username", "password")
_CLEAR = "the password goes over the network in the clear (tls: none)"
_MX_PORT = "nodes: mx without a port takes that of tls; hosts in MX records listen on 25"
_SRV_TLS = "tls: none is not for what _submissions._tcp names, which speaks TLS by definition"
_VERP_ROOM = 64 - 1 - 24  # RFC 5321 4.5.3.1.1, less `+ID`.


def conflicts(file: File, tree: dict[str, Tree], known: Iterable[Finding]) -> tuple[Finding, ...]:
    """What is wrong, but for what may only seem so because of what is known to be.

    Names and logins are looked for in the tree: what is there is there, even if it is not right.
    """
    paths = [finding.path for finding in known]
    found = [
        *_missing(file),
        *_limits(file),
        *_nodes(file),
        *_certificate(file),
        *impossible(file),
    ]
    if not any(path[-1] in ("deadline", "give_up") for path in paths):
        found += _waits(file)
    sure = [each for each in found if not any(_touches(path, each.path) for path in paths)]
    return tuple(dict.fromkeys((*sure, *_logins(tree, paths), *_references(tree, paths))))


def warnings(file: File) -> Iterator[str]:
    """What is allowed, and probably not wanted."""
    for name, relay in file.relays.items():
        if relay.tls is TlsMode.NONE and relay.password is not None:
            yield f"relays.{name}: {_CLEAR}"
        if relay.nodes is NodePlan.MX and relay.port is None:
            yield f"relays.{name}: {_MX_PORT}"
        if relay.nodes is NodePlan.SRV and relay.tls is TlsMode.NONE:
            yield f"relays.{name}: {_SRV_TLS}"
    for name, mailbox in file.mailboxes.items():
        if mailbox.imap.tls is TlsMode.NONE:
            yield f"mailboxes.{name}.imap: {_CLEAR}"
    if file.web.basic_auth is not None and file.web.tls is None and not _is_loopback(file):
        yield "web.basic_auth: the password goes over the network in the clear (no web.tls)"
    literal = [key for key in file.tag_key if isinstance(key, LiteralSecret)]
    if any(key.read() == TAG_KEY_PLACEHOLDER for key in literal):
        yield "tag_key: is the example's, which everybody knows"
    yield from ending(file)


def _missing(file: File) -> Iterator[Finding]:
    if not file.tag_key:
        yield Finding(("tag_key",), "is missing; `openssl rand -hex 32` makes a good one")
    for section in _SECTIONS.values():
        if not getattr(file, section):
            yield Finding((section,), "is missing; at least one is needed")


def _certificate(file: File) -> Iterator[Finding]:
    if file.web.tls is None:
        return
    try:
        pair = file.web.tls.cert_file, file.web.tls.key_file
        # Without a password at hand a key that has one would be asked for on the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*pair, password=lambda: "")
    except ssl.SSLError:
        wrong = "the files must be a certificate and its own key, in PEM, without a password"
        yield Finding(("web", "tls"), wrong)
    except OSError as error:
        yield Finding(("web", "tls"), f"the files cannot be read: {error.strerror}")


def _references(tree: dict[str, Tree], paths: Iterable[Path]) -> Iterator[Finding]:
    names = {
        kind: {*_mapping(tree, section), *(str(p[1]) for p in paths if p[0] == section and p[1:])}
        for kind, section in _SECTIONS.items()
    }
    senders = _mapping(tree, "senders")
    for name in senders:
        wanted = _mapping(senders, name).get("bounces")
        yield from _reference(("senders", name, "bounces"), wanted, names["mailbox"])
    routes = tree.get("routes")
    for number, route in enumerate(routes if isinstance(routes, list) else ()):
        for kind in _SECTIONS:
            wanted = route.get(kind) if isinstance(route, dict) else None
            yield from _reference(("routes", number, kind), wanted, names[kind])


def _reference(path: Path, name: Tree | None, known: set[str]) -> Iterator[Finding]:
    if isinstance(name, str) and name not in known:
        kind = "mailbox" if path[-1] == "bounces" else path[-1]
        shown = f"'{name}'" if re.fullmatch(NAME, name) else "so"
        yield Finding(path, f"no {kind} is named {shown}{suggestion(name, known)}")


def _logins(tree: dict[str, Tree], paths: Iterable[Path]) -> Iterator[Finding]:
    relays = _mapping(tree, "relays")
    for name in relays:
        there = [key for key in _LOGIN if key in _mapping(relays, name)]
        wrong = [str(path[-1]) for path in paths if path[:2] == ("relays", name)]
        if len(there) == 1 and not any(map(_may_be_login, wrong)):
            other = _LOGIN[1 - _LOGIN.index(there[0])]
            remedy = f"needs a {other} beside it; without login leave it out"
            yield Finding(("relays", name, there[0]), remedy)


def _may_be_login(key: str) -> bool:
    """Whether a key that is wrong is, or was meant to be, the one that seems to lack."""
    return key in _LOGIN or (key not in Relay.model_fields and nearest(key, _LOGIN) is not None)


def _limits(file: File) -> Iterator[Finding]:
    for name, relay in file.relays.items():
        hard = relay.timeouts.hard
        for phase in ("connect", "greeting", "command"):
            if getattr(relay.timeouts, phase) > hard:
                place: Path = ("relays", name, "timeouts", phase)
                yield Finding(place, f"must not be more than hard, {spelled(hard)}")
    for name, sender in file.senders.items():
        yield from _verp(("senders", name, "address"), sender)
    for name, mailbox in file.mailboxes.items():
        if mailbox.keep_failed < mailbox.keep:
            place = ("mailboxes", name, "keep_failed")
            yield Finding(place, f"must not be less than keep, {spelled(mailbox.keep)}")


def _nodes(file: File) -> Iterator[Finding]:
    """Where `nodes` and `ip_version` do not fit to addresses that are written down."""
    for name, relay in file.relays.items():
        place = ("relays", name)
        host = _version(relay.host)
        if relay.nodes in (NodePlan.MX, NodePlan.SRV) and host:
            yield Finding((*place, "nodes"), "needs a host with a name, not an IP address")
        source = _version(relay.source_address or "")
        fixed = {host, source, *map(_version, _listed(relay))}
        if relay.ip_version is IpVersion.BOTH and source:
            text = f"cannot be both with a source_address, which is IPv{source}"
            yield Finding((*place, "ip_version"), text)
        if relay.ip_version in (IpVersion.FOUR, IpVersion.SIX):
            for version in sorted(fixed - {"", relay.ip_version.value}):
                text = f"does not fit to the IPv{version} address that is written down"
                yield Finding((*place, "ip_version"), text)


def _listed(relay: Relay) -> list[str]:
    """The addresses that are written down as nodes."""
    return [] if isinstance(relay.nodes, NodePlan) else [each.address for each in relay.nodes]


def _version(text: str) -> str:
    """The IP version of an address as it is written in the file; empty for a name."""
    try:
        return str(ipaddress.ip_address(text).version)
    except ValueError:
        return ""


def _verp(path: Path, sender: Sender) -> Iterator[Finding]:
    local = sender.address.rpartition("@")[0]
    if sender.envelope is EnvelopeMode.VERP and len(local) > _VERP_ROOM:
        yield Finding(path, f"must have at most {_VERP_ROOM} characters before its @, for verp")


def _waits(file: File) -> Iterator[Finding]:
    for (_, _, mailbox), values in plan.in_force(file):
        deadline, give_up = values["deadline"], values["give_up"]
        if give_up.seconds <= deadline.seconds:
            path, other = _later(give_up, deadline)
            more = "more" if path == give_up.path else "less"
            against = "the deadline" if path == give_up.path else "give_up"
            yield Finding(path, f"must be {more} than {against}, {spelled(other.seconds)}")
        if file.mailboxes[mailbox].keep < deadline.seconds:
            path = ("mailboxes", mailbox, "keep")
            yield Finding(path, f"must not be less than the deadline, {spelled(deadline.seconds)}")


def _later(give_up: Sourced, deadline: Sourced) -> tuple[Path, Sourced]:
    """Where to say it: at the one that is written at the more particular place."""
    order = ("defaults", "mailboxes", "routes")
    if order.index(str(deadline.path[0])) > order.index(str(give_up.path[0])):
        return deadline.path, give_up
    return give_up.path, deadline


def _is_loopback(file: File) -> bool:
    host = file.web.listen.rpartition(":")[0].strip("[]")
    return host == "localhost" or host.startswith("127.") or host == "::1"


def _mapping(tree: dict[str, Tree], key: str) -> dict[str, Tree]:
    value = tree.get(key)
    return value if isinstance(value, dict) else {}


def _touches(known: Path, path: Path) -> bool:
    """Whether what is known to be wrong is the same, below it, or its neighbour."""
    return known[: len(path)] == path or (len(path) > 1 and known[:-1] == path[:-1])

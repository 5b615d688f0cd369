"""What is wrong between the values of a file, each of which is right by itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from probe.config import plan
from probe.config.document import Tree
from probe.config.file import TAG_KEY_PLACEHOLDER, File, Relay, Sender
from probe.config.plan import FIELDS, Sourced
from probe.config.problem import Finding, Path, nearest
from probe.config.scalar import spelled
from probe.config.secret import LiteralSecret
from probe.core.model import EnvelopeMode, TlsMode

_CLEAR = "the password goes over the network in the clear (tls: none)"
_VERP_ROOM = 64 - 1 - 24  # RFC 5321 4.5.3.1.1, less `+ID`.


def conflicts(file: File, tree: dict[str, Tree], known: Iterable[Finding]) -> tuple[Finding, ...]:
    """What is wrong, but for what may only seem so because of what is known to be."""
    paths = [finding.path for finding in known]
    names = {
        section: {
            *_keys(tree.get(section)),
            *(str(p[1]) for p in paths if p[:1] == (section,) and p[1:]),
        }
        for section in ("relays", "senders", "mailboxes")
    }
    found = [*_missing(file), *_references(file, names), *_logins(file), *_limits(file)]
    if not any(path[-1] in FIELDS for path in paths):
        found += _waits(file)
    return tuple(
        finding
        for finding in dict.fromkeys(found)
        if not any(_touches(path, finding.path) for path in paths)
    )


def warnings(file: File) -> Iterator[str]:
    """What is allowed, and probably not wanted."""
    for name, relay in file.relays.items():
        if relay.tls is TlsMode.NONE and relay.password is not None:
            yield f"relays.{name}: {_CLEAR}"
    for name, mailbox in file.mailboxes.items():
        if mailbox.imap.tls is TlsMode.NONE:
            yield f"mailboxes.{name}.imap: {_CLEAR}"
    literal = [key for key in file.tag_key if isinstance(key, LiteralSecret)]
    if any(key.read() == TAG_KEY_PLACEHOLDER for key in literal):
        yield "tag_key: is the example's, which everybody knows"


def _missing(file: File) -> Iterator[Finding]:
    if not file.tag_key:
        yield Finding(("tag_key",), "is missing; `openssl rand -hex 32` makes a good one")
    for section in ("relays", "senders", "mailboxes"):
        if not getattr(file, section):
            yield Finding((section,), "is missing; at least one is needed")


def _references(file: File, names: dict[str, set[str]]) -> Iterator[Finding]:
    for name, sender in file.senders.items():
        if sender.bounces is not None:
            path: Path = ("senders", name, "bounces")
            yield from _reference(path, sender.bounces, "mailbox", names["mailboxes"])
    for number, route in enumerate(file.routes):
        for kind, section in (("relay", "relays"), ("sender", "senders"), ("mailbox", "mailboxes")):
            if (wanted := getattr(route, kind)) is not None:
                yield from _reference(("routes", number, kind), wanted, kind, names[section])


def _reference(path: Path, name: str, kind: str, known: set[str]) -> Iterator[Finding]:
    if name not in known:
        near = nearest(name, known)
        hint = f"; did you mean '{near}'?" if near else f"; there is {', '.join(sorted(known))}"
        yield Finding(path, f"no {kind} is named '{name}'{hint if known else ''}")


def _logins(file: File) -> Iterator[Finding]:
    for name, relay in file.relays.items():
        yield from _login(("relays", name), relay)


def _login(path: Path, relay: Relay) -> Iterator[Finding]:
    if relay.username is not None and relay.password is None:
        yield Finding((*path, "username"), "needs a password beside it; without login leave it out")
    if relay.password is not None and relay.username is None:
        yield Finding((*path, "password"), "needs a username beside it; without login leave it out")


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


def _keys(tree: Tree | None) -> Iterable[str]:
    return tree if isinstance(tree, dict) else ()


def _touches(known: Path, path: Path) -> bool:
    """Whether what is known to be wrong is the same, below it, or its neighbour."""
    return known[: len(path)] == path or (len(path) > 1 and known[:-1] == path[:-1])

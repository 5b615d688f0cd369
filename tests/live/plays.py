"""What goes wrong in the replays, on machines of a stage; each is a function that sets it up."""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import cycle

from probe.core.component import Fault
from tests.certificates import Certificate
from tests.live.replay import CORP, INTERVAL, POOL, PROBER, Guilt, Play, node
from tests.live.stage import DAY, Stage
from tests.live.world import LOOPBACK, Dovecot, Nsd, RefusingSink

TOKEN = re.compile(rb"token=([a-z2-7]+)")
HOLDING_FOR = 21.0  # s until it is named, at most, by a prober that knows how long mail takes.
FIVE_MINUTES = 36  # Arrivals at 15 s through three nodes, but for those of the last two minutes.
SOON = {"connect": "3s"}  # A limit, so that dropped packets are no matter of half a minute.


def stopped_queue_manager(stage: Stage, name: str = "held") -> Play:
    """A node accepts, and delivers nothing."""
    suspect = stage.postfix(name)
    return Play(
        stage.settings(name, stage.nodes(suspect)),
        spoil=suspect.pause_queue_manager,
        mend=suspect.resume_queue_manager,
        guilt=(Guilt(node(), Fault.HOLDING, HOLDING_FOR),),
        clues=suspect.queue_ids,
    )


def young_prober(stage: Stage) -> Play:
    """The same for a prober that was started five minutes before."""
    play = stopped_queue_manager(stage, "young")
    return replace(play, guilt=(Guilt(node(), Fault.HOLDING, 25.0),), arrivals=FIVE_MINUTES)


def discarding_node(stage: Stage) -> Play:
    """A node accepts, and throws away."""
    suspect = stage.postfix("discards")
    return Play(
        stage.settings("discards", stage.nodes(suspect)),
        spoil=lambda: suspect.reload(transport_maps=stage.transports(corp="discard:")),
        mend=lambda: suspect.reload(transport_maps=stage.transports()),
        guilt=(Guilt(node(), Fault.HOLDING, HOLDING_FOR),),
        clues=lambda: ["queued as"],
    )


def stopped_node(stage: Stage) -> Play:
    """Nobody listens at a node."""
    suspect = stage.postfix("stopped")
    return Play(
        stage.settings("stopped", stage.nodes(suspect)),
        spoil=suspect.stop,
        mend=suspect.start,
        guilt=(Guilt(node(), Fault.UNREACHABLE, 22.0),),
        clues=lambda: ["refused"],
    )


def dropped_packets(stage: Stage) -> Play:
    """Packets to a node vanish."""
    suspect = stage.proxy()
    settings = stage.settings("dropped", stage.nodes(suspect), timeouts=SOON)
    return Play(
        settings,
        spoil=suspect.drop,
        mend=suspect.heal,
        guilt=(Guilt(node(), Fault.UNREACHABLE, 25.0),),
        clues=lambda: ["3 s", "timed out", "connect"],
    )


def late_greeting(stage: Stage) -> Play:
    """A node greets after 8 s."""
    suspect = stage.proxy()
    return Play(
        stage.settings("slow", stage.nodes(suspect)),
        spoil=lambda: suspect.greet_after(8.0),
        mend=suspect.heal,
        guilt=(Guilt(node(), Fault.SLOW, 30.0),),
        clues=lambda: ["greeting"],
    )


def duplicates(stage: Stage) -> Play:
    """A node delivers everything twice."""
    suspect = stage.postfix("twice")
    mailbox = "twice@corp.test"
    copies = "static:twice+copy@corp.test"
    return Play(
        stage.settings("twice", stage.nodes(suspect)),
        spoil=lambda: suspect.reload(recipient_bcc_maps=copies),
        mend=lambda: suspect.reload(recipient_bcc_maps=None),
        guilt=(Guilt(node(), Fault.DUPLICATING, 5.0),),
        shown=lambda: second(copied(stage.dovecot, mailbox)),
        clues=lambda: ["twice", "duplicate", "again", "copy"],
    )


def bounces(stage: Stage) -> Play:
    """What a node accepts is refused by the next server, and comes back."""
    suspect = stage.postfix("bounces")
    sink = stage.world.run(RefusingSink(stage.world))
    settings = stage.settings("bounces", stage.nodes(suspect))
    settings["mailboxes"]["back"] = stage.mailbox("bounces@shop.test")
    settings["routes"] = [{"mailbox": "corp"}]
    refused = stage.transports(corp=f"lmtp:inet:{LOOPBACK}:{sink.port}")
    return Play(
        settings,
        spoil=lambda: suspect.reload(transport_maps=refused),
        mend=lambda: suspect.reload(transport_maps=stage.transports()),
        guilt=(Guilt(node(), Fault.BOUNCING, 5.0),),
        shown=lambda: second(reported(stage.dovecot, "bounces@shop.test")),
        clues=lambda: ["5.1.1"],
    )


def stopped_mailbox(stage: Stage) -> Play:
    """The mailbox server is away for a while; then relays still wait with what they have."""
    return Play(
        stage.settings("blind", stage.nodes(), domain="frail.test"),
        spoil=stage.frail.kill,
        mend=stage.frail.start,
        guilt=(Guilt(CORP, Fault.UNREADABLE, 15.0),),
        unaffected=(),
        lasts=30.0,
        afterwards=30.0,
    )


def stopped_relay(stage: Stage, name: str = "all") -> Play:
    """Nobody listens at any node of the only relay."""
    proxies = [stage.proxy(number) for number in range(3)]
    nodes = {f"n{number}": (one.address, one.port) for number, one in enumerate(proxies, start=1)}
    return Play(
        stage.settings(name, nodes),
        spoil=each(proxy.refuse for proxy in proxies),
        mend=each(proxy.heal for proxy in proxies),
        guilt=(Guilt(POOL, Fault.UNREACHABLE, 25.0),),
        likewise=tuple(map(node, nodes)),
        clues=lambda: ["refused"],
        unaffected=(),
    )


def stopped_provider(stage: Stage) -> Play:
    """The same beside a relay that stands by, and works."""
    play = stopped_relay(stage, "provider")
    good = stage.good[0]
    backup = {"nodes": [f"b1={good.address}:{good.port}"], "role": "standby"}
    play.settings["relays"]["backup"] = {**play.settings["relays"]["pool"], **backup}
    return replace(play, standby=("backup",))


def held_behind_a_balancer(stage: Stage) -> Play:
    """One address; of the nodes behind it, which are known by their greetings, one holds."""
    suspect, proxy = stage.postfix("behind"), stage.proxy()
    behind = (stage.good[0], suspect, stage.good[2])
    proxy.lead_to(cycle([(one.address, one.port) for one in behind]))
    settings = stage.settings("behind", "greeting", host=LOOPBACK, port=proxy.port)
    settings["defaults"]["interval"] = f"{INTERVAL / len(behind):g}s"
    return Play(
        settings,
        spoil=suspect.pause_queue_manager,
        mend=suspect.resume_queue_manager,
        guilt=(Guilt(node("behind.test"), Fault.HOLDING, 60.0),),
        clues=suspect.queue_ids,
        unaffected=("good1.test", "good3.test"),
    )


def cut_off(stage: Stage) -> Play:
    """The prober's own network is gone: nothing answers to it, mailbox, relay and resolver."""
    return replace(
        silent(stage, "cut", resolver=f"{LOOPBACK}:{stage.world.port()}"),
        guilt=(Guilt(PROBER, Fault.UNREACHABLE, 30.0),),
        beside=(CORP,),
    )


def dead_host(stage: Stage) -> Play:
    """Relay and mailbox are on a host that has died; the resolver works."""
    nsd = stage.world.run(Nsd(stage.world, {"shop.test": ""}))
    return replace(
        silent(stage, "dead", resolver=f"{nsd.address}:{nsd.port}"),
        guilt=(
            Guilt(POOL, Fault.UNREACHABLE, 30.0),
            Guilt(CORP, Fault.UNREADABLE, 30.0),
        ),
    )


def silent(stage: Stage, name: str, *, resolver: str) -> Play:
    """All packets to the relay and to the mailbox vanish."""
    proxies = [stage.proxy(number) for number in range(3)]
    nodes = {f"n{number}": (one.address, one.port) for number, one in enumerate(proxies, start=1)}
    imap = stage.network.before(LOOPBACK, stage.dovecot.imap_port)
    settings = stage.settings(name, nodes, timeouts=SOON, imap_port=imap.port)
    settings["resolvers"] = [resolver]
    return Play(
        settings,
        spoil=each(proxy.drop for proxy in (*proxies, imap)),
        mend=each(proxy.heal for proxy in (*proxies, imap)),
        guilt=(),
        unaffected=(),
    )


def two_at_once(stage: Stage) -> Play:
    """One node holds back, and another one is stopped."""
    holds, stopped = stage.postfix("both"), stage.proxy(2)
    nodes = {**stage.nodes(holds), "n3": (stopped.address, stopped.port)}
    return Play(
        stage.settings("both", nodes),
        spoil=each([holds.pause_queue_manager, stopped.refuse]),
        mend=each([holds.resume_queue_manager, stopped.heal]),
        guilt=(
            Guilt(node(), Fault.HOLDING, 45.0),
            Guilt(node("n3"), Fault.UNREACHABLE, 45.0),
        ),
        clues=holds.queue_ids,
        unaffected=("n1",),
    )


def ending_certificate(stage: Stage) -> Play:
    """A node shows a certificate that ends in two days."""
    good, ending = stage.certificate(90 * DAY), stage.certificate(2 * DAY)
    suspect = stage.postfix("ending", good)
    settings = stage.settings(
        "ending", stage.nodes(suspect), tls="starttls", ca_file=str(stage.authority.ca_file)
    )

    def show(certificate: Certificate) -> None:
        chain = f"{certificate.key_file}, {certificate.chain_file}"
        suspect.reload(smtpd_tls_chain_files=chain)

    return Play(
        settings,
        spoil=lambda: show(ending),
        mend=lambda: show(good),
        guilt=(Guilt(node(), Fault.INSECURE, 22.0),),
        clues=lambda: ["certificate"],
    )


def each(deeds: Iterable[Callable[[], None]]) -> Callable[[], None]:
    """Do all of them, one right after the other."""
    several = tuple(deeds)

    def do() -> None:
        for deed in several:
            deed()

    return do


def copied(dovecot: Dovecot, user: str) -> list[float]:
    """When the second one of each message that came twice came (Unix time)."""
    found = defaultdict(list)
    for when, content in _messages(dovecot, user):
        found[TOKEN.findall(content)[0]].append(when)
    return [moments[1] for moments in found.values() if len(moments) > 1]


def reported(dovecot: Dovecot, user: str) -> list[float]:
    """When each bounce came (Unix time)."""
    return [when for when, content in _messages(dovecot, user) if b"multipart/report" in content]


def _messages(dovecot: Dovecot, user: str) -> Iterator[tuple[float, bytes]]:
    for one in dovecot.delivered(user):
        with suppress(FileNotFoundError):  # Its reader has moved it; it is found the next time.
            yield one.when, one.content()


def second(moments: Sequence[float]) -> float | None:
    """The second of these Unix times, by the monotonic clock; None before there is one."""
    return sorted(moments)[1] - time.time() + time.monotonic() if len(moments) > 1 else None

"""The faults whose naming is timed: how each is made for one prober of many, and what is aimed at.

Servers are shared by all probers of a kind of fault; what makes a fault for one of them is a proxy
before its second node, which fails itself, or leads to a Postfix with the fault from then on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import cycle, repeat
from random import Random
from typing import Any

from probe.core.component import Fault, Kind
from probe.core.detection.observation import DESIGN_SHARE
from probe.core.detection.topology import Topology
from probe.core.model import Route, RouteKey
from probe.core.node_plan import NodePlan
from probe.core.planning.ailment import Ailment
from tests.bench.promise import Expected
from tests.bench.rig import Sink
from tests.live.plays import SOON, copied, each, reported, second
from tests.live.replay import CORP, INTERVAL, LEARNED, POOL, PROBER, SUSPECT, Guilt, Play, node
from tests.live.seasoned import taught
from tests.live.stage import Stage
from tests.live.world import LOOPBACK, Address, Network, Postfix, Proxy, RefusingSink, World

NODES = ("n1", SUSPECT, "n3")
HOSTS = ("good1.test", "good2.test", "good3.test")
KNOWN = (*NODES, "", *HOSTS)  # Whose phases are known before.
BALANCED = len(HOSTS)  # Nodes behind the load balancer.
FAULTY_HOST = HOSTS[1]  # As the node greets, with the fault and without.


class Servers:
    """All that is shared."""

    def __init__(self, world: World) -> None:
        self.stage = stage = world.run(Stage(world))
        self.sink = world.run(Sink(world))
        refusing = world.run(RefusingSink(world))
        self.holding = self._with()
        self.holding.pause_queue_manager()
        self.discarding = self._with(transport_maps=stage.transports(corp="discard:"))
        self.copying = self._with(
            recipient_bcc_maps="regexp:{{/^([a-z0-9]+)@corp.test/ $$1+copy@corp.test}}"
        )
        refused = stage.transports(corp=f"lmtp:inet:{LOOPBACK}:{refusing.port}")
        self.bouncing = self._with(transport_maps=refused)

    def _with(self, **settings: str) -> Postfix:
        return self.stage.postfix("faulty", myhostname=FAULTY_HOST, **settings)


@dataclass(frozen=True, slots=True)
class Scene:
    """What one trial is made on."""

    servers: Servers
    network: Network
    name: str
    chance: Random

    @property
    def stage(self) -> Stage:
        """The healthy ones."""
        return self.servers.stage

    def proxy(self, number: int = 1) -> Proxy:
        """A proxy before one of the three healthy nodes."""
        good = self.stage.good[number]
        return self.network.before(good.address, good.port)


@dataclass(frozen=True, slots=True)
class Case:
    """A kind of fault."""

    about: str
    make: Callable[[Scene], Play]
    bound: float  # No detector with this schedule is quicker on average (s).
    p95: float | None = None  # What is aimed at (s).
    mean: float | None = None
    patience: float = 60.0  # s
    share: float | None = None  # Of the probes that fail, in truth.
    at_once: int = 10  # Trials with probers in one process: as many as leave it time.
    prospect: Expected | None = None  # What `mailprobe plan` has to say of it.


# ---- how each is made


def _switched(server: Callable[[Servers], Postfix], fault: Fault) -> Callable[[Scene], Play]:
    def make(scene: Scene) -> Play:
        proxy, faulty = scene.proxy(), server(scene.servers)
        return Play(
            scene.stage.settings(scene.name, scene.stage.nodes(proxy)),
            spoil=lambda: proxy.lead_to(repeat((faulty.address, faulty.port))),
            mend=proxy.heal,
            guilt=(Guilt(node(), fault),),
        )

    return make


def _node_fails(spoil: Callable[[Proxy], None], fault: Fault, **of_relay: object) -> Any:
    def make(scene: Scene) -> Play:
        proxy = scene.proxy()
        return Play(
            scene.stage.settings(scene.name, scene.stage.nodes(proxy), **of_relay),
            spoil=lambda: spoil(proxy),
            mend=proxy.heal,
            guilt=(Guilt(node(), fault),),
        )

    return make


def _duplicates(scene: Scene) -> Play:
    play = _switched(lambda servers: servers.copying, Fault.DUPLICATING)(scene)
    user = f"{scene.name}@corp.test"
    return replace(play, shown=lambda: second(copied(scene.stage.dovecot, user)))


def _bounces(scene: Scene) -> Play:
    play = _switched(lambda servers: servers.bouncing, Fault.BOUNCING)(scene)
    user = f"{scene.name}@shop.test"
    mailboxes = {**play.settings["mailboxes"], "back": scene.stage.mailbox(user)}
    settings = {**play.settings, "mailboxes": mailboxes, "routes": [{"mailbox": "corp"}]}
    return replace(
        play,
        settings=settings,
        shown=lambda: second(reported(scene.stage.dovecot, user)),
    )


def _mailbox(scene: Scene) -> Play:
    frail = scene.stage.frail
    return Play(
        scene.stage.settings(scene.name, scene.stage.nodes(), domain="frail.test"),
        spoil=frail.kill,
        mend=frail.start,
        guilt=(Guilt(CORP, Fault.UNREADABLE),),
    )


def _relay(scene: Scene) -> Play:
    proxies = [scene.proxy(number) for number in range(len(NODES))]
    return Play(
        scene.stage.settings(scene.name, _at(proxies)),
        spoil=each(proxy.refuse for proxy in proxies),
        mend=each(proxy.heal for proxy in proxies),
        guilt=(Guilt(POOL, Fault.UNREACHABLE),),
        likewise=tuple(map(node, NODES)),
    )


def _prober(scene: Scene) -> Play:
    proxies = [scene.proxy(number) for number in range(len(NODES))]
    imap = scene.network.before(LOOPBACK, scene.stage.dovecot.imap_port)
    settings = scene.stage.settings(scene.name, _at(proxies), timeouts=SOON, imap_port=imap.port)
    return Play(
        settings,
        spoil=each(proxy.drop for proxy in (*proxies, imap)),
        mend=each(proxy.heal for proxy in (*proxies, imap)),
        guilt=(Guilt(PROBER, Fault.UNREACHABLE),),
        beside=(CORP,),
    )


def _at(proxies: list[Proxy]) -> dict[str, Address]:
    return {name: (one.address, one.port) for name, one in zip(NODES, proxies, strict=True)}


def _refused(share: float, interval: float) -> Callable[[Scene], Play]:
    """A share of the RCPTs; the mail system is the quick one, as nothing of it is at fault."""

    def make(scene: Scene) -> Play:
        sink = scene.servers.sink
        proxy = scene.network.before(LOOPBACK, sink.smtp_port)
        nodes = dict.fromkeys(NODES, (LOOPBACK, sink.smtp_port))
        nodes[SUSPECT] = proxy.address, proxy.port
        settings = scene.stage.settings(scene.name, nodes, imap_port=sink.imap_port)
        settings["defaults"]["interval"] = f"{interval:g}s"
        return Play(
            settings,
            spoil=lambda: proxy.refuse_recipients(lambda: scene.chance.random() < share),
            mend=proxy.heal,
            guilt=(Guilt(node(), Fault.REFUSING),),
        )

    return make


def _balanced(choose: Callable[[Random, list[Address]], Any]) -> Callable[[Scene], Play]:
    """One address; the nodes behind it greet by their names, and one of them begins to hold."""

    def make(scene: Scene) -> Play:
        good = [(one.address, one.port) for one in scene.stage.good]
        holding = scene.servers.holding
        spoilt = [good[0], (holding.address, holding.port), good[2]]
        proxy = scene.proxy()
        proxy.lead_to(cycle(good))
        settings = scene.stage.settings(scene.name, "greeting", host=LOOPBACK, port=proxy.port)
        settings["defaults"]["interval"] = f"{INTERVAL / BALANCED:g}s"
        return Play(
            settings,
            spoil=lambda: proxy.lead_to(choose(scene.chance, spoilt)),
            mend=lambda: proxy.lead_to(cycle(good)),
            guilt=(Guilt(node(FAULTY_HOST), Fault.HOLDING),),
        )

    return make


def _at_random(chance: Random, servers: list[Address]) -> Any:
    return (chance.choice(servers) for _ in repeat(None))


# ---- what is possible


def _bound(
    *,
    share: float = 1.0,
    every: float = INTERVAL,
    seen: float = 0.0,
    gap: float = 1.0,
    routes: int = 1,
) -> float:
    """No detector is quicker on average that sees so much of the fault (s).

    Probes of one route that may fail come `every` so often; `share` of them fail, which is `seen`
    so much later; after the first failure there is a probe in each `gap`. The sum of evidence must
    reach the threshold that the healthy days demand.
    """
    keys = [RouteKey("pool", name, "shop", "corp") for name in NODES]
    need = Topology(Route(key, every, 60.0, 600.0) for key in keys).threshold
    odds = 1.0 / taught(LEARNED, NODES).failing_share("pool")
    failure = math.log(1.0 - DESIGN_SHARE + DESIGN_SHARE * odds)
    first = every / routes * (1.0 / share - 0.5)
    if share == 1.0:
        return first + seen + (math.ceil(need / failure) - 1) * gap
    drift = share * failure + (1.0 - share) * math.log(1.0 - DESIGN_SHARE)
    return first + seen + (need - failure) / drift * gap


SOON_CONNECT = float(SOON["connect"].removesuffix("s"))  # s
AGE = 0.5  # s: what has not arrived by then has begun to be evidence.

CASES = {
    "queue": Case(
        "queue manager stopped",
        _switched(lambda servers: servers.holding, Fault.HOLDING),
        _bound(seen=AGE),
        p95=21.0,
        prospect=Expected(Ailment.HOLDS),
    ),
    "discard": Case(
        "a node that discards",
        _switched(lambda servers: servers.discarding, Fault.HOLDING),
        _bound(seen=AGE),
        p95=21.0,
        prospect=Expected(Ailment.HOLDS),
    ),
    "stopped": Case(
        "a stopped node",
        _node_fails(Proxy.refuse, Fault.UNREACHABLE),
        _bound(),
        p95=22.0,
        prospect=Expected(Ailment.STOPPED),
    ),
    "dropped": Case(
        "a node whose packets are dropped",
        _node_fails(Proxy.drop, Fault.UNREACHABLE, timeouts=SOON),
        _bound(seen=3.0),
        p95=25.0,
        prospect=Expected(Ailment.DROPS, connect=SOON_CONNECT),
    ),
    "greeting": Case(
        "a greeting 8 s late",
        _node_fails(lambda proxy: proxy.greet_after(8.0), Fault.SLOW),
        _bound(seen=5.0),
        p95=30.0,
        prospect=Expected(Ailment.GREETS_LATE),
    ),
    "duplicates": Case(
        "duplicates, from the second on",
        _duplicates,
        0.0,
        p95=5.0,
        patience=90.0,
        prospect=Expected(Ailment.DUPLICATES),
    ),
    "bounces": Case(
        "bounces, from the second on",
        _bounces,
        0.0,
        p95=5.0,
        patience=90.0,
        prospect=Expected(Ailment.BOUNCES),
    ),
    # It is the same Dovecot for all, and costs nobody any time.
    "mailbox": Case(
        "Dovecot stopped",
        _mailbox,
        0.0,
        p95=15.0,
        at_once=1000,
        prospect=Expected(Ailment.UNREADABLE, Kind.MAILBOX),
    ),
    "relay": Case(
        "the only relay stopped",
        _relay,
        _bound(routes=len(NODES)),
        prospect=Expected(Ailment.STOPPED, Kind.RELAY),
    ),
    "prober": Case(
        "the prober cut off",
        _prober,
        _bound(routes=len(NODES), seen=3.0),
        prospect=Expected(Ailment.CUT_OFF, Kind.PROBER, connect=SOON_CONNECT),
    ),
    "half": Case(
        "half of the RCPTs refused, at 15 s",
        _refused(0.5, INTERVAL),
        _bound(share=0.5),
        mean=40.0,
        p95=90.0,
        patience=240.0,
        prospect=Expected(Ailment.HALF),
    ),
    "sixth": Case(
        "16 % of the RCPTs refused, at 2 s",
        _refused(0.16, 2.0),
        _bound(share=0.16, every=2.0),
        mean=50.0,
        p95=100.0,
        patience=240.0,
        share=0.16,
        prospect=Expected(Ailment.SIXTH, interval=2.0),
    ),
    "turns": Case(
        "holding behind one address, in turn",
        _balanced(lambda _, servers: cycle(servers)),
        _bound(seen=AGE, gap=BALANCED),
        p95=60.0,
        patience=150.0,
        prospect=Expected(
            Ailment.HOLDS, plan=NodePlan.GREETING, interval=INTERVAL / BALANCED, by_chance=False
        ),
    ),
    "random": Case(
        "holding behind one address, at random",
        _balanced(_at_random),
        _bound(every=INTERVAL, seen=AGE, gap=BALANCED) + INTERVAL / 2 - INTERVAL / BALANCED / 2,
        p95=90.0,
        patience=200.0,
        prospect=Expected(
            Ailment.HOLDS, plan=NodePlan.GREETING, interval=INTERVAL / BALANCED, by_chance=True
        ),
    ),
}

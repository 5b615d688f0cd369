"""Who is paged for what, how soon, and how often: real faults, Prometheus and Alertmanager.

All happens at the same time, each fault with a prober of its own: everything is healthy, then
broken, then Prometheus restarts, then everything is mended.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from tests.live import plays
from tests.live.crowd import Crowd
from tests.live.dns_world import txt
from tests.live.prober import ROOT, Prober
from tests.live.replay import SUSPECT, Play
from tests.live.seasoned import season
from tests.live.stage import Stage
from tests.live.world import Alertmanager, Notification, Nsd, Prometheus, Switchboard, World

RULES = sorted((ROOT / "deploy/prometheus/rules").glob("*.yml"))

pytestmark = pytest.mark.timeout(600)

CALM = 20.0  # s of health before, with every target scraped.
PAGED = 130.0  # s within which every page must have come.
RESTART = 30.0  # s that one of the nodes is away only.
OVER = 200.0  # s within which every page must be over.
OURS = "mailprobe"  # The job of the prober that is killed, as its rule calls it.


def healthy(stage: Stage) -> Play:
    """Nothing happens."""
    return Play(stage.settings("healthy", stage.nodes()), _nothing, _nothing, ())


def restarted_node(stage: Stage) -> Play:
    """A node is away for as long as a restart takes."""
    suspect = stage.proxy()
    settings = stage.settings("restarts", stage.nodes(suspect))
    return Play(settings, suspect.refuse, suspect.heal, ())


def removed_record(stage: Stage) -> Play:
    """The SPF record of the sender's domain is gone."""
    others = f"@ MX 10 mail\nmail A 127.0.0.1\n{txt('_dmarc', 'v=DMARC1; p=none')}\n"
    whole = others + txt("@", "v=spf1 ip4:127.0.0.0/8 -all")
    nsd = stage.world.run(Nsd(stage.world, {"shop.test": whole}))
    settings = stage.settings("record", stage.nodes())
    settings |= {"resolvers": [f"{nsd.address}:{nsd.port}"], "dns": {"interval": "10s"}}
    return Play(
        settings,
        lambda: nsd.publish("shop.test", others),
        lambda: nsd.publish("shop.test", whole),
        (),
    )


def _nothing() -> None:
    pass


PLAYS: Mapping[str, Callable[[Stage], Play]] = {
    "frozen": plays.stopped_queue_manager,
    "stopped": plays.stopped_node,
    "slow": plays.late_greeting,
    "relay": plays.stopped_relay,
    "mailbox": plays.stopped_mailbox,
    "certificate": plays.ending_certificate,
    "record": removed_record,
    "restart": restarted_node,
    "healthy": healthy,
}


@dataclass
class Night:
    """What happened, by the monotonic clock, and who was called."""

    board: Switchboard
    spoilt: dict[str, float] = field(default_factory=dict)
    mended: float = 0.0
    beats: tuple[int, int, int] = (0, 0, 0)  # Heartbeats: before the kill, while dead, and after.

    def pages(self, job: str) -> list[Notification]:
        """All of them, in order."""
        return self.board.pages(job)

    def told(self, job: str) -> str:
        """For people."""
        began = self.spoilt.get(job, 0.0)
        return "\n".join(f"{one.moment - began:+7.1f} s  {one}" for one in self.pages(job))


@pytest.fixture(scope="module")
def night() -> Iterator[Night]:
    """One night, in which all of it happens."""
    with World() as world:
        board = world.run(Switchboard())
        stage = world.run(Stage(world))
        yield _Course(world, stage, board).run()


class _Course:
    """The course of the night."""

    def __init__(self, world: World, stage: Stage, board: Switchboard) -> None:
        self.night = Night(board)
        self._board = board
        with ThreadPoolExecutor() as executor:
            made = executor.map(lambda make: make(stage), PLAYS.values())
            self._plays = dict(zip(PLAYS, made, strict=True))
        probers = {job: self._prober(world, play) for job, play in self._plays.items()}
        world.run(Crowd(world, list(probers.values())))
        dying = stage.settings("dying", stage.nodes())
        heartbeat = {"url": f"{board.url}/heartbeat", "interval": "1s"}
        self._ours = world.run(Prober(world, {**dying, "heartbeat": heartbeat}))
        alertmanager = world.run(Alertmanager(world, board.url))
        ports = {job: prober.port for job, prober in {**probers, OURS: self._ours}.items()}
        self._prometheus = world.run(
            Prometheus(world, ports, rules=RULES, alertmanager=alertmanager.port, period=5)
        )

    def run(self) -> Night:
        """From a healthy evening to a healthy morning."""
        self._wait(self._all_scraped, 60.0)
        self._wait(lambda: False, CALM)
        assert not self._board.calls["/page"], "somebody was paged though all was well"
        self._spoil()
        expected = {*self._plays, OURS} - {"mailbox", "restart", "healthy"}
        self._wait(lambda: all(map(self.night.pages, expected)), PAGED)
        self._restart()
        self._mend()
        self._wait(lambda: not any(map(self._is_open, {*self._plays, OURS})), OVER)
        return self.night

    def _spoil(self) -> None:
        beats = len(self._board.calls["/heartbeat"])
        for job, play in self._plays.items():
            self.night.spoilt[job] = time.monotonic()
            play.spoil()
        self._ours.kill()
        self.night.spoilt[OURS] = time.monotonic()
        self.night.beats = (beats, len(self._board.calls["/heartbeat"]), 0)
        back = self.night.spoilt["restart"] + RESTART - time.monotonic()
        self._wait(lambda: False, back)
        self._plays["restart"].mend()

    def _restart(self) -> None:
        self._prometheus.stop()
        self._prometheus.start()
        self._wait(self._all_scraped_but_ours, 60.0)
        self._wait(lambda: False, 15.0)

    def _mend(self) -> None:
        before, dead, _ = self.night.beats
        assert len(self._board.calls["/heartbeat"]) == dead, "it beats though it is dead"
        self.night.mended = time.monotonic()
        for job, play in self._plays.items():
            if job != "restart":
                play.mend()
        self._ours.start()
        self._wait(lambda: len(self._board.calls["/heartbeat"]) > dead, 30.0)
        self.night.beats = (before, dead, len(self._board.calls["/heartbeat"]))

    def _is_open(self, job: str) -> bool:
        pages = self.night.pages(job)
        return bool(pages) and pages[-1].is_firing

    def _all_scraped(self) -> bool:
        return len(self._prometheus.ask("up == 1")) == len(self._plays) + 1

    def _all_scraped_but_ours(self) -> bool:
        return len(self._prometheus.ask("up == 1")) == len(self._plays)

    @staticmethod
    def _wait(condition: Callable[[], object], within: float) -> None:
        end = time.monotonic() + within
        while time.monotonic() < end and not condition():
            time.sleep(0.2)

    @staticmethod
    def _prober(world: World, play: Play) -> Prober:
        prober = Prober(world, play.settings)
        season(prober.home / "journal.sqlite3", play.arrivals)
        return prober


# ---- the claims


def one_page(night: Night, job: str, within: float) -> dict[str, str]:
    """There was exactly one page in time, and one word that it is over; its alert's labels."""
    pages = night.pages(job)
    firing = [one for one in pages if one.is_firing]
    assert len(firing) == 1, f"{len(firing)} pages\n{night.told(job)}"
    (page,) = firing
    seconds = page.moment - night.spoilt[job]
    print(f"{job}: paged after {seconds:.1f} s, over {pages[-1].moment - night.mended:.1f} s later")
    assert seconds <= within, f"after {seconds:.1f} s\n{night.told(job)}"
    assert [one.is_firing for one in pages] == [True, False], night.told(job)
    assert len(page.alerts) == 1, night.told(job)
    (alert,) = page.alerts
    print(alert["annotations"]["summary"], alert["annotations"]["description"], sep="\n")
    return {**alert["labels"], **alert["annotations"]}


def test_a_frozen_node_is_one_page_within_a_minute(night: Night) -> None:
    page = one_page(night, "frozen", 60.0)
    assert (page["alertname"], page["node"], page["fault"]) == (
        "MailProbeNodeAtFault", SUSPECT, "holding",
    )  # fmt: skip
    assert f"Node {SUSPECT} of relay pool accepts mail and holds it, since " in page["description"]
    assert "Not affected: its nodes n1, n3." in page["description"]
    assert page["runbook_url"].endswith("/runbooks/MailProbeNodeAtFault")
    assert f"&var-relay=pool&var-node={SUSPECT}" in page["dashboard_url"]


def test_a_stopped_node_is_one_page(night: Night) -> None:
    page = one_page(night, "stopped", 90.0)
    assert (page["alertname"], page["node"], page["fault"]) == (
        "MailProbeNodeAtFault", SUSPECT, "unreachable",
    )  # fmt: skip


def test_a_slow_node_is_one_page(night: Night) -> None:
    page = one_page(night, "slow", 100.0)
    assert (page["alertname"], page["node"], page["fault"]) == (
        "MailProbeNodeAtFault", SUSPECT, "slow",
    )  # fmt: skip


def test_a_whole_relay_is_one_page_and_not_one_for_each_node(night: Night) -> None:
    page = one_page(night, "relay", 100.0)
    assert (page["alertname"], page["relay"], page["fault"]) == (
        "MailProbeRelayAtFault", "pool", "unreachable",
    )  # fmt: skip


def test_a_certificate_about_to_end_is_one_page(night: Night) -> None:
    page = one_page(night, "certificate", 100.0)
    assert (page["alertname"], page["node"], page["fault"]) == (
        "MailProbeNodeAtFault", SUSPECT, "insecure",
    )  # fmt: skip


def test_a_dns_record_that_is_gone_is_one_page(night: Night) -> None:
    page = one_page(night, "record", 120.0)
    assert (page["alertname"], page["sender"], page["fault"]) == (
        "MailProbeSenderAtFault", "record", "dns",
    )  # fmt: skip


@pytest.mark.parametrize("job", ["mailbox", "restart", "healthy"])
def test_nobody_is_paged_for_this(night: Night, job: str) -> None:
    """One unreadable mailbox, a node that restarts, and nothing at all."""
    assert not night.pages(job), night.told(job)


def test_a_page_reads_well(night: Night) -> None:
    """The templates: what is wrong, what to do, where to look; and that it is over."""
    said = [one.content["attachments"][0] for one in night.board.calls["/words"]]
    title = f"Node {SUSPECT} of relay pool accepts mail and holds it."
    (page,) = [one for one in said if one["title"] == title]
    assert page["text"].startswith(title.rstrip("."))
    assert "\nWhat to do: http://" in page["text"]
    assert "\nWhat it looks like: http://" in page["text"]
    assert f"Over: {title}" in [one["title"] for one in said]


def test_a_dead_prober_is_a_page_and_its_heart_stands_still(night: Night) -> None:
    page = one_page(night, OURS, 90.0)
    assert page["alertname"] == "MailProbeDown"
    before, dead, after = night.beats
    assert before > 0
    assert after > dead


def test_the_dead_mans_switch_hears_from_alertmanager(night: Night) -> None:
    assert night.board.calls["/watchdog"]

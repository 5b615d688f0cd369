"""How a probe that the relay did not take ends, on real Postfix: one node for each way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.live.prober import Prober, configuration, relay
from tests.live.world import PASSWORD, Pool, World

pytestmark = pytest.mark.timeout(120)

NEVER = "127.0.0.11"
STRANGE = "127.0.0.12"
FICKLE = "127.0.0.13"  # It accepts at first.
STOPPED = "127.0.0.14"
MUTE = "127.0.0.15"
SLOW = "127.0.0.16"
ADDRESSES = (NEVER, STRANGE, FICKLE, STOPPED, MUTE, SLOW)
LATE_GREETING = 3.0  # s
OFTEN = {"interval": "1s", "deadline": "8s", "give_up": "10m"}
TIMEOUTS = {"connect": "1s", "greeting": "1500ms", "command": "5s", "hard": "6s"}


def answer(reply: str) -> str:
    return f"check_recipient_access static:{{{reply}}}"


@dataclass(frozen=True, slots=True)
class Scene:
    """A pool in which every node refuses in its own way, and a prober that looks at it."""

    prober: Prober
    pool: Pool

    def expect_failures(self, node: str, reason: str, least: int = 2) -> None:
        def counted() -> bool:
            scrape = self.prober.scrape()
            failed = scrape.sum("mailprobe_probe_failures_total", node=node, reason=reason)
            return failed >= least

        self.prober.expect(counted, f"{least} probes through {node} failed with {reason}")

    def reasons(self, node: str) -> set[str]:
        samples = self.prober.scrape().samples("mailprobe_probe_failures_total", node=node)
        return {labels["reason"] for labels, count in samples if count}


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with World() as world:
        own = {
            NEVER: {"settings": {"smtpd_recipient_restrictions": answer("550 5.1.1 never")}},
            STRANGE: {"settings": {"smtpd_recipient_restrictions": answer("450 4.2.0 later")}},
            SLOW: {
                "settings": {
                    "smtpd_delay_reject": "no",
                    "smtpd_client_restrictions": f"sleep {LATE_GREETING:g}",
                }
            },
        }
        pool = world.run(Pool(world, addresses=ADDRESSES, each=own))
        pool.nodes[ADDRESSES.index(STOPPED)].stop()
        pool.nodes[ADDRESSES.index(MUTE)].pause()
        settings = configuration(
            pool, defaults=OFTEN, relays={"pool": relay(pool, timeouts=TIMEOUTS)}
        )
        yield Scene(world.run(Prober(world, settings)), pool)


def test_a_550_is_a_permanent_reject(scene: Scene) -> None:
    scene.expect_failures(NEVER, "perm_reject")
    assert scene.reasons(NEVER) == {"perm_reject"}
    assert "550 5.1.1" in scene.prober.evidence(NEVER)


def test_a_450_of_a_stranger_is_no_failure_yet(scene: Scene) -> None:
    def greylisted() -> bool:
        return scene.prober.scrape().sum("mailprobe_greylisted_total", node=STRANGE) >= 2

    scene.prober.expect(greylisted, "two probes are greylisted")
    scrape = scene.prober.scrape()
    assert scrape.sum("mailprobe_probes_total", node=STRANGE) == 0
    assert scrape.sum("mailprobe_undecided", node=STRANGE) >= 2
    assert scrape.sum("mailprobe_in_flight", node=STRANGE) == 0, "it was not accepted"


def test_a_450_of_a_node_that_knows_us_is_a_failure_at_once(scene: Scene) -> None:
    def delivered() -> bool:
        return scene.prober.scrape().sum("mailprobe_delivered_total", node=FICKLE) >= 1

    scene.prober.expect(delivered, "it accepted us before")
    fickle = scene.pool.nodes[ADDRESSES.index(FICKLE)]
    fickle.reload(smtpd_recipient_restrictions=answer("450 4.2.0 not any more"))
    scene.expect_failures(FICKLE, "temp_reject")
    assert scene.reasons(FICKLE) == {"temp_reject"}
    assert scene.prober.scrape().sum("mailprobe_greylisted_total", node=FICKLE) == 0


def test_nobody_at_the_port_is_a_refused_connection(scene: Scene) -> None:
    scene.expect_failures(STOPPED, "connect_refused")
    assert scene.reasons(STOPPED) == {"connect_refused"}
    assert "connection refused" in scene.prober.evidence(STOPPED)


def test_silence_is_a_missing_greeting(scene: Scene) -> None:
    scene.expect_failures(MUTE, "greeting_timeout")
    assert scene.reasons(MUTE) == {"greeting_timeout"}
    assert "no greeting came" in scene.prober.evidence(MUTE)


def test_a_late_greeting_is_judged_early_and_timed_to_its_end(scene: Scene) -> None:
    scene.expect_failures(SLOW, "greeting_timeout")

    def delivered() -> bool:
        return scene.prober.scrape().sum("mailprobe_delivered_total", node=SLOW) >= 2

    scene.prober.expect(delivered, "what was accepted late all the same is counted")
    scrape = scene.prober.scrape()
    assert scene.reasons(SLOW) == {"greeting_timeout"}
    greeting = "mailprobe_last_smtp_phase_duration_seconds"
    assert scrape.sum(greeting, node=SLOW, phase="greeting") == pytest.approx(LATE_GREETING, abs=1)
    scene.prober.expect(
        lambda: "the greeting took 3." in scene.prober.evidence(SLOW), "its time is told"
    )
    histogram = "mailprobe_smtp_phase_duration_seconds_bucket"
    slow = [scrape.sum(histogram, phase="greeting", le=le) for le in ("2.5", "5.0")]
    assert slow[1] - slow[0] >= 2, "both are in the histogram with their true time"


def test_what_nobody_answered_is_unanswered_when_somebody_answers_again(scene: Scene) -> None:
    """The failures end with the fault, and the account of every route adds up."""
    mute, stopped = (scene.pool.nodes[ADDRESSES.index(node)] for node in (MUTE, STOPPED))
    mute.resume()
    stopped.start()

    def back() -> bool:
        scrape = scene.prober.scrape()
        arrived = (scrape.sum("mailprobe_delivered_total", node=n) for n in (MUTE, STOPPED))
        return all(count >= 2 for count in arrived)

    scene.prober.expect(back, "both deliver")
    assert scene.prober.scrape().unbalanced() == []


def refused_logins(pool: Pool) -> int:
    logs = [node.log.read_text(errors="replace") for node in pool.nodes]
    return sum(log.count("authentication failed") for log in logs)


def test_a_wrong_password_reaches_the_relay_three_times_only(world: World) -> None:
    pool = world.run(Pool(world, login=True))
    secret = world.folder("secrets") / "smtp"
    secret.write_text("wrong")
    login = {"username": "probe@corp.test", "password": {"file": str(secret)}}
    settings = configuration(
        pool,
        defaults=OFTEN,
        relays={"pool": relay(pool, **login)},
    )
    prober = world.run(Prober(world, settings))

    def backed_off() -> bool:
        skipped = prober.scrape().sum("mailprobe_skipped_total", cause="auth_backoff")
        return skipped >= 9

    prober.expect(backed_off, "nine slots are skipped")
    scrape = prober.scrape()
    assert refused_logins(pool) == 3
    assert scrape.sum("mailprobe_probe_failures_total", reason="auth_rejected") == 3
    assert scrape.sum("mailprobe_probes_total") == 3
    assert scrape.unbalanced() == []
    assert_no_secret(prober, "wrong")
    secret.write_text(PASSWORD)
    prober.expect(
        lambda: prober.scrape().sum("mailprobe_delivered_total") >= 3,
        "the right password is used at once",
        within=5,
    )
    assert refused_logins(pool) == 3


def assert_no_secret(prober: Prober, secret: str) -> None:
    pages = [prober.get(path) for path in ("/", "/metrics", "/api/v1/status")]
    assert not any(secret in text for text in (*pages, Path(prober.log).read_text()))

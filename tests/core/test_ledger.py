"""Every probe has one verdict, whatever comes, in whatever order."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.core.change import Arrived, Change, Copied, GaveUp, Judged, Sent
from probe.core.ledger import Ledger
from probe.core.model import (
    Attempt,
    Bounce,
    Break,
    Folder,
    Part,
    Phase,
    PhaseTime,
    Place,
    Probe,
    Reason,
    Reply,
    RouteKey,
    Sighting,
    Timeouts,
    UnknownCause,
)
from probe.core.record import Bad, Good, Record, Unknown, Verdict
from probe.core.sight import Sight

KEY = RouteKey("pool", "n1", "shop", "corp")
DEADLINE, GIVE_UP = 60.0, 3600.0


def a_probe(sequence: int = 1, launched: float = 100.0) -> Probe:
    return Probe(
        sequence=sequence,
        route=KEY,
        slot=launched,
        launched=launched,
        token=f"token{sequence}",
        deadline=DEADLINE,
        give_up=GIVE_UP,
    )


def a_sighting(
    sequence: int = 1,
    seen: float = 101.0,
    *,
    uid: int = 1,
    validity: int = 7,
    folder: Folder = Folder.INBOX,
    altered: frozenset[Part] = frozenset(),
) -> Sighting:
    return Sighting(
        sequence=sequence,
        token=f"token{sequence}",
        place=Place("corp", folder.value, validity, uid),
        folder=folder,
        seen=seen,
        altered=altered,
    )


def accepted(at: float = 100.2, slow: float = 0.1) -> Attempt:
    return Attempt(
        phases=(PhaseTime(Phase.ACK, slow),),
        phase=Phase.ACK,
        ended=at,
        reply=Reply(250, "2.0.0", "queued"),
        dot=at - slow,
    )


def refused(code: int = 450, at: float = 100.2) -> Attempt:
    return Attempt((), Phase.RCPT, at, reply=Reply(code, "", "no"))


def ack_lost(dot: float = 100.2, at: float = 100.4) -> Attempt:
    return Attempt((), Phase.ACK, at, broken=Break.LOST, dot=dot)


class World:
    """A ledger with one mailbox that is read all the time unless said otherwise."""

    def __init__(self, *, stopped: float | None = None) -> None:
        self.sight = Sight(frozenset({"inbox"}), since=0.0, stopped=stopped)
        self.ledger = Ledger({"corp": self.sight})
        if stopped is None:
            self.read(50.0)
        self.changes: list[Change] = []

    def read(self, at: float) -> "World":
        self.sight.proved("inbox", at)
        return self

    def reads(self, until: float) -> "World":
        at = self.sight.proof or 0.0
        while at < until:
            at = min(at + 20.0, until)
            self.read(at)
        return self

    def launch(self, probe: Probe | None = None) -> "World":
        self.ledger.launched(Record(probe or a_probe()), Timeouts())
        return self

    def submit(self, attempt: Attempt, sequence: int = 1) -> "World":
        self.changes += self.ledger.submitted(sequence, attempt)
        return self

    def take(self, learned: str, sequence: int, at: float = 100.2) -> "World":
        """A learned node accepts a probe."""
        self.launch(a_probe(sequence, at))
        self.changes += self.ledger.submitted(sequence, accepted(at), learned=learned)
        return self

    def see(self, sighting: Sighting, record: Record | None = None) -> "World":
        known = record or self.ledger.get(sighting.sequence) or self.last(sighting.sequence)
        self.changes.append(self.ledger.sighted(sighting, known))
        return self

    def tick(self, now: float) -> "World":
        self.changes += self.ledger.tick(now)
        return self

    def last(self, sequence: int = 1) -> Record:
        return [c.record for c in self.changes if c.record.probe.sequence == sequence][-1]

    @property
    def verdicts(self) -> list[Verdict]:
        return [e.verdict for c in self.changes for e in c.events if isinstance(e, Judged)]

    def count(self, kind: type) -> int:
        return sum(isinstance(e, kind) for c in self.changes for e in c.events)


def test_a_message_that_arrives_in_time_is_good() -> None:
    world = World().launch().submit(accepted()).see(a_sighting(seen=101.2))
    assert world.verdicts == [Good()]
    [arrived] = [e for c in world.changes for e in c.events if isinstance(e, Arrived)]
    assert (round(arrived.seconds, 3), arrived.late) == (1.0, False)
    assert world.ledger.levels.of(KEY).empty
    assert world.ledger.levels.of(KEY).last_success == 100.2


def test_a_message_seen_before_its_final_reply_is_judged_when_the_reply_comes() -> None:
    world = World().launch().see(a_sighting(seen=100.1))
    assert world.verdicts == []
    assert world.last().arrived == 100.1, "what was seen must reach the journal at once"
    world.submit(accepted(100.3))
    assert world.verdicts == [Good()]
    assert world.count(Sent) == world.count(Arrived) == 1


def test_an_unanswered_probe_is_overdue_only_once_its_mailbox_was_read_after_the_deadline() -> None:
    world = World().launch().submit(accepted(100.0)).reads(159.0).tick(500.0)
    assert world.verdicts == [], "the age runs to the last proof, never to now"
    world.read(160.0).tick(500.0)
    assert world.verdicts == [Bad(Reason.OVERDUE)]
    assert world.ledger.levels.of(KEY).overdue == 1


def test_an_overdue_probe_that_still_comes_is_late_and_keeps_its_verdict() -> None:
    world = World().launch().submit(accepted(100.0)).reads(200.0).tick(200.0)
    world.see(a_sighting(seen=300.0))
    assert world.verdicts == [Bad(Reason.OVERDUE)]
    [arrived] = [e for c in world.changes for e in c.events if isinstance(e, Arrived)]
    assert (arrived.seconds, arrived.late) == (200.0, True)
    assert world.ledger.levels.of(KEY).empty


def test_a_probe_is_lost_at_its_give_up() -> None:
    world = World().launch().submit(accepted(100.0)).reads(3800.0).tick(3800.0)
    assert world.verdicts == [Bad(Reason.OVERDUE)]
    assert world.count(GaveUp) == 1
    assert world.ledger.levels.of(KEY).empty


def test_a_blind_stretch_before_the_deadline_makes_the_probe_unknown_for_good() -> None:
    world = World().launch().submit(accepted(100.0)).read(110.0)
    world.sight.blinded("inbox", 112.0)
    world.tick(200.0)
    assert world.verdicts == []
    world.read(150.0).reads(170.0).tick(200.0)
    assert world.verdicts == [Unknown(UnknownCause.MAILBOX_UNREADABLE)]
    world.see(a_sighting(seen=400.0))
    assert len(world.verdicts) == 1
    assert world.count(Arrived) == 1


def test_silence_after_a_dead_mailbox_says_nothing_until_the_node_is_back() -> None:
    world = World().read(90.0)
    world.sight.blinded("inbox", 92.0)
    world.read(99.0)
    world.launch().submit(accepted(100.0)).reads(170.0).tick(170.0)
    assert world.verdicts == [Unknown(UnknownCause.MAILBOX_UNREADABLE)]
    world.launch(a_probe(2, 180.0)).submit(accepted(180.0), 2).see(a_sighting(2, 181.0, uid=2))
    world.launch(a_probe(3, 190.0)).submit(accepted(190.0), 3).reads(260.0).tick(260.0)
    assert world.verdicts[1:] == [Good(), Bad(Reason.OVERDUE)]


def test_what_came_while_we_stood_still_is_late_and_accuses_nobody() -> None:
    world = World().launch().submit(accepted(100.0)).read(101.0)
    world.see(a_sighting(seen=240.0))
    assert world.verdicts == [Unknown(UnknownCause.PROBER)]
    [arrived] = [e for c in world.changes for e in c.events if isinstance(e, Arrived)]
    assert arrived.late


def test_a_lost_ack_is_undecided_and_good_if_the_message_comes() -> None:
    world = World().launch().submit(ack_lost())
    assert world.verdicts == [] and world.count(Sent) == 0
    assert world.ledger.levels.of(KEY).in_flight == 1
    assert world.see(a_sighting(seen=101.0)).verdicts == [Good()]


def test_a_lost_ack_is_judged_at_the_deadline_with_its_own_reason() -> None:
    world = World().launch().submit(ack_lost(100.0)).reads(160.0).tick(160.0)
    assert world.verdicts == [Bad(Reason.ACK_LOST)]


@pytest.mark.parametrize(
    ("sighting", "verdict"),
    [
        (a_sighting(folder=Folder.JUNK), Bad(Reason.JUNK)),
        (a_sighting(altered=frozenset({Part.BODY})), Bad(Reason.CONTENT)),
        (a_sighting(seen=161.0), Bad(Reason.OVERDUE)),
    ],
)
def test_what_arrives_wrong_is_judged_bad(sighting: Sighting, verdict: Verdict) -> None:
    world = World().launch().submit(accepted(100.0)).reads(158.0)
    assert world.see(sighting).verdicts == [verdict]


def test_a_copy_is_counted_and_changes_no_verdict() -> None:
    world = World().launch().submit(accepted()).see(a_sighting())
    world.see(a_sighting(uid=2)).see(a_sighting(uid=2))
    assert world.verdicts == [Good()]
    assert world.count(Copied) == 1


def test_the_same_message_under_a_new_uidvalidity_is_no_copy() -> None:
    world = World().launch().submit(accepted()).see(a_sighting())
    world.see(a_sighting(uid=1, validity=8))
    assert world.count(Copied) == 0
    world.see(a_sighting(uid=2, validity=8))
    assert world.count(Copied) == 1


def test_a_refusal_is_final_but_its_message_is_counted_if_it_comes_all_the_same() -> None:
    world = World().launch().submit(refused()).see(a_sighting())
    assert world.verdicts == [Bad(Reason.TEMP_REJECT)]
    assert world.count(Arrived) == 1
    assert world.ledger.levels.of(KEY).empty


def test_a_phase_over_its_limit_is_judged_while_it_goes_on_and_only_once() -> None:
    world = World().launch()
    world.ledger.entered(1, Phase.GREETING, 100.0)
    assert world.tick(109.0).verdicts == []
    assert world.tick(110.5).verdicts == [Bad(Reason.GREETING_TIMEOUT)]
    slow = replace(accepted(130.0), phases=(PhaseTime(Phase.GREETING, 29.0),))
    world.submit(slow).see(a_sighting(seen=131.0))
    assert len(world.verdicts) == 1
    assert world.count(Sent) == world.count(Arrived) == 1


@pytest.mark.parametrize(
    ("phases", "reason"),
    [
        ([Phase.CONNECT, Phase.TLS], Reason.GREETING_TIMEOUT),  # Implicit TLS.
        ([Phase.CONNECT, Phase.GREETING, Phase.EHLO, Phase.TLS], Reason.TIMEOUT),  # STARTTLS.
    ],
)
def test_a_stalled_handshake_is_judged_by_whether_the_greeting_has_come(
    phases: list[Phase], reason: Reason
) -> None:
    world = World().launch()
    for phase in phases:
        world.ledger.entered(1, phase, 100.0)
    assert world.tick(131.0).verdicts == [Bad(reason)]


def test_an_acceptance_that_came_too_slowly_is_a_timeout() -> None:
    world = World().launch().submit(accepted(140.0, slow=35.0)).see(a_sighting(seen=141.0))
    assert world.verdicts == [Bad(Reason.TIMEOUT)]


def test_a_pause_for_greylisting_is_no_slow_phase() -> None:
    world = World().launch()
    world.ledger.entered(1, Phase.RCPT, 100.0)
    world.ledger.entered(1, None, 100.1)
    assert world.tick(400.0).verdicts == []


def test_a_bounce_ends_a_probe_and_a_delay_notice_does_not() -> None:
    world = World().launch().submit(accepted())
    place = Place("back", "INBOX", 1, 5)
    delayed = Bounce(1, place, 105.0, "delayed", "4.4.1")
    world.changes.append(world.ledger.bounced(delayed, world.last()))
    assert world.verdicts == []
    failed = Bounce(1, replace(place, uid=6), 106.0, "failed", "5.1.1")
    world.changes.append(world.ledger.bounced(failed, world.last()))
    assert world.verdicts == [Bad(Reason.BOUNCED)]
    assert world.ledger.levels.of(KEY).empty


def test_a_bounce_that_overtakes_the_final_reply_is_judged_with_it() -> None:
    for attempt in (accepted(), ack_lost()):
        world = World().launch()
        early = Bounce(1, Place("back", "INBOX", 1, 5), 100.1, "failed", "5.1.1")
        world.changes.append(world.ledger.bounced(early, Record(a_probe())))
        assert world.verdicts == []
        world.submit(attempt)
        assert world.verdicts == [Bad(Reason.BOUNCED)]
        assert world.ledger.levels.of(KEY).empty


def test_a_submission_we_were_killed_in_is_waited_for_and_accuses_nobody() -> None:
    world = World(stopped=110.0)
    world.changes.append(world.ledger.restore(Record(a_probe(launched=100.0))))
    assert world.ledger.levels.of(KEY).undecided == 1
    world.read(130.0).reads(170.0).tick(170.0)
    assert world.verdicts == [Unknown(UnknownCause.PROBER)]
    assert world.count(GaveUp) == 0 and world.ledger.levels.of(KEY).empty
    world.see(a_sighting(seen=500.0))
    assert world.count(Arrived) == 1


def test_a_restart_before_the_deadline_voids_silence_but_not_arrival() -> None:
    world = World(stopped=110.0)
    for sequence in (1, 2):
        record = Record(a_probe(sequence), accepted=100.0, ended=True)
        world.changes.append(world.ledger.restore(record))
    world.read(120.0).see(a_sighting(1, 121.0))
    world.reads(160.0).tick(160.0)
    assert world.verdicts == [Good(), Unknown(UnknownCause.PROBER)]


def test_a_bounce_before_we_were_killed_is_judged_at_the_restart() -> None:
    world = World(stopped=110.0)
    bounced = Record(a_probe(), bounced=True)
    assert world.ledger.restore(bounced).record.verdict == Bad(Reason.BOUNCED)
    assert world.ledger.levels.of(KEY).empty


def test_a_submission_that_was_cut_off_is_waited_for_and_accuses_nobody() -> None:
    world = World().launch().launch(a_probe(2))
    world.ledger.entered(1, Phase.CONNECT, 100.0)
    for sequence in (1, 2):
        world.changes += world.ledger.interrupted(sequence)
    assert world.tick(150.0).verdicts == [], "nobody waits for that phase any more"
    assert world.ledger.levels.of(KEY).undecided == 2
    world.see(a_sighting(seen=101.0)).reads(170.0).tick(170.0)
    assert world.verdicts == [Good(), Unknown(UnknownCause.PROBER)]
    assert world.ledger.levels.of(KEY).empty and not len(world.ledger)


def test_what_was_seen_or_returned_before_the_cut_is_judged_by_it() -> None:
    world = World().launch().launch(a_probe(2)).see(a_sighting(seen=100.1))
    bounce = Bounce(2, Place("back", "INBOX", 1, 5), 100.1, "failed", "5.1.1")
    world.changes.append(world.ledger.bounced(bounce, Record(a_probe(2))))
    for sequence in (1, 2):
        world.changes += world.ledger.interrupted(sequence)
    assert world.verdicts == [Good(), Bad(Reason.BOUNCED)]


def test_what_is_no_longer_waited_for_reaches_the_journal() -> None:
    world = World(stopped=110.0)
    cut_off = Record(a_probe(launched=100.0))
    world.ledger.restore(cut_off, UnknownCause.CLOCK)
    world.read(130.0).reads(170.0).tick(170.0)
    assert world.last().lost and world.last().settled


def test_what_straddles_a_clock_step_is_unknown() -> None:
    world = World(stopped=110.0)
    record = Record(a_probe(), accepted=100.0, ended=True)
    world.changes.append(world.ledger.restore(record, UnknownCause.CLOCK))
    assert world.verdicts == [Unknown(UnknownCause.CLOCK)]
    assert world.ledger.levels.of(KEY).in_flight == 1


def test_what_is_in_flight_counts_for_the_learned_node_that_took_it() -> None:
    world = World().read(100)
    for sequence, node in enumerate(("mx1", "mx1", "mx2", ""), start=1):
        world.take(node, sequence)
    level = world.ledger.levels.of(KEY)
    assert {n: f.in_flight for n, f in level.learned.items()} == {"mx1": 2, "mx2": 1}
    assert level.in_flight == 4
    world.see(a_sighting(1)).reads(200).tick(200)
    assert {n: (f.in_flight, f.overdue) for n, f in level.learned.items()} == {
        "mx1": (1, 1),
        "mx2": (1, 1),
    }
    world.see(a_sighting(2, seen=201, uid=2)).see(a_sighting(3, seen=202, uid=3))
    assert level.learned == {}


def test_after_a_dead_mailbox_each_learned_node_comes_back_by_itself() -> None:
    world = World().read(90.0)
    world.sight.blinded("inbox", 92.0)
    world.read(99.0)
    world.take("mx1", 1, at=100.0).see(a_sighting(1, 101.0))
    world.take("mx1", 2, at=110.0).take("mx2", 3, at=110.0).reads(180.0).tick(180.0)
    assert world.verdicts[1:] == [
        Bad(Reason.OVERDUE),
        Unknown(UnknownCause.MAILBOX_UNREADABLE),
    ], "mx2 may still be backing off from the mailbox, mx1 is not"


def test_oldest_unanswered_looks_only_past_the_newest_arrival() -> None:
    world = World()
    for sequence, at in ((1, 100.0), (2, 110.0), (3, 120.0), (4, 130.0)):
        world.launch(a_probe(sequence, at)).submit(accepted(at), sequence)
    level = world.ledger.levels.of(KEY)
    assert level.oldest_unanswered == 100.0
    world.see(a_sighting(2, 131.0, uid=2))
    assert level.oldest_unanswered == 120.0, "probe 1 was overtaken: it is missing, not waiting"
    world.see(a_sighting(3, 132.0, uid=3))
    assert level.oldest_unanswered == 130.0
    world.see(a_sighting(4, 133.0, uid=4))
    assert level.oldest_unanswered is None


STEPS = st.lists(
    st.sampled_from(["accept", "refuse", "lose", "see", "copy", "read", "blind", "tick", "bounce"]),
    max_size=25,
)


@given(STEPS)
def test_whatever_happens_there_is_at_most_one_verdict_and_the_account_adds_up(
    steps: list[str],
) -> None:
    world = World().launch()
    world.changes.append(Change(Record(a_probe()), ()))
    now, submitted = 100.0, False
    for step in steps:
        now += 10.0
        if step in ("accept", "refuse", "lose"):
            if submitted:
                continue
            submitted = True
            outcomes = {"accept": accepted(now), "refuse": refused(at=now), "lose": ack_lost(now)}
            world.submit(outcomes[step])
        elif step == "see":
            world.see(a_sighting(seen=now))
        elif step == "copy":
            world.see(a_sighting(seen=now, uid=2))
        elif step == "read":
            world.read(now)
        elif step == "blind":
            world.sight.blinded("inbox", now)
        elif step == "bounce":
            bounce = Bounce(1, Place("back", "INBOX", 1, 5), now, "failed", "5.1.1")
            world.changes.append(world.ledger.bounced(bounce, world.last()))
        world.tick(now)
        level = world.ledger.levels.of(KEY)
        assert len(world.verdicts) <= 1
        assert len(world.verdicts) + level.undecided == 1, "scheduled = judged + undecided"
        assert level.in_flight in (0, 1) and 0 <= level.overdue <= level.in_flight
        assert world.count(Arrived) <= 1


# ---- routes that go away with a reload


def events(changes: list[Change]) -> list[object]:
    return [event for change in changes for event in change.events]


CONFIG = Judged(Unknown(UnknownCause.CONFIG))


def test_what_is_undecided_when_its_route_goes_stays_so_and_is_not_waited_for() -> None:
    world = World().launch().submit(accepted())
    changes = world.ledger.dismiss(lambda key: key == KEY)
    assert events(changes) == [CONFIG]
    assert changes[0].record.settled
    assert world.ledger.levels.of(KEY).empty
    world.reads(9000.0).tick(9000.0)
    assert events(world.changes) == [Sent()], "neither overdue nor lost"


def test_what_was_judged_keeps_its_verdict_when_its_route_goes() -> None:
    world = World().launch().submit(accepted()).reads(200.0).tick(200.0)
    changes = world.ledger.dismiss(lambda _: True)
    assert events(changes) == []
    assert changes[0].record.verdict == Bad(Reason.OVERDUE)
    assert changes[0].record.settled and world.ledger.levels.of(KEY).empty


def test_other_routes_notice_nothing() -> None:
    world = World().launch().submit(accepted())
    assert world.ledger.dismiss(lambda key: key != KEY) == []
    assert world.ledger.levels.of(KEY).in_flight == 1


@pytest.mark.parametrize("attempt", [accepted(), refused(), ack_lost()])
def test_a_submission_that_outlives_its_route_judges_nothing(attempt: Attempt) -> None:
    world = World().launch()
    assert events(world.ledger.dismiss(lambda _: True)) == [CONFIG]
    world.submit(attempt)
    assert [e for e in events(world.changes) if not isinstance(e, Sent)] == []
    assert world.ledger.levels.of(KEY).empty and not len(world.ledger)


def test_it_is_still_recognised_when_it_arrives_after_all() -> None:
    world = World().launch().submit(accepted())
    (gone,) = world.ledger.dismiss(lambda _: True)
    world.see(a_sighting(seen=103.0), gone.record)
    assert [type(event) for event in events(world.changes)] == [Sent, Arrived]
    assert world.changes[-1].record.verdict == Unknown(UnknownCause.CONFIG)
    assert world.ledger.levels.of(KEY).empty


def test_a_mailbox_may_go_while_something_is_submitted_to_it() -> None:
    world = World().launch().see(a_sighting(seen=100.1))
    world.ledger.dismiss(lambda _: True)
    world.ledger.unwatch("corp")
    world.submit(accepted()).tick(9000.0)
    assert world.ledger.levels.of(KEY).empty and not len(world.ledger)


def test_a_mailbox_that_comes_is_kept_account_of() -> None:
    world = World()
    world.ledger.unwatch("corp")
    world.ledger.watch("corp", world.sight)
    world.launch().submit(accepted()).reads(200.0).tick(200.0)
    assert Judged(Bad(Reason.OVERDUE)) in events(world.changes)

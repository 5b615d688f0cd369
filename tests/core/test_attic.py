"""Memory is bounded however long nothing arrives, and the account stays right."""

from probe.core.attic import WIDTH
from probe.core.change import Arrived, GaveUp
from probe.core.ledger import Ledger
from probe.core.model import Bounce, Place, Reason, UnknownCause
from probe.core.record import Bad, Record, Unknown
from tests.core.test_ledger import GIVE_UP, KEY, World, a_probe, a_sighting, accepted

MOST = 3


class Crowd(World):
    """A ledger that holds three records, and a journal that has them all."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger({"corp": self.sight}, most=MOST)
        self.journal: dict[int, Record] = {}

    def note(self) -> None:
        self.journal |= {change.record.probe.sequence: change.record for change in self.changes}

    def send(self, sequence: int, at: float) -> None:
        self.launch(a_probe(sequence, at)).submit(accepted(at), sequence)

    def pass_by(self, until: float) -> None:
        self.reads(until).tick(until)
        self.note()

    def arrive(self, sequence: int, seen: float) -> Record:
        self.see(a_sighting(sequence, seen, uid=sequence), self.journal[sequence])
        self.note()
        return self.journal[sequence]


def a_crowd(number: int = 10) -> Crowd:
    crowd = Crowd()
    for sequence in range(number):
        crowd.send(sequence, 100.0 + sequence)
    crowd.pass_by(200.0)
    return crowd


def test_the_table_is_bounded_and_everything_is_in_flight_all_the_same() -> None:
    crowd = a_crowd()
    level = crowd.ledger.levels.of(KEY)
    assert len(crowd.ledger) == MOST
    assert (level.undecided, level.in_flight, level.overdue) == (0, 10, 10)
    assert crowd.verdicts == [Bad(Reason.OVERDUE)] * 10
    assert crowd.ledger.levels.mailbox("corp").expected == 10


def test_what_waits_for_its_verdict_stays_in_the_table() -> None:
    crowd = Crowd()
    for sequence in range(10):
        crowd.send(sequence, 100.0 + sequence)
    crowd.pass_by(150.0)
    assert len(crowd.ledger) == 10


def test_one_from_the_attic_that_arrives_is_late_and_no_longer_in_flight() -> None:
    crowd = a_crowd()
    assert crowd.ledger.get(0) is None
    assert crowd.arrive(0, 300.0).settled
    [arrived] = [e for c in crowd.changes for e in c.events if isinstance(e, Arrived)]
    assert (arrived.seconds, arrived.late) == (200.0, True)
    level = crowd.ledger.levels.of(KEY)
    assert (level.in_flight, level.overdue) == (9, 9)
    assert len(crowd.verdicts) == 10 and len(crowd.ledger) == MOST


def test_a_bounce_of_one_in_the_attic_ends_it_and_a_delay_notice_does_not() -> None:
    crowd = a_crowd()
    place = Place("back", "INBOX", 1, 5)
    for action, left in (("delayed", 10), ("failed", 9)):
        bounce = Bounce(0, place, 300.0, action, "5.1.1")
        crowd.changes.append(crowd.ledger.bounced(bounce, crowd.journal[0]))
        assert crowd.ledger.levels.of(KEY).in_flight == left
    assert len(crowd.ledger) == MOST


def test_the_attic_is_given_up_once_and_in_time() -> None:
    crowd = a_crowd()
    crowd.arrive(1, 300.0)
    crowd.pass_by(100.0 + GIVE_UP - 1)
    assert crowd.ledger.lapse() == []
    crowd.pass_by(109.0 + GIVE_UP + WIDTH)
    [shelf] = crowd.ledger.lapse()
    assert shelf.lapses[KEY].count == 6
    assert shelf.last == 6
    assert crowd.ledger.lapse() == []
    assert crowd.count(GaveUp) == MOST
    assert crowd.ledger.levels.of(KEY).empty
    assert crowd.ledger.levels.mailbox("corp").expected == 0


def test_what_a_learned_node_owes_is_counted_in_the_attic_too() -> None:
    crowd = Crowd()
    for sequence in range(10):
        crowd.take(f"mx{sequence % 2}", sequence, at=100.0 + sequence)
    crowd.pass_by(200.0)
    learned = crowd.ledger.levels.of(KEY).learned
    assert {node: (f.in_flight, f.overdue) for node, f in learned.items()} == {
        "mx0": (5, 5),
        "mx1": (5, 5),
    }
    crowd.arrive(0, 300.0)
    assert learned["mx0"].in_flight == 4
    crowd.pass_by(109.0 + GIVE_UP + WIDTH)
    crowd.ledger.lapse()
    assert learned == {}


def test_one_that_was_given_up_in_the_attic_may_still_come() -> None:
    crowd = a_crowd()
    crowd.pass_by(109.0 + GIVE_UP + WIDTH)
    crowd.ledger.lapse()
    record = crowd.arrive(0, 9000.0)
    assert record.lost and record.settled
    assert crowd.ledger.levels.of(KEY).empty


def test_the_oldest_unanswered_is_known_though_it_is_in_the_attic() -> None:
    crowd = a_crowd()
    level = crowd.ledger.levels.of(KEY)
    assert level.oldest_unanswered == 100.0
    crowd.arrive(3, 300.0)
    assert level.oldest_unanswered == 103.0, "no more than an interval before the true one"
    crowd.arrive(6, 300.0)
    assert level.oldest_unanswered == 107.0
    crowd.arrive(9, 300.0)
    assert level.oldest_unanswered is None


def test_in_a_blind_mailbox_what_can_only_be_unknown_makes_room() -> None:
    crowd = Crowd()
    for sequence in range(10):
        crowd.send(sequence, 100.0 + sequence)
    crowd.sight.blinded("inbox", 110.0)
    crowd.tick(165.0)
    assert crowd.verdicts == [Unknown(UnknownCause.MAILBOX_UNREADABLE)] * 6
    assert len(crowd.ledger) == 4
    assert crowd.ledger.levels.of(KEY).undecided == 4
    assert crowd.ledger.levels.of(KEY).in_flight == 10


def test_a_record_that_only_the_journal_has_changes_no_account() -> None:
    crowd = Crowd()
    forgotten = Record(a_probe(77), accepted=100.0, ended=True)
    crowd.see(a_sighting(77, 300.0), forgotten)
    assert crowd.last(77).settled and crowd.verdicts == []
    assert crowd.ledger.levels.of(KEY).empty


def test_what_is_in_the_attic_of_a_route_that_goes_is_not_waited_for() -> None:
    crowd = a_crowd()
    crowd.changes = crowd.ledger.dismiss(lambda key: key == KEY)
    assert crowd.ledger.levels.of(KEY).empty and not len(crowd.ledger)
    assert crowd.ledger.levels.mailbox("corp").expected == 0
    crowd.pass_by(109.0 + GIVE_UP + WIDTH)
    assert [shelf for shelf in crowd.ledger.lapse() if shelf.lapses] == []
    assert crowd.count(GaveUp) == 0

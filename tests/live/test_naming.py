"""Who is named for what, how soon, and who never is: faults of real servers, replayed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from probe.core.component import Component, Fault
from tests.live import plays
from tests.live.crowd import Crowd
from tests.live.onlooker import component
from tests.live.prober import Prober
from tests.live.replay import RECOVERY, Account, Play, Replay
from tests.live.seasoned import season
from tests.live.stage import Stage
from tests.live.world import World

pytestmark = pytest.mark.timeout(240)

SetUp = Callable[[Stage], Play]


def replayed(play: SetUp) -> pytest.MarkDecorator:
    """The test is given the account of this play."""
    return pytest.mark.parametrize("account", [play], indirect=True, ids=[play.__name__])


@pytest.fixture(scope="module")
def accounts(request: pytest.FixtureRequest) -> Iterator[dict[SetUp, Future[Account]]]:
    """All plays of the tests that were chosen, at the same time: each is mostly waiting."""
    ours = (item for item in request.session.items if item.path == request.path)
    chosen = {item.callspec.params["account"] for item in ours}  # type: ignore[attr-defined]
    with ThreadPoolExecutor(max_workers=len(chosen)) as executor, World() as world:
        stage = world.run(Stage(world))
        plays = executor.map(lambda make: make(stage), chosen)
        replays = [replay_of(play, stage) for play in plays]
        world.run(Crowd(world, [replay.prober for replay in replays]))
        futures = [executor.submit(replay.run) for replay in replays]
        yield dict(zip(chosen, futures, strict=True))


def replay_of(play: Play, stage: Stage) -> Replay:
    """A play with a prober of its own, which has its experience."""
    prober = Prober(stage.world, play.settings)
    season(prober.home / "journal.sqlite3", play.arrivals)
    return Replay(play, prober)


@pytest.fixture
def account(request: pytest.FixtureRequest, accounts: dict[SetUp, Future[Account]]) -> Account:
    """The account of the play that the test is about."""
    return accounts[request.param].result()


# ---- the claims


@replayed(plays.stopped_queue_manager)
def test_a_stopped_queue_manager_is_holding(account: Account) -> None:
    prove(account)


@replayed(plays.young_prober)
def test_a_prober_five_minutes_old_names_it_as_well(account: Account) -> None:
    prove(account)


@replayed(plays.discarding_node)
def test_a_node_that_discards_is_holding(account: Account) -> None:
    prove(account)


@replayed(plays.stopped_node)
def test_a_stopped_node_is_unreachable(account: Account) -> None:
    prove(account)


@replayed(plays.dropped_packets)
def test_a_node_whose_packets_vanish_is_unreachable(account: Account) -> None:
    prove(account)


@replayed(plays.late_greeting)
def test_a_node_that_greets_late_is_slow(account: Account) -> None:
    prove(account)


@replayed(plays.duplicates)
def test_two_copies_name_the_node_that_makes_them(account: Account) -> None:
    prove(account)


@replayed(plays.bounces)
def test_two_bounces_name_the_node_that_they_come_from(account: Account) -> None:
    prove(account)


@replayed(plays.stopped_mailbox)
def test_a_mailbox_that_cannot_be_read_makes_nobody_else_guilty(account: Account) -> None:
    """Not even while relays, after its return, hold what they could not deliver."""
    prove(account)


@replayed(plays.stopped_relay)
def test_where_the_only_relay_is_stopped_it_is_the_relay(account: Account) -> None:
    prove(account)


@replayed(plays.stopped_provider)
def test_where_a_relay_is_stopped_the_standby_that_works_is_told(account: Account) -> None:
    prove(account)


@replayed(plays.held_behind_a_balancer)
def test_a_node_behind_a_load_balancer_is_named_by_its_greeting(account: Account) -> None:
    prove(account)


@replayed(plays.cut_off)
def test_where_nothing_answers_it_is_the_prober(account: Account) -> None:
    prove(account)


@replayed(plays.dead_host)
def test_where_only_the_resolver_answers_it_is_relay_and_mailbox(account: Account) -> None:
    prove(account)


@replayed(plays.two_at_once)
def test_two_faults_at_once_are_two(account: Account) -> None:
    prove(account)


@replayed(plays.ending_certificate)
def test_a_certificate_about_to_end_is_insecure(account: Account) -> None:
    prove(account)


# ---- what each of them proves


def prove(account: Account) -> None:
    """The guilty were named in time, nobody else was, all was told, and it came to an end."""
    names_in_time(account)
    accuses_nobody_else(account)
    tells(account)
    ends(account)


def names_in_time(account: Account) -> None:
    """Every guilty one, within its bound."""
    for guilt in account.play.guilt:
        seconds = account.seconds(guilt)
        assert seconds is not None, f"{guilt} was never named\n{account}"
        assert seconds <= guilt.within, (
            f"{guilt} was named after {seconds:.1f} s, not within {guilt.within:g} s\n{account}"
        )


def accuses_nobody_else(account: Account) -> None:
    """At no moment is a healthy component named, unless it is said that it may be a guilty one."""
    for glance in account.history:
        for one in account.play.wronged(glance.named):
            raise AssertionError(f"{one} is innocent\n{account}")
    assert plain(account, "gauged") == plain(account, "named"), str(account)


def plain(account: Account, where: str) -> set[tuple[Component, Fault]]:
    """All that was ever named on the metrics (`gauged`), or on the status (`named`)."""
    return {
        (one.component, one.fault) for glance in account.history for one in getattr(glance, where)
    }


def tells(account: Account) -> None:
    """Of each guilty one, while it lasts: an open incident, since when, why, and what works."""
    for guilt in account.play.guilt:
        found = [one for one in account.during if component(one["component"]) == guilt.component]
        assert len(found) == 1, f"{len(found)} incidents of {guilt.component}\n{account}"
        (incident,) = found
        assert incident["closed"] is None, incident
        assert guilt.fault in incident["faults"], incident
        assert incident["evidence"], incident
        assert incident["standby"] == [*account.play.standby], incident
        if account.play.unaffected:
            assert any(name in line for name in account.play.unaffected
                       for line in incident["unaffected"]), incident  # fmt: skip
        since = account.since(guilt.component)
        assert since >= -1.0, f"{guilt} is told to be since {since:+.1f} s\n{account}"
    evidence = [line for one in account.during for line in one["evidence"]]
    told = [clue for clue in account.clues if any(clue in line for line in evidence)]
    assert told or not account.clues, f"none of {account.clues} in {evidence}"


def ends(account: Account) -> None:
    """After recovery nothing is named any more, and nothing is named again."""
    assert account.quiet is not None, f"not over {RECOVERY:g} s after its end\n{account}"
    later = [one for one in account.history if one.moment > account.quiet and not one.is_quiet]
    assert not later, f"named again\n{account}"
    still_open = [one for one in account.after if one["closed"] is None]
    assert not still_open, still_open
    for guilt in account.play.guilt:
        found = [one for one in account.after if component(one["component"]) == guilt.component]
        assert found, f"the incident of {guilt.component} is forgotten"
        for name in account.play.unaffected:  # By now each of them has had its turn.
            assert any(name in line for line in found[0]["unaffected"]), found[0]

"""What DNS answers become nodes, and when they go."""

import math
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.core.model import Node, NodePlan, Relay
from probe.core.nodes import (
    CALM,
    MAX_KNOWN,
    MAX_NODES,
    Change,
    FellBack,
    Joined,
    NodeBook,
    Retired,
    answer,
    canonical,
    fixed_nodes,
    ordered,
    unanswered,
)
from probe.core.nodes import answered as take
from probe.core.targets import Found, Target

RELAY = Relay("pool", "smtp.test", 587, plan=NodePlan.A)
STAND_IN = Node("pool", "smtp.test", "smtp.test", 587)
A, B, C = "192.0.2.1", "192.0.2.2", "2001:db8::3"


def node(address: str) -> Node:
    return Node("pool", address, address, 587)


def answered(
    book: NodeBook,
    addresses: Iterable[str],
    now: float,
    *,
    ttl: float,
    silent: frozenset[int] = frozenset(),
) -> tuple[NodeBook, tuple[Change, ...]]:
    """The book after an answer about the relay's own name."""
    found = Found(Target(RELAY.host, RELAY.port), tuple(addresses), ttl, silent)
    return take(book, answer(RELAY, [found], ttl=math.inf, unused=frozenset()), now)


def walk(*answers: tuple[float, object], ttl: float = 60) -> tuple[NodeBook, list[Change]]:
    """The book after (moment, addresses) pairs; None for a lookup that failed."""
    book, changes = NodeBook(RELAY), []
    for now, addresses in answers:
        if addresses is None:
            book, more = unanswered(book, now)
        else:
            book, more = answered(book, addresses, now, ttl=ttl)
        changes += more
    return book, changes


def test_a_name_is_looked_up_at_once_and_has_no_node_before() -> None:
    assert NodeBook(RELAY).next_lookup == -math.inf
    assert NodeBook(RELAY).nodes == ()


def test_every_address_of_the_first_answer_joins() -> None:
    book, changes = walk((0, [C, B, A]))
    assert changes == [Joined(node(A)), Joined(node(B)), Joined(node(C))]
    assert book.nodes == (node(A), node(B), node(C))


def test_a_new_address_joins_at_once() -> None:
    _, changes = walk((0, [A]), (60, [A, B]))
    assert changes[1:] == [Joined(node(B))]


@pytest.mark.parametrize(
    ("ttl", "patience"),
    [(0, 30), (1, 30), (3, 30), (5, 50), (30, 300), (60, 600), (86400, 600)],
)
def test_an_address_is_retired_when_gone_for_ten_ttls_within_bounds(
    ttl: float, patience: float
) -> None:
    book, _ = walk((0, [A, B]), (1000, [A]), (1000 + patience - 1, [A]), ttl=ttl)
    assert book.nodes == (node(A), node(B)), "it went too early"
    _, changes = answered(book, [A], 1000 + patience, ttl=ttl)
    assert changes == (Retired(node(B)),)


def test_the_ttl_it_was_published_with_counts_not_that_of_the_answer_without_it() -> None:
    book, _ = walk((0, [A, B]), ttl=30)
    book, _ = answered(book, [A], 100, ttl=1)
    assert answered(book, [A], 399, ttl=1)[1] == ()
    assert answered(book, [A], 400, ttl=1)[1] == (Retired(node(B)),)


def test_an_address_that_comes_back_has_never_been_away() -> None:
    book, changes = walk((0, [A, B]), (100, [A]), (400, [A, B]), (800, [A]), (1300, [A]))
    assert len(changes) == 2
    assert book.nodes == (node(A), node(B))


def test_a_failure_keeps_the_nodes_however_long_it_lasts() -> None:
    book, changes = walk((0, [A, B]), (60, [A]), *((t, None) for t in range(90, 9000, 30)))
    assert book.nodes == (node(A), node(B))
    assert changes == [Joined(node(A)), Joined(node(B))]


def test_a_name_that_never_resolved_has_a_stand_in_until_it_does() -> None:
    book, changes = walk((0, None), (5, None), (15, []))
    assert book.nodes == (STAND_IN,)
    assert changes == [Joined(STAND_IN)]
    book, changes = answered(book, [A], 20, ttl=60)
    assert changes == (Joined(node(A)), Retired(STAND_IN)), "the relay must not be without a node"


def test_when_all_addresses_are_gone_for_good_the_stand_in_takes_over() -> None:
    book, changes = walk((0, [A]), (100, []), (699, []))
    assert book.nodes == (node(A),)
    assert changes == [Joined(node(A))]
    _, changes = answered(book, [], 700, ttl=60)
    assert changes == (Joined(STAND_IN), Retired(node(A)))


def test_a_silent_ip_version_neither_retires_nor_hides() -> None:
    book, _ = walk((0, [A, B, C]))
    for now in range(100, 5000, 30):
        book, changes = answered(book, [A], now, ttl=60, silent=frozenset({6}))
        if now >= 700:
            assert node(C) in book.nodes, "no server said that it is gone"
            assert node(B) not in book.nodes, "IPv4 was answered all along"
    assert changes == ()


class TestNextLookup:
    @pytest.mark.parametrize(
        ("ttl", "wait"), [(0, 5), (4, 5), (60, 60), (3600, 3600), (2**31, 3600)]
    )
    def test_is_at_the_ttl_within_bounds(self, ttl: float, wait: float) -> None:
        book, _ = walk((1000, [A]), ttl=ttl)
        assert book.next_lookup == 1000 + wait

    def test_is_earlier_where_an_address_is_to_be_retired(self) -> None:
        book, _ = walk((0, [A, B]), (3600, [A]), ttl=3600)
        assert book.next_lookup == 3600 + 600

    def test_backs_off_while_nothing_answers(self) -> None:
        book, waits = NodeBook(RELAY), []
        for now in range(0, 600, 100):
            book, _ = unanswered(book, now)
            waits.append(book.next_lookup - now)
        assert waits == [5, 10, 20, 30, 30, 30]
        book, _ = answered(book, [A], 700, ttl=60)
        book, _ = unanswered(book, 760)
        assert book.next_lookup == 765, "an answer starts the back-off anew"

    def test_after_half_an_answer_is_no_later_than_after_a_failure(self) -> None:
        book, waits = NodeBook(RELAY), []
        for now in range(0, 600, 100):
            book, _ = answered(book, [A], now, ttl=3600, silent=frozenset({6}))
            waits.append(book.next_lookup - now)
        assert waits == [5, 10, 20, 30, 30, 30]


class TestFallingBack:
    def many(self, count: int) -> list[str]:
        return [f"192.0.2.{n}" for n in range(1, count + 1)]

    def test_at_more_than_32_addresses(self) -> None:
        book, changes = walk((0, self.many(MAX_NODES)))
        assert len(book.nodes) == MAX_NODES
        book, changes = answered(book, self.many(MAX_NODES + 1), 60, ttl=60)
        assert changes[0] == FellBack("it has 33 addresses, more than 32")
        assert changes[1] == Joined(STAND_IN)
        assert len(changes) == 2 + MAX_NODES
        assert book.nodes == (STAND_IN,)

    def test_at_more_than_10_changes_an_hour(self) -> None:
        answers = [(100 * n, self.many(n + 1)) for n in range(12)]
        book, changes = walk(*answers[:11])
        assert len(book.nodes) == 11
        book, changes = answered(book, answers[11][1], answers[11][0], ttl=60)
        assert changes[0] == FellBack("its addresses changed 11 times within an hour")
        assert book.nodes == (STAND_IN,)

    def test_not_at_10_changes_in_every_hour(self) -> None:
        book, changes = walk(*[(400 * n, [A, B] if n % 2 else [A]) for n in range(100)], ttl=1)
        assert book.nodes == (node(A), node(B))
        assert not any(isinstance(change, FellBack) for change in changes)

    def test_is_said_once_and_ends_after_an_hour_of_calm(self) -> None:
        book, _ = walk((0, self.many(33)), (60, self.many(33)))
        book, changes = answered(book, [A, B], 120, ttl=1)
        assert changes == (), "31 addresses are gone, but not yet for good"
        book, changes = answered(book, [A, B], 720, ttl=1)
        assert [k.spot.address for k in book.known] == [A, B]
        for now in (721, 120 + CALM - 1):
            book, changes = answered(book, [A, B], now, ttl=1)
            assert changes == ()
        book, changes = answered(book, [A, B], 720 + CALM, ttl=1)
        assert changes == (Joined(node(A)), Joined(node(B)), Retired(STAND_IN))

    def test_keeps_memory_bounded(self) -> None:
        book = NodeBook(RELAY)
        for n in range(200):
            fresh = [f"10.{n}.{k}.1" for k in range(64)]
            book, _ = answered(book, fresh, 5 * n, ttl=3600)
        assert len(book.known) <= MAX_KNOWN


@pytest.mark.parametrize(
    ("plan", "nodes"),
    [
        (NodePlan.NONE, (STAND_IN,)),
        (NodePlan.GREETING, (replace(STAND_IN, name=""),)),
        (NodePlan.LIST, (node(A), node(B))),
        (NodePlan.A, ()),
        (NodePlan.MX, ()),
        (NodePlan.SRV, ()),
    ],
)
def test_other_plans_need_no_lookup(plan: NodePlan, nodes: tuple[Node, ...]) -> None:
    assert fixed_nodes(replace(RELAY, plan=plan, listed=(node(A), node(B)))) == nodes


@pytest.mark.parametrize(
    ("written", "label"),
    [
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.1"),
        ("::FFFF:c000:0201", "::ffff:192.0.2.1"),
        ("192.0.2.1", "192.0.2.1"),
    ],
)
def test_the_label_is_the_address_as_rfc_5952_writes_it(written: str, label: str) -> None:
    assert canonical(written) == label


def test_addresses_are_ordered_by_number() -> None:
    assert ordered(["2001:db8::1", "192.0.2.10", "192.0.2.9", "192.0.2.9"]) == (
        "192.0.2.9",
        "192.0.2.10",
        "2001:db8::1",
    )


POOL = ("192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1", "2001:db8::2")
STEP = st.tuples(
    st.floats(5, 2000), st.none() | st.sets(st.sampled_from(POOL)), st.integers(0, 4000)
)


@settings(max_examples=100, deadline=None)
@given(st.lists(STEP, max_size=40))
def test_whatever_dns_says(steps: list[tuple[float, set[str] | None, int]]) -> None:
    book, roster, now = NodeBook(RELAY), set[Node](), 0.0
    last_seen: dict[str, float] = {}
    for wait, addresses, ttl in steps:
        now += wait
        if addresses is None:
            book, changes = unanswered(book, now)
            assert all(c.node == STAND_IN for c in changes if isinstance(c, Retired))
        else:
            last_seen |= dict.fromkeys(addresses, now)
            book, changes = answered(book, addresses, now, ttl=ttl)
        for change in changes:
            match change:
                case Joined(joined):
                    assert joined not in roster, "joined twice"
                    roster.add(joined)
                case Retired(gone):
                    roster.remove(gone)
                    if book.fallen is None and gone != STAND_IN:
                        assert now - last_seen[gone.name] >= 30, "retired too early"
            assert roster, "the relay was without a node"
        assert roster == set(book.nodes)
        if addresses and book.fallen is None:
            assert {node(a) for a in addresses} <= roster, "an address in DNS is not probed"
        assert now + 5 <= book.next_lookup <= now + 3600


class TestHostsThatRecordsName:
    MX = replace(RELAY, host="pool.test", port=25, plan=NodePlan.MX)
    SIX = "2001:db8::1"

    def say(self, book: NodeBook, now: float, *founds: Found) -> tuple[NodeBook, list[str]]:
        """The book after such an answer, and what it changes, as text."""
        said = answer(book.relay, founds, ttl=60, unused=frozenset())
        book, changes = take(book, said, now)
        return book, [told(change) for change in changes]

    def found(self, host: str, *addresses: str, port: int = 25, **more: object) -> Found:
        return Found(Target(host, port), addresses, 60, **more)

    def test_are_the_labels_with_the_address_where_they_have_several(self) -> None:
        book, changes = self.say(
            NodeBook(self.MX), 0, self.found("mx1", A), self.found("mx2", B, self.SIX)
        )
        assert changes == ["+mx1", "+mx2/192.0.2.2", "+mx2/2001:db8::1"]
        assert {node.tls_name for node in book.nodes} == {"mx1", "mx2"}
        assert [node.host for node in book.nodes] == [A, B, self.SIX]

    def test_keep_their_nodes_while_they_do_not_resolve(self) -> None:
        book, _ = self.say(NodeBook(self.MX), 0, self.found("mx1", A), self.found("mx2", B))
        for now in range(60, 3000, 30):
            lost = Found(Target("mx2", 25), silent=frozenset({4, 6}))
            book, changes = self.say(book, now, self.found("mx1", A), lost)
            assert changes == []
        assert book.next_lookup == 2970 + 30, "it is asked again as after a failure"

    def test_stand_for_themselves_while_nothing_is_known_of_them(self) -> None:
        book, changes = self.say(NodeBook(self.MX), 0, self.found("mx1", A), self.found("mx2"))
        assert changes == ["+mx1", "+mx2"]
        assert book.nodes[1] == Node("pool", "mx2", "mx2", 25, tls_name="mx2")
        book, changes = self.say(book, 60, self.found("mx1", A), self.found("mx2", B))
        assert changes == ["-mx2", "+mx2"], "the name must be free before it is taken again"
        assert [node.host for node in book.nodes] == [A, B]

    def test_are_retired_when_the_records_name_them_no_longer(self) -> None:
        book, _ = self.say(NodeBook(self.MX), 0, self.found("mx1", A), self.found("mx2", B))
        book, changes = self.say(book, 100, self.found("mx1", A))
        assert changes == []
        assert self.say(book, 700, self.found("mx1", A))[1] == ["-mx2"]

    def test_may_change_their_port(self) -> None:
        book, _ = self.say(NodeBook(self.MX), 0, self.found("mx1", A))
        book, changes = self.say(book, 60, self.found("mx1", A, port=26))
        assert changes == ["-mx1", "+mx1"]
        assert [node.port for node in book.nodes] == [26]

    def test_where_none_is_named_the_relay_leads_nowhere(self) -> None:
        book, changes = self.say(NodeBook(self.MX), 0)
        assert changes == ["+pool.test"]
        assert book.nodes == (Node("pool", "pool.test", "", 25),)
        book, changes = self.say(book, 60, self.found("mx1", A))
        assert changes == ["+mx1", "-pool.test"]

    def test_of_too_many_the_preferred_one_stands_for_all(self) -> None:
        many = [self.found(f"mx{n}", f"192.0.2.{n}") for n in range(1, 34)]
        book, changes = self.say(NodeBook(self.MX), 0, *many)
        assert changes[1:] == ["+pool.test"]
        assert book.nodes == (Node("pool", "pool.test", "mx1", 25, tls_name="mx1"),)

    def test_leave_out_the_unused_ip_versions(self) -> None:
        founds = [self.found("mx1", A, self.SIX), self.found("mx2", self.SIX)]
        said = answer(self.MX, founds, ttl=60, unused=frozenset({6}))
        assert [(spot.target, spot.address) for spot in said.spots] == [("mx1", A)]


def told(change: Change) -> str:
    match change:
        case Joined(joined):
            return f"+{joined.name}"
        case Retired(gone):
            return f"-{gone.name}"
        case FellBack(reason):
            return reason

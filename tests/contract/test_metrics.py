"""What CONTRACT.md says of the metrics, against what a scrape says."""

from __future__ import annotations

import asyncio
import gzip
import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client import Histogram as Theirs
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text

from probe.core.component import Component, Fault, Kind
from probe.core.model import (
    AuthResult,
    Folder,
    HopDelay,
    HopKind,
    ImapServer,
    Loop,
    Mailbox,
    Node,
    NodePlan,
    Part,
    Phase,
    Reason,
    Relay,
    Role,
    Route,
    RouteKey,
    Sender,
    SkipCause,
    State,
    UnknownCause,
    UnmatchedCause,
)
from probe.core.records.check import CheckKind, CheckState
from probe.core.status import ComponentStatus, FaultStatus
from probe.metrics import CATALOGUE, Exporter
from probe.metrics.catalogue import AUTH_RESULTS
from probe.metrics.histogram import Histogram
from probe.metrics.text import Format, pairs
from probe.ports import Level, Metrics

Q = "relay node sender mailbox"
C = f"kind {Q} flow"

# Name, type and labels, as the table in the contract has them.
CONTRACT = {
    "mailprobe_scheduled_total": ("counter", Q),
    "mailprobe_skipped_total": ("counter", f"{Q} cause"),
    "mailprobe_sent_total": ("counter", Q),
    "mailprobe_probes_total": ("counter", Q),
    "mailprobe_probe_failures_total": ("counter", f"{Q} reason"),
    "mailprobe_probes_unknown_total": ("counter", f"{Q} cause"),
    "mailprobe_undecided": ("gauge", Q),
    "mailprobe_confirmations_total": ("counter", f"{Q} outcome"),
    "mailprobe_greylisted_total": ("counter", Q),
    "mailprobe_delivered_total": ("counter", f"{Q} folder"),
    "mailprobe_late_total": ("counter", Q),
    "mailprobe_lost_total": ("counter", Q),
    "mailprobe_duplicates_total": ("counter", Q),
    "mailprobe_content_mismatches_total": ("counter", f"{Q} part"),
    "mailprobe_bounces_total": ("counter", f"{Q} status"),
    "mailprobe_unmatched_total": ("counter", "mailbox cause"),
    "mailprobe_delivery_duration_seconds": ("histogram", "relay mailbox"),
    "mailprobe_last_delivery_duration_seconds": ("gauge", Q),
    "mailprobe_smtp_phase_duration_seconds": ("histogram", "relay phase"),
    "mailprobe_last_smtp_phase_duration_seconds": ("gauge", "relay node phase"),
    "mailprobe_hop_delay_seconds": ("histogram", "relay mailbox hop"),
    "mailprobe_in_flight": ("gauge", Q),
    "mailprobe_overdue": ("gauge", Q),
    "mailprobe_oldest_unanswered_timestamp_seconds": ("gauge", Q),
    "mailprobe_last_success_timestamp_seconds": ("gauge", Q),
    "mailprobe_interval_seconds": ("gauge", Q),
    "mailprobe_deadline_seconds": ("gauge", Q),
    "mailprobe_component_state": ("gauge", f"{C} state"),
    "mailprobe_fault": ("gauge", f"{C} fault"),
    "mailprobe_fault_confirmed": ("gauge", f"{C} fault"),
    "mailprobe_fault_since_timestamp_seconds": ("gauge", f"{C} fault"),
    "mailprobe_failure_share_lower_bound_ratio": ("gauge", C),
    "mailprobe_imap_up": ("gauge", "mailbox"),
    "mailprobe_imap_last_ok_timestamp_seconds": ("gauge", "mailbox"),
    "mailprobe_mailbox_quota_used_ratio": ("gauge", "mailbox"),
    "mailprobe_imap_tls_certificate_not_after_timestamp_seconds": ("gauge", "mailbox"),
    "mailprobe_tls_certificate_not_after_timestamp_seconds": ("gauge", "relay node"),
    "mailprobe_auth_results_total": ("counter", "relay sender mailbox method result"),
    "mailprobe_dns_check_state": ("gauge", "domain check state"),
    "mailprobe_dns_record_changed_timestamp_seconds": ("gauge", "domain check"),
    "mailprobe_spf_lookups": ("gauge", "domain"),
    "mailprobe_spf_void_lookups": ("gauge", "domain"),
    "mailprobe_dnsbl_listed": ("gauge", "ip list"),
    "mailprobe_dnsbl_usable": ("gauge", "list"),
    "mailprobe_relay_info": ("gauge", "relay role"),
    "mailprobe_sender_info": ("gauge", "sender domain"),
    "mailprobe_build_info": ("gauge", "version revision"),
    "mailprobe_resolve_last_ok_timestamp_seconds": ("gauge", "relay"),
    "mailprobe_schedule_lag_seconds": ("histogram", ""),
    "mailprobe_loop_last_run_timestamp_seconds": ("gauge", "loop"),
    "mailprobe_loop_errors_total": ("counter", "loop"),
    "mailprobe_journal_up": ("gauge", ""),
    "mailprobe_journal_errors_total": ("counter", ""),
    "mailprobe_instance_conflict": ("gauge", ""),
    "mailprobe_config_last_reload_successful": ("gauge", ""),
    "mailprobe_time_seconds": ("gauge", ""),
}

# The values of the closed labels, as the contract has them.
CLOSED = {
    "mailprobe_skipped_total": "overlap rate_limit auth_backoff shutdown",
    "mailprobe_probe_failures_total": (
        "dns_error connect_refused connect_timeout connection_lost tls_error greeting_timeout"
        " auth_rejected temp_reject perm_reject protocol_error timeout ack_lost overdue bounced"
        " junk content prober_error"
    ),
    "mailprobe_probes_unknown_total": "mailbox_unreadable prober config clock",
    "mailprobe_confirmations_total": "ok failed",
    "mailprobe_delivered_total": "inbox junk other",
    "mailprobe_content_mismatches_total": "body header truncated",
    "mailprobe_component_state": "ok degraded down unknown",
    "mailprobe_fault": (
        "unreadable unreachable insecure refusing holding late bouncing slow full misfiling"
        " duplicating altering unauthenticated dns intermittent"
    ),
    "mailprobe_unmatched_total": "bad_mac foreign expired malformed orphan",
    "mailprobe_last_smtp_phase_duration_seconds": (
        "dns connect tls greeting ehlo auth mail rcpt data ack quit"
    ),
    "mailprobe_loop_errors_total": "sender watcher reaper inspector publisher",
}

BUCKETS = {
    "mailprobe_delivery_duration_seconds": (
        "0.05 0.1 0.25 0.5 1.0 2.5 5.0 10.0 30.0 60.0 120.0 300.0 900.0 3600.0 +Inf"
    ),
    "mailprobe_smtp_phase_duration_seconds": (
        "0.05 0.1 0.25 0.5 1.0 2.5 5.0 10.0 20.0 30.0 60.0 120.0 300.0 +Inf"
    ),
}

NOW = 1_795_000_000.5
KEY = RouteKey("pool", "192.0.2.12", "shop", "corp")
NODE = Node("pool", "192.0.2.12", "192.0.2.12", 587)
WAY = {"relay": "pool", "node": "192.0.2.12", "sender": "shop", "mailbox": "corp"}
OPENMETRICS = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2"
PROMETHEUS_3 = (  # It fails a scrape whose content type it does not know.
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def route(key: RouteKey = KEY) -> Route:
    return Route(key, interval=15.0, deadline=60.0, give_up=86400.0)


def world(key: RouteKey = KEY) -> Exporter:
    """An exporter that knows one route and what it is made of."""
    exporter = Exporter(now=lambda: NOW, version="1.2.3", revision="abc")
    exporter.add_relay(Relay(key.relay, "smtp.example.com", 587, plan=NodePlan.A))
    exporter.add_node(Node(key.relay, key.node, "192.0.2.12", 587))
    exporter.add_sender(Sender(key.sender, "probe@shop.example"))
    imap = ImapServer("imap.example.com", 993, "probe")
    exporter.add_mailbox(Mailbox(key.mailbox, "probe@corp.example", imap))
    exporter.add_route(route(key))
    exporter.domains.add_domain("shop.example")
    exporter.domains.show_lists({("192.0.2.1", "bl.example"): None}, {"bl.example": None})
    return exporter


async def scrape(exporter: Exporter, accept: str = "") -> str:
    body, _ = await exporter.scrape(accept, gzipped=False)
    return body.decode()


async def samples(exporter: Exporter) -> Samples:
    """Our samples, as prometheus_client reads the text format."""
    return dict(flat(parse_text(await scrape(exporter))))


def flat(families: Iterator) -> Iterator[tuple[tuple[str, frozenset[tuple[str, str]]], float]]:
    for family in families:
        for sample in family.samples:
            if sample.name.startswith("mailprobe_"):
                yield (sample.name, frozenset(sample.labels.items())), sample.value


def at(found: Samples, name: str, **labels: str) -> float:
    return found[name, frozenset(labels.items())]


def test_the_catalogue_is_what_the_contract_has() -> None:
    declared = {m.name: (m.kind.value, " ".join(m.labels)) for m in CATALOGUE}
    assert declared == CONTRACT
    assert len(CATALOGUE) == len(declared)


def test_every_help_is_a_plain_sentence() -> None:
    for metric in CATALOGUE:
        assert metric.help.endswith("."), metric.name
        assert not set(metric.help) & set('\\"\n|'), metric.name


async def test_every_metric_is_scraped_with_its_type_and_labels() -> None:
    exporter = world()
    exporter.bounced(KEY, "5.1.1")
    families = {f.name: f for f in parse_text(await scrape(exporter))}
    for name, (kind, labels) in CONTRACT.items():
        family = families[name.removesuffix("_total")]
        assert family.type == kind, name
        assert family.samples, name
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(labels.split()), name


async def test_labels_come_in_the_contracts_order() -> None:
    line = 'mailprobe_skipped_total{relay="pool",node="192.0.2.12",sender="shop",mailbox="corp",'
    assert line + 'cause="overlap"} 0\n' in await scrape(world())


async def test_all_counters_are_there_at_zero_from_the_start() -> None:
    text = await scrape(world())
    for family in parse_text(text):
        if family.name.startswith("mailprobe_") and family.type in ("counter", "histogram"):
            assert {s.value for s in family.samples} <= {0.0}, family.name
    bounces = "mailprobe_bounces"
    empty = [f.name for f in parse_text(text) if not f.samples]
    assert empty == [bounces], "only bounces are created when seen"


@pytest.mark.parametrize("name", CLOSED)
async def test_closed_labels_are_complete_from_the_start(name: str) -> None:
    label = CONTRACT[name][1].split()[-1]
    values = [dict(labels)[label] for n, labels in await samples(world()) if n == name]
    assert list(dict.fromkeys(values)) == CLOSED[name].split()


async def test_authentication_results_are_complete_from_the_start() -> None:
    found = await samples(world())
    way = {"relay": "pool", "sender": "shop", "mailbox": "corp"}
    for method, results in AUTH_RESULTS.items():
        for result in results:
            assert (
                at(found, "mailprobe_auth_results_total", **way, method=method, result=result) == 0
            )


async def test_gauges_start_with_the_truth() -> None:
    found = await samples(world())
    assert math.isnan(at(found, "mailprobe_oldest_unanswered_timestamp_seconds", **WAY))
    assert math.isnan(at(found, "mailprobe_last_delivery_duration_seconds", **WAY))
    assert at(found, "mailprobe_last_success_timestamp_seconds", **WAY) == NOW
    assert at(found, "mailprobe_interval_seconds", **WAY) == 15
    assert at(found, "mailprobe_deadline_seconds", **WAY) == 60
    assert at(found, "mailprobe_imap_up", mailbox="corp") == 0
    assert at(found, "mailprobe_imap_last_ok_timestamp_seconds", mailbox="corp") == NOW
    assert at(found, "mailprobe_resolve_last_ok_timestamp_seconds", relay="pool") == NOW
    assert at(found, "mailprobe_relay_info", relay="pool", role="primary") == 1
    assert at(found, "mailprobe_sender_info", sender="shop", domain="shop.example") == 1
    assert at(found, "mailprobe_build_info", version="1.2.3", revision="abc") == 1
    assert at(found, "mailprobe_journal_up") == 1
    assert at(found, "mailprobe_time_seconds") == NOW


async def test_a_revision_that_nobody_told_is_unknown() -> None:
    found = await samples(Exporter(version="1.2.3"))
    assert at(found, "mailprobe_build_info", version="1.2.3", revision="unknown") == 1


async def test_a_relay_that_is_never_resolved_has_no_age() -> None:
    exporter = Exporter()
    exporter.add_relay(Relay("fixed", "192.0.2.1", 25, plan=NodePlan.LIST))
    assert "resolve_last_ok_timestamp_seconds{" not in await scrape(exporter)
    exporter.resolved("fixed", 7.0)
    assert at(await samples(exporter), "mailprobe_resolve_last_ok_timestamp_seconds", relay="fixed")


async def test_a_relay_that_changes_its_role_has_one_role() -> None:
    exporter = world()
    exporter.add_relay(Relay("pool", "smtp.example.com", 587, role=Role.STANDBY))
    roles = [labels for name, labels in await samples(exporter) if name == "mailprobe_relay_info"]
    assert [dict(r)["role"] for r in roles] == ["standby"]


async def test_the_exporter_fulfils_the_port() -> None:
    _: Metrics = Exporter()  # For the type checker.
    verbs = {name for name in vars(Metrics) if not name.startswith("_")}
    assert verbs <= set(dir(Exporter))


Verb = Callable[[Exporter], None]
COUNTS: list[tuple[Verb, set[tuple[str, str, str]]]] = [
    (lambda e: e.scheduled(KEY), {("scheduled_total", "", "")}),
    (
        lambda e: e.skipped(KEY, SkipCause.RATE_LIMIT),
        {("skipped_total", "cause", "rate_limit")},
    ),
    (lambda e: e.sent(KEY), {("sent_total", "", "")}),
    (lambda e: e.greylisted(KEY), {("greylisted_total", "", "")}),
    (lambda e: e.judged(KEY, None), {("probes_total", "", "")}),
    (
        lambda e: e.judged(KEY, Reason.TLS_ERROR),
        {("probes_total", "", ""), ("probe_failures_total", "reason", "tls_error")},
    ),
    (
        lambda e: e.unknown(KEY, UnknownCause.CLOCK),
        {("probes_unknown_total", "cause", "clock")},
    ),
    (
        lambda e: e.delivered(KEY, Folder.JUNK, 0.2, given_up=False),
        {("delivered_total", "folder", "junk")},
    ),
    (lambda e: e.late(KEY), {("late_total", "", "")}),
    (lambda e: e.lost(KEY), {("lost_total", "", "")}),
    (lambda e: e.confirmed(KEY, ok=True), {("confirmations_total", "outcome", "ok")}),
    (lambda e: e.confirmed(KEY, ok=False), {("confirmations_total", "outcome", "failed")}),
    (lambda e: e.duplicate(KEY), {("duplicates_total", "", "")}),
    (
        lambda e: e.altered(KEY, Part.TRUNCATED),
        {("content_mismatches_total", "part", "truncated")},
    ),
    (lambda e: e.bounced(KEY, "5.7.26"), {("bounces_total", "status", "5.7")}),
]


@pytest.mark.parametrize(("verb", "counted"), COUNTS)
async def test_a_verb_counts_its_own_series_and_no_other(
    verb: Verb, counted: set[tuple[str, str, str]]
) -> None:
    exporter = world()
    verb(exporter)
    expected = {
        (f"mailprobe_{name}", frozenset({**WAY, **({label: value} if label else {})}.items()))
        for name, label, value in counted
    }
    found = await samples(exporter)
    assert {k for k, v in found.items() if k[0].endswith("_total") and v == 1} == expected
    assert {v for k, v in found.items() if k[0].endswith("_total")} == {0.0, 1.0}


async def test_levels_are_shown_as_given() -> None:
    exporter = world()
    exporter.level(KEY, Level(5, 3, 1, oldest_unanswered=NOW - 70.25, last_success=NOW - 80))
    found = await samples(exporter)
    assert at(found, "mailprobe_undecided", **WAY) == 5
    assert at(found, "mailprobe_in_flight", **WAY) == 3
    assert at(found, "mailprobe_overdue", **WAY) == 1
    assert at(found, "mailprobe_oldest_unanswered_timestamp_seconds", **WAY) == NOW - 70.25
    assert at(found, "mailprobe_last_success_timestamp_seconds", **WAY) == NOW - 80


async def test_what_is_said_of_mailboxes_loops_journal_and_nodes_is_shown() -> None:
    exporter = world()
    exporter.read("corp", up=True, last_ok=NOW - 1)
    exporter.read("corp", up=False, last_ok=None)
    exporter.unmatched("corp", UnmatchedCause.ORPHAN)
    exporter.ran(Loop.WATCHER, NOW - 2)
    exporter.failed(Loop.REAPER)
    exporter.journaled(up=False, errors=4)
    exporter.conflicting(True)
    exporter.certified(NODE, NOW + 86400)
    found = await samples(exporter)
    assert math.isnan(at(found, "mailprobe_mailbox_quota_used_ratio", mailbox="corp"))
    end = "mailprobe_imap_tls_certificate_not_after_timestamp_seconds"
    assert math.isnan(at(found, end, mailbox="corp"))
    exporter.filled("corp", 0.93)
    exporter.mailbox_certified("corp", NOW + 7)
    found = await samples(exporter)
    assert at(found, "mailprobe_mailbox_quota_used_ratio", mailbox="corp") == 0.93
    assert at(found, end, mailbox="corp") == NOW + 7
    assert at(found, "mailprobe_imap_up", mailbox="corp") == 0
    assert at(found, "mailprobe_imap_last_ok_timestamp_seconds", mailbox="corp") == NOW - 1
    assert at(found, "mailprobe_unmatched_total", mailbox="corp", cause="orphan") == 1
    assert at(found, "mailprobe_loop_last_run_timestamp_seconds", loop="watcher") == NOW - 2
    assert math.isnan(at(found, "mailprobe_loop_last_run_timestamp_seconds", loop="reaper"))
    assert at(found, "mailprobe_loop_errors_total", loop="reaper") == 1
    assert at(found, "mailprobe_journal_up") == 0
    assert at(found, "mailprobe_journal_errors_total") == 4
    assert at(found, "mailprobe_instance_conflict") == 1
    name = "mailprobe_tls_certificate_not_after_timestamp_seconds"
    assert at(found, name, relay="pool", node="192.0.2.12") == NOW + 86400


async def test_a_fault_is_shown_while_it_is_named() -> None:
    exporter = world()
    corp = Component(Kind.MAILBOX, mailbox="corp")
    labels = {**dict.fromkeys(C.split(), ""), "kind": "mailbox", "mailbox": "corp"}

    async def shown(fault: Fault) -> tuple[float, float, float]:
        found = await samples(exporter)
        names = ("fault", "fault_confirmed", "fault_since_timestamp_seconds")
        return tuple(at(found, f"mailprobe_{name}", **labels, fault=fault) for name in names)

    async def states() -> list[float]:
        found = await samples(exporter)
        name = "mailprobe_component_state"
        return [at(found, name, **labels, state=state) for state in State]

    assert await shown(Fault.FULL) == (0, 0, pytest.approx(math.nan, nan_ok=True))
    assert await states() == [0, 0, 0, 1]
    full = FaultStatus(Fault.FULL, NOW - 60, confirmed=True)
    exporter.diagnosed(ComponentStatus(corp, State.DEGRADED, NOW - 60, (full,)))
    assert await shown(Fault.FULL) == (1, 1, NOW - 60)
    assert await shown(Fault.UNREADABLE) == (0, 0, pytest.approx(math.nan, nan_ok=True))
    assert await states() == [0, 1, 0, 0]
    exporter.diagnosed(ComponentStatus(corp, State.OK, NOW))
    assert await shown(Fault.FULL) == (0, 0, pytest.approx(math.nan, nan_ok=True))
    assert await states() == [1, 0, 0, 0]


async def test_a_delivery_is_in_the_histogram_and_what_is_lost_is_at_infinity() -> None:
    exporter = world()
    exporter.delivered(KEY, Folder.INBOX, 0.25, given_up=False)
    exporter.lost(KEY)
    exporter.lost(KEY, confirmation=True)
    found = await samples(exporter)
    way = {"relay": "pool", "mailbox": "corp"}
    name = "mailprobe_delivery_duration_seconds"
    assert at(found, f"{name}_bucket", **way, le="0.1") == 0
    assert at(found, f"{name}_bucket", **way, le="0.25") == 1
    assert at(found, f"{name}_bucket", **way, le="3600.0") == 1
    assert at(found, f"{name}_bucket", **way, le="+Inf") == 2
    assert at(found, f"{name}_count", **way) == 2
    assert at(found, f"{name}_sum", **way) == 0.25
    assert at(found, "mailprobe_last_delivery_duration_seconds", **WAY) == 0.25


@pytest.mark.parametrize("name", BUCKETS)
async def test_the_buckets_are_the_contracts(name: str) -> None:
    found = (dict(labels) for n, labels in await samples(world()) if n == f"{name}_bucket")
    assert list(dict.fromkeys(labels["le"] for labels in found)) == BUCKETS[name].split()


async def test_phases_hops_and_lag_are_observed() -> None:
    exporter = world()
    exporter.timed(NODE, Phase.ACK, 6.5)
    exporter.hopped(KEY, HopDelay(HopKind.TRANSIT, 2.0))
    exporter.lagged(0.003)
    found = await samples(exporter)
    assert at(found, "mailprobe_smtp_phase_duration_seconds_sum", relay="pool", phase="ack") == 6.5
    last = "mailprobe_last_smtp_phase_duration_seconds"
    assert at(found, last, relay="pool", node="192.0.2.12", phase="ack") == 6.5
    assert math.isnan(at(found, last, relay="pool", node="192.0.2.12", phase="quit"))
    way = {"relay": "pool", "mailbox": "corp", "hop": "transit"}
    assert at(found, "mailprobe_hop_delay_seconds_sum", **way) == 2
    assert at(found, "mailprobe_schedule_lag_seconds_bucket", le="0.005") == 1


@given(st.lists(st.floats(-1, 5000) | st.sampled_from([0.05, 1.0, 60.0, 3600.0]), max_size=20))
@settings(max_examples=25, deadline=None)
def test_a_histogram_counts_as_prometheus_client_does(observed: list[float]) -> None:
    metric = next(m for m in CATALOGUE if m.name == "mailprobe_delivery_duration_seconds")
    registry = CollectorRegistry()
    theirs = Theirs(metric.name, "", metric.labels, buckets=metric.buckets, registry=registry)
    ours = Histogram(metric)
    ours.add(("pool", "corp"))
    theirs.labels("pool", "corp")
    for seconds in observed:
        ours.observe(("pool", "corp"), seconds)
        theirs.labels("pool", "corp").observe(max(0.0, seconds))
    expected = dict(flat(parse_text(generate_latest(registry).decode())))
    found = dict(flat(parse_text("".join(ours.snapshot()(Format.TEXT)))))
    assert found.items() == {k: v for k, v in expected.items() if "_created" not in k[0]}.items()


async def test_authentication_is_counted_in_closed_sets_only() -> None:
    exporter = world()
    exporter.authenticated(KEY, AuthResult("dkim", "pass"))
    exporter.authenticated(KEY, AuthResult("dkim", 'made"up'))
    exporter.authenticated(KEY, AuthResult("x-made-up", "pass"))
    found = await samples(exporter)
    name = "mailprobe_auth_results_total"
    way = {"relay": "pool", "sender": "shop", "mailbox": "corp", "method": "dkim"}
    assert at(found, name, **way, result="pass") == 1
    assert sum(value for (n, _), value in found.items() if n == name) == 1


@pytest.mark.parametrize(
    ("status", "label"),
    [("5.1.1", "5.1"), ("4.007.0", "4.7"), ("", "other"), ("5.1", "other"), ('"}\n', "other")],
)
async def test_a_bounce_is_labelled_by_class_and_subject(status: str, label: str) -> None:
    exporter = world()
    exporter.bounced(KEY, status)
    assert at(await samples(exporter), "mailprobe_bounces_total", **WAY, status=label) == 1


async def test_bounce_statuses_are_bounded() -> None:
    exporter = world()
    for subject in range(100):
        exporter.bounced(KEY, f"5.{subject}.0")
    found = await samples(exporter)
    statuses = [dict(k[1])["status"] for k in found if k[0] == "mailprobe_bounces_total"]
    assert len(statuses) == 41
    assert at(found, "mailprobe_bounces_total", **WAY, status="other") == 60


IN_FORCE = {
    "mailprobe_last_success_timestamp_seconds",
    "mailprobe_oldest_unanswered_timestamp_seconds",
    "mailprobe_interval_seconds",
    "mailprobe_deadline_seconds",
}


def names_of_the_route(found: Samples) -> set[str]:
    return {name for name, labels in found if labels >= frozenset(WAY.items())}


async def test_a_retired_route_keeps_its_counters_and_what_is_in_flight() -> None:
    exporter = world()
    exporter.sent(KEY)
    before = names_of_the_route(await samples(exporter))
    exporter.retire_route(KEY)
    exporter.level(KEY, Level(1, 1, 0, NOW, NOW))
    found = await samples(exporter)
    assert before - names_of_the_route(found) == IN_FORCE
    assert at(found, "mailprobe_in_flight", **WAY) == 1


LEARNED = {
    "mailprobe_in_flight",
    "mailprobe_overdue",
}


async def test_a_learned_node_shows_what_is_in_flight_by_it_and_its_own_series() -> None:
    behind = RouteKey("pool", "", "shop", "corp")
    exporter = world(behind)
    exporter.add_node(Node("pool", "mx1.test", "", 0))
    exporter.timed(Node("pool", "mx1.test", "", 0), Phase.CONNECT, 0.25)
    exporter.flying(replace(behind, node="mx1.test"), in_flight=3, overdue=1)
    found = await samples(exporter)
    mx1 = {"relay": "pool", "node": "mx1.test", "sender": "shop", "mailbox": "corp"}
    assert {name for name, labels in found if labels >= frozenset(mx1.items())} == LEARNED
    assert at(found, "mailprobe_in_flight", **mx1) == 3
    assert at(found, "mailprobe_overdue", **mx1) == 1
    phase = {"relay": "pool", "node": "mx1.test", "phase": "connect"}
    assert at(found, "mailprobe_last_smtp_phase_duration_seconds", **phase) == 0.25
    exporter.retire_node(Node("pool", "mx1.test", "", 0))
    left = await samples(exporter)
    assert not any(("node", "mx1.test") in labels for _, labels in left)
    assert any(("node", "") in labels for _, labels in left), "the route's own series stay"


async def test_a_forgotten_route_has_no_series_even_when_something_comes() -> None:
    exporter = world()
    exporter.bounced(KEY, "5.1.1")
    exporter.retire_route(KEY)
    exporter.forget_route(KEY)
    exporter.duplicate(KEY)
    exporter.bounced(KEY, "5.2.2")
    assert names_of_the_route(await samples(exporter)) == set()


async def test_a_route_that_comes_back_goes_on_counting() -> None:
    exporter = world()
    exporter.sent(KEY)
    exporter.bounced(KEY, "5.1.1")
    exporter.level(KEY, Level(0, 0, 0, None, NOW - 9))
    exporter.retire_route(KEY)
    exporter.forget_route(KEY)
    exporter.add_route(Route(KEY, interval=30.0, deadline=90.0, give_up=3600.0))
    found = await samples(exporter)
    assert at(found, "mailprobe_sent_total", **WAY) == 1
    assert at(found, "mailprobe_bounces_total", **WAY, status="5.1") == 1
    assert at(found, "mailprobe_interval_seconds", **WAY) == 30
    assert at(found, "mailprobe_last_success_timestamp_seconds", **WAY) == NOW - 9


async def test_what_comes_for_a_route_of_an_earlier_run_is_shown_as_of_a_retired_one() -> None:
    exporter = Exporter()
    exporter.delivered(KEY, Folder.INBOX, 1.0, given_up=False)
    found = await samples(exporter)
    assert at(found, "mailprobe_delivered_total", **WAY, folder="inbox") == 1
    assert not names_of_the_route(found) & IN_FORCE


async def test_forgotten_routes_are_bounded() -> None:
    exporter = Exporter()
    for number in range(1001):
        key = RouteKey("pool", str(number), "shop", "corp")
        exporter.sent(key)
        exporter.forget_route(key)
    for number in (0, 1):
        exporter.add_route(route(RouteKey("pool", str(number), "shop", "corp")))
    found = await samples(exporter)
    sent = {dict(k[1])["node"]: v for k, v in found.items() if k[0] == "mailprobe_sent_total"}
    assert sent == {"0": 0, "1": 1}, "the oldest was dropped, the others are remembered"


async def test_a_retired_node_is_gone_though_an_attempt_ends_later() -> None:
    exporter = world()
    exporter.timed(NODE, Phase.CONNECT, 1.0)
    exporter.retire_node(NODE)
    exporter.timed(NODE, Phase.QUIT, 1.0)
    exporter.certified(NODE, NOW)
    found = await samples(exporter)
    node = frozenset({("relay", "pool"), ("node", "192.0.2.12")})
    assert not [k for k in found if k[1] >= node and "sender" not in dict(k[1])]
    assert at(found, "mailprobe_smtp_phase_duration_seconds_count", relay="pool", phase="quit") == 1


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8"),
        ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text;version=0.0.1", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text;q=0.0", "text/plain; version=0.0.4; charset=utf-8"),
        (
            "application/openmetrics-text",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ),
        (OPENMETRICS, "application/openmetrics-text; version=1.0.0; charset=utf-8"),
        (PROMETHEUS_3, "application/openmetrics-text; version=1.0.0; charset=utf-8"),
    ],
)
async def test_the_format_is_negotiated(accept: str, content_type: str) -> None:
    assert (await Exporter().scrape(accept, gzipped=False))[1] == content_type


def same(one: Samples, other: Samples) -> bool:
    """Whether these are the same samples; NaN is NaN."""
    return {k: repr(v) for k, v in one.items()} == {k: repr(v) for k, v in other.items()}


async def test_both_formats_say_the_same_and_both_parsers_agree() -> None:
    exporter = world()
    for verb, _ in COUNTS:
        verb(exporter)
    text = await scrape(exporter)
    openmetrics = await scrape(exporter, OPENMETRICS)
    assert openmetrics.endswith("# EOF\n")
    assert "# EOF" not in text
    assert "# TYPE mailprobe_sent counter\n" in openmetrics
    assert "# TYPE mailprobe_sent_total counter\n" in text
    families = list(parse_openmetrics(openmetrics))
    assert same(dict(flat(iter(families))), dict(flat(parse_text(text))))
    assert {"process_cpu_seconds", "python_info"} <= {family.name for family in families}


async def test_a_scrape_has_each_series_and_each_family_once() -> None:
    text = await scrape(world())
    series = [line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")]
    types = [line for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(series) == len(set(series))
    assert len(types) == len(set(types))
    assert "_created" not in text


HOSTILE = ['a"b', "a\\", "a\nb", "\\n", '"} 1\n# EOF\n', "\udcff\ud800", "\r\x00\x85\u2028", ""]


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_names_break_no_scrape(name: str) -> None:
    exporter = world(RouteKey("pool", name, "shop", "corp"))
    shown = name.encode("utf-8", "backslashreplace").decode()
    wanted = frozenset({**WAY, "node": shown}.items())
    for found in (
        dict(flat(parse_text(await scrape(exporter)))),
        dict(flat(parse_openmetrics(await scrape(exporter, OPENMETRICS)))),
    ):
        assert found["mailprobe_sent_total", wanted] == 0


@given(st.text(st.characters(), max_size=20))
@settings(deadline=None)
def test_no_name_breaks_a_line(name: str) -> None:
    text = f"# TYPE m gauge\nm{{{pairs(['node'], [name])}}} 1\n"
    shown = name.encode("utf-8", "backslashreplace").decode()
    for families in (parse_text(text), parse_openmetrics(f"{text}# EOF\n")):
        assert [sample.labels for f in families for sample in f.samples] == [{"node": shown}]


async def test_a_label_is_bounded() -> None:
    exporter = world(RouteKey("pool", "n" * 100_000, "shop", "corp"))
    assert max(map(len, (await scrape(exporter)).splitlines())) < 1000


async def test_scrapes_at_the_same_time_share_one_writing() -> None:
    exporter = world()
    bodies = await asyncio.gather(*(exporter.scrape("", gzipped=False) for _ in range(5)))
    assert len({id(body) for body, _ in bodies}) == 1
    again, _ = await exporter.scrape("", gzipped=False)
    assert again is not bodies[0][0]


async def test_a_scrape_that_is_cancelled_leaves_the_others_theirs() -> None:
    exporter = world()
    first = asyncio.create_task(exporter.scrape("", gzipped=False))
    second = asyncio.create_task(exporter.scrape("", gzipped=False))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second)[0].startswith(b"# HELP")
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_scrape_shows_one_moment() -> None:
    exporter = world()
    running = asyncio.create_task(exporter.scrape("", gzipped=False))
    await asyncio.sleep(0)
    exporter.sent(KEY)
    text = (await running)[0].decode()
    assert at(dict(flat(parse_text(text))), "mailprobe_sent_total", **WAY) == 0


async def test_a_compressed_scrape_is_the_same() -> None:
    exporter = world()
    body, _ = await exporter.scrape("", gzipped=True)
    ours = [line for line in gzip.decompress(body).decode().splitlines() if "mailprobe_" in line]
    plain = [line for line in (await scrape(exporter)).splitlines() if "mailprobe_" in line]
    assert ours == plain


async def test_what_is_not_configured_any_more_is_not_shown() -> None:
    exporter = Exporter()
    key = RouteKey("pool", "n1", "shop", "corp")
    exporter.add_relay(Relay("pool", "smtp.example", 25, plan=NodePlan.A))
    exporter.add_sender(Sender(key.sender, "probe@shop.example"))
    exporter.add_mailbox(
        Mailbox("corp", "probe@corp.example", ImapServer("imap.example", 993, "u"))
    )
    exporter.drop_relay("pool")
    exporter.drop_sender("shop")
    exporter.drop_mailbox("corp")
    text = (await exporter.scrape("", gzipped=False))[0].decode()
    for name in ("relay_info", "sender_info", "resolve_last_ok_timestamp_seconds", "imap_up"):
        assert f"mailprobe_{name}{{" not in text


async def test_a_reload_is_good_until_one_was_not() -> None:
    exporter = Exporter()
    for well in (True, False, True):
        exporter.reloaded(well=well)
        text = (await exporter.scrape("", gzipped=False))[0].decode()
        assert f"mailprobe_config_last_reload_successful {int(well)}" in text


# ---- the senders' domains


async def test_the_checks_of_a_domain_are_there_until_it_goes() -> None:
    exporter = world()
    exporter.domains.checked("shop.example", CheckKind.SPF, CheckState.FAIL)
    exporter.domains.record_changed("shop.example", CheckKind.SPF, NOW)
    exporter.domains.spf_counted("shop.example", lookups=11, void_lookups=1)
    found = await samples(exporter)
    of_spf = {"domain": "shop.example", "check": "spf"}
    states = {
        s.value: at(found, "mailprobe_dns_check_state", **of_spf, state=s) for s in CheckState
    }
    assert states == {"ok": 0, "warn": 0, "fail": 1, "error": 0, "none": 0}
    changed = "mailprobe_dns_record_changed_timestamp_seconds"
    assert at(found, changed, **of_spf) == NOW
    assert math.isnan(at(found, changed, domain="shop.example", check="mx"))
    assert at(found, "mailprobe_spf_lookups", domain="shop.example") == 11
    exporter.domains.drop_domain("shop.example")
    assert not [name for name, _ in await samples(exporter) if "_dns_" in name or "_spf_" in name]


async def test_what_a_blocklist_says_is_known_or_not() -> None:
    exporter = world()
    pair = {"ip": "192.0.2.1", "list": "bl.example"}
    assert math.isnan(at(await samples(exporter), "mailprobe_dnsbl_listed", **pair))
    exporter.domains.show_lists({("192.0.2.1", "bl.example"): True}, {"bl.example": True})
    found = await samples(exporter)
    assert at(found, "mailprobe_dnsbl_listed", **pair) == 1
    assert at(found, "mailprobe_dnsbl_usable", list="bl.example") == 1
    exporter.domains.show_lists({}, {})
    assert not [name for name, _ in await samples(exporter) if "dnsbl" in name]

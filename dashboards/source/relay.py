"""Relays and their nodes: where it takes long, what is held, and how a backlog drains."""

from __future__ import annotations

from dashboards.source.board import Board, Row
from dashboards.source.panel import graph, timeline
from dashboards.source.query import Query
from dashboards.source.word import STATES, state_of

_NODE = "{{relay}} {{node}}"

_STATE = Row(
    "State",
    (
        timeline(
            "Relays and nodes",
            "A node that is green works, whatever its relay's average says.",
            Query(state_of('<node>,kind=~"relay|node"'), f"{{{{kind}}}} {_NODE}"),
            STATES,
            height=7,
        ),
        graph(
            "Since the last success",
            "How long ago the newest probe was sent that arrived in time, by node.",
            Query(
                """min by (relay, node) (
                    time() - mailprobe_last_success_timestamp_seconds{<route>})""",
                _NODE,
            ),
            unit="s",
        ),
        graph(
            "Failures by node and reason",
            "Probes that were judged bad, each once.",
            Query(
                """sum by (relay, node, reason) (
                    increase(mailprobe_probe_failures_total{<route>}[$__rate_interval])) > 0""",
                f"{_NODE} {{{{reason}}}}",
            ),
            unit="short",
            bars=True,
        ),
    ),
)

_ACCEPTING = Row(
    "Accepting",
    (
        graph(
            "Time to accept, newest attempt",
            "All phases of the newest attempt together, by node. A node that is slow stands out"
            " here at once.",
            Query(
                """max by (relay, node) (sum by (job, instance, relay, node) (
                    mailprobe_last_smtp_phase_duration_seconds{<node>,phase!="quit"} >= 0))""",
                _NODE,
            ),
            unit="s",
        ),
        graph(
            "Slowest phase of each node, newest attempt",
            "Which phase it is that takes longest: a slow `greeting` is an overloaded or throttling"
            " server, a slow `ack` is its queue or content filter.",
            Query(
                """topk by (relay, node) (1, max by (relay, node, phase) (
                    mailprobe_last_smtp_phase_duration_seconds{<node>} >= 0))""",
                f"{_NODE} {{{{phase}}}}",
            ),
            unit="s",
        ),
        graph(
            "Phases, 9 of 10",
            "Duration within which 9 of 10 attempts got through the phase, failed ones too.",
            Query(
                """histogram_quantile(0.9, sum by (relay, phase, le) (
                    rate(mailprobe_smtp_phase_duration_seconds_bucket{<relay>}[$__rate_interval])))""",
                "{{relay}} {{phase}}",
            ),
            unit="s",
        ),
        graph(
            "Attempts with a phase over 10 s",
            "As a share of all attempts that reached the phase.",
            Query(
                """1 - sum by (relay, phase) (
                    rate(mailprobe_smtp_phase_duration_seconds_bucket{<relay>,le="10.0"}[$__rate_interval]))
                / sum by (relay, phase) (
                    rate(mailprobe_smtp_phase_duration_seconds_count{<relay>}[$__rate_interval]))""",
                "{{relay}} {{phase}}",
            ),
            unit="percentunit",
        ),
    ),
)

_DELIVERING = Row(
    "Delivering",
    (
        graph(
            "In flight",
            "Messages that a node accepted and that are not there yet. A backlog builds up and"
            " drains here.",
            Query("sum by (relay, node) (mailprobe_in_flight{<route>})", _NODE),
            unit="short",
        ),
        graph(
            "Late arrivals",
            "Messages that came after their deadline. While they come, users get old mail.",
            Query(
                """sum by (relay, node) (
                    increase(mailprobe_late_total{<route>}[$__rate_interval]))""",
                _NODE,
            ),
            unit="short",
            bars=True,
        ),
        graph(
            "Oldest unanswered",
            "Age of the oldest probe that was accepted and has not come, though it was sent after"
            " the newest that came.",
            Query(
                """max by (relay, node) (
                    time() - mailprobe_oldest_unanswered_timestamp_seconds{<route>} >= 0)""",
                _NODE,
            ),
            unit="s",
        ),
        graph(
            "Newest delivery",
            "From acceptance to first sighting, of the message that was sighted last.",
            Query(
                """max by (relay, node) (
                    mailprobe_last_delivery_duration_seconds{<route>} >= 0)""",
                _NODE,
            ),
            unit="s",
        ),
        graph(
            "Where it waited",
            "Delay between servers by their own Received lines, 9 of 10: in the relay that takes"
            " it, on its way, at the destination. Clocks of others, so only a hint.",
            Query(
                """histogram_quantile(0.9, sum by (relay, hop, le) (
                    rate(mailprobe_hop_delay_seconds_bucket{<way>}[$__rate_interval])))""",
                "{{relay}} {{hop}}",
            ),
            unit="s",
        ),
        graph(
            "Lost and put off",
            "Given up for good, and deferred as a stranger's (greylisting).",
            Query(
                """sum by (relay, node) (
                    increase(mailprobe_lost_total{<route>}[$__rate_interval]))""",
                f"{_NODE} lost",
            ),
            Query(
                """sum by (relay, node) (
                    increase(mailprobe_greylisted_total{<route>}[$__rate_interval]))""",
                f"{_NODE} greylisted",
            ),
            unit="short",
            bars=True,
        ),
    ),
)

_AROUND = Row(
    "Around it",
    (
        graph(
            "Certificates",
            "Time until the first certificate of the chain ends, by node.",
            Query(
                """min by (relay, node) (
                    mailprobe_tls_certificate_not_after_timestamp_seconds{<node>} - time())""",
                _NODE,
            ),
            unit="s",
            width=8,
        ),
        graph(
            "Name last resolved",
            "How long ago the relay's name was looked up with success.",
            Query(
                """max by (relay) (
                    time() - mailprobe_resolve_last_ok_timestamp_seconds{<relay>})""",
                "{{relay}}",
            ),
            unit="s",
            width=8,
        ),
        graph(
            "Interval in force",
            "How often each route is probed. Limits of relays and mailboxes stretch it.",
            Query("max by (relay, node) (mailprobe_interval_seconds{<route>})", _NODE),
            unit="s",
            width=8,
        ),
    ),
)

BOARD = Board(
    "relay",
    "Relays and nodes",
    "Each node by itself: phases, what is in flight, hops, and how a backlog drains.",
    ("relay", "node", "mailbox"),
    (_STATE, _ACCEPTING, _DELIVERING, _AROUND),
)

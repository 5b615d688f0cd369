"""The overview: what is wrong now, for whom, since when, and what still works."""

from __future__ import annotations

from dashboards.source.board import Board, Row
from dashboards.source.panel import (
    RED,
    YELLOW,
    column,
    graph,
    heatmap,
    number,
    table,
    timeline,
)
from dashboards.source.query import Query
from dashboards.source.word import COMPONENT, NAMED, PAGES, STATES, state_of

_NOW = Row(
    "Now",
    (
        number(
            "Components at fault",
            "Relays, nodes, senders, mailboxes and combinations that are degraded or down.",
            'sum(mailprobe_component_state{<any>,state=~"degraded|down"})',
            unit="none",
            steps=[(1, RED)],
        ),
        number(
            "Confirmed, may page",
            "Components of which a fault is confirmed: it has lasted long enough to page.",
            """sum(max by (kind, relay, node, sender, mailbox, flow) (
                mailprobe_fault_confirmed{<any>}))""",
            unit="none",
            steps=[(1, RED)],
        ),
        number(
            "Probes that fail",
            "Of those that were judged in the last 10 minutes. What fails in a lasting fault is"
            " judged only at its deadline.",
            """sum(increase(mailprobe_probe_failures_total{<any>}[10m]))
               / sum(increase(mailprobe_probes_total{<any>}[10m]))""",
            unit="percentunit",
            steps=[(0.01, YELLOW), (0.05, RED)],
        ),
        number(
            "Oldest unanswered",
            "Age of the oldest probe that was accepted and has not come, though it was sent after"
            " the newest that came.",
            """max(time() - mailprobe_oldest_unanswered_timestamp_seconds{<any>} >= 0)
               or vector(0)""",
            unit="s",
            steps=[(60, YELLOW), (300, RED)],
        ),
        number(
            "Past their deadline",
            "Messages that were accepted, are late, and have not come yet.",
            "sum(mailprobe_overdue{<any>})",
            unit="none",
            steps=[(1, YELLOW), (10, RED)],
        ),
        number(
            "Prober's slowest loop",
            "How long ago the loop of the prober that is behind most turned last. After a minute"
            " the prober counts as stalled, and what is shown here is old.",
            "max(time() - mailprobe_loop_last_run_timestamp_seconds{<any>})",
            unit="s",
            steps=[(30, YELLOW), (60, RED)],
        ),
        table(
            "What is wrong now",
            "Every fault that is named at this moment. `intermittent` stands beside another fault:"
            " only a part of the probes fails.",
            Query(
                """max by (kind, relay, node, sender, mailbox, flow, fault) (
                    time() - mailprobe_fault_since_timestamp_seconds{<any>} >= 0)"""
            ),
            Query(
                """max by (kind, relay, node, sender, mailbox, flow, fault) (
                    mailprobe_fault_confirmed{<any>} and mailprobe_fault{<any>} == 1)"""
            ),
            columns=(
                column("A", "Since", unit="s"),
                column("B", "Confirmed", means=PAGES),
            ),
            width=14,
        ),
        table(
            "Firing alerts",
            "What Prometheus has handed to Alertmanager. Each has a page on the prober, at"
            " /runbooks/ and its name.",
            Query(
                """max by (alertname, severity, relay, node, sender, mailbox) (
                    ALERTS{alertname=~"MailProbe.*",alertname!="MailProbeWatchdog",
                           alertstate="firing"})"""
            ),
            columns=(column("A", "Firing", means=PAGES),),
            width=10,
        ),
    ),
)

_HISTORY = Row(
    "Who, and since when",
    (
        timeline(
            "Components",
            "A line for each component. A relay does not inherit the faults of its nodes: what is"
            " green works.",
            Query(state_of('<any>,kind!="route"'), COMPONENT),
            STATES,
            height=10,
        ),
        timeline(
            "Faults",
            "What was named, and when it was confirmed. No line means that nothing was wrong.",
            Query(
                """max by (kind, relay, node, sender, mailbox, flow, fault) (
                    mailprobe_fault{<any>} + mailprobe_fault_confirmed{<any>}) > 0""",
                f"{{{{fault}}}}: {COMPONENT}",
            ),
            NAMED,
        ),
    ),
)

_DELIVERY = Row(
    "Delivery",
    (
        heatmap(
            "Delivery time",
            "From acceptance to first sighting. What comes late is shown when it comes, what never"
            " comes not at all: see the oldest unanswered beside it.",
            """sum by (le) (
                increase(mailprobe_delivery_duration_seconds_bucket{<any>}[$__rate_interval]))""",
        ),
        graph(
            "Oldest unanswered, by node",
            "Age of the oldest probe that was accepted and has not come, by node. It grows by a"
            " second each second while a node holds its mail.",
            Query(
                """max by (relay, node) (
                    time() - mailprobe_oldest_unanswered_timestamp_seconds{<any>} >= 0)""",
                "{{relay}} {{node}}",
            ),
            unit="s",
        ),
        graph(
            "Failures by reason",
            "Probes that were judged bad, each once.",
            Query(
                """sum by (reason) (
                    increase(mailprobe_probe_failures_total{<any>}[$__rate_interval])) > 0""",
                "{{reason}}",
            ),
            unit="short",
            bars=True,
        ),
        graph(
            "At least this share fails",
            "The lower end of a 95 % interval, for what is at fault; 1 is everything.",
            Query(
                """max by (kind, relay, node, sender, mailbox, flow) (
                    mailprobe_failure_share_lower_bound_ratio{<any>} > 0)""",
                COMPONENT,
            ),
            unit="percentunit",
        ),
        graph(
            "Accepted and delivered",
            "Messages a second, by relay. Where the two lines part, mail is held or lost.",
            Query(
                "sum by (relay) (rate(mailprobe_sent_total{<any>}[$__rate_interval]))",
                "{{relay}} accepted",
            ),
            Query(
                "sum by (relay) (rate(mailprobe_delivered_total{<any>}[$__rate_interval]))",
                "{{relay}} delivered",
            ),
            unit="ops",
        ),
        graph(
            "Cannot be judged",
            "Probes whose end cannot be known, mostly because their mailbox could not be read."
            " They accuse nobody.",
            Query(
                """sum by (cause) (
                    increase(mailprobe_probes_unknown_total{<any>}[$__rate_interval]))""",
                "{{cause}}",
            ),
            unit="short",
            bars=True,
        ),
    ),
)

_PROBER = Row(
    "The prober itself",
    (
        graph(
            "Start after the slot",
            "How long after its slot a probe starts, for 9 of 10. More than a second means that"
            " the machine is overloaded.",
            Query(
                """histogram_quantile(0.9, sum by (instance, le) (
                    rate(mailprobe_schedule_lag_seconds_bucket{<any>}[$__rate_interval])))""",
                "{{instance}}",
            ),
            unit="s",
            width=8,
        ),
        graph(
            "Slots that were not used",
            "Probes that came due and were not sent, by cause.",
            Query(
                """sum by (cause) (
                    increase(mailprobe_skipped_total{<any>}[$__rate_interval]))""",
                "{{cause}}",
            ),
            unit="short",
            width=8,
            bars=True,
        ),
        graph(
            "Journal, configuration, name",
            "1 is well: the journal is on disk, the newest configuration is in force, and no other"
            " prober has the same name.",
            Query("mailprobe_journal_up{<any>}", "{{instance}} journal"),
            Query("mailprobe_config_last_reload_successful{<any>}", "{{instance}} configuration"),
            Query("1 - mailprobe_instance_conflict{<any>}", "{{instance}} name"),
            unit="none",
            width=8,
        ),
    ),
)

BOARD = Board(
    "overview",
    "Overview",
    "What is wrong with mail now, with whom, and since when.",
    (),
    (_NOW, _HISTORY, _DELIVERY, _PROBER),
)

"""The metrics by name: what each one is, which labels it has, and what it means."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What Prometheus takes a metric for."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One exported metric. The help is one plain sentence or two, without quotes or breaks."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()  # Of a histogram: upper bounds, ascending, without +Inf.


COUNTER, GAUGE, HISTOGRAM = Kind

NODE = ("relay", "node")
ROUTE = ("relay", "node", "sender", "mailbox")
COMPONENT = ("kind", "relay", "node", "sender", "mailbox", "flow")
LAST_HOP = ("relay", "mailbox")

# Alert rules and objectives may only use these bounds: a histogram knows no others.
DELIVERY_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600)
PHASE_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300)
LAG_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

# RFC 8601 §2.7; DMARC's own are in RFC 7489 §11.2.
AUTH_RESULTS = {
    "spf": ("pass", "fail", "softfail", "neutral", "none", "policy", "temperror", "permerror"),
    "dkim": ("pass", "fail", "neutral", "none", "policy", "temperror", "permerror"),
    "dmarc": ("pass", "fail", "none", "temperror", "permerror"),
}

# ---- what was sent

SCHEDULED = Metric("mailprobe_scheduled_total", COUNTER, ROUTE, "Slots that came due.")
SKIPPED = Metric(
    "mailprobe_skipped_total", COUNTER, (*ROUTE, "cause"), "Slots that came due and were not used."
)
SENT = Metric("mailprobe_sent_total", COUNTER, ROUTE, "Probes accepted by the final 250.")
GREYLISTED = Metric(
    "mailprobe_greylisted_total",
    COUNTER,
    ROUTE,
    "Attempts deferred as a stranger's, and tried again.",
)
CONFIRMATIONS = Metric(
    "mailprobe_confirmations_total",
    COUNTER,
    (*ROUTE, "outcome"),
    "Probes of a burst, which are sent outside the schedule to confirm a suspicion.",
)

# ---- what became of it

PROBES = Metric("mailprobe_probes_total", COUNTER, ROUTE, "Probes judged, good or bad.")
FAILURES = Metric(
    "mailprobe_probe_failures_total", COUNTER, (*ROUTE, "reason"), "Probes judged bad, each once."
)
UNKNOWN = Metric(
    "mailprobe_probes_unknown_total", COUNTER, (*ROUTE, "cause"), "Probes that can never be judged."
)
DELIVERED = Metric(
    "mailprobe_delivered_total",
    COUNTER,
    (*ROUTE, "folder"),
    "First sightings of probes in the mailbox, on time or not.",
)
LATE = Metric("mailprobe_late_total", COUNTER, ROUTE, "Probes that came after their deadline.")
LOST = Metric("mailprobe_lost_total", COUNTER, ROUTE, "Probes that were accepted and given up.")
DUPLICATES = Metric(
    "mailprobe_duplicates_total", COUNTER, ROUTE, "Further copies of probes that had come before."
)
MISMATCHES = Metric(
    "mailprobe_content_mismatches_total",
    COUNTER,
    (*ROUTE, "part"),
    "Probes of which a part came back different.",
)
BOUNCES = Metric(
    "mailprobe_bounces_total",
    COUNTER,
    (*ROUTE, "status"),
    "Delivery status notifications of failure, by class and subject of the status code.",
)

# ---- how things stand

UNDECIDED = Metric("mailprobe_undecided", GAUGE, ROUTE, "Probes begun and not yet judged.")
IN_FLIGHT = Metric(
    "mailprobe_in_flight", GAUGE, ROUTE, "Probes that were accepted, are unseen and not given up."
)
OVERDUE = Metric(
    "mailprobe_overdue", GAUGE, ROUTE, "Probes in flight that are past their deadline."
)
OLDEST_UNANSWERED = Metric(
    "mailprobe_oldest_unanswered_timestamp_seconds",
    GAUGE,
    ROUTE,
    "When the oldest probe in flight was sent, among those sent after the newest that arrived;"
    " NaN if there is none.",
)
LAST_SUCCESS = Metric(
    "mailprobe_last_success_timestamp_seconds",
    GAUGE,
    ROUTE,
    "When the newest probe that arrived on time was sent; before the first, when the route began.",
)
INTERVAL = Metric("mailprobe_interval_seconds", GAUGE, ROUTE, "Time between probes, as in force.")
DEADLINE = Metric(
    "mailprobe_deadline_seconds",
    GAUGE,
    ROUTE,
    "Time within which a probe must arrive, as in force.",
)
LAST_DELIVERY = Metric(
    "mailprobe_last_delivery_duration_seconds",
    GAUGE,
    ROUTE,
    "Time from acceptance to first sighting of the probe sighted last; NaN before the first.",
)
LAST_PHASE = Metric(
    "mailprobe_last_smtp_phase_duration_seconds",
    GAUGE,
    (*NODE, "phase"),
    "Time that the phase took in the newest attempt which reached it; NaN before the first.",
)

# ---- how long it takes

DELIVERY = Metric(
    "mailprobe_delivery_duration_seconds",
    HISTOGRAM,
    LAST_HOP,
    "Time from acceptance to first sighting. What was given up counts at +Inf, and not in the sum.",
    DELIVERY_BUCKETS,
)
PHASE = Metric(
    "mailprobe_smtp_phase_duration_seconds",
    HISTOGRAM,
    ("relay", "phase"),
    "Time that a phase of the submission took, failed attempts too.",
    PHASE_BUCKETS,
)
HOP = Metric(
    "mailprobe_hop_delay_seconds",
    HISTOGRAM,
    (*LAST_HOP, "hop"),
    "Time from one Received line to the next, by the clocks of the servers that wrote them.",
    DELIVERY_BUCKETS,
)
LAG = Metric(
    "mailprobe_schedule_lag_seconds",
    HISTOGRAM,
    (),
    "Time from a slot to the start of its probe.",
    LAG_BUCKETS,
)

# ---- what is at fault

COMPONENT_STATE = Metric(
    "mailprobe_component_state", GAUGE, (*COMPONENT, "state"), "1 for the current state."
)
FAULT = Metric(
    "mailprobe_fault", GAUGE, (*COMPONENT, "fault"), "1 while the prober names the fault."
)
FAULT_CONFIRMED = Metric(
    "mailprobe_fault_confirmed", GAUGE, (*COMPONENT, "fault"), "1 while the fault may page."
)
FAULT_SINCE = Metric(
    "mailprobe_fault_since_timestamp_seconds",
    GAUGE,
    (*COMPONENT, "fault"),
    "When the fault that is named began; NaN while it is not named.",
)
FAILURE_SHARE = Metric(
    "mailprobe_failure_share_lower_bound_ratio",
    GAUGE,
    COMPONENT,
    "At least this share of the probes fails, with a confidence of 97.5 %; NaN while unknown.",
)

# ---- relays, senders, mailboxes

IMAP_UP = Metric("mailprobe_imap_up", GAUGE, ("mailbox",), "1 while the mailbox can be read.")
IMAP_LAST_OK = Metric(
    "mailprobe_imap_last_ok_timestamp_seconds",
    GAUGE,
    ("mailbox",),
    "When the mailbox was last read; before the first time, when the prober began.",
)
QUOTA = Metric(
    "mailprobe_mailbox_quota_used_ratio",
    GAUGE,
    ("mailbox",),
    "How much of the fullest limit of its quota the mailbox uses; NaN where it has none.",
)
IMAP_CERTIFICATE_END = Metric(
    "mailprobe_imap_tls_certificate_not_after_timestamp_seconds",
    GAUGE,
    ("mailbox",),
    "The earliest end in the certificate chain that the IMAP server showed; NaN if it showed none.",
)
UNMATCHED = Metric(
    "mailprobe_unmatched_total",
    COUNTER,
    ("mailbox", "cause"),
    "Messages that bear a tag and were not taken for ours.",
)
CERTIFICATE_END = Metric(
    "mailprobe_tls_certificate_not_after_timestamp_seconds",
    GAUGE,
    NODE,
    "The earliest end in the certificate chain that the node showed; NaN if it showed none.",
)
AUTH = Metric(
    "mailprobe_auth_results_total",
    COUNTER,
    ("relay", "sender", "mailbox", "method", "result"),
    "What the receiver's trusted Authentication-Results said.",
)
DNS_STATE = Metric(
    "mailprobe_dns_check_state",
    GAUGE,
    ("domain", "check", "state"),
    "1 for the current state of the check, the worst over its subjects; 0 before the first run.",
)
DNS_CHANGED = Metric(
    "mailprobe_dns_record_changed_timestamp_seconds",
    GAUGE,
    ("domain", "check"),
    "When what is published last changed from one run to the next; NaN if it never did.",
)
SPF_LOOKUPS = Metric(
    "mailprobe_spf_lookups",
    GAUGE,
    ("domain",),
    "Terms of the SPF record that cost a lookup, of which 10 are allowed; NaN before it was read.",
)
SPF_VOID = Metric(
    "mailprobe_spf_void_lookups",
    GAUGE,
    ("domain",),
    "Lookups of the SPF record that find nothing, of which 2 are allowed; NaN before it was read.",
)
DNSBL_LISTED = Metric(
    "mailprobe_dnsbl_listed",
    GAUGE,
    ("ip", "list"),
    "1 if the blocklist has the address; NaN while the list is of no use or gave no answer.",
)
DNSBL_USABLE = Metric(
    "mailprobe_dnsbl_usable",
    GAUGE,
    ("list",),
    "1 if the blocklist passed its own test in the last run; NaN before the first.",
)
RELAY_INFO = Metric("mailprobe_relay_info", GAUGE, ("relay", "role"), "1 for each relay.")
SENDER_INFO = Metric("mailprobe_sender_info", GAUGE, ("sender", "domain"), "1 for each sender.")
RESOLVE_LAST_OK = Metric(
    "mailprobe_resolve_last_ok_timestamp_seconds",
    GAUGE,
    ("relay",),
    "When the name of the relay was last resolved; before the first time, when the prober began.",
)

# ---- the prober itself

LOOP_LAST_RUN = Metric(
    "mailprobe_loop_last_run_timestamp_seconds",
    GAUGE,
    ("loop",),
    "When a loop last turned; NaN before the first time.",
)
LOOP_ERRORS = Metric(
    "mailprobe_loop_errors_total", COUNTER, ("loop",), "Errors over which a loop stumbled."
)
JOURNAL_UP = Metric("mailprobe_journal_up", GAUGE, (), "1 while the journal is kept on disk.")
JOURNAL_ERRORS = Metric("mailprobe_journal_errors_total", COUNTER, (), "Errors of the journal.")
CONFLICT = Metric(
    "mailprobe_instance_conflict",
    GAUGE,
    (),
    "1 while another prober uses the name of this instance.",
)
RELOADED = Metric(
    "mailprobe_config_last_reload_successful",
    GAUGE,
    (),
    "1 if the configuration was good when it was last read; else the one before is in force.",
)
TIME = Metric("mailprobe_time_seconds", GAUGE, (), "The clock of the prober at the scrape.")
BUILD_INFO = Metric(
    "mailprobe_build_info", GAUGE, ("version", "revision"), "1 for what is running."
)

CATALOGUE: tuple[Metric, ...] = (
    *(SCHEDULED, SKIPPED, SENT, GREYLISTED, CONFIRMATIONS),
    *(PROBES, FAILURES, UNKNOWN, DELIVERED, LATE, LOST, DUPLICATES, MISMATCHES, BOUNCES),
    *(UNDECIDED, IN_FLIGHT, OVERDUE, OLDEST_UNANSWERED, LAST_SUCCESS, INTERVAL, DEADLINE),
    *(LAST_DELIVERY, LAST_PHASE, DELIVERY, PHASE, HOP, LAG),
    *(COMPONENT_STATE, FAULT, FAULT_CONFIRMED, FAULT_SINCE, FAILURE_SHARE),
    *(IMAP_UP, IMAP_LAST_OK, QUOTA, IMAP_CERTIFICATE_END, UNMATCHED, CERTIFICATE_END, AUTH),
    *(DNS_STATE, DNS_CHANGED, SPF_LOOKUPS, SPF_VOID, DNSBL_LISTED, DNSBL_USABLE),
    *(RELAY_INFO, SENDER_INFO, RESOLVE_LAST_OK),
    *(LOOP_LAST_RUN, LOOP_ERRORS, JOURNAL_UP, JOURNAL_ERRORS, CONFLICT, RELOADED, TIME, BUILD_INFO),
)
"""Every metric of ours, in the order of the README; process_* and python_* come beside them."""

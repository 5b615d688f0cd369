"""What is right with the mail that arrives: authentication, DNS, mailboxes, content."""

from __future__ import annotations

from dashboards.source.board import Board, Row
from dashboards.source.panel import column, graph, table, timeline
from dashboards.source.query import Query
from dashboards.source.word import CHECKS, LISTED, READABLE

_AUTHENTICATION = Row(
    "Authentication at the receiver",
    (
        graph(
            "What did not pass",
            "Results of SPF, DKIM and DMARC other than `pass`, as the receiver wrote them.",
            Query(
                """sum by (sender, method, result) (
                    increase(mailprobe_auth_results_total{<sent>,result!="pass"}[$__rate_interval]))
                > 0""",
                "{{sender}} {{method}} {{result}}",
            ),
            unit="short",
            bars=True,
        ),
        graph(
            "Share that passed",
            "Of all results of a method that the receiver wrote; none where it writes none.",
            Query(
                """sum by (sender, method) (
                    increase(mailprobe_auth_results_total{<sent>,result="pass"}[$__rate_interval]))
                / sum by (sender, method) (
                    increase(mailprobe_auth_results_total{<sent>}[$__rate_interval]))""",
                "{{sender}} {{method}}",
            ),
            unit="percentunit",
        ),
    ),
)

_DNS = Row(
    "DNS of the senders",
    (
        timeline(
            "Checks",
            "The worst over all subjects of a check. `no answer` is never taken for a missing"
            " record.",
            Query(
                """max by (domain, check) (
                    mailprobe_dns_check_state{<domain>,state="none"}
                    + ignoring (state) 2 * mailprobe_dns_check_state{<domain>,state="warn"}
                    + ignoring (state) 3 * mailprobe_dns_check_state{<domain>,state="error"}
                    + ignoring (state) 4 * mailprobe_dns_check_state{<domain>,state="fail"})""",
                "{{domain}} {{check}}",
            ),
            CHECKS,
            height=10,
        ),
        graph(
            "SPF lookups",
            "Receivers give up after 10, and after 2 that find nothing.",
            Query("max by (domain) (mailprobe_spf_lookups{<domain>})", "{{domain}}"),
            Query("max by (domain) (mailprobe_spf_void_lookups{<domain>})", "{{domain}} void"),
            unit="none",
            width=8,
            limit=10,
        ),
        table(
            "Records that changed",
            "How long ago what is published last changed from one run to the next.",
            Query(
                """min by (domain, check) (
                    time() - mailprobe_dns_record_changed_timestamp_seconds{<domain>} >= 0)"""
            ),
            columns=(column("A", "Changed", unit="s"),),
            width=8,
        ),
        table(
            "Blocklists",
            "Addresses that mail is sent from, on lists that passed their own test.",
            Query("max by (ip, list) (mailprobe_dnsbl_listed{<any>} >= 0)"),
            columns=(column("A", "State", means=LISTED),),
            width=8,
        ),
    ),
)

_MAILBOXES = Row(
    "Mailboxes",
    (
        timeline(
            "Can be read",
            "While a mailbox cannot be read, nothing is known of the mail that goes there.",
            Query("min by (mailbox) (mailprobe_imap_up{<mailbox>})", "{{mailbox}}"),
            READABLE,
            width=12,
        ),
        graph(
            "Last read",
            "How long ago the mailbox was last read.",
            Query(
                """max by (mailbox) (
                    time() - mailprobe_imap_last_ok_timestamp_seconds{<mailbox>})""",
                "{{mailbox}}",
            ),
            unit="s",
        ),
        graph(
            "Quota used",
            "Of the limit that is nearest; none where there is no quota.",
            Query(
                "max by (mailbox) (mailprobe_mailbox_quota_used_ratio{<mailbox>})", "{{mailbox}}"
            ),
            unit="percentunit",
            width=8,
            limit=0.9,
        ),
        graph(
            "Certificates of the IMAP servers",
            "Time until the first certificate of the chain ends.",
            Query(
                """min by (mailbox) (
                    mailprobe_imap_tls_certificate_not_after_timestamp_seconds{<mailbox>}
                    - time())""",
                "{{mailbox}}",
            ),
            unit="s",
            width=8,
        ),
        graph(
            "Tagged, and not ours",
            "Messages that bear a tag and were left alone: another prober's, forged, or too old.",
            Query(
                """sum by (mailbox, cause) (
                    increase(mailprobe_unmatched_total{<mailbox>}[$__rate_interval]))""",
                "{{mailbox}} {{cause}}",
            ),
            unit="short",
            width=8,
            bars=True,
        ),
    ),
)

_CONTENT = Row(
    "What arrived",
    (
        graph(
            "Not in the inbox",
            "Share of the messages that came to junk or another folder.",
            Query(
                """1 - sum by (sender, mailbox) (
                    increase(mailprobe_delivered_total{<sent>,folder="inbox"}[$__rate_interval]))
                / sum by (sender, mailbox) (
                    increase(mailprobe_delivered_total{<sent>}[$__rate_interval]))""",
                "{{sender}} to {{mailbox}}",
            ),
            unit="percentunit",
            width=8,
        ),
        graph(
            "Twice, or altered",
            "Further copies of what had come, and messages of which a part came back different.",
            Query(
                """sum by (relay, mailbox) (
                    increase(mailprobe_duplicates_total{<sent>}[$__rate_interval]))""",
                "{{relay}} to {{mailbox}} twice",
            ),
            Query(
                """sum by (relay, mailbox, part) (
                    increase(mailprobe_content_mismatches_total{<sent>}[$__rate_interval]))""",
                "{{relay}} to {{mailbox}} {{part}}",
            ),
            unit="short",
            width=8,
            bars=True,
        ),
        graph(
            "Bounces",
            "By status code: 4.x and 5.2.2 are the mailbox, 5.7 is policy or reputation. The first"
            " bounce of a status begins its series, so that it is none of the bars.",
            Query(
                """sum by (relay, mailbox, status) (
                    increase(mailprobe_bounces_total{<sent>}[$__rate_interval]))""",
                "{{relay}} to {{mailbox}} {{status}}",
            ),
            unit="short",
            width=8,
            bars=True,
        ),
    ),
)

BOARD = Board(
    "domains",
    "Authentication, DNS, mailboxes",
    "What receivers think of the mail, what is published about its senders, and whether it can be"
    " read.",
    ("relay", "sender", "domain", "mailbox"),
    (_AUTHENTICATION, _DNS, _MAILBOXES, _CONTENT),
)

"""What the status page and the API say of the senders' domains."""

from __future__ import annotations

import json
import re

from probe.core.model import State
from probe.core.records.check import Check, CheckKind, CheckState
from probe.core.records.history import RecordChange, Unit
from probe.core.status import DomainStatus, Status
from probe.edges.web.api import status_json
from probe.edges.web.page import page

NOW = 1_795_316_765.0
GOOD = Check(CheckKind.MX, "shop.example", CheckState.OK, "Mail goes somewhere.")
BAD = Check(CheckKind.SPF, "shop.example", CheckState.FAIL, "There is <b>no</b> record.", ("x",))
CHANGE = RecordChange(Unit(CheckKind.SPF, "shop.example"), ("v=spf1 -all",), (), NOW - 300)


def status(*domains: DomainStatus) -> Status:
    return Status(State.OK, NOW - 60, domains=domains)


def test_the_page_shows_what_is_not_well_and_what_changed() -> None:
    shown = page(status(DomainStatus("shop.example", (GOOD, BAD), (CHANGE,))), NOW)
    assert "fail: spf shop.example: There is &lt;b&gt;no&lt;/b&gt; record." in shown
    assert "spf shop.example changed 5 min ago: v=spf1 -all became nothing" in shown
    assert "Mail goes somewhere" not in shown


def test_what_is_said_of_a_domain_has_more_than_one_column_of_the_list() -> None:
    rules = re.findall(r"([^{}]+)\{([^{}]*)\}", page(status(), NOW))
    own = [what for which, what in rules if ".past .evidence" in which]
    assert [re.findall(r"grid-column: (\d) / -1", what) for what in own] == [["2"], ["1"]]


def test_the_worst_comes_first_and_what_is_not_checked_says_so() -> None:
    well, new = DomainStatus("a.example", (GOOD,), ()), DomainStatus("b.example", (), ())
    shown = page(status(well, new, DomainStatus("z.example", (BAD,), ())), NOW)
    assert shown.index("z.example") < shown.index("a.example") < shown.index("b.example")
    assert "not checked yet" in shown
    assert "DNS of the senders" not in page(status(), NOW)


def test_the_api_has_the_checks_as_the_command_shows_them_and_the_changes() -> None:
    read = json.loads(status_json(status(DomainStatus("shop.example", (BAD,), (CHANGE,)))))
    assert read["dns"] == [
        {
            "domain": "shop.example",
            "state": "fail",
            "checks": [
                {
                    "check": "spf",
                    "subject": "shop.example",
                    "state": "fail",
                    "summary": BAD.summary,
                    "evidence": ["x"],
                }
            ],
            "changes": [
                {
                    "check": "spf",
                    "subject": "shop.example",
                    "when": "2026-11-22T03:01:05Z",
                    "old": ["v=spf1 -all"],
                    "new": [],
                }
            ],
        }
    ]

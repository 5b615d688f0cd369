"""Who is paged for what, how often, and whether it is true: with real faults and real servers.

`CALM=900 make test ARGS=tests/live/test_pages.py` is healthy for a quarter of an hour before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.live.night import CALM, OURS, OVER, PAGED, QUIET, UP, WORSENS, Course, Night
from tests.live.replay import SUSPECT
from tests.live.world import World

pytestmark = pytest.mark.timeout(CALM + 2 * PAGED + OVER + 4 * UP)

# s that a machine with too much to do may add to what is promised. How long it takes on one that
# has not is printed.
BUSY = 90.0
# s from the scrape in which a fault is confirmed: the rules are looked at, and the group waits.
PASSED_ON = 5.0 + 5.0
AGREED = timedelta(seconds=2)  # Between two that cut off fractions of a second.
QUARTER = 180  # Probes of a quarter of an hour, at 15 s through three nodes.


@pytest.fixture(scope="module")
def night() -> Iterator[Night]:
    """One night, in which all of it happens."""
    with World() as world:
        yield Course(world).run()


def one_page(night: Night, job: str, within: float) -> dict[str, str]:
    """There was exactly one page in time, and one word that it is over; what its alert says."""
    pages = night.pages(job)
    firing = [one for one in pages if one.is_firing]
    assert len(firing) == 1, f"{len(firing)} pages\n{night.told(job)}"
    (page,) = firing
    seconds = page.moment - night.spoilt[job]
    over = pages[-1].moment - night.mended[job]
    print(f"{job}: paged after {seconds:.1f} s, over {over:.1f} s after it was mended")
    assert seconds <= within + BUSY, f"after {seconds:.1f} s\n{night.told(job)}"
    assert [one.is_firing for one in pages] == [True, False], night.told(job)
    assert len(page.alerts) == 1, night.told(job)
    (alert,) = page.alerts
    print(alert["annotations"]["summary"], alert["annotations"]["description"], sep="\n")
    return {**alert["labels"], **alert["annotations"]}


def accused(night: Night, job: str, page: dict[str, str]) -> dict[str, Any]:
    """The component that the page is about, as the prober's status told it then."""
    keys = ("kind", "relay", "node", "sender", "mailbox", "flow")
    told = night.status[job]["components"]
    found = [one for one in told if all(one[key] == page.get(key, "") for key in keys)]
    assert len(found) == 1, f"{page}\n{told}"
    return dict(found[0])


def is_true(night: Night, job: str, page: dict[str, str]) -> None:
    """What the page claims is what the prober's status tells."""
    component = accused(night, job, page)
    assert page["fault"] in component["faults"]
    assert component["confirmed"]
    said = page["description"]
    assert abs(since(said) - datetime.fromisoformat(component["since"])) < AGREED, component
    for share in re.findall(r"At least (\d+) %", said):
        assert int(share) <= 100 * component["failing_share"][1] + 1
    states = {one["node"]: one["state"] for one in night.status[job]["components"] if one["node"]}
    for names in re.findall(r"Not affected: its nodes? ([^.]*)\.", said):
        assert {states[name] for name in names.split(", ")} == {"ok"}


def since(said: str) -> datetime:
    """Since when it is, by the words of a description."""
    (moment,) = re.findall(r"since (\d\d:\d\d:\d\d) UTC on (\d+ \w+)", said)
    year = datetime.now(UTC).year
    return datetime.strptime(f"{' '.join(moment)} {year} +0000", "%H:%M:%S %d %B %Y %z")


def test_a_frozen_node_is_one_page(night: Night) -> None:
    page = one_page(night, "frozen", 60.0)
    assert (page["alertname"], page["node"], page["fault"]) == (
        "MailProbeNodeAtFault", SUSPECT, "holding",
    )  # fmt: skip
    is_true(night, "frozen", page)
    assert f"Node {SUSPECT} of relay pool accepts mail and holds it, since " in page["description"]
    assert "Not affected: its nodes n1, n3." in page["description"]
    assert page["runbook_url"].endswith("/runbooks/MailProbeNodeAtFault")
    assert page["dashboard_url"].endswith(f"&var-relay=pool&var-node={SUSPECT}")


def test_what_is_confirmed_is_passed_on_at_once(night: Night) -> None:
    (page, _) = night.pages("frozen")
    seconds = night.ask('timestamp(max(mailprobe_fault_confirmed{job="frozen"}) == 1)')[0][1]
    (alert,) = page.alerts
    began = datetime.fromisoformat(alert["startsAt"]).timestamp()
    print(f"the rule fired {began - seconds[0]:.1f} s after the scrape")
    assert began - seconds[0] <= PASSED_ON + BUSY


def test_a_stopped_node_is_one_page(night: Night) -> None:
    page = one_page(night, "stopped", 90.0)
    assert (page["alertname"], page["node"], page["fault"]) == (
        "MailProbeNodeAtFault", SUSPECT, "unreachable",
    )  # fmt: skip
    is_true(night, "stopped", page)


def test_a_slow_node_is_one_page(night: Night) -> None:
    page = one_page(night, "slow", 100.0)
    assert (page["alertname"], page["node"], page["fault"]) == (
        "MailProbeNodeAtFault", SUSPECT, "slow",
    )  # fmt: skip
    is_true(night, "slow", page)


def test_a_slow_node_that_then_holds_is_a_second_page(night: Night) -> None:
    pages = night.pages(WORSENS)
    slow, holding = night.firing(WORSENS)
    print(f"{WORSENS}: paged again after {holding.moment - night.worsened:.1f} s")
    assert [one["labels"]["fault"] for one in slow.alerts + holding.alerts] == ["slow", "holding"]
    assert {one["labels"]["node"] for one in slow.alerts + holding.alerts} == {SUSPECT}
    assert slow.key != holding.key, "a service would not ring"
    assert holding.moment - night.worsened <= 150.0 + BUSY, night.told(WORSENS)
    assert [one.is_firing for one in pages] == [True, True, False, False], night.told(WORSENS)


def test_one_failure_in_six_is_one_page(night: Night) -> None:
    page = one_page(night, "sixth", 150.0)
    assert (page["alertname"], page["node"]) == ("MailProbeNodeAtFault", SUSPECT)
    is_true(night, "sixth", page)
    # On a machine with too much to do some probes are late as well.
    assert "refusing" in accused(night, "sixth", page)["faults"]
    assert page["summary"].startswith(f"Node {SUSPECT} of relay pool sometimes ")
    (share,) = re.findall(r"At least (\d+) % of its probes fail", page["description"])
    assert 0 < int(share) <= 30, "one in six fails, and what is late besides"


def test_a_whole_relay_is_one_page_and_not_one_for_each_node(night: Night) -> None:
    page = one_page(night, "relay", 100.0)
    assert (page["alertname"], page["relay"], page["fault"]) == (
        "MailProbeRelayAtFault", "pool", "unreachable",
    )  # fmt: skip
    is_true(night, "relay", page)


def test_a_certificate_with_two_days_left_is_one_page(night: Night) -> None:
    page = one_page(night, "certificate", 100.0)
    assert (page["alertname"], page["node"], page["fault"]) == (
        "MailProbeNodeAtFault", SUSPECT, "insecure",
    )  # fmt: skip
    is_true(night, "certificate", page)


def test_a_dns_record_that_is_gone_is_one_page(night: Night) -> None:
    page = one_page(night, "record", 120.0)
    assert (page["alertname"], page["sender"], page["fault"]) == (
        "MailProbeSenderAtFault", "record", "dns",
    )  # fmt: skip
    is_true(night, "record", page)
    (domain,) = night.status["record"]["dns"]
    assert "fail" in [one["state"] for one in domain["checks"] if one["check"] == "spf"]


@pytest.mark.parametrize("job", sorted(QUIET))
def test_nobody_is_paged_for_this(night: Night, job: str) -> None:
    """One unreadable mailbox, a node that restarts, and nothing at all."""
    assert not night.pages(job), night.told(job)


def test_as_many_probes_as_of_a_quarter_of_an_hour_make_no_alert(night: Night) -> None:
    (probes,) = night.ask('sum(mailprobe_probes_total{job="healthy"})')
    assert max(probes[1]) >= QUARTER
    assert night.ask('ALERTS{job="healthy",severity="critical",alertstate="firing"}') == []
    assert night.ask('mailprobe_fault_confirmed{job="healthy"} == 1') == []


def test_a_page_reads_well(night: Night) -> None:
    """The templates: what is wrong, what to do, where to look; and that it is over."""
    said = [one.content["attachments"][0] for one in night.board.calls["/words"]]
    title = f"Node {SUSPECT} of relay pool accepts mail and holds it."
    page, _ = [one for one in said if one["title"] == title]  # The other one was slow before.
    assert page["text"].startswith(title.rstrip("."))
    assert "\nWhat to do: http://" in page["text"]
    assert "\nWhat it looks like: http://" in page["text"]
    assert f"Over: {title}" in [one["title"] for one in said]


def test_a_dead_prober_is_a_page_and_its_heart_stands_still(night: Night) -> None:
    page = one_page(night, OURS, 90.0)
    assert page["alertname"] == "MailProbeDown"
    before, dead, after = night.beats
    assert before == dead > 0, "it beats until it is killed"
    assert after > dead, "and again when it is back"


def test_the_dead_mans_switch_hears_from_alertmanager(night: Night) -> None:
    assert night.board.calls["/watchdog"]

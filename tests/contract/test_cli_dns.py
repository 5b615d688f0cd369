"""`mailprobe dns` on the command line: usage, lines, and what a terminal may be shown."""

from __future__ import annotations

import pytest

from probe.cli_dns import finding, lines, summary
from probe.core.records.check import Check, CheckKind, CheckState, DomainPlan
from tests.contract.test_cli import mailprobe


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "DOMAIN"),
        (["a b"], "'a b' is not the name of a domain"),
        (["192.0.2.1"], "is not the name of a domain"),
        (["shop.test", "--ip", "192.0.2"], "'192.0.2' does not appear to be an IPv4 or IPv6"),
        (["shop.test", "--ip", "fe80::1%eth0"], "leave out the %"),
        (["shop.test", "--selector", "a..b"], "'a..b' is not the name"),
        (["shop.test", "--dnsbl", "x y"], "'x y' is not the name"),
        (["shop.test", "--helo", "-"], "'-' is not the name"),
        (["shop.test", "--resolver", "a:b:c"], "'a:b:c' is not a DNS server"),
        (["shop.test", "--resolver", "127.0.0.1:70000"], "is not a DNS server"),
        (["shop.test", "--json=x"], "--json"),
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[str], said: str) -> None:
    end = mailprobe("dns", *arguments)
    assert (end.returncode, end.stdout) == (2, "")
    assert said in end.stderr


def check(state: CheckState, text: str) -> Check:
    return Check(CheckKind.SPF, "shop.test", state, f"{text}.", (f"{text} evidence",))


def test_lines_show_the_evidence_of_what_is_not_well() -> None:
    shown = list(lines([check(CheckState.OK, "a"), check(CheckState.FAIL, "b\x1b[2J")]))
    assert shown == [
        "ok     spf      shop.test  a.",
        "fail   spf      shop.test  b?[2J.",
        "       b?[2J evidence",
    ]


def test_the_summary_says_what_was_not_looked_at() -> None:
    bare = DomainPlan("shop.test")
    full = DomainPlan("shop.test", ("s1",), ("192.0.2.1",))
    well = [check(CheckState.OK, "a")]
    assert summary(full, well) == "shop.test is well."
    assert "no DKIM key without --selector, no sending address without --ip" in summary(bare, well)
    assert summary(full, [check(CheckState.FAIL, "a")]) == "shop.test is not well."


def test_what_a_check_of_all_says_of_a_domain() -> None:
    well, wrong, dark = (check(CheckState(state), "a") for state in ("ok", "fail", "error"))
    assert finding("shop.test", [well]) == ""
    assert finding("shop.test", [wrong, dark]) == "The DNS of shop.test is not well: spf."
    assert finding("shop.test", [dark]) == "The DNS of shop.test could not be found out: spf."

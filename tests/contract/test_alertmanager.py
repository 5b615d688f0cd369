"""Alertmanager's configuration: where pages go, and that they do not go by the mail we probe."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from probe.cli import main
from tests.dns_server import records, scripted_dns

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "deploy" / "alertmanager" / "alertmanager.yml"
OURS = """\
instance: fra1
tag_key: sixteen characters
resolvers: ["RESOLVER"]
relays: {pool: {host: smtp.corp.example, nodes: [n1=192.0.2.11]}}
senders: {shop: {address: probe@shop.example}}
mailboxes:
  corp:
    address: probe@corp.example
    imap: {host: imap.corp.example, username: probe, password: secret}
"""
THEIRS = """\
global: {smtp_smarthost: 'GLOBAL', smtp_from: a@corp.example}
x-mail: &mail {to: b@corp.example, require_tls: true}
route: {receiver: pager}
receivers:
  - name: pager
    webhook_configs: [{url: 'http://x.example'}]
  - name: people
    email_configs:
      - <<: *mail
        ENTRY
"""


async def check(tmp_path: Path, theirs: Path | str) -> int:
    """The exit code; `alias.example` is another name of the relay's node."""
    ours = tmp_path / "mailprobe.yaml"
    async with scripted_dns() as dns:
        alias = records("alias.example 60 A 192.0.2.11")
        dns.script("alias.example", a=alias, aaaa=records())
        ours.write_text(OURS.replace("RESOLVER", dns.address))
        command = ["config", "check", str(ours), "--alertmanager", str(theirs)]
        return await asyncio.to_thread(main, command)


def written(tmp_path: Path, common: str, own: str) -> Path:
    path = tmp_path / "alertmanager.yml"
    path.write_text(THEIRS.replace("GLOBAL", common).replace("ENTRY", own))
    return path


@pytest.mark.parametrize(
    ("common", "own"),
    [
        ("smtp.corp.example:587", "text: ''"),
        ("SMTP.corp.example.:25", "text: ''"),
        ("other.example:25", "smarthost: 'smtp.corp.example:2525'"),
        ("other.example:25", "smarthost: '192.0.2.11:25'"),
        ("192.0.2.11:25", "text: ''"),
        ("alias.example:25", "text: ''"),
    ],
)
async def test_mail_through_a_probed_relay_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], common: str, own: str
) -> None:
    assert await check(tmp_path, written(tmp_path, common, own)) == 2
    said = capsys.readouterr().err
    assert f"{tmp_path}/alertmanager.yml:9: receiver 'people' sends its mail through" in said
    assert "relay 'pool'" in said


@pytest.mark.parametrize(
    ("common", "own"),
    [
        ("mail.elsewhere.example:587", "text: ''"),
        ("smtp.corp.example:587", "smarthost: '198.51.100.1:25'"),
        ("198.51.100.1:25", "text: ''"),
    ],
)
async def test_mail_through_another_server_is_fine(tmp_path: Path, common: str, own: str) -> None:
    assert await check(tmp_path, written(tmp_path, common, own)) == 0


async def test_a_file_that_is_not_there_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await check(tmp_path, "/no/file") == 2
    assert "/no/file: cannot be read" in capsys.readouterr().err


async def test_ours_sends_no_mail_at_all(tmp_path: Path) -> None:
    assert await check(tmp_path, SHIPPED) == 0


# ---- what ships


def amtool(*arguments: str) -> str:
    assert shutil.which("amtool"), "amtool is missing: `make test` installs it"
    end = subprocess.run(["amtool", *arguments], capture_output=True, text=True, timeout=30)
    assert end.returncode == 0, end.stdout + end.stderr
    return end.stdout


def test_alertmanager_takes_it() -> None:
    assert "FAILED" not in amtool("check-config", str(SHIPPED))


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        (["alertname=MailProbeWatchdog", "severity=info"], "dead-mans-switch"),
        (["alertname=MailProbeNodeAtFault", "severity=critical"], "page-office,page-on-call"),
        (["alertname=MailProbeDown", "severity=critical"], "page-office,page-on-call"),
        (["alertname=MailProbeLost", "severity=warning"], "tickets"),
        (["alertname=MailProbeBacklogDraining", "severity=info"], "nobody"),
    ],
)
def test_who_is_told(labels: list[str], receivers: str) -> None:
    amtool(
        "config",
        "routes",
        "test",
        f"--config.file={SHIPPED}",
        f"--verify.receivers={receivers}",
        *labels,
    )


def test_what_inhibits_and_what_is_inhibited_exists() -> None:
    rules = "".join(path.read_text() for path in (ROOT / "deploy/prometheus/rules").glob("*.yml"))
    alerts = set(re.findall(r"- alert: (\w+)", rules))
    named = set()
    for one, several in re.findall(
        r'alertname=~?"MailProbe(?:(\w+)|\(([\w|]+)\))"', SHIPPED.read_text()
    ):
        named |= {f"MailProbe{name}" for name in (several or one).split("|")}
    assert len(named) > 20
    assert named <= alerts


Labels = dict[str, str]


def alert(name: str, **labels: str) -> Labels:
    return {"alertname": f"MailProbe{name}", "job": "mailprobe", "instance": "fra", **labels}


def matches(matcher: str, labels: Labels) -> bool:
    """As Alertmanager does it: a label that is missing is empty."""
    found = re.fullmatch(r'(\w+)(=~|!=|=)"(.*)"', matcher)
    assert found, matcher
    name, operator, value = found.groups()
    pattern = value if operator == "=~" else re.escape(value)
    return bool(re.fullmatch(pattern, labels.get(name, ""))) is not (operator == "!=")


def inhibits(source: Labels, target: Labels) -> bool:
    """Whether one hides the other."""

    def applies(rule: dict[str, Any]) -> bool:
        return (
            all(matches(one, source) for one in rule["source_matchers"])
            and all(matches(one, target) for one in rule["target_matchers"])
            and all(source.get(one, "") == target.get(one, "") for one in rule["equal"])
        )

    return any(map(applies, YAML(typ="safe", pure=True).load(SHIPPED)["inhibit_rules"]))


N2 = {"relay": "pool", "node": "n2"}
HOLDING = alert("NodeAtFault", fault="holding", **N2)
SILENT = alert("RelayNodeNotDelivering", fault="holding", **N2)
BLIND = alert("MailboxUnreadable", mailbox="corp", fault="unreadable")
ENDING = alert("CertificateExpiringSoon", fault="insecure", **N2)
REFUSED = alert("RouteAtFault", mailbox="corp", fault="refusing", **N2)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (alert("RelayAtFault", relay="pool", fault="holding"), HOLDING),
        (alert("RelayAtFault", relay="pool", fault="unreachable"), HOLDING),
        (alert("RelayAtFault", relay="pool", fault="holding"), SILENT),
        (alert("RelayAtFault", relay="pool", fault="insecure"), ENDING),
        (alert("NodeAtFault", fault="insecure", **N2), ENDING),
        (HOLDING, SILENT),
        (HOLDING, alert("RelayPartialFailure", relay="pool")),
        (BLIND, alert("RouteAtFault", mailbox="corp", fault="holding", **N2)),
        (BLIND, alert("Lost", mailbox="corp", **N2)),
    ],
)
def test_what_is_implied_is_hidden(source: Labels, target: Labels) -> None:
    assert inhibits(source, target)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (alert("RelayAtFault", relay="pool", fault="insecure"), HOLDING),
        (alert("RelayAtFault", relay="pool", fault="slow"), HOLDING),
        (alert("RelayAtFault", relay="pool", fault="slow"), REFUSED),
        (alert("RelayAtFault", relay="pool", fault="holding"), ENDING),
        (alert("RelayAtFault", relay="spare", fault="unreachable"), HOLDING),
        (alert("NodeAtFault", fault="insecure", **N2), SILENT),
        (alert("NodeAtFault", fault="insecure", **N2), alert("RelayPartialFailure", relay="pool")),
        (BLIND, REFUSED),
        (BLIND, alert("MailboxPartialFailure", mailbox="corp")),
        ({**BLIND, "instance": "ams"}, alert("Lost", mailbox="corp", **N2)),
        (alert("Down"), HOLDING),
    ],
)
def test_what_is_news_is_not_hidden(source: Labels, target: Labels) -> None:
    assert not inhibits(source, target)


# ---- what is one page


Route = dict[str, Any]


def ends(route: Route, labels: Labels) -> list[Route]:
    """The routes at which an alert ends, with the matchers on the way; times are not inherited."""
    found: list[Route] = []
    for child in route.get("routes", ()):
        if all(matches(one, labels) for one in child["matchers"]):
            inherited = {key: route[key] for key in ("receiver", "group_by")}
            way = [*route.get("way", ()), child["matchers"]]
            found += ends({**inherited, **child, "way": way}, labels)
            if not child.get("continue"):
                break
    return found or [route]


def page(labels: Labels) -> list[tuple[str, object]]:
    """Receivers, each with what tells its page from others: Alertmanager's key of a group."""
    root = YAML(typ="safe", pure=True).load(SHIPPED)["route"]
    return [
        (end["receiver"], (end["way"], {one: labels.get(one, "") for one in end["group_by"]}))
        for end in ends(root, {"severity": "critical", **labels})
    ]


SLOW = alert("NodeAtFault", kind="node", fault="slow", **N2)
POOL = alert("RelayAtFault", kind="relay", relay="pool", fault="holding")
DOWN = alert("Down", kind="prober")
NOTHING = alert("AllRoutesFailing", kind="relay", fault="holding")
BLIND = alert("AllMailboxesUnreadable", kind="mailbox", fault="unreadable")
GONE = alert("DNSCheckFailing", kind="sender", domain="shop.example", check="spf", fault="dns")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (HOLDING, POOL),
        (HOLDING, {**HOLDING, "node": "n1", "fault": "refusing"}),
        (HOLDING, {**HOLDING, "instance": "ams"}),
        (HOLDING, alert("RelayPartialFailure", kind="relay", relay="pool", fault="intermittent")),
        (SLOW, alert("RelaySlowAccept", kind="node", fault="slow", **N2)),
        (GONE, {**GONE, "check": "dmarc"}),
        (NOTHING, {**NOTHING, "instance": "ams"}),
        (BLIND, {**BLIND, "instance": "ams"}),
        (alert("Stalled", loop="sender"), alert("Stalled", loop="watcher")),
    ],
)
def test_what_belongs_together_is_one_page(one: Labels, other: Labels) -> None:
    assert page(one) == page(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (SLOW, HOLDING),
        (SLOW, ENDING),
        (ENDING, HOLDING),
        (POOL, {**POOL, "relay": "spare"}),
        (DOWN, {**DOWN, "instance": "ams"}),
        (DOWN, BLIND),
        (DOWN, NOTHING),
        (DOWN, GONE),
        (DOWN, alert("FlowSilent", kind="flow", flow="digest", fault="silent")),
        (GONE, NOTHING),
        (GONE, {**GONE, "domain": "news.example"}),
    ],
)
def test_what_calls_anew_is_another_page(one: Labels, other: Labels) -> None:
    for (receiver, first), (same, second) in zip(page(one), page(other), strict=True):
        assert receiver == same
        assert first != second


@pytest.mark.parametrize("labels", [HOLDING, SLOW, DOWN, NOTHING, GONE], ids=str)
def test_a_page_has_one_key_by_day_and_by_night(labels: Labels) -> None:
    root = YAML(typ="safe", pure=True).load(SHIPPED)["route"]
    office, on_call = ends(root, {"severity": "critical", **labels})
    assert (office["receiver"], on_call["receiver"]) == ("page-office", "page-on-call")
    assert (office["way"], office["group_by"]) == (on_call["way"], on_call["group_by"])
    assert office["active_time_intervals"] == on_call["mute_time_intervals"] == ["office-hours"]

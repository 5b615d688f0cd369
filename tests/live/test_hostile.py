"""The whole prober among hostile peers, and on ground that is taken away from under it."""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.edges.journal_world import small_disk
from tests.live.hostile import SECRET, Stage, rude_nodes
from tests.live.prober import KEY, RECIPIENT, SENDER, Prober, Scrape
from tests.live.world import LOOPBACK, World

pytestmark = pytest.mark.timeout(120)

MEGABYTE = 1 << 20
VALUE = r'(?:"(?:[^"\\]|\\.)*"|[^\s"=\\]*)'
LOGFMT = re.compile(rf"ts=\S+ level=\w+ logger=[\w.]+ msg={VALUE}(?: [A-Za-z0-9_.]+={VALUE})*")
TIMEOUTS = {"connect_timeout", "greeting_timeout", "timeout", "ack_lost"}
TAGS = {
    *("html", "head", "meta", "title", "style", "body", "header", "h1", "p", "ul", "li", "b"),
    *("span", "small", "svg", "path", "br", "footer", "a", "section", "article", "h2", "h3"),
    *("dl", "div", "dt", "dd", "time"),
}


@pytest.fixture
def stage(world: World) -> Stage:
    return world.run(Stage())


def relay(nodes: dict[str, int], *, limit: str = "10s", **more: object) -> dict[str, object]:
    """A relay of these nodes, told by name and port, each phase of which has this limit."""
    listed = [f"{name}={LOOPBACK}:{port}" for name, port in nodes.items()]
    timeouts = {"connect": limit, "greeting": limit, "command": limit, "hard": limit}
    own = {"host": "mx.test", "tls": "none", "helo": "prober.test"}
    return {**own, "nodes": listed, "timeouts": timeouts, **more}


def mailbox(port: int, name: str = "corp") -> dict[str, object]:
    """A mailbox whose server listens at this port."""
    imap = {
        "host": LOOPBACK,
        "port": port,
        "tls": "none",
        "username": "probe",
        "password": SECRET,
    }
    folders = {"junk": "none"}
    return {"address": RECIPIENT.replace("corp", name.replace("_", "-")), "imap": imap,
            "folders": folders, "authserv_id": "mx.corp.test"}  # fmt: skip


def settings(relays: dict[str, object], mailboxes: dict[str, object]) -> dict[str, object]:
    """Every relay sends to corp, every 2 s through each node."""
    return {
        "instance": "live",
        "tag_key": KEY,
        "defaults": {"interval": "2s", "deadline": "20s", "give_up": "10m"},
        "relays": relays,
        "senders": {"shop": {"address": SENDER}},
        "mailboxes": mailboxes,
        "routes": [{"relay": name, "mailbox": "corp"} for name in relays],
    }


def well(stage: Stage) -> dict[str, object]:
    """A relay and a mailbox with nothing wrong."""
    pool = relay({"polite": stage.ports["other"]["polite"]})
    often = {"defaults": {"interval": "1s", "deadline": "20s", "give_up": "10m"}}
    return settings({"pool": pool}, {"corp": mailbox(stage.ports["mailbox"]["plain"])}) | often


# ---- hostile peers


def test_hostile_peers_do_no_harm(world: World, stage: Stage) -> None:
    ports = stage.ports
    relays = {
        "rude": relay(ports["rude"]),
        "silent": relay(ports["silent"], limit="1s"),
        "evil": relay(ports["evil"]),
        "bouncing": relay({"n": ports["other"]["bouncing"]}),
        "login": relay({"n": ports["other"]["login"]}, username="probe", password=SECRET),
    }
    mailboxes = {n: mailbox(port, n) for n, port in ports["mailbox"].items() if n != "plain"}
    changes = settings(relays, mailboxes)
    for route in changes["routes"]:
        if route["relay"] in ("rude", "silent"):
            route["deadline"] = "3s"  # What was taken there never comes.
    prober = world.run(Prober(world, changes))
    watch = Watch(prober)
    prober.expect(lambda: not list(untried(watch.look(), stage)), "every node was tried")
    settled = watch.memory
    for _ in range(5):
        last = watch.look()
    assert "&lt;script&gt;" in prober.get("/"), "what the servers said is shown"
    assert watch.memory - settled < 30 * MEGABYTE
    assert watch.peak < 150 * MEGABYTE, f"{watch.peak / MEGABYTE:.0f} MB"
    assert last.sum("mailprobe_probe_failures_total", reason="prober_error") == 0
    assert last.sum("mailprobe_loop_errors_total") == 0, prober.log_end()
    assert last.unbalanced() == []
    readable = {labels["mailbox"] for labels, up in last.samples("mailprobe_imap_up") if up}
    assert readable == {"corp"}
    code, seconds = prober.stop()
    assert code == 0 and seconds < 5
    check_log(prober.log)


def untried(scrape: Scrape, stage: Stage) -> Iterator[str]:
    """The nodes that have not done yet what they are for; fails where one did something else."""
    reasons: dict[tuple[str, str], set[str]] = defaultdict(set)
    for labels, count in scrape.samples("mailprobe_probe_failures_total"):
        if count:
            reasons[labels["relay"], labels["node"]].add(labels["reason"])
    allowed = {("rude", node): reasons for node, (_, reasons) in rude_nodes().items()}
    allowed |= {("silent", node): TIMEOUTS for node in stage.ports["silent"]}
    allowed |= {("bouncing", "n"): {"bounced"}, ("login", "n"): {"auth_rejected"}}
    for way, found in reasons.items():
        assert found <= allowed.get(way, set()), f"{way} failed for {found}"
    yield from (str(way) for way in allowed if way not in reasons)
    for node in stage.ports["evil"]:
        if not scrape.sum("mailprobe_delivered_total", relay="evil", node=node):
            yield node


class Watch:
    """Looks at everything that a prober shows, again and again."""

    def __init__(self, prober: Prober) -> None:
        self._prober = prober

    def look(self) -> Scrape:
        """One look at all pages; the metrics of that moment."""
        time.sleep(0.2)  # Whoever is asked without a pause does nothing else.
        assert self._prober.get("/-/healthy") == "healthy\n"
        check_page(self._prober.get("/"))
        assert self._prober.status()["routes"]
        url = f"http://{LOOPBACK}:{self._prober.port}/metrics"
        wanted = Request(url, headers={"Accept": "application/openmetrics-text"})
        with urlopen(wanted, timeout=10) as answer:
            assert list(text_string_to_metric_families(answer.read().decode()))
        scrape = self._prober.scrape()
        assert SECRET not in scrape.text and "forged" not in scrape.text
        return scrape

    @property
    def memory(self) -> int:
        """Resident memory, in bytes."""
        return self._status("VmRSS")

    @property
    def peak(self) -> int:
        """The most that it ever was."""
        return self._status("VmHWM")

    def _status(self, name: str) -> int:
        text = Path(f"/proc/{self._prober.pid}/status").read_text()
        found = re.search(rf"^{name}:\s+(\d+) kB$", text, re.MULTILINE)
        assert found
        return int(found[1]) * 1024


def check_page(text: str) -> None:
    """Nothing in the page but what we wrote, and text."""

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
            assert tag in TAGS, f"<{tag}> is not ours"
            assert not [name for name, _ in attributes if name.startswith("on")]

    page = Tags()
    page.feed(text)
    page.close()
    strange = {character for character in text if not character.isprintable()} - {"\n"}
    assert not strange, f"the page holds {strange}"
    assert SECRET not in text


def check_log(path: Path) -> None:
    """Every line is logfmt, without control characters, secrets and forged levels."""
    text = path.read_text("utf-8")
    strange = {character for character in text if not character.isprintable()} - {"\n"}
    assert not strange, f"the log holds {strange}"
    lines = text.splitlines()
    wrong = [line for line in lines if not LOGFMT.fullmatch(line)]
    assert not wrong, f"{len(wrong)} lines are no logfmt, such as {wrong[0][:500]}"
    assert not [line for line in lines if re.match(r"ts=\S+ level=error ", line)], "nothing broke"
    assert SECRET not in text and "Traceback" not in text
    assert "<script>" in text, "what the servers said is told"


# ---- ground that is taken away


def test_a_full_disk_stops_nobody(world: World, stage: Stage) -> None:
    with small_disk(world.folder("mnt") / "disk", "512k") as disk:
        prober = world.run(Prober(world, well(stage) | {"journal": f"{disk}/journal.sqlite3"}))
        prober.expect(lambda: delivered(prober) >= 2, "probes arrive")
        assert prober.scrape().sum("mailprobe_journal_up") == 1
        fill(disk / "ballast")
        prober.expect(lambda: not prober.scrape().sum("mailprobe_journal_up"), "the disk is full")
        before = delivered(prober)
        prober.expect(lambda: delivered(prober) >= before + 3, "probing goes on")
        assert prober.scrape().sum("mailprobe_journal_errors_total") >= 1
        assert prober.get("/-/healthy")
        (disk / "ballast").unlink()
        prober.expect(lambda: prober.scrape().sum("mailprobe_journal_up") == 1, "it recovers")
        scrape = prober.scrape()
        assert scrape.unbalanced() == []
        assert scrape.sum("mailprobe_probe_failures_total") == 0, prober.log_end()
        assert prober.stop()[0] == 0


def delivered(prober: Prober) -> float:
    return prober.scrape().sum("mailprobe_delivered_total")


def fill(path: Path) -> None:
    """Use up the space of a disk."""
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            return


def test_a_second_process_says_what_is_taken(world: World, stage: Stage) -> None:
    first = world.run(Prober(world, well(stage)))
    journal = f"{first.home}/journal.sqlite3"
    second = Prober(world, well(stage) | {"journal": journal})
    listen = f"{LOOPBACK}:{first.port}"
    third = Prober(world, well(stage) | {"web": {"listen": listen}})
    second.launch()
    third.launch()
    assert (second.wait(), third.wait()) == (1, 1)
    assert last_words(second).startswith("mailprobe: ")
    assert journal in last_words(second)
    assert last_words(third) == f"mailprobe: web.listen: {listen} is taken by another process"
    assert first.get("/-/healthy") == "healthy\n", "the first goes on"


def last_words(prober: Prober) -> str:
    return prober.log.read_text().splitlines()[-1]


def test_a_bad_configuration_is_told_completely(world: World, stage: Stage) -> None:
    bad = well(stage) | {"journel": "x", "routes": [{"relay": "us"}], "tag_key": "short"}
    prober = Prober(world, bad)
    began = time.monotonic()
    prober.launch()
    assert prober.wait() == 2
    assert time.monotonic() - began < 5
    told = prober.log.read_text()
    for problem in ("'journal'", "no relay is named 'us'", "tag_key"):
        assert problem in told, told
    assert "Traceback" not in told

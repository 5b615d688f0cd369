"""What a configuration means: defaults, precedence, the environment, secrets."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from probe.config import ConfigError, FileSecret, Plan, Settings, load, needs_restart
from probe.config.settings import short_name
from probe.core.allowance import Limits, RelayLimits
from probe.core.model import (
    AuthMode,
    EnvelopeMode,
    ImapServer,
    Node,
    Role,
    Timeouts,
    TlsMode,
)
from probe.core.node_plan import IpVersion, NodePlan
from probe.ports import SecretUnreadable

KEY = "tag_key: 0123456789abcdef\n"
RELAYS = "relays: {pool: {host: smtp.example.com}}\n"
SENDERS = "senders: {shop: {address: probe@shop.example}}\n"
IMAP = "imap: {host: imap.corp.example, username: probe, password: hunter2}"
MAILBOXES = f"mailboxes: {{corp: {{address: probe@corp.example, {IMAP}}}}}\n"
SMALL = KEY + RELAYS + SENDERS + MAILBOXES

# The example of the public face, as far as this version has its keys.
CONTRACT = """\
instance: fra1
tag_key: {{file: {secrets}/tag}}
journal: /var/lib/mailprobe/journal.sqlite3
web: {{listen: 0.0.0.0:9841}}
resolvers: [192.0.2.53]
secrets_dir: {secrets}
log: {{level: info, format: logfmt}}
defaults: {{interval: 15s, deadline: 60s, give_up: 24h}}
relays:
  pool:
    host: smtp.example.com
    port: 587
    tls: starttls
    nodes: a
    ip_version: auto
    username: probe
    password: {{file: {secrets}/smtp}}
    auth: auto
    helo: prober.example
    source_address: 192.0.2.7
    limits: {{per_minute: 60, per_day: 20000, connections: 10}}
    timeouts: {{connect: 10s, greeting: 10s, command: 30s, hard: 60s}}
    role: primary
senders:
  shop:
    address: probe@shop.example
    name: Delivery check
    envelope: plain
    bounces: back
mailboxes:
  corp:
    address: probe@corp.example
    imap: {{host: imap.corp.example, port: 993, tls: implicit, username: probe@corp.example,
           password: {{file: {secrets}/imap}}}}
    folders: {{inbox: INBOX, junk: auto}}
    authserv_id: mx.corp.example
    deadline: 120s
    per_day: 2000
    keep: 1h
    keep_failed: 7d
  back:
    address: probe@shop.example
    imap: {{host: imap.corp.example, username: back, password: {{file: {secrets}/imap}}}}
routes:
  - {{relay: pool, sender: shop, mailbox: corp, interval: 30s}}
"""


def loaded(tmp_path: Path, text: str, **environ: str) -> Settings:
    path = tmp_path / "mailprobe.yaml"
    path.write_text(text)
    return load(str(path), environ)


def refused(tmp_path: Path, text: str, **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text, **environ)
    return [str(each).removeprefix(f"{tmp_path}/") for each in caught.value.problems]


def secrets(tmp_path: Path, **contents: str) -> Path:
    directory = tmp_path / "secrets"
    directory.mkdir()
    for name, content in contents.items():
        (directory / name).write_text(content)
    return directory


def relay_text(**keys: str) -> str:
    lines = "".join(f"    {key}: {value}\n" for key, value in keys.items())
    return f"{KEY}relays:\n  pool:\n    host: smtp.example.com\n{lines}{SENDERS}{MAILBOXES}"


def test_the_example_of_the_public_face_is_understood(tmp_path: Path) -> None:
    directory = secrets(tmp_path, tag="0123456789abcdef", smtp="s1\n", imap="i1\n")
    settings = loaded(tmp_path, CONTRACT.format(secrets=directory))
    pool, shop, corp = settings.relays[0], settings.senders[0], settings.mailboxes[0]

    assert (settings.instance, settings.listen) == ("fra1", ("0.0.0.0", 9841))
    assert settings.resolvers == ("192.0.2.53:53",)
    assert (pool.host, pool.port, pool.plan) == ("smtp.example.com", 587, NodePlan.A)
    assert (pool.helo, pool.source_address) == ("prober.example", "192.0.2.7")
    assert (shop.address, shop.domain, shop.bounces) == (
        "probe@shop.example",
        "shop.example",
        "back",
    )
    assert corp.imap == ImapServer("imap.corp.example", 993, "probe@corp.example")
    assert corp.authserv_id == "mx.corp.example"
    assert settings.plans == {("pool", "shop", "corp"): Plan(30.0, 120.0, 86400.0)}
    assert settings.smtp_passwords["pool"].read() == "s1"
    assert {name: each.read() for name, each in settings.imap_passwords.items()} == {
        "corp": "i1",
        "back": "i1",
    }
    assert settings.warnings == ()


def test_what_is_left_out_has_the_documented_default(tmp_path: Path) -> None:
    settings = loaded(tmp_path, SMALL)
    pool, shop, corp = settings.relays[0], settings.senders[0], settings.mailboxes[0]

    assert settings.instance == short_name(socket.gethostname())
    assert settings.journal == "/var/lib/mailprobe/journal.sqlite3"
    assert settings.listen == ("127.0.0.1", 9841)
    assert settings.resolvers is None
    assert (settings.log_level, settings.log_format) == ("info", "logfmt")
    assert settings.plans == {("pool", "shop", "corp"): Plan(15.0, 60.0, 86400.0)}
    assert (pool.port, pool.tls, pool.plan, pool.username) == (587, TlsMode.STARTTLS, "none", None)
    assert (pool.auth, pool.role, pool.timeouts) == (AuthMode.AUTO, Role.PRIMARY, Timeouts())
    assert pool.helo
    assert (shop.display_name, shop.envelope) == ("Delivery check", EnvelopeMode.PLAIN)
    assert (shop.bounces, settings.smtp_passwords) == (None, {})
    assert (corp.inbox, corp.junk, corp.authserv_id) == ("INBOX", "auto", None)
    assert (corp.keep, corp.keep_failed) == (3600.0, 7 * 86400.0)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("fra1.example.com", "fra1"),
        ("FRA_1", "FRA_1"),
        ("fra 1\n", "fra-1"),
        ("-x-", "x"),
        ("", "mailprobe"),
        ("ü", "mailprobe"),
    ],
)
def test_the_default_instance_is_the_short_name_cleaned(host: str, name: str) -> None:
    assert short_name(host) == name


def test_json_is_yaml(tmp_path: Path) -> None:
    text = (
        '{"tag_key": "0123456789abcdef", "relays": {"pool": {"host": "smtp.example.com",'
        ' "port": 2525, "username": "a\\"b", "password": "c\\u00e9"}},'
        '"senders": {"shop": {"address": "probe@shop.example"}},'
        '"mailboxes": {"corp": {"address": "probe@corp.example", "imap":'
        '{"host": "imap.corp.example", "username": "u", "password": "p"}}}}'
    )
    settings = loaded(tmp_path, text)

    assert (settings.relays[0].port, settings.relays[0].username) == (2525, 'a"b')
    assert settings.smtp_passwords["pool"].read() == "cé"


@pytest.mark.parametrize(
    "written",
    ["no", "true", "007", "1e5", "0x10", "1:30", "$HOME${x}", "p#w", "5_0", "2026-11-22", ".inf"],
)
def test_a_value_is_the_text_that_is_written(tmp_path: Path, written: str) -> None:
    settings = loaded(tmp_path, relay_text(username=written, password=written))

    assert settings.relays[0].username == written
    assert settings.smtp_passwords["pool"].read() == written


def test_a_port_with_zeros_is_decimal(tmp_path: Path) -> None:
    assert loaded(tmp_path, relay_text(port="0025")).relays[0].port == 25


def test_a_byte_order_mark_and_windows_line_ends_are_fine(tmp_path: Path) -> None:
    settings = loaded(tmp_path, "\ufeff" + SMALL.replace("\n", "\r\n"))

    assert settings.relays[0].host == "smtp.example.com"


def test_anchors_are_followed(tmp_path: Path) -> None:
    text = (
        f"{KEY}relays:\n  eu: &one {{host: a.example, timeouts: {{hard: 50s}}}}\n"
        f"  us: *one\n{SENDERS}{MAILBOXES}"
    )
    eu, us = loaded(tmp_path, text).relays

    assert (eu.name, us.name, eu.host, us.host) == ("eu", "us", "a.example", "a.example")


@pytest.mark.parametrize(
    ("tls", "smtp", "imap"), [("none", 25, 143), ("starttls", 587, 143), ("implicit", 465, 993)]
)
def test_the_port_is_by_tls(tmp_path: Path, tls: str, smtp: int, imap: int) -> None:
    settings = loaded(tmp_path, relay_text(tls=tls).replace("imap: {", f"imap: {{tls: {tls}, "))

    assert (settings.relays[0].port, settings.mailboxes[0].imap.port) == (smtp, imap)


@pytest.mark.parametrize(
    ("entry", "name", "address", "port"),
    [
        ("192.0.2.1", "192.0.2.1", "192.0.2.1", 587),
        ("192.0.2.1:26", "192.0.2.1", "192.0.2.1", 26),
        ("n1=192.0.2.1", "n1", "192.0.2.1", 587),
        ("n1.example=192.0.2.1:26", "n1.example", "192.0.2.1", 26),
        ("2001:DB8:0:0::1", "2001:db8::1", "2001:db8::1", 587),
        ("'[2001:db8::1]'", "2001:db8::1", "2001:db8::1", 587),
        ("'[2001:db8::1]:26'", "2001:db8::1", "2001:db8::1", 26),
        ("'n6=[2001:db8::1]:26'", "n6", "2001:db8::1", 26),
        ("'::ffff:192.0.2.1'", "::ffff:192.0.2.1", "::ffff:192.0.2.1", 587),
    ],
)
def test_a_listed_node(tmp_path: Path, entry: str, name: str, address: str, port: int) -> None:
    relay = loaded(tmp_path, relay_text(nodes=f"[{entry}]")).relays[0]

    assert relay.plan is NodePlan.LIST
    assert relay.listed == (Node("pool", name, address, port),)


@pytest.mark.parametrize("plan", [p for p in NodePlan if p is not NodePlan.LIST])
def test_every_plan_is_a_word(tmp_path: Path, plan: NodePlan) -> None:
    assert loaded(tmp_path, relay_text(nodes=plan.value)).relays[0].plan is plan


@pytest.mark.parametrize("choice", list(IpVersion))
def test_every_ip_version_is_a_word(tmp_path: Path, choice: IpVersion) -> None:
    assert loaded(tmp_path, relay_text(ip_version=choice.value)).relays[0].ip_version is choice


@pytest.mark.parametrize(
    ("keys", "warning"),
    [
        (
            {"nodes": "mx"},
            "nodes: mx without a port takes that of tls; hosts in MX records listen on 25",
        ),
        ({"nodes": "mx", "port": "25"}, ""),
        (
            {"nodes": "srv", "tls": "none"},
            "tls: none is not for what _submissions._tcp names, which speaks TLS by definition",
        ),
        ({"nodes": "srv"}, ""),
    ],
)
def test_what_records_contradict_is_a_warning(
    tmp_path: Path, keys: dict[str, str], warning: str
) -> None:
    said = loaded(tmp_path, relay_text(**keys)).warnings
    assert said == ((f"relays.pool: {warning}",) if warning else ())


@pytest.mark.parametrize(
    ("listen", "expected"),
    [
        ("0.0.0.0:80", ("0.0.0.0", 80)),
        ("'[::]:9841'", ("::", 9841)),
        ("localhost:0", ("localhost", 0)),
    ],
)
def test_the_listener(tmp_path: Path, listen: str, expected: tuple[str, int]) -> None:
    assert loaded(tmp_path, f"{SMALL}web: {{listen: {listen}}}\n").listen == expected


def test_resolvers_have_port_53_unless_they_say_otherwise(tmp_path: Path) -> None:
    text = f"{SMALL}resolvers: [192.0.2.53, '192.0.2.54:5353', '2001:db8::53', dns.example]\n"

    assert loaded(tmp_path, text).resolvers == (
        "192.0.2.53:53",
        "192.0.2.54:5353",
        "[2001:db8::53]:53",
        "dns.example:53",
    )


def test_a_domain_that_is_not_ascii_is_encoded(tmp_path: Path) -> None:
    text = SMALL.replace("probe@shop.example", "Probe@bücher.example")

    assert loaded(tmp_path, text).senders[0].address == "Probe@xn--bcher-kva.example"


def test_bounces_come_to_the_mailbox_with_the_senders_address(tmp_path: Path) -> None:
    text = (
        KEY
        + RELAYS
        + SENDERS
        + MAILBOXES.replace("probe@corp", "Probe@Shop").replace(
            "corp.example, imap", "example, imap"
        )
    )
    text = text.replace("Probe@Shop.example", "Probe@Shop.Example")

    assert loaded(tmp_path, text).senders[0].bounces == "corp"


def test_a_mailbox_may_have_no_junk_folder(tmp_path: Path) -> None:
    text = SMALL.replace("address: probe@corp", "folders: {junk: none}, address: probe@corp")

    assert loaded(tmp_path, text).mailboxes[0].junk is None


# ---- plans

TWO = f"""\
{KEY}
defaults: {{interval: 20s}}
relays: {{eu: {{host: a.example}}, us: {{host: b.example}}}}
senders: {{shop: {{address: probe@shop.example}}}}
mailboxes:
  corp: {{address: probe@corp.example, interval: 40s, deadline: 90s, {IMAP}}}
  back: {{address: probe@back.example, {IMAP}}}
"""


def test_without_routes_every_combination_is_probed(tmp_path: Path) -> None:
    assert loaded(tmp_path, TWO).plans == {
        ("eu", "shop", "corp"): Plan(40.0, 90.0, 86400.0),
        ("eu", "shop", "back"): Plan(20.0, 60.0, 86400.0),
        ("us", "shop", "corp"): Plan(40.0, 90.0, 86400.0),
        ("us", "shop", "back"): Plan(20.0, 60.0, 86400.0),
    }


def test_a_field_left_out_means_all_and_a_later_route_wins(tmp_path: Path) -> None:
    routes = (
        "routes:\n  - {mailbox: corp, interval: 10s, deadline: 70s}\n"
        "  - {relay: us, mailbox: corp, interval: 5s}\n"
    )

    assert loaded(tmp_path, TWO + routes).plans == {
        ("eu", "shop", "corp"): Plan(10.0, 70.0, 86400.0),
        ("us", "shop", "corp"): Plan(5.0, 70.0, 86400.0),
    }


# ---- the environment


def test_a_variable_wins_over_the_file(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path,
        relay_text(port="25", username="probe", password="hunter2"),
        MAILPROBE_RELAYS__POOL__PORT="2525",
        MAILPROBE_RELAYS__POOL__PASSWORD="007",
        MAILPROBE_RELAYS__POOL__TIMEOUTS__HARD="90s",
        MAILPROBE_MAILBOXES__CORP__IMAP__PASSWORD='{"a": 1}',
        MAILPROBE_TAG_KEY="fedcba9876543210",
        MAILPROBE_INSTANCE="lon1",
        MAILPROBE_WEB__LISTEN="[::]:80",
        MAILPROBE_DEFAULTS__INTERVAL="1m",
    )

    assert (settings.relays[0].port, settings.relays[0].timeouts.hard) == (2525, 90.0)
    assert settings.smtp_passwords["pool"].read() == "007"
    assert settings.imap_passwords["corp"].read() == '{"a": 1}'
    assert [key.read() for key in settings.tag_keys] == ["fedcba9876543210"]
    assert (settings.instance, settings.listen) == ("lon1", ("::", 80))
    assert settings.plans["pool", "shop", "corp"].interval == 60.0
    assert settings.warnings == ()


def test_a_variable_can_name_the_file_of_a_secret(tmp_path: Path) -> None:
    directory = secrets(tmp_path, **{"1": "from a file\n"})
    settings = loaded(
        tmp_path,
        relay_text(username="probe", password="hunter2"),
        MAILPROBE_RELAYS__POOL__PASSWORD__FILE=str(directory / "1"),
    )

    assert settings.smtp_passwords["pool"].read() == "from a file"


def test_what_kubernetes_sets_and_our_own_are_ignored(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path,
        SMALL,
        MAILPROBE_PORT="tcp://10.0.0.1:9841",
        MAILPROBE_PORT_9841_TCP_ADDR="10.0.0.1",
        MAILPROBE_SERVICE_HOST="10.0.0.1",
        MAILPROBE_SERVICE_PORT__HTTP="9841",
        MAILPROBE_CONFIG="/x",
        MAILPROBE_HEALTHCHECK_URL="http://127.0.0.1:1/",
        MAILPROBE_REVISION="5e1fa2b",
        PATH="/bin",
    )

    assert settings.warnings == ()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("MAILPROBE_LOG_LEVEL", "unknown variable; did you mean 'MAILPROBE_LOG__LEVEL'?"),
        ("MAILPROBE_TAGKEY", "unknown variable; did you mean 'MAILPROBE_TAG_KEY'?"),
        ("MAILPROBE_QWXZQWXZ", "unknown variable"),
    ],
)
def test_another_variable_of_ours_is_a_warning(tmp_path: Path, name: str, said: str) -> None:
    assert loaded(tmp_path, SMALL, **{name: "hunter2"}).warnings == (f"{name}: {said}",)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("RELAY__POOL__HOST", "relay.pool.host: unknown variable; did you mean"
         " 'MAILPROBE_RELAYS__POOL__HOST'?"),
        ("RELAYS__POOL__PASWORD", "relays.pool.pasword: unknown key; did you mean 'password'?"),
        ("RELAYS__POOL__PORT", "relays.pool.port: must be a port from 1 to 65535"),
        ("RELAYS__POOL", "relays.pool: must be a mapping, of keys and values"),
        ("RELAYS", "relays: must be a mapping, of keys and values"),
        ("RELAYS__POL__PASSWORD", "relays.pol.host: is missing"),
        ("RELAYS__POOL__LIMITS__PER_DAY",
         "relays.pool.limits.per_day: must be a whole number from 1 on"),
        ("HEARTBEAT__URL", "heartbeat.url: must be a URL such as https://switch.example/0f3c"),
        ("ROUTES__0__RELAY", "routes.0.relay: a variable cannot reach into a list: use the file"),
        ("RESOLVERS", "resolvers: must be a list"),
        ("INSTANCE", "instance: must be at most 64 letters, digits, '.', '_' and '-'"),
    ],
)  # fmt: skip
def test_a_wrong_variable_is_an_error(tmp_path: Path, name: str, said: str) -> None:
    found = refused(tmp_path, SMALL, **{f"MAILPROBE_{name}": "Hunter2!"})

    assert found[0] == f"MAILPROBE_{name}: {said}"


def test_an_empty_variable_is_an_error(tmp_path: Path) -> None:
    assert refused(tmp_path, SMALL, MAILPROBE_JOURNAL="") == [
        "MAILPROBE_JOURNAL: journal: is empty"
    ]


def test_a_relay_may_come_from_variables_alone_and_that_is_said(tmp_path: Path) -> None:
    settings = loaded(tmp_path, SMALL, MAILPROBE_RELAYS__EU__HOST="eu.example")

    assert [relay.name for relay in settings.relays] == ["pool", "eu"]
    assert settings.warnings == (
        "MAILPROBE_RELAYS__EU__HOST: adds relays.eu, which the file does not have",
    )


# ---- secrets


def test_a_secret_file_is_read_anew_each_time(tmp_path: Path) -> None:
    directory = secrets(tmp_path, smtp="old\n")
    text = relay_text(username="probe", password=f"{{file: {directory}/smtp}}")
    secret = loaded(tmp_path, text).smtp_passwords["pool"]
    before = secret.read()
    (directory / "smtp").write_text("new")

    assert (before, secret.read()) == ("old", "new")


@pytest.mark.parametrize(
    ("content", "secret"),
    [("a", "a"), ("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), (" a ", " a "), ("é", "é")],
)
def test_one_line_end_is_taken_off(tmp_path: Path, content: str, secret: str) -> None:
    (tmp_path / "secret").write_bytes(content.encode())

    assert FileSecret(tmp_path / "secret").read() == secret


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"", "is empty"), (b"\n", "is empty"), (b"\xff", "is not UTF-8 text"),
     (b"x" * 65537, "is longer than 65536 bytes")],
)  # fmt: skip
def test_a_secret_file_that_is_of_no_use(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "secret").write_bytes(content)

    with pytest.raises(SecretUnreadable, match=why):
        FileSecret(tmp_path / "secret").read()


def test_a_named_pipe_does_not_hold_us(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(SecretUnreadable, match="not a regular file"):
        FileSecret(tmp_path / "pipe").read()


def test_a_secret_file_that_went_away(tmp_path: Path) -> None:
    with pytest.raises(SecretUnreadable, match=r"cannot be read: No such file or directory"):
        FileSecret(tmp_path / "gone").read()


def test_several_tag_keys(tmp_path: Path) -> None:
    directory = secrets(tmp_path, new="n" * 16)
    text = SMALL.replace("tag_key: 0123", f"tag_key: [{{file: {directory}/new}}, 0123").replace(
        "abcdef\n", "abcdef]\n"
    )

    assert [key.read() for key in loaded(tmp_path, text).tag_keys] == ["n" * 16, "0123456789abcdef"]


def test_secrets_dir_wins_over_the_file_and_variables_over_both(tmp_path: Path) -> None:
    directory = secrets(
        tmp_path,
        tag_key="k" * 16,
        relays__pool__password="smtp\n",
        mailboxes__corp__imap__password="imap\n",
        relays__gone__password="old",
        relays__pool__username="old",
        other="x",
        other__thing="x",
    )
    settings = loaded(
        tmp_path,
        relay_text(username="probe") + f"secrets_dir: {directory}\n",
        MAILPROBE_MAILBOXES__CORP__IMAP__PASSWORD="variable",
    )

    assert settings.tag_keys[0].read() == "k" * 16
    assert settings.smtp_passwords["pool"].read() == "smtp"
    assert settings.imap_passwords["corp"].read() == "variable"
    assert settings.warnings == tuple(
        f"{directory}/relays__{name}: is not used; no secret of the configuration has this name"
        for name in ("gone__password", "pool__username")
    )


def test_secrets_dir_may_come_from_a_variable(tmp_path: Path) -> None:
    directory = secrets(tmp_path, tag_key="k" * 16)

    assert (
        loaded(tmp_path, RELAYS + SENDERS + MAILBOXES, MAILPROBE_SECRETS_DIR=str(directory))
        .tag_keys[0]
        .read()
        == "k" * 16
    )


def test_a_bad_secret_in_the_directory_is_reported_by_its_file(tmp_path: Path) -> None:
    directory = secrets(tmp_path, tag_key="short")

    assert refused(tmp_path, SMALL + f"secrets_dir: {directory}\n") == [
        "secrets/tag_key: tag_key: must have at least 16 characters; try `openssl rand -hex 32`"
    ]


def test_a_password_without_encryption_is_a_warning(tmp_path: Path) -> None:
    text = relay_text(tls="none", username="probe", password="hunter2")
    settings = loaded(tmp_path, text.replace("imap: {", "imap: {tls: none, "))

    clear = "the password goes over the network in the clear (tls: none)"
    assert settings.warnings == (f"relays.pool: {clear}", f"mailboxes.corp.imap: {clear}")


# ---- limits, and what large providers make of us


def test_limits_are_read_and_what_is_known_of_large_providers_is_added(tmp_path: Path) -> None:
    made = loaded(
        tmp_path,
        f"""{KEY}{SENDERS}
relays: {{pool: {{host: smtp.example.com, limits: {{per_minute: 6}}}}}}
mailboxes:
  corp: {{address: probe@corp.example, {IMAP}}}
  mail: {{address: probe@gmail.com, {IMAP}}}
""",
    )

    assert made.limits == Limits({"pool": RelayLimits(per_minute=6)}, {"mail": 2000})
    assert made.warnings == ()


def test_a_gmail_account_may_send_and_receive_if_not_to_itself(tmp_path: Path) -> None:
    text = f"""{KEY}{RELAYS}
senders: {{me: {{address: delivery@gmail.com}}, shop: {{address: probe@shop.example}}}}
mailboxes: {{mine: {{address: delivery@gmail.com, {IMAP}}}}}
"""
    assert "is the account of mailbox 'mine'" in refused(tmp_path, text)[0]
    assert loaded(tmp_path, text + "routes: [{sender: shop}]\n").senders[0].bounces == "mine"


@pytest.mark.parametrize(
    ("host", "warned"),
    [("smtp.office365.com", True), ("smtp-mail.outlook.com", True), ("outlook.example", False)],
)
def test_logins_with_a_password_end_at_microsoft(tmp_path: Path, host: str, warned: bool) -> None:
    text = SMALL.replace("smtp.example.com", f"{host}, username: probe, password: x")
    found = [one for one in loaded(tmp_path, text).warnings if "end of December 2026" in one]

    assert [one.split(":")[0] for one in found] == (["relays.pool"] if warned else [])


def test_two_thousand_a_day_to_one_provider_are_warned_of_in_sum(tmp_path: Path) -> None:
    def warnings(**addresses: str) -> tuple[str, ...]:
        boxes = "".join(f"  {n}: {{address: {a}, {IMAP}}}\n" for n, a in addresses.items())
        slow = "defaults: {interval: 60s}\n"
        return loaded(tmp_path, f"{KEY}{RELAYS}{SENDERS}{slow}mailboxes:\n{boxes}").warnings

    assert warnings(one="a@gmail.com", two="b@outlook.com") == ()
    assert warnings(one="a@gmail.com", two="b@googlemail.com", three="c@corp.example") == (
        "mailboxes one, two: 2880 messages a day to Gmail; more than 2000 are too many, and 5000"
        " make the domain a bulk sender for good",
    )


def test_the_pages_may_need_a_login_and_be_seen_from_elsewhere(tmp_path: Path) -> None:
    web = (
        "web: {basic_auth: {username: ops, password: hunter2}, external_url: https://a.example/m/}"
    )
    settings = loaded(tmp_path, f"{SMALL}{web}\n")

    assert settings.login is not None
    assert (settings.login[0], settings.login[1].read()) == ("ops", "hunter2")
    assert settings.external_url == "https://a.example/m"
    assert settings.certificate is None
    assert settings.warnings == ()


def test_a_login_over_a_network_without_tls_is_warned_of(tmp_path: Path) -> None:
    web = "web: {listen: 0.0.0.0:9841, basic_auth: {username: ops, password: hunter2}}"
    clear = "web.basic_auth: the password goes over the network in the clear (no web.tls)"

    assert loaded(tmp_path, f"{SMALL}{web}\n").warnings == (clear,)


def test_the_login_of_the_pages_can_come_from_secrets_dir(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "web__basic_auth__password").write_text("hunter3\n")
    text = f"{SMALL}secrets_dir: {tmp_path}/secrets\nweb: {{basic_auth: {{username: ops}}}}\n"

    login = loaded(tmp_path, text).login
    assert login is not None and login[1].read() == "hunter3"


@pytest.mark.parametrize(
    ("change", "keys"),
    [
        ("defaults: {interval: 20s}", []),
        ("log: {level: debug}", []),
        ("instance: other", ["instance"]),
        ("journal: /var/other", ["journal"]),
        ("web: {listen: 0.0.0.0:1}", ["web.listen"]),
        (
            "instance: other\njournal: /x\nweb: {listen: 'localhost:1'}",
            ["instance", "journal", "web.listen"],
        ),
    ],
)
def test_what_cannot_change_on_a_reload(tmp_path: Path, change: str, keys: list[str]) -> None:
    before = loaded(tmp_path, f"{SMALL}")
    after = loaded(tmp_path, f"{SMALL}{change}\n")
    wrong = "cannot change while mailprobe runs: it needs a restart"

    assert [each.message for each in needs_restart(before, after)] == [wrong] * len(keys)
    assert [each.place.rpartition(": ")[2] for each in needs_restart(before, after)] == keys

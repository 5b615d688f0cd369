"""What holds for every configuration: what is written is read back, and no secret gets out."""

from __future__ import annotations

import ipaddress
import logging
import re
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.config import ConfigError, duration, load
from probe.config.scalar import spelled
from probe.config.target import Target, target

KEY = "tag_key: 0123456789abcdef\n"
TREE: dict[str, Any] = {
    "instance": "fra1",
    "tag_key": "0123456789abcdef",
    "journal": "/x/journal",
    "web": {"listen": "127.0.0.1:9841"},
    "resolvers": ["192.0.2.53"],
    "log": {"level": "info", "format": "json"},
    "defaults": {"interval": "15s", "deadline": "60s", "give_up": "24h"},
    "relays": {
        "pool": {
            "host": "smtp.example.com",
            "port": "587",
            "tls": "starttls",
            "nodes": ["192.0.2.1"],
            "username": "probe",
            "password": "first password",
            "auth": "auto",
            "helo": "prober.example",
            "source_address": "192.0.2.7",
            "limits": {"per_minute": "60", "connections": "3"},
            "timeouts": {"connect": "10s"},
            "role": "primary",
        }
    },
    "senders": {"shop": {"address": "probe@shop.example", "envelope": "plain", "bounces": "corp"}},
    "mailboxes": {
        "corp": {
            "address": "probe@corp.example",
            "imap": {
                "host": "imap.corp.example",
                "port": "993",
                "tls": "implicit",
                "username": "probe",
                "password": "second password",
            },
            "folders": {"inbox": "INBOX", "junk": "auto"},
            "authserv_id": "mx.corp.example",
            "per_day": "2000",
            "keep": "1h",
        }
    },
    "routes": [{"relay": "pool", "sender": "shop", "mailbox": "corp", "interval": "30s"}],
}
# What a generator of passwords makes; a word of a few small letters could be any value's mistake.
CANARY = st.text(
    st.sampled_from("abcXYZ0189!#$%&*+-./:;<=>?@[]^_`{|}~\"'\\ ,"), min_size=12, max_size=40
).map(lambda text: f"cAnArY-{text}")


def paths(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = (
        tree.items() if isinstance(tree, dict) else enumerate(tree) if type(tree) is list else ()
    )
    for key, value in items:
        yield (*path, key)
        yield from paths(value, (*path, key))


def replaced(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    copy[path[0]] = replaced(tree[path[0]], path[1:], value)
    return copy


def flow(tree: Any, *, quoted: bool = True) -> str:
    """The tree as YAML in one line for each top key."""
    if isinstance(tree, dict):
        return "{" + ", ".join(f"{key}: {flow(each)}" for key, each in tree.items()) + "}"
    if isinstance(tree, list):
        return "[" + ", ".join(map(flow, tree)) + "]"
    return tree.text if isinstance(tree, Bare) else "'" + tree.replace("'", "''") + "'"


class Bare(str):
    """A value without quotes: perhaps no YAML at all."""

    @property
    def text(self) -> str:
        return str(self)


def said(text: str, **environ: str) -> str:
    """All that comes out of loading this: errors, warnings, reprs, logs and tracebacks."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "c.yaml"
        path.write_text(text)
        try:
            settings = load(str(path), environ)
        except ConfigError as error:
            assert error.__context__ is None and error.__cause__ is None
            lines = "".join(traceback.format_exception(error))
            record = logging.LogRecord("x", 40, "x", 1, "%r", (error,), None)
            return f"{error}{error!r}{error.problems!r}{lines}{record.getMessage()}"
        shown = f"{settings.warnings}{settings.tag_keys!r}{settings.smtp_passwords!r}"
        return f"{shown}{settings.imap_passwords!r}"


def leaks(secret: str, text: str) -> bool:
    """Whether a telling part of the secret is in the text."""
    return "cAnArY" in text or secret in text


@settings(max_examples=40)
@given(CANARY, st.sampled_from(list(paths(TREE))))
def test_a_secret_in_any_place_is_not_said(secret: str, path: tuple[Any, ...]) -> None:
    tree = replaced(TREE, path, secret)

    assert not leaks(secret, said("\n".join(f"{k}: {flow(v)}" for k, v in tree.items())))


@settings(max_examples=40)
@given(CANARY, st.sampled_from(list(paths(TREE))))
def test_a_secret_without_quotes_in_any_place_is_not_said(
    secret: str, path: tuple[Any, ...]
) -> None:
    tree = replaced(TREE, path, Bare(secret))

    assert not leaks(secret, said("\n".join(f"{k}: {flow(v)}" for k, v in tree.items())))


@settings(max_examples=40)
@given(
    CANARY,
    st.sampled_from(
        [
            "password:{}",
            "password: {}: x",
            "password: !{} x",
            "password: &{} x",
            "password: *{}",
            "pass: {}",
            "passwort: '{}'",
            "password: {{file: {}}}",
            "password: {{{}: x}}",
            "password: [{}]",
            "password:\n      {}:",
            "password:\n      - {}\n     x",
            "password: '{}",
            'password: "{}',
            'password: "\\{}"',
            "- {}",
            "{}",
            "? {} y\n    : x",
            "%{}",
            "password: |\n      {}\n     x",
            "username: {}\n    password: x: y",
            "password: x {}: y",
        ],
    ),
)
def test_a_secret_in_a_broken_line_is_not_said(secret: str, line: str) -> None:
    text = f"{KEY}relays:\n  pool:\n    host: a b\n    port: x\n    {line.format(secret)}\n"

    assert "cAnArY" not in said(text)


@settings(max_examples=40)
@given(
    CANARY,
    st.sampled_from(
        ["RELAYS__POOL__PASSWORD", "RELAYS__POOL__PASSWORT", "RELAYS__POOL__PORT", "RELAYS__POOL",
         "RELAYS", "TAG_KEY", "TAG_KEY__FILE", "TAG_KEY__0", "FOO__BAR", "FOO", "WEB", "RESOLVERS",
         "MAILBOXES__CORP__IMAP__PASSWORD__FILE", "MAILBOXES__CORP__IMAP", "INSTANCE"],
    ),
)  # fmt: skip
def test_a_secret_in_any_variable_is_not_said(secret: str, name: str) -> None:
    text = "\n".join(f"{k}: {flow(v)}" for k, v in TREE.items())

    assert not leaks(secret, said(text, **{f"MAILPROBE_{name}": secret}))


@pytest.mark.parametrize("name", ["port", "tls", "source_address", "host", "role", "nodes", "auth"])
@pytest.mark.parametrize(
    "secret", ["9f86d081884c7d659a2feaa0c55ad015", "correcthorse", "12345678", "p@ss", "{a: b}"]
)
def test_a_plain_secret_pasted_beside_the_password_is_not_said(name: str, secret: str) -> None:
    tree = replaced(TREE, ("relays", "pool", name), Bare(secret))
    shown = said("\n".join(f"{k}: {flow(v)}" for k, v in tree.items()))

    assert secret not in shown.replace(KEY, "")


@settings(max_examples=40)
@given(st.text(max_size=200))
def test_any_text_is_a_configuration_or_an_error(text: str) -> None:
    said(text.encode("utf-8", "replace").decode())


@settings(max_examples=40)
@given(
    st.recursive(
        st.text(max_size=5) | st.sampled_from(["~", "*a", "&a x", "15s", "{file: x}"]).map(Bare),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["host", "address", "imap", "x"]), inner, max_size=3)
        ),
        max_leaves=6,
    ),
    st.sampled_from(list(paths(TREE))),
)
def test_any_value_in_any_place_is_a_configuration_or_an_error(
    value: Any, path: tuple[Any, ...]
) -> None:
    tree = replaced(TREE, path, value)

    said("\n".join(f"{k}: {flow(v)}" for k, v in tree.items()))


@given(st.integers(0, 999_999_999))
def test_a_duration_is_read_back_as_it_was_spelled(milliseconds: int) -> None:
    assert duration(spelled(milliseconds / 1000)) == milliseconds / 1000


@given(
    st.lists(
        st.tuples(st.integers(0, 9999), st.sampled_from([("ms", 1), ("s", 1000), ("m", 60_000),
                                                        ("h", 3_600_000), ("d", 86_400_000)])),
        min_size=1, max_size=4,
    )
)  # fmt: skip
def test_a_duration_is_the_sum_of_its_parts(parts: list[tuple[int, tuple[str, int]]]) -> None:
    text = "".join(f"{number}{unit}" for number, (unit, _) in parts)

    assert duration(text) == sum(number * size for number, (_, size) in parts) / 1000


@given(st.text(st.sampled_from("0123456789.smhd -+eE_"), max_size=12))
def test_a_duration_without_a_unit_at_its_end_is_refused(text: str) -> None:
    if not re.fullmatch(r"([0-9]+(\.[0-9]{1,3})?(ms|[smhd]))+", text):
        with pytest.raises(ValueError):
            duration(text)


@given(
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,10}", fullmatch=True) | st.none(),
    st.ip_addresses(),
    st.integers(1, 65535) | st.none(),
)
def test_a_node_is_read_back_as_it_was_written(
    name: str | None, address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int | None
) -> None:
    written = f"[{address}]" if address.version == 6 and port else str(address)
    text = f"{f'{name}=' if name else ''}{written}{f':{port}' if port else ''}"
    read = target(text)

    assert ipaddress.ip_address(read.address) == address
    assert read == Target(name or read.address, read.address, port)
    assert target(str(read)) == read

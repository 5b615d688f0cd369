"""What a client says in its Authorization header, and whether it is right."""

from __future__ import annotations

import base64

import pytest

from probe.core.basic_auth import Credentials, said, same

OURS = Credentials("ops", "hunter2")


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (basic("ops:hunter2"), OURS),
        (basic("ops:hunter2").replace("Basic", "bASIC"), OURS),
        (basic("ops:with:colons"), Credentials("ops", "with:colons")),
        (basic(":"), Credentials("", "")),
        (basic("öps:pässwörd"), Credentials("öps", "pässwörd")),
    ],
)
def test_credentials_are_read(header: str, expected: Credentials) -> None:
    assert said(header) == expected


@pytest.mark.parametrize(
    "header",
    [
        *("", "Basic", "Basic ", "Bearer abc", "Basic !!!!", basic("no colon")),
        *("Basic b3BzOmh1bnRlcjI", "Basic //79Og==", "Basic " + "QTpB" * 5000),
    ],
)
def test_what_is_none_is_none(header: str) -> None:
    assert said(header) is None


@pytest.mark.parametrize(
    ("claim", "right"),
    [
        (OURS, True),
        (Credentials("ops", "hunter"), False),
        (Credentials("ops", "hunter22"), False),
        (Credentials("ops", ""), False),
        (Credentials("OPS", "hunter2"), False),
        (Credentials("", "opshunter2"), False),
    ],
)
def test_only_both_together_are_right(claim: Credentials, right: bool) -> None:
    assert same(claim, OURS) is right


def test_the_password_is_not_shown() -> None:
    assert "hunter2" not in repr(OURS)
